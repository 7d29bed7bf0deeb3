-- Closed periods that are rated again, each for a close: those with late usage, and those that
-- depend on them.
with

late_usage as (

    select * from {{ ref('int_rating__late_usage') }}

),

periods as (

    select * from {{ ref('int_subscriptions__periods') }}

),

plan_phases as (

    select * from {{ ref('int_subscriptions__plan_phases') }}

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

closes as (

    select
        subscription_id,
        cutoff_at,
        coalesce(min(period_number), 1) as first_number
    from late_usage
    group by
        subscription_id,
        cutoff_at

),

-- Which periods of a subscription depend on which: what is carried from one into the next, all
-- later ones; a window of several or an amount that is used up, all.
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

reopened as (

    select
        late_usage.subscription_id,
        late_usage.period_number,
        late_usage.cutoff_at
    from late_usage
    where late_usage.period_number is not null

    union

    select
        closes.subscription_id,
        periods.period_number,
        closes.cutoff_at
    from closes
    inner join dependences
        on closes.subscription_id = dependences.subscription_id
    inner join periods
        on
            closes.subscription_id = periods.subscription_id
            and closes.cutoff_at > periods.cutoff_at
    where
        dependences.depending = 'all'
        or periods.period_number >= closes.first_number

)

select
    reopened.subscription_id,
    {{ reopened_number('reopened.period_number', 'reopened.cutoff_at') }} as period_number,
    reopened.period_number as own_period_number,
    periods.cutoff_at as closed_at,
    reopened.cutoff_at
from reopened
inner join periods
    on
        reopened.subscription_id = periods.subscription_id
        and reopened.period_number = periods.period_number
