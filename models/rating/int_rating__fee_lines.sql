{{ config(materialized='view') }}
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
    quantity,
    unit_price,
    price_row_id,
    rounded_total,
    currency,
    exponent,
    cutoff_at
from {{ ref('int_rating__due_fees') }}
where cutoff_at > {{ open_from() }}
