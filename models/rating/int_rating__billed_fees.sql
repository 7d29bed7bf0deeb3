{{ config(materialized='view') }}
-- Fees that the run computed, and those of periods that it rates again.
select
    subscription_id,
    customer_id,
    plan_id,
    invoice_number_in_subscription,
    period_number,
    charge_id,
    line_kind,
    fee_from,
    fee_to,
    fee_from_date,
    date_rank,
    billed_units,
    full_units,
    proration,
    price_row_id,
    rounded_total,
    currency,
    exponent,
    cutoff_at
from {{ ref('int_rating__fee_lines') }}

union all

select
    subscription_id,
    customer_id,
    plan_id,
    invoice_number_in_subscription,
    period_number,
    charge_id,
    line_kind,
    fee_from,
    fee_to,
    fee_from_date,
    date_rank,
    billed_units,
    full_units,
    proration,
    price_row_id,
    rounded_total,
    currency,
    exponent,
    cutoff_at
from {{ ref('int_rating__reopened_fees') }}
