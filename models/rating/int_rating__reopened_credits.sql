{{ config(materialized='view') }}
-- Credits of fees on invoices of periods that are rated again, as they come to now.
with

due_credits as (

    select * from {{ ref('int_rating__due_credits') }}

),

reopened_periods as (

    select * from {{ ref('int_rating__reopened_periods') }}

)

select
    due_credits.subscription_id
    || '/' || cast(reopened_periods.period_number as {{ type_text() }})
    || substr(
        due_credits.rated_line_id,
        length(
            due_credits.subscription_id
            || '/' || cast(due_credits.invoice_number_in_subscription as {{ type_text() }})
        ) + 1
    ) as rated_line_id,
    due_credits.subscription_id,
    due_credits.customer_id,
    due_credits.plan_id,
    reopened_periods.period_number as invoice_number_in_subscription,
    {{ reopened_number('due_credits.period_number', 'reopened_periods.cutoff_at') }}
        as period_number,
    due_credits.charge_id,
    due_credits.charge_position,
    due_credits.name,
    due_credits.part_number,
    due_credits.period_from,
    due_credits.period_to,
    due_credits.proration,
    due_credits.used_units,
    due_credits.full_units,
    due_credits.billed_total,
    due_credits.used_total,
    due_credits.line_total,
    due_credits.currency,
    due_credits.exponent,
    due_credits.tax_code,
    reopened_periods.cutoff_at
from due_credits
inner join reopened_periods
    on
        due_credits.subscription_id = reopened_periods.subscription_id
        and due_credits.invoice_number_in_subscription = reopened_periods.own_period_number
