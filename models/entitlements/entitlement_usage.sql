{{
    config(
        materialized='incremental',
        incremental_strategy='replace_window',
        meta={'replaces': 'open_periods'},
    )
}}
-- depends_on: {{ ref('build_window') }}
with

open_periods as (

    select * from {{ ref('int_subscriptions__periods') }}
    where
        cutoff_at > {{ open_from() }}
        and period_from < {{ as_of_at() }}

),

plan_phases as (

    select * from {{ ref('int_subscriptions__plan_phases') }}

),

zone_segments as (

    select * from {{ ref('int_subscriptions__zone_segments') }}

),

plan_features as (

    select * from {{ ref('int_entitlements__plan_features') }}

),

watched_usage as (

    select * from {{ ref('int_entitlements__watched_usage') }}

),

daily_usage as (

    select * from {{ ref('int_entitlements__daily_usage') }}

),

periods as (

    select * from open_periods
    where
        exists (
            select 1
            from plan_phases
            inner join plan_features
                on plan_phases.plan_id = plan_features.plan_id
            where plan_phases.subscription_id = open_periods.subscription_id
        )

),

-- Local dates of the period, and one or two past what is known of it.
dates as (

    select
        subscription_id,
        period_number,
        time_zone,
        period_from,
        period_to,
        cutoff_at,
        period_from_date + {{ whole_numbers(
            "0",
            "cast(least(period_to_date, cast(" ~ as_of_at() ~ " as date)) - period_from_date"
            ~ " as integer)"
        ) }} as usage_date
    from periods

),

days as (

    select
        time_zone,
        usage_date as local_date
    from dates

    union

    select
        time_zone,
        usage_date + 1 as local_date
    from dates

),

midnights as (

    {{ local_midnights('days', 'zone_segments') }}

),

-- A day that a clock change skips has no time, and so no row.
period_days as (

    select
        dates.subscription_id,
        dates.period_number,
        dates.usage_date,
        dates.cutoff_at,
        greatest(midnights.midnight_at, dates.period_from) as usage_from,
        least(next_midnights.midnight_at, dates.period_to) as usage_to
    from dates
    inner join midnights
        on
            dates.time_zone = midnights.time_zone
            and dates.usage_date = midnights.local_date
    inner join midnights as next_midnights
        on
            dates.time_zone = next_midnights.time_zone
            and dates.usage_date + 1 = next_midnights.local_date
    where
        greatest(midnights.midnight_at, dates.period_from)
        < least(next_midnights.midnight_at, dates.period_to, {{ as_of_at() }})

),

-- The usage of the period through every day: that of the last day with usage.
watched_days as (

    select
        watched_usage.subscription_id,
        watched_usage.period_number,
        watched_usage.meter_profile,
        period_days.usage_date,
        daily_usage.quantity as own_quantity,
        count(daily_usage.usage_date) over (
            partition by
                watched_usage.subscription_id,
                watched_usage.period_number,
                watched_usage.meter_profile
            order by period_days.usage_date
            rows between unbounded preceding and current row
        ) as used_days
    from watched_usage
    inner join period_days
        on
            watched_usage.subscription_id = period_days.subscription_id
            and watched_usage.period_number = period_days.period_number
    left join daily_usage
        on
            watched_usage.subscription_id = daily_usage.subscription_id
            and watched_usage.period_number = daily_usage.period_number
            and watched_usage.meter_profile = daily_usage.meter_profile
            and period_days.usage_date = daily_usage.usage_date

),

used_days as (

    select
        subscription_id,
        period_number,
        meter_profile,
        usage_date,
        coalesce(
            max(own_quantity) over (
                partition by subscription_id, period_number, meter_profile, used_days
            ),
            0
        ) as used_quantity
    from watched_days

),

entitled_days as (

    select
        periods.subscription_id,
        periods.customer_id,
        periods.period_number,
        plan_features.plan_id,
        plan_features.product_id,
        plan_features.feature,
        plan_features.name,
        plan_features.kind,
        plan_features.meter_profile,
        plan_features.limit_quantity,
        period_days.usage_date,
        periods.period_from,
        period_days.usage_to,
        periods.cutoff_at
    from periods
    inner join period_days
        on
            periods.subscription_id = period_days.subscription_id
            and periods.period_number = period_days.period_number
    -- The plan in force at the day's end.
    inner join plan_phases
        on
            periods.subscription_id = plan_phases.subscription_id
            and period_days.usage_to > plan_phases.phase_from
            and (plan_phases.phase_to is null or period_days.usage_to <= plan_phases.phase_to)
    inner join plan_features
        on
            plan_phases.plan_id = plan_features.plan_id
            and plan_features.recorded_at
            < least(period_days.usage_to, periods.cutoff_at, {{ as_of_at() }})
            and coalesce(plan_features.replaced_at, {{ as_of_at() }})
            >= least(period_days.usage_to, periods.cutoff_at, {{ as_of_at() }})

),

limited as (

    select
        entitled_days.*,
        case when entitled_days.limit_quantity is not null then used_days.used_quantity end
            as used_quantity
    from entitled_days
    left join used_days
        on
            entitled_days.subscription_id = used_days.subscription_id
            and entitled_days.period_number = used_days.period_number
            and entitled_days.meter_profile = used_days.meter_profile
            and entitled_days.usage_date = used_days.usage_date

)

select
    subscription_id,
    customer_id,
    cast(period_number as {{ type_count() }}) as period_number,
    plan_id,
    product_id,
    feature,
    name,
    kind,
    meter_profile,
    usage_date,
    period_from as usage_from,
    usage_to,
    limit_quantity,
    cast(used_quantity as {{ type_integral() }}) as used_quantity,
    cast(
        case
            when limit_quantity is not null then greatest(limit_quantity - used_quantity, 0)
        end as {{ type_integral() }}
    ) as left_quantity,
    cast({{ quotient('used_quantity', 'limit_quantity') }} as {{ type_quantity() }}) as share,
    case
        when limit_quantity is null then 'on'
        when used_quantity > limit_quantity then 'over'
        when used_quantity = limit_quantity then 'reached'
        when used_quantity >= limit_quantity * 0.8 then 'near'
        else 'ok'
    end as state,
    kind = 'hard' and used_quantity >= limit_quantity as is_blocked,
    cutoff_at
from limited
