with

cycles as (

    select * from {{ ref('int_subscriptions__cycles') }}

),

terms as (

    select * from {{ ref('int_subscriptions__terms') }}

),

zone_segments as (

    select * from {{ ref('int_subscriptions__zone_segments') }}

),

-- Only an end inside a cycle has a local date of its own.
early_ends as (

    select
        cycles.subscription_id,
        cycles.cycle_index,
        {{ local_date('cycles.period_to', 'zone_segments.offset_seconds') }} as period_to_date
    from cycles
    inner join zone_segments
        on
            cycles.time_zone = zone_segments.time_zone
            and cycles.period_to >= zone_segments.utc_from
            and cycles.period_to < zone_segments.utc_to
    where cycles.period_to < cycles.cycle_to

)

select
    cycles.subscription_id,
    cycles.customer_id,
    terms.plan_id,
    terms.currency,
    cycles.time_zone,
    cycles.billing_entity,
    cycles.period_number,
    cycles.cycle_index,
    cycles.period_from,
    cycles.period_to,
    coalesce(cycles.boundary_from_date, terms.start_date) as period_from_date,
    -- An hour that repeats over midnight must not date an end before its start.
    greatest(
        coalesce(early_ends.period_to_date, cycles.cycle_to_date),
        coalesce(cycles.boundary_from_date, terms.start_date)
    ) as period_to_date,
    cycles.boundary_from as cycle_from,
    cycles.cycle_to,
    {{ add_cycles(
        'terms.anchor_date', 'terms.cycle_unit', 'terms.cycle_length', 'cycles.cycle_index'
    ) }} as cycle_from_date,
    cycles.cycle_to_date,
    cycles.is_last,
    {{ cutoff(
        "(cycles.period_to + terms.grace_days * interval '1 day')", 'terms.known_at'
    ) }} as cutoff_at
from cycles
inner join terms
    on cycles.subscription_id = terms.subscription_id
left join early_ends
    on
        cycles.subscription_id = early_ends.subscription_id
        and cycles.cycle_index = early_ends.cycle_index
