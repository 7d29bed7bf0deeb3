{#
    The steps that turn events into what each meter profile counts of them, as CTEs `extracted`,
    `matched`, `measured` and `valued`, over a CTE `events_to_measure` with the columns of
    stg_raw__usage_events and `direction`. One row of `valued` per event and profile of its event
    name (one without profile where there is none):

    profile_number   null where no profile reads the event's name
    outcome          metered, filtered, no_value, not_a_number, out_of_range or no_meter
    number_value     the value after multiplier and rounding (value `number`)
    text_value       the value (value `text`)
    amount_value     the event's own price (dynamic pricing)
    dimension_1..    values of the profile's dimensions
    quarter_hour     the bucket

    Each JSON text is read once, for the properties that some profile needs and no others.
#}
{% macro measured_events(profiles, fenced=true) -%}
    {%- set paths = property_paths(profiles) -%}
    {%- set text_paths = paths | select("in", property_paths(profiles, "text")) | list -%}
    {%- set number_paths = paths | select("in", property_paths(profiles, "number")) | list -%}
    {%- set dimension_count = profiles | map(attribute="dimensions") | map("length") | max if profiles else 0 -%}
    read_events as (

        select
            *,
            {{ read_properties("properties", paths) if paths else "null" }} as read_properties
        from events_to_measure

    ),

    extracted as (

        select
            *,
            {%- for path in paths %}
            {{ read_property("read_properties", loop.index, path) }} as property_{{ loop.index }},
            {%- endfor %}
            {{ quarter_hour("occurred_at") }} as quarter_hour
        from read_events
        {{ fence() if fenced }}

    ),

    -- Once an event and property, before the event is seen by each of its profiles.
    interpreted as (

        select
            *
            {%- for path in text_paths %},
            {{ canonical_text("properties", path, "property_" ~ (paths.index(path) + 1)) }}
                as text_{{ paths.index(path) + 1 }}
            {%- endfor %}
            {%- for path in number_paths %},
            {{ exact_number_text("properties", path, "property_" ~ (paths.index(path) + 1)) }}
                as digits_{{ paths.index(path) + 1 }}
            {%- endfor %}
        from extracted
        {{ fence() if fenced }}

    ),

    parsed as (

        select
            *
            {%- for path in number_paths %},
            {{ is_number("digits_" ~ (paths.index(path) + 1)) }} as is_number_{{ paths.index(path) + 1 }},
            {{ number_value("digits_" ~ (paths.index(path) + 1)) }} as number_{{ paths.index(path) + 1 }}
            {%- endfor %}
        from interpreted
        {{ fence() if fenced }}

    ),

    profiles as (

        {%- for profile in profiles %}
        select
            {{ profile["number"] }} as profile_number,
            {{ text_literal(profile["event_name"]) }} as profile_event_name
        {{ "union all" if not loop.last }}
        {%- else %}
        select
            0 as profile_number,
            '' as profile_event_name
        where false
        {%- endfor %}

    ),

    matched as (

        select
            parsed.*,
            profiles.profile_number
        from parsed
        left join profiles
            on parsed.event_name = profiles.profile_event_name

    ),

    measured as (

        select
            *,
            {{ by_profile(profiles, "filter") }} as passes,
            {{ by_profile(profiles, "value") }} as value_text,
            {{ by_profile(profiles, "is_number") }} as has_number,
            {{ by_profile(profiles, "number") }} as number_value,
            {{ by_profile(profiles, "amount") }} as amount_text,
            {{ by_profile(profiles, "is_amount") }} as has_amount,
            {{ by_profile(profiles, "amount_number") }} as amount_value
            {%- for number in range(1, dimension_count + 1) %},
            {{ by_profile(profiles, "dimension", number) }} as dimension_{{ number }}
            {%- endfor %}
        from matched
        {{ fence() if fenced }}

    ),

    valued as (

        select
            *,
            case
                when profile_number is null then 'no_meter'
                when not passes then 'filtered'
                {%- set numeric = numbers_where(profiles, "value", "number") %}
                {%- set textual = numbers_where(profiles, "value", "text") %}
                {%- if numeric %}
                when profile_number in ({{ numeric }}) and value_text is null then 'no_value'
                when profile_number in ({{ numeric }}) and not has_number
                    then 'not_a_number'
                when profile_number in ({{ numeric }}) and number_value is null then 'out_of_range'
                {%- endif %}
                {%- if textual %}
                when profile_number in ({{ textual }}) and value_text is null then 'no_value'
                {%- endif %}
                {%- set priced = profiles | selectattr("amount_property") | map(attribute="number") | join(", ") %}
                {%- if priced %}
                when profile_number in ({{ priced }}) and amount_text is null then 'no_value'
                when profile_number in ({{ priced }}) and not has_amount
                    then 'not_a_number'
                when profile_number in ({{ priced }}) and amount_value is null then 'out_of_range'
                {%- endif %}
                else 'metered'
            end as outcome
        from measured

    )
{%- endmacro %}

{#
    Every path that some profile reads, once; of one kind (text, number) those read so. A derived
    property reads for itself.
#}
{% macro property_paths(profiles, kind=none) -%}
    {%- set paths = [] -%}
    {%- for profile in profiles -%}
        {%- set texts = profile["dimensions"] | list -%}
        {%- set numbers = [profile["amount_property"]] -%}
        {%- if profile["aggregation"]["value"] == "text" -%} {%- do texts.append(profile["property"]) -%} {%- endif -%}
        {%- if profile["aggregation"]["value"] == "number" -%} {%- do numbers.append(profile["property"]) -%} {%- endif -%}
        {%- for filter in profile["filters"] -%}
            {%- if filter["operator"] in ["gt", "gte", "lt", "lte"] -%} {%- do numbers.append(filter["property"]) -%}
            {%- else -%} {%- do texts.append(filter["property"]) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- for path in (texts if kind != "number" else []) + (numbers if kind != "text" else []) -%}
            {%- if path and not path.startswith("derived:") and path not in paths -%}
                {%- do paths.append(path) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(paths) }}
{%- endmacro %}

{% macro numbers_where(profiles, key, value) -%}
    {%- set numbers = [] -%}
    {%- for profile in profiles if profile["aggregation"][key] == value -%}
        {%- do numbers.append(profile["number"]) -%}
    {%- endfor -%}
    {{ return(numbers | join(", ")) }}
{%- endmacro %}

{#
    One case over the profiles: `what` is filter, value, is_number, number, amount, is_amount,
    amount_number or dimension (with its place).
#}
{% macro by_profile(profiles, what, place=none) -%}
    {%- set paths = property_paths(profiles) -%}
    {%- set branches = [] -%}
    {%- for profile in profiles -%}
        {%- set expression = none -%}
        {%- if what == "filter" and profile["filters"] -%}
            {%- set tests = [] -%}
            {%- for filter in profile["filters"] -%}
                {%- do tests.append(filter_test(filter, paths)) -%}
            {%- endfor -%}
            {%- set expression = "(" ~ tests | join(" and ") ~ ")" -%}
        {%- elif what == "value" and profile["aggregation"]["value"] == "number" -%}
            {%- set expression = property_text(profile["property"], paths, "number") -%}
        {%- elif what == "value" and profile["aggregation"]["value"] == "text" -%}
            {%- set expression = property_text(profile["property"], paths, "text") -%}
        {%- elif what == "is_number" and profile["aggregation"]["value"] == "number" -%}
            {%- set expression = property_is_number(profile["property"], paths) -%}
        {%- elif what == "number" and profile["aggregation"]["value"] == "number" -%}
            {%- set expression = measured_number(profile, paths) -%}
        {%- elif what == "amount" and profile["amount_property"] -%}
            {%- set expression = property_text(profile["amount_property"], paths, "number") -%}
        {%- elif what == "is_amount" and profile["amount_property"] -%}
            {%- set expression = property_is_number(profile["amount_property"], paths) -%}
        {%- elif what == "amount_number" and profile["amount_property"] -%}
            {%- set expression = property_number(profile["amount_property"], paths) -%}
        {%- elif what == "dimension" and profile["dimensions"] | length >= place -%}
            {%- set path = profile["dimensions"][place - 1] -%}
            {%- set expression = property_text(path, paths, "text") -%}
        {%- endif -%}
        {%- if expression -%}
            {%- do branches.append((profile["number"], expression)) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set otherwise = {
        "filter": "true",
        "value": "cast(null as " ~ type_text() ~ ")",
        "amount": "cast(null as " ~ type_text() ~ ")",
        "dimension": "cast(null as " ~ type_text() ~ ")",
        "number": "cast(null as " ~ type_quantity() ~ ")",
        "amount_number": "cast(null as " ~ type_quantity() ~ ")",
        "is_number": "true",
        "is_amount": "true",
    }[what] -%}
    {%- if not branches -%}
        {{ otherwise }}
    {%- else -%}
        case profile_number
        {%- for number, expression in branches %}
            when {{ number }} then {{ expression }}
        {%- endfor %}
            else {{ otherwise }}
        end
    {%- endif -%}
{%- endmacro %}

{#
    Text of a property: kind `number` exactly as written, kind `text` in canonical form. A path
    `derived:name` is the macro derived__name(properties), code that analytics engineers own.
#}
{% macro property_text(path, paths, kind) -%}
    {%- if path.startswith("derived:") -%}
        {%- set macro_name = "derived__" ~ path[8:] -%}
        {%- if macro_name not in context -%}
            {{ exceptions.raise_compiler_error(
                "the catalogue names the derived property '" ~ path ~ "'; expected a macro "
                ~ macro_name ~ "(properties) that returns SQL for its text"
            ) }}
        {%- endif -%}
        {{ return(context[macro_name]("properties") | trim) }}
    {%- endif -%}
    {{ return(("digits_" if kind == "number" else "text_") ~ (paths.index(path) + 1)) }}
{%- endmacro %}

{# Whether a property is a number, and the number; see property_text. #}
{% macro property_is_number(path, paths) -%}
    {%- if path.startswith("derived:") -%}
        {{ return(is_number("(" ~ property_text(path, paths, "number") ~ ")")) }}
    {%- endif -%}
    {{ return("is_number_" ~ (paths.index(path) + 1)) }}
{%- endmacro %}

{% macro property_number(path, paths) -%}
    {%- if path.startswith("derived:") -%}
        {{ return(number_value("(" ~ property_text(path, paths, "number") ~ ")")) }}
    {%- endif -%}
    {{ return("number_" ~ (paths.index(path) + 1)) }}
{%- endmacro %}

{#
    The profile's property as a number, times the profile's multiplier, rounded as the profile says; null when it
    is none or out of range.
#}
{% macro measured_number(profile, paths) -%}
    {%- set number = property_number(profile["property"], paths) -%}
    {%- if profile["multiplier"] | float != 1 -%}
        {%- set number = exact_product(number, profile["multiplier"]) -%}
    {%- endif -%}
    {%- set rounding = profile["rounding"] -%}
    {%- if rounding != "none" -%}
        {%- set whole = "cast(" ~ number ~ " as decimal(38, " ~ profile["rounding_digits"] ~ "))" -%}
        {%- set unit = "cast(" ~ ("1" if profile["rounding_digits"] == 0
            else "0." ~ "0" * (profile["rounding_digits"] - 1) ~ "1") ~ " as decimal(11, 10))" -%}
        {%- if rounding == "half_away" -%}
            {%- set number = whole -%}
        {%- elif rounding == "up" -%}
            {%- set number = "(" ~ whole ~ " + case when " ~ whole ~ " < " ~ number ~ " then " ~ unit ~ " else 0 end)" -%}
        {%- elif rounding == "down" -%}
            {%- set number = "(" ~ whole ~ " - case when " ~ whole ~ " > " ~ number ~ " then " ~ unit ~ " else 0 end)" -%}
        {%- else -%}
            {{ exceptions.raise_compiler_error(
                "rounding of " ~ profile["meter_profile"] ~ " is '" ~ rounding
                ~ "'; expected none, up, down or half_away"
            ) }}
        {%- endif -%}
    {%- endif -%}
    {%- if rounding == "none" and profile["multiplier"] | float == 1 -%}
        {{ return(number) }}
    {%- endif -%}
    {%- set rounded = "cast(" ~ number ~ " as " ~ type_integral() ~ ")" -%}
    {{ return("case when abs(" ~ rounded ~ ") < 1000000000000 then cast(" ~ rounded ~ " as "
        ~ type_quantity() ~ ") end") }}
{%- endmacro %}

{#
    One condition of a meter on a property. An absent property passes neq, not_in and not_exists
    only; gt, gte, lt and lte hold for numbers alone.
#}
{% macro filter_test(filter, paths) -%}
    {%- set operator = filter["operator"] -%}
    {%- set wanted = filter["value"] -%}
    {%- if operator not in ["gt", "gte", "lt", "lte"] -%}
        {%- set text = property_text(filter["property"], paths, "text") -%}
    {%- endif -%}
    {%- if operator in ["gt", "gte", "lt", "lte"] -%}
        {%- set symbol = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}[operator] -%}
        {{ return("coalesce(case when " ~ property_is_number(filter["property"], paths) ~ " then "
            ~ property_number(filter["property"], paths) ~ " "
            ~ symbol ~ " cast(" ~ text_literal(wanted) ~ " as " ~ type_quantity()
            ~ ") end, false)") }}
    {%- elif operator in ["in", "not_in"] -%}
        {%- set literals = [] -%}
        {%- for value in wanted.split("|") -%} {%- do literals.append(text_literal(value)) -%} {%- endfor -%}
        {%- set test = "(" ~ text ~ ") in (" ~ literals | join(", ") ~ ")" -%}
        {{ return("coalesce(" ~ test ~ ", false)" if operator == "in"
            else "not coalesce(" ~ test ~ ", false)") }}
    {%- elif operator == "eq" -%}
        {{ return("coalesce((" ~ text ~ ") = " ~ text_literal(wanted) ~ ", false)") }}
    {%- elif operator == "neq" -%}
        {{ return("coalesce((" ~ text ~ ") <> " ~ text_literal(wanted) ~ ", true)") }}
    {%- elif operator == "contains" -%}
        {{ return("coalesce(strpos(" ~ text ~ ", " ~ text_literal(wanted) ~ ") > 0, false)") }}
    {%- elif operator == "exists" -%}
        {{ return("(" ~ text ~ ") is not null") }}
    {%- elif operator == "not_exists" -%}
        {{ return("(" ~ text ~ ") is null") }}
    {%- endif -%}
    {{ exceptions.raise_compiler_error(
        "filter operator '" ~ operator ~ "' on '" ~ filter["property"] ~ "'; expected eq, neq, in,"
        ~ " not_in, gt, gte, lt, lte, exists, not_exists or contains"
    ) }}
{%- endmacro %}

{#
    The quarter of an hour, as a number since 1970, UTC, and back: every civil time zone since 1972
    is a multiple of it.
#}
{% macro quarter_hour(instant) -%}
    {{ return(adapter.dispatch("quarter_hour")(instant)) }}
{%- endmacro %}
{% macro default__quarter_hour(instant) -%}
    {{ exceptions.raise_compiler_error("quarter_hour is not written for " ~ target.type) }}
{%- endmacro %}
{% macro duckdb__quarter_hour(instant) -%}
    cast(epoch_us({{ instant }}) // 900000000 as integer)
{%- endmacro %}
{# 1.0 / 900 would be cut, and an instant on a quarter of an hour fall into the one before. #}
{% macro postgres__quarter_hour(instant) -%}
    cast(div(extract(epoch from {{ instant }}), 900) as integer)
{%- endmacro %}

{% macro quarter_hour_start(quarter_hour) -%}
    {{ return(adapter.dispatch("quarter_hour_start")(quarter_hour)) }}
{%- endmacro %}
{% macro default__quarter_hour_start(quarter_hour) -%}
    {{ exceptions.raise_compiler_error("quarter_hour_start is not written for " ~ target.type) }}
{%- endmacro %}
{% macro duckdb__quarter_hour_start(quarter_hour) -%}
    make_timestamp(cast({{ quarter_hour }} as bigint) * 900000000)
{%- endmacro %}
{% macro postgres__quarter_hour_start(quarter_hour) -%}
    (timestamp '1970-01-01' + ({{ quarter_hour }}) * interval '15 minutes')
{%- endmacro %}

{# Microseconds since 1970 of a UTC timestamp, a whole number. #}
{% macro microseconds(instant) -%}
    {{ return(adapter.dispatch("microseconds")(instant)) }}
{%- endmacro %}
{% macro default__microseconds(instant) -%}
    {{ exceptions.raise_compiler_error("microseconds is not written for " ~ target.type) }}
{%- endmacro %}
{% macro duckdb__microseconds(instant) -%} epoch_us({{ instant }}) {%- endmacro %}
{# extract(epoch) of a timestamp is an exact numeric. #}
{% macro postgres__microseconds(instant) -%}
    cast(extract(epoch from {{ instant }}) * 1000000 as bigint)
{%- endmacro %}

{# The order in which events of one instant count: as text, so that the greatest is one max. #}
{% macro event_order(relation) -%}
    lpad(cast({{ microseconds(relation ~ ".occurred_at") }} as {{ type_text() }}), 20, '0')
    || lpad(cast({{ microseconds(relation ~ ".loaded_at") }} as {{ type_text() }}), 20, '0')
    || {{ relation }}.load_id
    || lpad(cast({{ relation }}.line_number as {{ type_text() }}), 20, '0')
{%- endmacro %}

{# The value that comes with the greatest order. #}
{% macro value_at_greatest(value, order_text) -%}
    {{ return(adapter.dispatch("value_at_greatest")(value, order_text)) }}
{%- endmacro %}
{% macro default__value_at_greatest(value, order_text) -%}
    {{ exceptions.raise_compiler_error("value_at_greatest is not written for " ~ target.type) }}
{%- endmacro %}
{% macro duckdb__value_at_greatest(value, order_text) -%}
    arg_max({{ value }}, {{ order_text }})
{%- endmacro %}
{% macro postgres__value_at_greatest(value, order_text) -%}
    cast(
        (max(
            case when {{ order_text }} is not null
                then array[{{ order_text }} collate "C", cast({{ value }} as text) collate "C"]
            end
        ))[2] as {{ type_quantity() }}
    )
{%- endmacro %}
