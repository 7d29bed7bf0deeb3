{{ config(materialized='view') }}
select
    rated_line_id,
    subscription_id,
    customer_id,
    plan_id,
    invoice_number_in_subscription,
    period_number,
    charge_id,
    charge_position,
    name,
    part_number,
    period_from,
    period_to,
    proration,
    used_units,
    full_units,
    billed_total,
    used_total,
    line_total,
    currency,
    exponent,
    tax_code,
    cutoff_at
from {{ ref('int_rating__due_credits') }}
where cutoff_at > {{ open_from() }}
