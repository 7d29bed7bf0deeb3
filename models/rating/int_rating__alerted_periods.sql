-- depends_on: {{ ref('build_window') }}
-- Periods whose usage is rated day by day too: those that an alert on spend or on an allowance
-- watches, and those that share their pools.
with

periods as (

    select * from {{ ref('int_subscriptions__periods') }}
    where
        cutoff_at > {{ open_from() }}
        and period_from < {{ as_of_at() }}

),

alerts as (

    select * from {{ ref('stg_catalog__alerts') }}
    where kind in ('spend', 'allowance')

),

pooled as (

    select * from {{ ref('int_rating__allowance_steps') }}
    where
        is_pooled
        and {{ is_first_rating('period_number') }}

),

watched as (

    select
        periods.subscription_id,
        periods.period_number
    from periods
    inner join alerts
        on {{ alert_watches('alerts', 'periods') }}
    group by
        periods.subscription_id,
        periods.period_number

)

select
    subscription_id,
    period_number
from watched

union

select
    members.subscription_id,
    members.period_number
from watched
inner join pooled
    on
        watched.subscription_id = pooled.subscription_id
        and watched.period_number = pooled.period_number
inner join pooled as members
    on
        pooled.customer_id = members.customer_id
        and pooled.allowance_id = members.allowance_id
        and pooled.cycle_from_date = members.cycle_from_date
