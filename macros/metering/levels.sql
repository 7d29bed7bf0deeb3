{#
    The levels that go on from day to day (models/metering/int_metering__levels_daily.sql).

    A rollup row counts from its *effective day*: the later of its load day and its bucket's day.
    The level at the end of day K, as known then, is made of the rows whose effective day is K or
    before: the level of K - 1 and the rows of K. Source: DESIGN, Meters.
#}

{# The current definitions of the profiles that carry a level over, and whether it has an order. #}
{% macro carrying_definitions() -%}
    {%- set names = carrying_profiles() | map(attribute="meter_profile") | list -%}
    {%- set found = [] -%}
    {%- for profile in meter_profiles() if profile["meter_profile"] in names -%}
        {%- do found.append(profile) -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}

{# Of those, the ones whose level is a newest value (readings, latest) and not a sum of changes. #}
{% macro ordered_profiles(profiles) -%}
    {%- set found = [] -%}
    {%- for profile in profiles
        if profile["aggregation"]["keeps"] == "readings"
        or "latest" in profile["aggregation"]["parts"] -%}
        {%- do found.append(profile) -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}

{# The first day whose levels the run makes, as text: 1970-01-01 when it makes them all. #}
{% macro levels_from_day() -%}
    {%- set everything = "1970-01-01" -%}
    {%- set levels = earlier_relation("metering", "int_metering__levels_daily") -%}
    {%- set built_levels = earlier_relation("metering", "int_metering__built_levels") -%}
    {%- set profiles = carrying_definitions() -%}
    {%- if levels is none or built_levels is none or not profiles -%}
        {{ return(everything) }}
    {%- endif -%}
    {%- set found = run_query("select profile_definition from " ~ built_levels) -%}
    {%- set built = found.columns[0].values() -%}
    {%- for profile in profiles if profile["definition"] not in built -%}
        {{ return(everything) }}
    {%- endfor -%}
    {{ return(run_query(
        "select cast(least(cast('" ~ build_window()["from_day"] ~ "' as date),"
        ~ " cast(cast(min(level_day) as " ~ type_timestamp() ~ ") + interval '1 day' as date)) as "
        ~ type_text() ~ ") from " ~ built_levels
    ).rows[0][0]) }}
{%- endmacro %}

{# For replaced_rows: the run's level days, and the rows of a definition that carries nothing. #}
{% macro replaced_levels() -%}
    {%- set profiles = carrying_definitions() -%}
    {%- if not profiles -%} true
    {%- else -%}
    level_day >= cast('{{ levels_from_day() }}' as date)
    or profile_definition not in ({{ definition_literals(profiles) }})
    {%- endif -%}
{%- endmacro %}

{% macro definition_literals(profiles) -%}
    {%- set literals = [] -%}
    {%- for profile in profiles -%}
        {%- do literals.append(text_literal(profile["definition"])) -%}
    {%- endfor -%}
    {{ return(literals | join(", ")) }}
{%- endmacro %}

{# The day from which a rollup row counts. #}
{% macro effective_day(rollups) -%}
    greatest({{ rollups }}.load_day, cast({{ rollups }}.bucket_from as date))
{%- endmacro %}

{# The day before the day of an instant, or of a day. #}
{% macro day_before(instant) -%}
    cast(cast(cast({{ instant }} as date) as {{ type_timestamp() }}) - interval '1 day' as date)
{%- endmacro %}

{% macro days_before(day, count) -%}
    cast(cast({{ day }} as {{ type_timestamp() }}) - interval '{{ count }} days' as date)
{%- endmacro %}

{#
    The first day whose level some period of the run begins with, as text; none where nothing is
    carried, so that then nothing is read.
#}
{% macro first_carried_day(routes, profiles) -%}
    {%- if not profiles -%} {{ return(none) }} {%- endif -%}
    {{ return(run_query(
        "select cast(min(" ~ day_before("route_from") ~ ") as " ~ type_text() ~ ") from "
        ~ routes ~ " where route_from = slice_from and meter_profile in ("
        ~ profile_literals(profiles) ~ ")"
    ).rows[0][0]) }}
{%- endmacro %}

{# An event counts from its load day on, or, when it claims the future, at most this many later. #}
{% macro days_ahead() -%}
    {{ return((var("future_tolerance_minutes") | int + 1439) // 1440) }}
{%- endmacro %}

{# Order and value of the newest reading, or latest value, that a rollup row adds; null for none. #}
{% macro rollup_level_order(rollups) -%}
    case
        when {{ rollups }}.value_key is null then {{ rollups }}.latest_order
        when {{ rollups }}.event_count > 0 then {{ rollups }}.value_key
    end
{%- endmacro %}

{% macro rollup_level_value(rollups) -%}
    case
        when {{ rollups }}.value_key is null then {{ rollups }}.value_latest
        else cast({{ rollups }}.value_sum as {{ type_quantity() }})
    end
{%- endmacro %}

{# Whether a rollup row takes away the order of rows of its bucket (and value key) loaded before. #}
{% macro takes_away(rollups) -%}
    (
        {{ rollups }}.is_restated
        or ({{ rollups }}.value_key is not null and {{ rollups }}.event_count < 0)
    )
{%- endmacro %}

{# The quarter of an hour of the event that a level order was made from. #}
{% macro level_quarter_hour(level_order) -%}
    {{ floor_divide(event_order_microseconds(level_order), 900000000) }}
{%- endmacro %}

{# The days first_day..last_day as rows, in a select. #}
{% macro days_through(first_day, last_day) -%}
    {{ return(adapter.dispatch("days_through")(first_day, last_day)) }}
{%- endmacro %}

{% macro default__days_through(first_day, last_day) -%}
    {{ exceptions.raise_compiler_error("days_through is not written for " ~ target.type) }}
{%- endmacro %}

{% macro duckdb__days_through(first_day, last_day) -%}
    cast(unnest(generate_series(
        cast({{ first_day }} as timestamp), cast({{ last_day }} as timestamp), interval '1 day'
    )) as date)
{%- endmacro %}

{% macro postgres__days_through(first_day, last_day) -%}
    cast(generate_series(
        cast({{ first_day }} as timestamp), cast({{ last_day }} as timestamp), interval '1 day'
    ) as date)
{%- endmacro %}

{# The columns that name one level, and their equality. #}
{% macro level_key(relation="", profile="meter_profile, profile_definition") -%}
    {%- set names = [] -%}
    {%- for name in profile.split(", ")
        + ["customer_id", "subscription_id", "subscription_item_id", "dimensions"] -%}
        {%- do names.append((relation ~ "." if relation else "") ~ name) -%}
    {%- endfor -%}
    {{ return(names | join(", ")) }}
{%- endmacro %}

{% macro same_level(left, right) -%}
    {%- for name in level_key("", "profile_definition").split(", ") -%}
    {{ left }}.{{ name }} = {{ right }}.{{ name }}{{ " and " if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{#
    The levels of the run's days: those of the day before, and what the window's rollups add. What a
    void takes away had counted until then: it *lapses*. Where it takes away the very value that the
    day before ended with, that key (few, if any) is made from its whole history.
#}
{% macro daily_levels() -%}
    {%- set profiles = carrying_definitions() -%}
    {%- set names = profile_literals(profiles) -%}
    {%- set ordered = profile_literals(ordered_profiles(profiles)) -%}
    {%- set first_day = levels_from_day() -%}
    {%- set goes_on = first_day > "1970-01-01" -%}
    {%- set first = "cast('" ~ first_day ~ "' as date)" -%}
    {%- set last = "cast('" ~ build_window()["as_of_day"] ~ "' as date)" -%}
    {%- set loaded_from = days_before(first, days_ahead()) -%}
    {%- if not profiles -%}
    select
        cast(null as date) as level_day,
        {%- for name in level_key().split(", ") %}
        cast(null as {{ type_text() }}) as {{ name }},
        {%- endfor %}
        cast(null as {{ type_count() }}) as event_count,
        cast(null as {{ type_integral() }}) as level_value,
        cast(null as {{ type_text() }}) as level_order
    where false
    {%- else -%}
    with

    rollups as (

        select * from {{ ref("int_metering__rollups") }}
        where
            outcome = 'metered'
            and meter_profile in ({{ names }})

    ),

    {% if goes_on -%}
    kept_levels as (

        select * from {{ earlier_relation("metering", "int_metering__levels_daily") }}
        where
            level_day = {{ day_before(first) }}
            and profile_definition in ({{ definition_literals(profiles) }})

    ),

    taken_in_window as (

        select
            {{ level_key("rollups") }},
            rollups.bucket_from,
            rollups.value_key,
            rollups.load_day,
            {{ effective_day("rollups") }} as effective_day
        from rollups
        where
            {{ takes_away("rollups") }}
            and rollups.load_day >= {{ loaded_from }}
            and {{ effective_day("rollups") }} >= {{ first }}

    ),

    lost_levels as (

        select distinct {{ level_key("kept_levels") }}
        from kept_levels
        inner join taken_in_window
            on
                {{ same_level("kept_levels", "taken_in_window") }}
                and {{ quarter_hour("taken_in_window.bucket_from") }}
                = {{ level_quarter_hour("kept_levels.level_order") }}

    ),

    {% endif -%}
    taken_away as (

        {% if goes_on -%}
        select * from taken_in_window

        union all

        {% endif -%}
        select
            {{ level_key("rollups") }},
            rollups.bucket_from,
            rollups.value_key,
            rollups.load_day,
            {{ effective_day("rollups") }} as effective_day
        from rollups
        {%- if goes_on %}
        inner join lost_levels
            on {{ same_level("rollups", "lost_levels") }}
        {%- endif %}
        where
            {{ takes_away("rollups") }}
            {%- if goes_on %}
            and {{ effective_day("rollups") }} < {{ first }}
            {%- endif %}

    ),

    -- Rows of the bucket loaded in [after_load_day, load_day) count until effective_day.
    lapses as (

        select
            *,
            coalesce(value_key, '') as lapse_key,
            coalesce(
                lag(load_day) over (
                    partition by {{ level_key() }}, bucket_from, value_key
                    order by load_day
                ),
                cast('1900-01-01' as date)
            ) as after_load_day
        from taken_away

    ),

    level_rows as (

        select
            {{ level_key("rollups") }},
            rollups.bucket_from,
            rollups.load_day,
            coalesce(rollups.value_key, '') as lapse_key,
            {{ effective_day("rollups") }} as effective_day,
            rollups.event_count,
            rollups.value_sum,
            {{ rollup_level_value("rollups") }} as level_value,
            {{ rollup_level_order("rollups") }} as level_order
        from rollups
        {%- if goes_on %}
        where
            rollups.load_day >= {{ loaded_from }}
            and {{ effective_day("rollups") }} >= {{ first }}

        union all

        select
            {{ level_key("rollups") }},
            rollups.bucket_from,
            rollups.load_day,
            coalesce(rollups.value_key, '') as lapse_key,
            {{ effective_day("rollups") }} as effective_day,
            rollups.event_count,
            rollups.value_sum,
            {{ rollup_level_value("rollups") }} as level_value,
            {{ rollup_level_order("rollups") }} as level_order
        from rollups
        inner join lost_levels
            on {{ same_level("rollups", "lost_levels") }}
        where {{ effective_day("rollups") }} < {{ first }}

        union all

        select
            {{ level_key("kept_levels") }},
            cast(null as {{ type_timestamp() }}) as bucket_from,
            kept_levels.level_day as load_day,
            '' as lapse_key,
            kept_levels.level_day as effective_day,
            kept_levels.event_count,
            kept_levels.level_value as value_sum,
            cast(kept_levels.level_value as {{ type_quantity() }}) as level_value,
            kept_levels.level_order
        from kept_levels
        where
            not exists (
                select 1
                from lost_levels
                where {{ same_level("lost_levels", "kept_levels") }}
            )
        {%- endif %}

    ),

    daily as (

        select
            {{ level_key("level_rows") }},
            greatest(level_rows.effective_day, {{ first }}) as level_day,
            lapses.effective_day as lapse_day,
            sum(level_rows.event_count) as event_count,
            sum(level_rows.value_sum) as value_sum,
            {{ value_at_greatest("level_rows.level_value", "level_rows.level_order") }}
                as level_value,
            max({{ binary_order("level_rows.level_order") }}) as level_order
        from level_rows
        left join lapses
            on
                {{ same_level("level_rows", "lapses") }}
                and level_rows.bucket_from = lapses.bucket_from
                and level_rows.lapse_key = lapses.lapse_key
                and level_rows.load_day < lapses.load_day
                and level_rows.load_day >= lapses.after_load_day
        where greatest(level_rows.effective_day, {{ first }}) <= {{ last }}
        group by
            {{ level_key("level_rows") }},
            greatest(level_rows.effective_day, {{ first }}),
            lapses.effective_day

    ),

    lasting as (

        select
            {{ level_key() }},
            level_day,
            sum(event_count) as event_count,
            sum(value_sum) as value_sum,
            {{ value_at_greatest(
                "level_value", "case when lapse_day is null then level_order end"
            ) }} as level_value,
            max({{ binary_order("case when lapse_day is null then level_order end") }})
                as level_order
        from daily
        group by
            {{ level_key() }},
            level_day

    ),

    lapsing_days as (

        select
            {{ level_key() }},
            level_value,
            level_order,
            {{ days_through("level_day", "least(" ~ day_before("lapse_day") ~ ", " ~ last ~ ")") }}
                as level_day
        from daily
        where
            lapse_day > level_day
            and level_order is not null

    ),

    lapsing as (

        select
            {{ level_key() }},
            level_day,
            {{ value_at_greatest("level_value", "level_order") }} as level_value,
            max({{ binary_order("level_order") }}) as level_order
        from lapsing_days
        group by
            {{ level_key() }},
            level_day

    ),

    first_days as (

        select
            {{ level_key() }},
            min(level_day) as first_day
        from lasting
        group by {{ level_key() }}

    ),

    level_days as (

        select
            {{ level_key() }},
            {{ days_through("first_day", last) }} as level_day
        from first_days

    ),

    running as (

        select
            {{ level_key("level_days") }},
            level_days.level_day,
            sum(lasting.event_count) over days_so_far as event_count,
            sum(lasting.value_sum) over days_so_far as value_sum,
            lasting.level_value as own_value,
            lasting.level_order as own_order,
            max({{ binary_order("lasting.level_order") }}) over days_so_far as lasting_order,
            lapsing.level_value as lapsing_value,
            lapsing.level_order as lapsing_order
        from level_days
        left join lasting
            on
                {{ same_level("level_days", "lasting") }}
                and level_days.level_day = lasting.level_day
        left join lapsing
            on
                {{ same_level("level_days", "lapsing") }}
                and level_days.level_day = lapsing.level_day
        window
            days_so_far as (
                partition by {{ level_key("level_days") }}
                order by level_days.level_day
                rows between unbounded preceding and current row
            )

    ),

    valued as (

        select
            *,
            max(case when own_order = lasting_order then own_value end) over (
                partition by {{ level_key() }}, lasting_order
            ) as lasting_value,
            (
                lapsing_order is not null
                and (
                    lasting_order is null
                    or {{ binary_order("lapsing_order") }} > {{ binary_order("lasting_order") }}
                )
            ) as is_lapsing
        from running

    )

    select
        level_day,
        {{ level_key() }},
        cast(event_count as {{ type_count() }}) as event_count,
        cast(
            case
                when meter_profile not in ({{ ordered }}) then value_sum
                when is_lapsing then lapsing_value
                else lasting_value
            end as {{ type_integral() }}
        ) as level_value,
        case when is_lapsing then lapsing_order else lasting_order end as level_order
    from valued
    {%- endif -%}
{%- endmacro %}
