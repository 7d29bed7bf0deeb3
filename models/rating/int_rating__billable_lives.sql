{{ config(pre_hook="{{ hash_joins_only() }}") }}
-- Who could bill which usage, and when: the stretches in which a subscription runs on a plan, by
-- profile and the references that usage may carry. contested_from and contested_to bound the time
-- in which another subscription could bill the same usage.
with

periods as (

    select * from {{ ref('int_subscriptions__periods') }}

),

plan_phases as (

    select * from {{ ref('int_subscriptions__plan_phases') }}

),

pauses as (

    select * from {{ ref('int_subscriptions__pauses') }}

),

lives as (

    select * from {{ ref('int_subscriptions__lives') }}

),

charges as (

    select * from {{ ref('stg_catalog__charges') }}
    where
        charge_type = 'usage'
        and recorded_at < {{ as_of_at() }}

),

-- An item names a charge; usage without an item is every charge's on the profile.
billable_items as (

    select
        plan_id,
        meter_profile,
        '' as item_ref
    from charges

    union

    select
        plan_id,
        meter_profile,
        charge_id as item_ref
    from charges

),

-- Time is known as far as there are periods.
known_lives as (

    select
        subscription_id,
        max(period_to) as life_to
    from periods
    group by subscription_id

),

phases as (

    select
        plan_phases.subscription_id,
        plan_phases.phase_number,
        lives.customer_id,
        plan_phases.plan_id,
        plan_phases.phase_from,
        least(plan_phases.phase_to, known_lives.life_to) as phase_to,
        lives.recorded_at
    from plan_phases
    inner join lives
        on plan_phases.subscription_id = lives.subscription_id
    inner join known_lives
        on
            plan_phases.subscription_id = known_lives.subscription_id
            and plan_phases.phase_from < known_lives.life_to

),

paused_phases as (

    select
        phases.subscription_id,
        phases.phase_number,
        pauses.pause_from,
        pauses.pause_to
    from phases
    inner join pauses
        on
            phases.subscription_id = pauses.subscription_id
            and phases.phase_to > pauses.pause_from
            and (pauses.pause_to is null or phases.phase_from < pauses.pause_to)

),

starts as (

    select
        subscription_id,
        phase_number,
        phase_from as run_from
    from phases

    union all

    select
        paused_phases.subscription_id,
        paused_phases.phase_number,
        paused_phases.pause_to as run_from
    from paused_phases
    inner join phases
        on
            paused_phases.subscription_id = phases.subscription_id
            and paused_phases.phase_number = phases.phase_number
            and paused_phases.pause_to < phases.phase_to

),

runs as (

    select
        starts.subscription_id,
        starts.phase_number,
        starts.run_from,
        min(paused_phases.pause_from) as next_pause
    from starts
    left join paused_phases
        on
            starts.subscription_id = paused_phases.subscription_id
            and starts.phase_number = paused_phases.phase_number
            and (paused_phases.pause_to is null or starts.run_from < paused_phases.pause_to)
    group by
        starts.subscription_id,
        starts.phase_number,
        starts.run_from

),

eligible as (

    select
        phases.subscription_id,
        phases.customer_id,
        runs.run_from as life_from,
        least(phases.phase_to, runs.next_pause) as life_to,
        phases.recorded_at,
        billable_items.meter_profile,
        billable_items.item_ref
    from runs
    inner join phases
        on
            runs.subscription_id = phases.subscription_id
            and runs.phase_number = phases.phase_number
    inner join billable_items
        on phases.plan_id = billable_items.plan_id
    where runs.next_pause is null or runs.next_pause > runs.run_from

),

contests as (

    select
        eligible.subscription_id,
        eligible.meter_profile,
        eligible.item_ref,
        eligible.life_from,
        min(greatest(eligible.life_from, rivals.life_from)) as contested_from,
        max(least(eligible.life_to, rivals.life_to)) as contested_to
    from eligible
    inner join eligible as rivals
        on
            eligible.customer_id = rivals.customer_id
            and eligible.meter_profile = rivals.meter_profile
            and eligible.item_ref = rivals.item_ref
            and eligible.subscription_id <> rivals.subscription_id
            and eligible.life_from < rivals.life_to
            and eligible.life_to > rivals.life_from
    group by
        eligible.subscription_id,
        eligible.meter_profile,
        eligible.item_ref,
        eligible.life_from

)

select
    eligible.subscription_id,
    eligible.customer_id,
    eligible.meter_profile,
    eligible.item_ref,
    '' as subscription_ref,
    eligible.life_from,
    eligible.life_to,
    eligible.recorded_at,
    contests.contested_from,
    contests.contested_to
from eligible
left join contests
    on
        eligible.subscription_id = contests.subscription_id
        and eligible.meter_profile = contests.meter_profile
        and eligible.item_ref = contests.item_ref
        and eligible.life_from = contests.life_from

union all

select
    subscription_id,
    customer_id,
    meter_profile,
    item_ref,
    subscription_id as subscription_ref,
    life_from,
    life_to,
    recorded_at,
    cast(null as {{ type_timestamp() }}) as contested_from,
    cast(null as {{ type_timestamp() }}) as contested_to
from eligible
