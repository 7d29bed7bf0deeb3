-- The years of each customer and profile hold the events that its rollups do, once. A pass over all
-- rollups, so only with var full.
{{ config(group="metering") }}
with

rollup_sums as (

    select
        customer_id,
        meter_profile,
        sum(event_count) as event_count
    from {{ ref('int_metering__rollups') }}
    where
        outcome = 'metered'
        and {{ var('full', false) | lower }}
    group by
        customer_id,
        meter_profile
    having sum(event_count) <> 0

),

usage_sums as (

    select
        customer_id,
        meter_profile,
        sum(event_count) as event_count
    from {{ ref('usage_annual') }}
    where {{ var('full', false) | lower }}
    group by
        customer_id,
        meter_profile

)

select
    coalesce(rollup_sums.customer_id, usage_sums.customer_id) as customer_id,
    coalesce(rollup_sums.meter_profile, usage_sums.meter_profile) as meter_profile,
    rollup_sums.event_count as rollup_count,
    usage_sums.event_count as usage_count
from rollup_sums
full outer join usage_sums
    on
        rollup_sums.customer_id = usage_sums.customer_id
        and rollup_sums.meter_profile = usage_sums.meter_profile
where rollup_sums.event_count is distinct from usage_sums.event_count
