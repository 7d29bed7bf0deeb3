{#
    Usage added up day by day: the CTEs from `routed` to `running_usage`, and the quantity through
    each day with usage. `routed` has the columns of `keys`, meter_profile, usage_date and those of
    a rollup that int_rating__period_usage merges; its rows are what is known, voids as deltas.

    For profiles whose quantity through a day is that of the rows so far (cumulative_profiles). A
    value counts from the first day with an event that has it and still stands; the latest value of
    a day without one is the last day's that has one.
#}
{% macro running_usage(keys, profiles) -%}
    {%- set unique_profiles = profile_literals(profiles_where(profiles, "keeps", "values")) -%}
    {%- set key = keys | join(", ") -%}
    {%- set profile_key = key if "meter_profile" in keys else key ~ ", meter_profile" -%}
    value_days as (

        select
            {{ key }},
            value_key,
            usage_date
        from routed
        where meter_profile in ({{ unique_profiles }})
        group by
            {{ key }},
            value_key,
            usage_date
        having sum(event_count) > 0

    ),

    first_value_days as (

        select
            {{ key }},
            value_key,
            min(usage_date) as usage_date
        from value_days
        group by
            {{ key }},
            value_key

    ),

    new_values as (

        select
            {{ key }},
            usage_date,
            count(*) as new_count
        from first_value_days
        group by
            {{ key }},
            usage_date

    ),

    merged_days as (

        select
            {{ profile_key }},
            usage_date,
            {{ merged_usage_parts("routed") }}
        from routed
        group by
            {{ profile_key }},
            usage_date

    ),

    running_days as (

        select
            {%- for name in profile_key.split(", ") %}
            merged_days.{{ name }},
            {%- endfor %}
            merged_days.usage_date,
            cast(sum(merged_days.event_count) over days_so_far as {{ type_count() }})
                as event_count,
            cast(sum(merged_days.value_sum) over days_so_far as {{ type_integral() }})
                as value_sum,
            min(merged_days.value_min) over days_so_far as value_min,
            max(merged_days.value_max) over days_so_far as value_max,
            merged_days.value_latest as own_latest,
            count(merged_days.latest_order) over days_so_far as latest_count,
            cast(sum(merged_days.amount_sum) over days_so_far as {{ type_integral() }})
                as amount_sum,
            cast(
                sum(coalesce(new_values.new_count, 0)) over days_so_far as {{ type_count() }}
            ) as unique_count
        from merged_days
        left join new_values
            on
                {%- for name in keys %}
                merged_days.{{ name }} = new_values.{{ name }} and
                {%- endfor %}
                merged_days.usage_date = new_values.usage_date
        window
            days_so_far as (
                partition by
                    {%- for name in keys %}
                    merged_days.{{ name }}{{ "," if not loop.last }}
                    {%- endfor %}
                order by merged_days.usage_date
                rows between unbounded preceding and current row
            )

    ),

    valued_days as (

        select
            *,
            max(own_latest) over (partition by {{ key }}, latest_count) as value_latest
        from running_days

    ),

    running_usage as (

        select
            {{ key }},
            usage_date,
            event_count,
            amount_sum,
            cast(
                case meter_profile
                    when '' then null
                    {%- for profile in profiles %}
                    when {{ text_literal(profile["meter_profile"]) }}
                        then cast({{ profile["aggregation"]["quantity"] }} as {{ type_integral() }})
                    {%- endfor %}
                    else cast(null as {{ type_integral() }})
                end as {{ type_integral() }}
            ) as quantity
        from valued_days

    )
{%- endmacro %}

{#
    Profiles whose quantity of the days so far is well defined from day to day. An average, a
    percentile or a level over time is one of the whole period only.
#}
{% macro cumulative_profiles(profiles) -%}
    {{ return(
        profiles
        | selectattr(
            "aggregation_name", "in", ["count", "sum", "max", "min", "latest", "count_unique"]
        )
        | list
    ) }}
{%- endmacro %}
