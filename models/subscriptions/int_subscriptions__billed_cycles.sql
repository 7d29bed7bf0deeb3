with

cycles as (

    select * from {{ ref('int_subscriptions__cycles') }}

),

terms as (

    select * from {{ ref('int_subscriptions__terms') }}

),

lives as (

    select * from {{ ref('int_subscriptions__lives') }}

),

zone_segments as (

    select * from {{ ref('int_subscriptions__zone_segments') }}

),

plan_phases as (

    select * from {{ ref('int_subscriptions__plan_phases') }}

),

plans as (

    select * from {{ ref('stg_catalog__plans') }}

),

-- Who shares an allowance closes with the others, be it in mid-cycle that one ended.
pooled_plans as (

    select distinct plan_id
    from {{ ref('stg_catalog__allowances') }}
    where
        is_pooled
        and recorded_at < {{ as_of_at() }}

),

-- Only an end inside a cycle has a local date of its own.
early_ends as (

    select
        cycles.term_id,
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
    cycles.term_id,
    cycles.term_number,
    cycles.customer_id,
    plan_phases.plan_id,
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
    -- When what begins it had become known; its end may have become known later.
    greatest(terms.known_at, plans.recorded_at) as begin_known_at,
    -- No period of a subscription closes before an earlier one, whatever grace a later plan has. An
    -- end on the cycle's own moves nothing, however late it is told: that cutoff may have passed.
    max({{ cutoff(
        "(case when pooled_plans.plan_id is null then cycles.period_to else cycles.cycle_to end"
        ~ " + plans.grace_days * interval '1 day')",
        "greatest(terms.known_at, plans.recorded_at,"
        ~ " case when cycles.is_last and cycles.period_to < cycles.cycle_to"
        ~ " then terms.end_recorded_at end)"
    ) }}) over (
        partition by cycles.subscription_id
        order by cycles.period_number
        rows between unbounded preceding and current row
    ) as cutoff_at
from cycles
inner join terms
    on cycles.term_id = terms.term_id
inner join lives
    on cycles.subscription_id = lives.subscription_id
inner join plan_phases
    on
        cycles.subscription_id = plan_phases.subscription_id
        and cycles.period_from >= plan_phases.phase_from
        and (
            plan_phases.phase_to is null
            or cycles.period_from < plan_phases.phase_to
            -- Past an end that became known later; no plan follows then.
            or (
                lives.ends_at = plan_phases.phase_to
                and cycles.period_from >= lives.ends_at
            )
        )
inner join plans
    on plan_phases.plan_id = plans.plan_id
left join pooled_plans
    on plan_phases.plan_id = pooled_plans.plan_id
left join early_ends
    on
        cycles.term_id = early_ends.term_id
        and cycles.cycle_index = early_ends.cycle_index
