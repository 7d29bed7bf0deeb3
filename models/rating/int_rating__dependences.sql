-- Which periods of a subscription depend on which, and since when it has been corrected: what is
-- carried from one into the next, all later ones; a window of several, or an amount that is used
-- up, all.
with

late_usage as (

    select * from {{ ref('int_rating__late_usage') }}

),

plan_phases as (

    select * from {{ ref('int_subscriptions__plan_phases') }}

),

reissued_periods as (

    select * from {{ ref('int_rating__reissued_periods') }}

),

pool_members as (

    select * from {{ ref('int_rating__pool_members') }}

),

meters as (

    select * from {{ ref('stg_catalog__meters') }}

),

charges as (

    select * from {{ ref('stg_catalog__charges') }}

),

allowances as (

    select * from {{ ref('stg_catalog__allowances') }}

),

commitments as (

    select * from {{ ref('stg_catalog__commitments') }}

),

discounted_plans as (

    select * from {{ ref('int_rating__discounted_plans') }}

),

dependences as (

    select
        plan_phases.subscription_id,
        'later' as depending
    from plan_phases
    inner join charges
        on plan_phases.plan_id = charges.plan_id
    inner join meters
        on charges.meter_profile = meters.meter_profile
    where meters.carry_over

    union

    select
        plan_phases.subscription_id,
        'all' as depending
    from plan_phases
    inner join allowances
        on plan_phases.plan_id = allowances.plan_id
    where allowances.rollover_periods > 0

    union

    select
        plan_phases.subscription_id,
        'all' as depending
    from plan_phases
    inner join commitments
        on plan_phases.plan_id = commitments.plan_id

    union

    select
        commitments.subscription_id,
        'all' as depending
    from commitments
    where commitments.subscription_id is not null

    union

    select
        discounted_plans.subscription_id,
        'all' as depending
    from discounted_plans
    where discounted_plans.total_amount is not null

    union

    select
        subscription_id,
        'all' as depending
    from pool_members

),

first_closes as (

    select
        subscription_id,
        min(cutoff_at) as first_close_at
    from late_usage
    group by subscription_id

    union all

    -- A reissue needs the periods that its own goes on from, and corrects none of them.
    select distinct
        subscription_id,
        cast(null as {{ type_timestamp() }}) as first_close_at
    from reissued_periods

)

select
    dependences.subscription_id,
    min(dependences.depending) as depending,
    min(first_closes.first_close_at) as first_close_at
from dependences
inner join first_closes
    on dependences.subscription_id = first_closes.subscription_id
group by dependences.subscription_id
