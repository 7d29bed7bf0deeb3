with

build_window as (

    select * from {{ ref('build_window') }}

),

billed_cycles as (

    select * from {{ ref('int_subscriptions__billed_cycles') }}

)

select
    billed_cycles.subscription_id,
    billed_cycles.customer_id,
    billed_cycles.plan_id,
    billed_cycles.currency,
    billed_cycles.time_zone,
    billed_cycles.billing_entity,
    billed_cycles.term_number,
    billed_cycles.period_number,
    billed_cycles.cycle_index,
    billed_cycles.period_from,
    billed_cycles.period_to,
    billed_cycles.period_from_date,
    billed_cycles.period_to_date,
    billed_cycles.cycle_from,
    billed_cycles.cycle_to,
    billed_cycles.cycle_from_date,
    billed_cycles.cycle_to_date,
    billed_cycles.is_last,
    billed_cycles.cutoff_at
from billed_cycles
inner join build_window
    on billed_cycles.period_from < build_window.as_of_at + interval '2 days'
