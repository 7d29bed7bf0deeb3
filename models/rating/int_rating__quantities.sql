{{
    config(
        materialized="incremental",
        incremental_strategy="replace_window",
        meta={"replaces": "open_periods"},
    )
}}
{% set profiles = meter_profiles() %}
{% set change_levels = profiles | selectattr("weighted_mode", "equalto", "change") | list %}
{% set reading_levels = profiles_where(profiles, "keeps", "readings") %}
{% set value_level = profiles_where(profiles, "keeps", "values") %}
with

period_usage as (

    select * from {{ ref('int_rating__period_usage') }}

),

carried_usage as (

    select * from {{ ref('int_rating__carried_usage') }}

),

routes as (

    select * from {{ ref('int_rating__usage_routes') }}
    where route_from = slice_from

),

periods as (

    select * from {{ ref('int_rating__rated_periods') }}

),

matched_rows as (

    select * from {{ ref('int_rating__matched_rows') }}

),

meters as (

    select * from {{ ref('stg_catalog__meters') }}

),

carried as (

    select
        carried_usage.*,
        routes.cutoff_at,
        routes.until_at,
        {{ microseconds('routes.slice_from') }} as slice_microseconds,
        {{ microseconds('routes.until_at') }} as until_microseconds
    from carried_usage
    inner join routes
        on
            carried_usage.slice_id = routes.slice_id
            and carried_usage.meter_profile = routes.meter_profile
            and carried_usage.subscription_ref = routes.subscription_ref
            and carried_usage.item_ref = routes.item_ref

),

slices as (

    select * from {{ ref('int_rating__slices') }}

),

-- Readings one after another, the carried one first: each lasts until the next.
readings as (

    select
        slice_id,
        cutoff_at,
        meter_profile,
        subscription_ref,
        item_ref,
        dimensions,
        value_key,
        event_count,
        value_sum as level_value
    from period_usage
    where
        meter_profile in ({{ profile_literals(reading_levels) }})
        and event_count > 0

    union all

    select
        slice_id,
        cutoff_at,
        meter_profile,
        subscription_ref,
        item_ref,
        dimensions,
        lpad(cast(slice_microseconds as {{ type_text() }}), 20, '0') as value_key,
        0 as event_count,
        carried_level as level_value
    from carried
    where meter_profile in ({{ profile_literals(reading_levels) }})

),

reading_spans as (

    select
        readings.slice_id,
        readings.cutoff_at,
        readings.meter_profile,
        readings.item_ref,
        readings.dimensions,
        readings.event_count,
        readings.level_value,
        {{ event_order_microseconds('readings.value_key') }} as reading_from,
        coalesce(
            {{ event_order_microseconds('lead(readings.value_key) over (
                partition by
                    readings.slice_id, readings.meter_profile,
                    readings.subscription_ref, readings.item_ref, readings.dimensions
                order by ' ~ binary_order('readings.value_key') ~ '
            )') }},
            {{ microseconds('slices.until_at') }}
        ) as reading_to,
        {{ microseconds('slices.until_at') }} as until_microseconds
    from readings
    inner join slices
        on
            readings.slice_id = slices.slice_id

),

-- Every kind of usage by period, item and dimension values, in the same columns.
usage_parts as (

    select
        slice_id,
        cutoff_at,
        meter_profile,
        item_ref,
        dimensions,
        value_key,
        event_count,
        value_sum,
        value_min,
        value_max,
        value_latest,
        latest_order,
        amount_sum,
        level_integral,
        0 as is_carried
    from period_usage
    where meter_profile not in ({{ profile_literals(reading_levels) }})

    union all

    select
        slice_id,
        cutoff_at,
        meter_profile,
        item_ref,
        dimensions,
        cast(null as {{ type_text() }}) as value_key,
        event_count,
        cast(null as {{ type_integral() }}) as value_sum,
        cast(null as {{ type_quantity() }}) as value_min,
        cast(null as {{ type_quantity() }}) as value_max,
        cast(null as {{ type_quantity() }}) as value_latest,
        cast(null as {{ type_text() }}) as latest_order,
        cast(null as {{ type_integral() }}) as amount_sum,
        cast(
            level_value * greatest(
                least(reading_to, until_microseconds) - least(reading_from, until_microseconds), 0
            ) as {{ type_integral() }}
        ) as level_integral,
        case when event_count = 0 then 1 else 0 end as is_carried
    from reading_spans

    union all

    select
        slice_id,
        cutoff_at,
        meter_profile,
        item_ref,
        dimensions,
        cast(null as {{ type_text() }}) as value_key,
        0 as event_count,
        cast(null as {{ type_integral() }}) as value_sum,
        cast(null as {{ type_quantity() }}) as value_min,
        cast(null as {{ type_quantity() }}) as value_max,
        carried_latest as value_latest,
        latest_order,
        cast(null as {{ type_integral() }}) as amount_sum,
        case
            when meter_profile in ({{ profile_literals(change_levels) }})
                then cast(
                    carried_level * (until_microseconds - slice_microseconds)
                    as {{ type_integral() }}
                )
        end as level_integral,
        1 as is_carried
    from carried
    where meter_profile not in ({{ profile_literals(reading_levels) }})

),

priced_parts as (

    select
        matched_rows.subscription_id,
        matched_rows.period_number,
        matched_rows.charge_id,
        matched_rows.part_number,
        matched_rows.price_row_id,
        usage_parts.*
    from usage_parts
    inner join matched_rows
        on
            usage_parts.slice_id = matched_rows.slice_id
            and usage_parts.dimensions = matched_rows.dimensions

),

merged as (

    select
        priced_parts.subscription_id,
        priced_parts.period_number,
        priced_parts.cutoff_at,
        priced_parts.charge_id,
        priced_parts.part_number,
        priced_parts.price_row_id,
        priced_parts.meter_profile,
        {{ merged_usage_parts('priced_parts') }},
        cast(sum(priced_parts.level_integral) as {{ type_integral() }}) as level_integral,
        max(priced_parts.is_carried) as is_carried
    from priced_parts
    group by
        priced_parts.subscription_id,
        priced_parts.period_number,
        priced_parts.cutoff_at,
        priced_parts.charge_id,
        priced_parts.part_number,
        priced_parts.price_row_id,
        priced_parts.meter_profile

),

-- A value counts as long as one event has it.
standing_values as (

    select
        subscription_id,
        period_number,
        charge_id,
        part_number,
        price_row_id,
        meter_profile,
        value_key,
        sum(event_count) as event_count
    from priced_parts
    where meter_profile in ({{ profile_literals(value_level) }})
    group by
        subscription_id,
        period_number,
        charge_id,
        part_number,
        price_row_id,
        meter_profile,
        value_key
    having sum(event_count) > 0

),

unique_counts as (

    select
        subscription_id,
        period_number,
        charge_id,
        part_number,
        price_row_id,
        count(*) as unique_count
    from standing_values
    group by
        subscription_id,
        period_number,
        charge_id,
        part_number,
        price_row_id

),

-- Nearest rank: the least value with at least p percent of the events at or below it.
ranked_values as (

    select
        standing_values.subscription_id,
        standing_values.period_number,
        standing_values.charge_id,
        standing_values.part_number,
        standing_values.price_row_id,
        meters.percentile,
        cast(standing_values.value_key as {{ type_quantity() }}) as ranked_value,
        sum(standing_values.event_count) over (
            partition by
                standing_values.subscription_id,
                standing_values.period_number,
                standing_values.charge_id,
                standing_values.part_number,
                standing_values.price_row_id
            order by cast(standing_values.value_key as {{ type_quantity() }})
            rows between unbounded preceding and current row
        ) as events_through,
        sum(standing_values.event_count) over (
            partition by
                standing_values.subscription_id,
                standing_values.period_number,
                standing_values.charge_id,
                standing_values.part_number,
                standing_values.price_row_id
        ) as events_in_all
    from standing_values
    inner join meters
        on
            standing_values.meter_profile = meters.meter_profile
            and meters.percentile is not null

),

percentiles as (

    select
        subscription_id,
        period_number,
        charge_id,
        part_number,
        price_row_id,
        min(ranked_value) as value_percentile
    from ranked_values
    where
        cast(events_through as decimal(18, 0)) * 100
        >= percentile * cast(events_in_all as decimal(18, 0))
    group by
        subscription_id,
        period_number,
        charge_id,
        part_number,
        price_row_id

),

period_parts as (

    select
        merged.*,
        unique_counts.unique_count,
        percentiles.value_percentile,
        {{ microseconds('periods.cycle_to') }}
        - {{ microseconds('periods.cycle_from') }} as cycle_microseconds
    from merged
    inner join periods
        on
            merged.subscription_id = periods.subscription_id
            and merged.period_number = periods.period_number
    left join unique_counts
        on
            merged.subscription_id = unique_counts.subscription_id
            and merged.period_number = unique_counts.period_number
            and merged.charge_id = unique_counts.charge_id
            and merged.part_number = unique_counts.part_number
            and merged.price_row_id = unique_counts.price_row_id
    left join percentiles
        on
            merged.subscription_id = percentiles.subscription_id
            and merged.period_number = percentiles.period_number
            and merged.charge_id = percentiles.charge_id
            and merged.part_number = percentiles.part_number
            and merged.price_row_id = percentiles.price_row_id

),

computed as (

    select
        subscription_id,
        period_number,
        cutoff_at,
        charge_id,
        part_number,
        price_row_id,
        case meter_profile
            when '' then null
            {%- for profile in profiles %}
            when {{ text_literal(profile["meter_profile"]) }}
                then cast({{ profile["aggregation"]["quantity"] }} as {{ type_integral() }})
            {%- endfor %}
            else cast(null as {{ type_integral() }})
        end as quantity,
        event_count,
        cast(amount_sum as {{ type_integral() }}) as usage_amount
    from period_parts
    where
        event_count > 0
        or is_carried = 1

)

select
    subscription_id,
    period_number,
    cutoff_at,
    charge_id,
    part_number,
    price_row_id,
    quantity,
    event_count,
    usage_amount
from computed
where quantity is not null
