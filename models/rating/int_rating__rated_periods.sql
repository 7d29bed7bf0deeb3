{{ config(materialized='view') }}
with

periods as (

    select * from {{ ref('int_subscriptions__periods') }}

),

dependences as (

    select * from {{ ref('int_rating__dependences') }}
    where depending = 'all'

),

reopened_periods as (

    select * from {{ ref('int_rating__reopened_periods') }}

)

-- A period whose subscription was corrected goes on from the others as known at its cutoff: it is
-- in one chain with them. closed_at decides what of the catalogue binds a period, cutoff_at what
-- of its usage is known.
select
    periods.subscription_id,
    periods.customer_id,
    periods.plan_id,
    periods.currency,
    periods.time_zone,
    periods.billing_entity,
    periods.period_number,
    periods.period_number as own_period_number,
    periods.period_from,
    periods.period_to,
    periods.period_from_date,
    periods.period_to_date,
    periods.cycle_from,
    periods.cycle_to,
    periods.cycle_from_date,
    periods.cycle_to_date,
    periods.cutoff_at as closed_at,
    periods.cutoff_at,
    case
        when dependences.subscription_id is null then 0
        else {{ reopened_number('0', 'periods.cutoff_at') }}
    end as chain_number
from periods
left join dependences
    on
        periods.subscription_id = dependences.subscription_id
        and periods.cutoff_at >= dependences.first_close_at

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
    reopened_periods.cutoff_at,
    {{ state_number('reopened_periods.period_number') }} as chain_number
from periods
inner join reopened_periods
    on
        periods.subscription_id = reopened_periods.subscription_id
        and periods.period_number = reopened_periods.own_period_number
