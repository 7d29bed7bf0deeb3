{#
    Usage by the customer's local hour, day, month or year: the rollups, merged. Columns and grain:
    models/metering/_metering__models.yml. `unit` is hour, day, month or year.

    No CTE feeds two sides of a join: a filter on the view would lose rows then (DuckDB 2.0).
    Voids are netted and restatements respected, so that a row says what is known now. Only what a
    profile's aggregation needs is shown: the rollups may hold more, but a void does not state that
    anew. A local hour that a clock change repeats is one row, one that it skips is none.
#}
{% macro usage_by_time(unit) -%}
    {%- set profiles = meter_profiles() -%}
    {%- set has_restated = has_restated_rollups() -%}
    {%- set percentile_profiles = profiles
        | selectattr("aggregation_name", "equalto", "percentile") | list -%}
    {%- set readings = profile_literals(profiles_where(profiles, "keeps", "readings")) -%}
    {%- set unique_profiles = profile_literals(
        profiles | selectattr("aggregation_name", "equalto", "count_unique") | list
    ) -%}
    {%- set ranks = "standing_ranks" if percentile_profiles else "standing" -%}
    {%- set start = {
        "hour": "usage_hour", "day": "usage_date", "month": "usage_month", "year": "usage_year",
    }[unit] -%}
    {%- set start_type = type_timestamp() if unit == "hour" else "date" -%}
    with

    rollups as (

        select * from {{ ref("int_metering__rollups") }}
        where outcome = 'metered'

    ),

    customer_offsets as (

        select * from {{ ref("int_metering__customer_offsets") }}

    ),

    meters as (

        select * from {{ ref("stg_catalog__meters") }}

    ),

    {% if has_restated -%}
    restated as (

        select
            customer_id,
            subscription_id,
            subscription_item_id,
            meter_profile,
            dimensions,
            bucket_from,
            max(load_day) as restated_day
        from {{ ref("int_metering__rollups") }}
        where is_restated
        group by
            customer_id,
            subscription_id,
            subscription_item_id,
            meter_profile,
            dimensions,
            bucket_from

    ),

    {% endif -%}
    placed as (

        select
            rollups.customer_id,
            rollups.subscription_id,
            rollups.subscription_item_id,
            rollups.meter_profile,
            rollups.dimensions,
            coalesce(customer_offsets.time_zone_order, '') as time_zone_order,
            cast(
                date_trunc(
                    '{{ unit }}',
                    rollups.bucket_from
                    + coalesce(customer_offsets.offset_seconds, 0) * interval '1 second'
                ) as {{ start_type }}
            ) as {{ start }},
            rollups.value_key,
            rollups.event_count,
            rollups.value_sum,
            {%- for part in ["value_min", "value_max", "value_latest", "latest_order"] %}
            {% if has_restated -%}
            case
                when restated.restated_day is null or restated.restated_day <= rollups.load_day
                    then rollups.{{ part }}
            end as {{ part }},
            {%- else -%}
            rollups.{{ part }},
            {%- endif %}
            {%- endfor %}
            rollups.amount_sum
        from rollups
        left join customer_offsets
            on
                rollups.customer_id = customer_offsets.customer_id
                and extract(year from rollups.bucket_from) = customer_offsets.utc_year
                and rollups.bucket_from >= customer_offsets.utc_from
                and rollups.bucket_from < customer_offsets.utc_to
        {%- if has_restated %}
        left join restated
            on
                rollups.customer_id = restated.customer_id
                and rollups.subscription_id = restated.subscription_id
                and rollups.subscription_item_id = restated.subscription_item_id
                and rollups.meter_profile = restated.meter_profile
                and rollups.dimensions = restated.dimensions
                and rollups.bucket_from = restated.bucket_from
        {%- endif %}

    ),

    -- Values and readings one by one, everything else under no key.
    by_value as (

        select
            placed.customer_id,
            placed.subscription_id,
            placed.subscription_item_id,
            placed.meter_profile,
            placed.dimensions,
            placed.{{ start }},
            placed.value_key,
            max({{ binary_order("placed.time_zone_order") }}) as time_zone_order,
            {{ merged_usage_parts("placed") }}
        from placed
        group by
            placed.customer_id,
            placed.subscription_id,
            placed.subscription_item_id,
            placed.meter_profile,
            placed.dimensions,
            placed.{{ start }},
            placed.value_key

    ),

    standing as (

        select
            customer_id,
            subscription_id,
            subscription_item_id,
            meter_profile,
            dimensions,
            {{ start }},
            value_key,
            time_zone_order,
            event_count,
            value_sum,
            value_min,
            value_max,
            amount_sum,
            case
                when meter_profile not in ({{ readings }}) then value_latest
                when event_count > 0 then cast(value_sum as {{ type_quantity() }})
            end as value_latest,
            case
                when meter_profile not in ({{ readings }}) then latest_order
                when event_count > 0 then value_key
            end as latest_order
        from by_value

    ),

    {% if percentile_profiles -%}
    -- Nearest rank: the least value with at least p percent of the events at or below it.
    ranked as (

        select
            standing.*,
            meters.percentile,
            sum(standing.event_count) over (
                partition by
                    standing.customer_id,
                    standing.subscription_id,
                    standing.subscription_item_id,
                    standing.meter_profile,
                    standing.dimensions,
                    standing.{{ start }}
                order by cast(standing.value_key as {{ type_quantity() }})
                rows between unbounded preceding and current row
            ) as events_through,
            sum(standing.event_count) over (
                partition by
                    standing.customer_id,
                    standing.subscription_id,
                    standing.subscription_item_id,
                    standing.meter_profile,
                    standing.dimensions,
                    standing.{{ start }}
            ) as events_in_all
        from standing
        inner join meters
            on standing.meter_profile = meters.meter_profile
        where standing.meter_profile in ({{ profile_literals(percentile_profiles) }})

    ),

    standing_ranks as (

        select
            *,
            cast(null as {{ type_quantity() }}) as value_at_rank
        from standing
        where meter_profile not in ({{ profile_literals(percentile_profiles) }})

        union all

        select
            {%- for column in ["customer_id", "subscription_id", "subscription_item_id",
                "meter_profile", "dimensions", start, "value_key", "time_zone_order", "event_count",
                "value_sum", "value_min", "value_max", "amount_sum", "value_latest",
                "latest_order"] %}
            {{ column }},
            {%- endfor %}
            case
                when
                    event_count > 0
                    and cast(events_through as decimal(18, 0)) * 100
                    >= percentile * cast(events_in_all as decimal(18, 0))
                    then cast(value_key as {{ type_quantity() }})
            end as value_at_rank
        from ranked

    ),

    {% endif -%}
    merged as (

        select
            {{ ranks }}.customer_id,
            {{ ranks }}.subscription_id,
            {{ ranks }}.subscription_item_id,
            {{ ranks }}.meter_profile,
            {{ ranks }}.dimensions,
            {{ ranks }}.{{ start }},
            max({{ binary_order(ranks ~ ".time_zone_order") }}) as time_zone_order,
            count(
                case
                    when
                        {{ ranks }}.event_count > 0
                        and {{ ranks }}.meter_profile in ({{ unique_profiles }})
                        then 1
                end
            ) as unique_count,
            {{ "min(" ~ ranks ~ ".value_at_rank)" if percentile_profiles
                else "cast(null as " ~ type_quantity() ~ ")" }} as value_percentile,
            {{ merged_usage_parts(ranks) }}
        from {{ ranks }}
        group by
            {{ ranks }}.customer_id,
            {{ ranks }}.subscription_id,
            {{ ranks }}.subscription_item_id,
            {{ ranks }}.meter_profile,
            {{ ranks }}.dimensions,
            {{ ranks }}.{{ start }}
        having sum({{ ranks }}.event_count) <> 0

    ),

    measured as (

        select
            *,
            case
                {%- for profile in profiles
                    if "level_integral" not in profile["aggregation"]["quantity"] %}
                when meter_profile = {{ text_literal(profile["meter_profile"]) }}
                    then cast({{ profile["aggregation"]["quantity"] }} as {{ type_integral() }})
                {%- endfor %}
                when false then cast(null as {{ type_integral() }})
            end as quantity
        from merged

    )

    select
        measured.customer_id,
        measured.subscription_id,
        measured.subscription_item_id,
        meters.meter,
        measured.meter_profile,
        measured.dimensions,
        case
            when measured.time_zone_order = '' then 'UTC'
            else substr(measured.time_zone_order, 8)
        end as time_zone,
        measured.{{ start }},
        measured.event_count,
        {%- for part in ["sum", "min", "max", "latest"] %}
        {%- set type = type_integral() if part == "sum" else type_quantity() %}
        {%- set having_it = profiles_with_part(profiles, part) %}
        cast(
            case when measured.meter_profile in ({{ profile_literals(having_it) }})
                then measured.value_{{ part }} end as {{ type }}
        ) as value_{{ part }},
        {%- endfor %}
        cast(
            case
                when measured.meter_profile in ({{ unique_profiles }}) then measured.unique_count
            end as {{ type_count() }}
        ) as unique_count,
        measured.quantity
    from measured
    inner join meters
        on measured.meter_profile = meters.meter_profile
{%- endmacro %}

{# Profiles that a part is kept true for; the latest of a level that is read is its last reading. #}
{% macro profiles_with_part(profiles, part) -%}
    {%- set found = [] -%}
    {%- for profile in profiles -%}
        {%- if part in profile["aggregation"]["parts"]
            or (part == "latest" and profile["aggregation"]["keeps"] == "readings") -%}
            {%- do found.append(profile) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}
