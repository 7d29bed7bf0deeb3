{{ config(materialized='view') }}
with

periods as (

    select * from {{ ref('int_subscriptions__periods') }}

),

reopened_periods as (

    select * from {{ ref('int_rating__reopened_periods') }}

)

-- closed_at decides what of the catalogue binds a period, cutoff_at what of its usage is known.
select
    subscription_id,
    customer_id,
    plan_id,
    currency,
    time_zone,
    billing_entity,
    period_number,
    period_number as own_period_number,
    period_from,
    period_to,
    period_from_date,
    period_to_date,
    cycle_from,
    cycle_to,
    cycle_from_date,
    cycle_to_date,
    cutoff_at as closed_at,
    cutoff_at
from periods

union all

select
    periods.subscription_id,
    periods.customer_id,
    periods.plan_id,
    periods.currency,
    periods.time_zone,
    periods.billing_entity,
    reopened_periods.period_number,
    periods.period_number as own_period_number,
    periods.period_from,
    periods.period_to,
    periods.period_from_date,
    periods.period_to_date,
    periods.cycle_from,
    periods.cycle_to,
    periods.cycle_from_date,
    periods.cycle_to_date,
    reopened_periods.closed_at,
    reopened_periods.cutoff_at
from periods
inner join reopened_periods
    on
        periods.subscription_id = reopened_periods.subscription_id
        and periods.period_number = reopened_periods.own_period_number
