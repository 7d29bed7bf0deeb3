{#
    The rollups of the run's window: for each meter profile, what one load day added to a quarter of
    an hour. Columns and grain: models/metering/_metering__models.yml.

    Events come in three directions: 1 counted from this load day on, -1 no longer counted from this
    load day on (voided), and 0 read again because a void took something out of their bucket that
    cannot be subtracted (a minimum, maximum or latest): the bucket's row then states it anew.
    A profile that is new or changed is built over all days, the others over the run's window.
#}
{% macro usage_rollups() -%}
    {%- set profiles = meter_profiles() -%}
    {%- set voided_events = ref("stg_raw__voided_events") -%}
    {%- set usage_events = ref("stg_raw__usage_events") -%}
    {%- set kept = kept_definitions(profiles) if is_incremental() else [] -%}
    {%- set new_numbers = profiles | rejectattr("definition", "in", kept) | map(attribute="number") | list -%}
    {%- set new_events = profiles | rejectattr("definition", "in", kept) | map(attribute="event_name") | unique | list -%}
    {%- set no_meter_is_new = no_meter_definition(profiles) not in kept -%}
    {%- set days_before = earlier_relation("builds", "built_days") -%}
    {%- set builds_history = days_before is not none and (new_events or no_meter_is_new) -%}
    {%- set has_voids = has_voided_events() -%}
    {%- set restated = numbers_where(profiles, "is_restated", true) -%}
    {%- set dimension_count = profiles | map(attribute="dimensions") | map("length") | max if profiles else 0 -%}
    with

    usage_events as (

        select * from {{ usage_events }}

    ),

    {% if has_voids -%}
    voided_events as (

        select * from {{ voided_events }}

    ),

    {% endif -%}
    events_to_measure as (

        select
            {{ measured_columns('usage_events', 'usage_events.load_day') }},
            1 as direction
        from usage_events
        where
            {{ days_to_measure('usage_events', 'loaded_at', new_events, no_meter_is_new, builds_history) }}
            {%- if has_voids %}
            and not exists (
                select 1
                from voided_events
                where
                    voided_events.loaded_at = usage_events.loaded_at
                    and voided_events.load_id = usage_events.load_id
                    and voided_events.line_number = usage_events.line_number
                    and voided_events.load_day = voided_events.event_load_day
            )

        union all

        select
            {{ measured_columns('usage_events', 'voided_events.load_day') }},
            -1 as direction
        from voided_events
        inner join usage_events
            on
                voided_events.loaded_at = usage_events.loaded_at
                and voided_events.load_id = usage_events.load_id
                and voided_events.line_number = usage_events.line_number
        where
            voided_events.load_day > voided_events.event_load_day
            and (
                {{ in_load_window('voided_events.load_day') }}
                {{ 'or true' if builds_history }}
            )
        {%- if restated %}

        union all

        select
            {{ measured_columns('usage_events', 'restated_buckets.load_day') }},
            0 as direction
        from (
            select distinct
                voided_events.load_day,
                usage_events.customer_id,
                usage_events.event_name,
                {{ quarter_hour('usage_events.occurred_at') }} as quarter_hour
            from voided_events
            inner join usage_events
                on
                    voided_events.loaded_at = usage_events.loaded_at
                    and voided_events.load_id = usage_events.load_id
                    and voided_events.line_number = usage_events.line_number
            where
                voided_events.load_day > voided_events.event_load_day
                and (
                    {{ in_load_window('voided_events.load_day') }}
                    {{ 'or true' if builds_history }}
                )
        ) as restated_buckets
        inner join usage_events
            on
                restated_buckets.customer_id = usage_events.customer_id
                and restated_buckets.event_name = usage_events.event_name
                and restated_buckets.quarter_hour = {{ quarter_hour('usage_events.occurred_at') }}
                and usage_events.load_day <= restated_buckets.load_day
        where
            not exists (
                select 1
                from voided_events
                where
                    voided_events.loaded_at = usage_events.loaded_at
                    and voided_events.load_id = usage_events.load_id
                    and voided_events.line_number = usage_events.line_number
                    and voided_events.load_day <= restated_buckets.load_day
            )
        {%- endif %}
            {%- endif %}

    ),

    {{ measured_events(profiles) }},

    placed as (

        select
            load_day,
            profile_number,
            customer_id,
            subscription_id,
            subscription_item_id,
            case when profile_number is null then event_name end as unread_event_name,
            outcome,
            quarter_hour,
            occurred_at,
            direction,
            {%- for number in range(1, dimension_count + 1) %}
            case when outcome = 'metered' then dimension_{{ number }} end as dimension_{{ number }},
            {%- endfor %}
            {%- if latest_numbers(profiles) %}
            case
                when profile_number in ({{ latest_numbers(profiles) }}) and outcome = 'metered'
                    then {{ event_order('valued') }}
            end as event_order,
            {%- endif %}
            case when outcome = 'metered' then {{ value_key_text(profiles, 'valued') }} end as value_key,
            case when outcome = 'metered' then number_value end as number_value,
            case when outcome = 'metered' then amount_value end as amount_value
        from valued
        {%- if builds_history %}
        where
            {{ in_load_window('load_day') }}
            or coalesce(profile_number, 0) in (
                {{ (new_numbers + ([0] if no_meter_is_new else [])) | join(', ') or -1 }}
            )
        {%- endif %}

    ),

    rolled_up as (

        select
            load_day,
            profile_number,
            customer_id,
            subscription_id,
            subscription_item_id,
            unread_event_name,
            outcome,
            quarter_hour,
            value_key,
            {%- for number in range(1, dimension_count + 1) %}
            dimension_{{ number }},
            {%- endfor %}
            {{ rollup_parts(profiles, has_voids) }}
        from placed
        group by
            load_day,
            profile_number,
            customer_id,
            subscription_id,
            subscription_item_id,
            unread_event_name,
            outcome,
            quarter_hour
            {%- for number in range(1, dimension_count + 1) %},
            dimension_{{ number }}
            {%- endfor %},
            value_key
        {%- if has_voids %}
        having sum(abs(direction)) > 0
        {%- endif %}

    ),

    profile_names as (

        select
            cast(null as integer) as profile_number,
            cast(null as {{ type_text() }}) as meter_profile,
            {{ text_literal(no_meter_definition(profiles)) }} as profile_definition,
            cast(null as {{ type_text() }}) as event_name
        {%- for profile in profiles %}
        union all
        select
            {{ profile["number"] }},
            {{ text_literal(profile["meter_profile"]) }},
            {{ text_literal(profile["definition"]) }},
            {{ text_literal(profile["event_name"]) }}
        {%- endfor %}

    )

    select
        rolled_up.load_day,
        profile_names.meter_profile,
        profile_names.profile_definition,
        coalesce(rolled_up.unread_event_name, profile_names.event_name) as event_name,
        rolled_up.customer_id,
        rolled_up.subscription_id,
        rolled_up.subscription_item_id,
        {{ dimensions_text(profiles, 'rolled_up') }} as dimensions,
        {{ quarter_hour_start('rolled_up.quarter_hour') }} as bucket_from,
        rolled_up.outcome,
        rolled_up.value_key,
        {%- if has_voids %}
        rolled_up.is_restated,
        {%- else %}
        false as is_restated,
        {%- endif %}
        rolled_up.event_count,
        rolled_up.value_sum,
        cast(rolled_up.value_min as {{ type_quantity() }}) as value_min,
        cast(rolled_up.value_max as {{ type_quantity() }}) as value_max,
        cast(rolled_up.value_latest as {{ type_quantity() }}) as value_latest,
        rolled_up.latest_order,
        rolled_up.value_moment,
        rolled_up.amount_sum
    from rolled_up
    inner join profile_names
        on coalesce(rolled_up.profile_number, 0) = coalesce(profile_names.profile_number, 0)
{%- endmacro %}

{# Whether any event is voided, so that without one nothing is looked for. #}
{% macro has_voided_events() -%}
    {%- set voided_events = ref("stg_raw__voided_events") -%}
    {%- if not execute or flags.WHICH in ["parse", "list", "ls"] -%} {{ return(false) }} {%- endif -%}
    {{ return(run_query(
        "select count(*) from (select 1 as one from " ~ voided_events ~ " limit 1) as first_row"
    ).rows[0][0] > 0) }}
{%- endmacro %}

{# Columns of an event that metering reads, under the load day that it counts for. #}
{% macro measured_columns(relation, load_day) -%}
    {{ load_day }} as load_day,
    {%- for column in ["loaded_at", "load_id", "line_number", "customer_id", "event_name",
        "occurred_at", "subscription_id", "subscription_item_id", "properties"] %}
    {{ relation }}.{{ column }}{{ "," if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#
    The run's window; and, where a profile is new, the days built before for the events it reads.
#}
{% macro days_to_measure(relation, loaded_at, new_events, no_meter_is_new, builds_history) -%}
    {%- if not builds_history -%}
        {{ loaded_in_window(relation ~ "." ~ loaded_at) }}
    {%- else -%}
        (
            {{ loaded_in_window(relation ~ "." ~ loaded_at) }}
            or (
                {{ relation }}.load_day in (select load_day from ({{ earlier_built_days() }}) as days)
                {%- if not no_meter_is_new %}
                and {{ relation }}.event_name in (
                    {%- for name in new_events %}{{ text_literal(name) }}{{ ", " if not loop.last }}{% endfor -%}
                )
                {%- endif %}
            )
        )
    {%- endif -%}
{%- endmacro %}

{% macro latest_numbers(profiles) -%}
    {%- set numbers = [] -%}
    {%- for profile in profiles if "latest" in profile["aggregation"]["parts"] -%}
        {%- do numbers.append(profile["number"]) -%}
    {%- endfor -%}
    {{ return(numbers | join(", ")) }}
{%- endmacro %}

{% macro numbers_where_both(profiles, keeps, value) -%}
    {%- set numbers = [] -%}
    {%- for profile in profiles
        if profile["aggregation"]["keeps"] == keeps and profile["aggregation"]["value"] == value -%}
        {%- do numbers.append(profile["number"]) -%}
    {%- endfor -%}
    {{ return(numbers | join(", ")) }}
{%- endmacro %}

{#
    The mergeable parts of a rollup row. Only the parts that some profile needs are computed, the
    others are null: minimum, maximum and latest for every row cost more than all the rest.
#}
{% macro rollup_parts(profiles, has_voids) -%}
    {%- set parts = [] -%}
    {%- for profile in profiles -%}
        {%- for part in profile["aggregation"]["parts"] -%} {%- do parts.append(part) -%} {%- endfor -%}
    {%- endfor -%}
    {%- set has_readings = numbers_where(profiles, "keeps", "readings") != "" -%}
    {%- set signed = "direction * " if has_voids else "" -%}
    {%- set null_quantity = "cast(null as " ~ type_quantity() ~ ")" -%}
    {%- if has_voids %}
            outcome = 'metered' and min(direction) = -1 and max(profile_number) in ({{ numbers_where(profiles, "is_restated", true) or 0 }})
                as is_restated,
    {%- endif %}
            cast({{ "sum(direction)" if has_voids else "count(*)" }} as {{ type_count() }}) as event_count,
            {{ "cast(sum(" ~ signed ~ "number_value) as " ~ type_integral() ~ ")"
                if "sum" in parts or has_readings else "cast(null as " ~ type_integral() ~ ")" }} as value_sum,
    {%- for part in ["min", "max"] %}
            {% if part not in parts -%}
            {{ null_quantity }}
            {%- elif has_voids -%}
            case
                when min(direction) = -1 then {{ part }}(case when direction = 0 then number_value end)
                else {{ part }}(number_value)
            end
            {%- else -%}
            {{ part }}(number_value)
            {%- endif %} as value_{{ part }},
    {%- endfor %}
            {% if "latest" not in parts -%}
            {{ null_quantity }} as value_latest,
            cast(null as {{ type_text() }}) as latest_order,
            {%- elif has_voids -%}
            case
                when min(direction) = -1
                    then {{ value_at_greatest("number_value", "case when direction = 0 then event_order end") }}
                else {{ value_at_greatest("number_value", "event_order") }}
            end as value_latest,
            case
                when min(direction) = -1
                    then max({{ binary_order("case when direction = 0 then event_order end") }})
                else max({{ binary_order("event_order") }})
            end as latest_order,
            {%- else -%}
            {{ value_at_greatest("number_value", "event_order") }} as value_latest,
            max({{ binary_order("event_order") }}) as latest_order,
            {%- endif %}
            {% if "moment" in parts -%}
            cast(sum(cast({{ signed }}number_value * (
                (cast(quarter_hour as bigint) + 1) * 900000000 - {{ microseconds("occurred_at") }}
            ) as {{ type_integral() }})) as {{ type_integral() }})
            {%- else -%}
            cast(null as {{ type_integral() }})
            {%- endif %} as value_moment,
            {{ "cast(sum(" ~ signed ~ "amount_value) as " ~ type_integral() ~ ")"
                if profiles | selectattr("amount_property") | list else "cast(null as " ~ type_integral() ~ ")" }}
                as amount_sum
{%- endmacro %}

{#
    The key of a value-level row: the value itself (unique, percentile) or the order of a reading;
    null for a profile whose parts merge.
#}
{% macro value_key_text(profiles, relation) -%}
    {%- set texts = numbers_where_both(profiles, "values", "text") -%}
    {%- set numbers = numbers_where_both(profiles, "values", "number") -%}
    {%- set readings = numbers_where(profiles, "keeps", "readings") -%}
    {%- if not texts and not numbers and not readings -%}
    cast(null as {{ type_text() }})
    {%- else -%}
    case
        {%- if texts %}
        when {{ relation }}.profile_number in ({{ texts }}) then {{ relation }}.value_text
        {%- endif %}
        {%- if numbers %}
        when {{ relation }}.profile_number in ({{ numbers }})
            then {{ number_text(relation ~ ".number_value") }}
        {%- endif %}
        {%- if readings %}
        when {{ relation }}.profile_number in ({{ readings }}) then {{ event_order(relation) }}
        {%- endif %}
    end
    {%- endif -%}
{%- endmacro %}

{# `model=large|region=eu`: the values that a profile's dimensions have, in its order. #}
{% macro dimensions_text(profiles, relation) -%}
    {%- set with_dimensions = profiles | selectattr("dimensions") | list -%}
    {%- if not with_dimensions -%}
    cast('' as {{ type_text() }})
    {%- else -%}
    case coalesce({{ relation }}.profile_number, 0)
        {%- for profile in with_dimensions %}
        when {{ profile["number"] }} then concat_ws(
            '|'
            {%- for name in profile["dimensions"] -%}
            , {{ dimension_text(name, relation ~ ".dimension_" ~ loop.index) }}
            {%- endfor -%}
        )
        {%- endfor %}
        else ''
    end
    {%- endif -%}
{%- endmacro %}
