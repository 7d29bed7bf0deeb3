-- The usage whose latest value a watched period may begin with: by the references that it carries.
with

watched_usage as (

    select * from {{ ref('int_entitlements__watched_usage') }}

),

carrying_meters as (

    select * from {{ ref('stg_catalog__meters') }}
    where
        carry_over
        and aggregation = 'latest'

),

levels as (

    select
        levels_daily.customer_id,
        levels_daily.meter_profile,
        levels_daily.subscription_id as subscription_ref,
        levels_daily.subscription_item_id as item_ref
    from {{ ref('int_metering__levels_daily') }} as levels_daily
    inner join {{ ref('build_window') }} as build_window
        on levels_daily.level_day = build_window.as_of_day
    group by
        levels_daily.customer_id,
        levels_daily.meter_profile,
        levels_daily.subscription_id,
        levels_daily.subscription_item_id

)

select
    row_number() over () as slice_id,
    watched_usage.subscription_id,
    watched_usage.period_number,
    watched_usage.period_from_date,
    watched_usage.customer_id,
    watched_usage.meter_profile,
    levels.subscription_ref,
    levels.item_ref,
    watched_usage.period_from as slice_from,
    watched_usage.period_from as route_from,
    watched_usage.cutoff_date
from watched_usage
inner join carrying_meters
    on watched_usage.meter_profile = carrying_meters.meter_profile
inner join levels
    on
        watched_usage.customer_id = levels.customer_id
        and watched_usage.meter_profile = levels.meter_profile
        and levels.subscription_ref in ('', watched_usage.subscription_id)
