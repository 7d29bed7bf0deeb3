{{ config(materialized='view') }}
-- depends_on: {{ ref('int_invoicing__seal') }}
with

posted_lines as (

    select * from {{ source('ledger', 'lines') }}

),

document_lines as (

    select * from {{ ref('int_invoicing__document_lines') }}

)

select
    line_id,
    invoice_id,
    line_number,
    line_kind,
    charge_id,
    name,
    unit_description,
    subscription_id,
    customer_id,
    period_number,
    part_number,
    period_from,
    period_to,
    dimension_values,
    pricing_model,
    proration,
    billed_days,
    full_days,
    share_numerator,
    share_denominator,
    event_count,
    quantity,
    covered_quantity,
    rated_quantity,
    amount,
    rounded_total,
    over_maximum_total,
    discount_total,
    line_total,
    currency,
    tax_code,
    rated_line_id,
    rules_version,
    cutoff_at,
    adjusts_invoice_id,
    adjusts_line_id,
    adjusts_rated_line_id,
    unit,
    unit_rate,
    unit_total
from posted_lines

union all

-- Drafts: what has been posted since these were made is not read twice.
select
    line_id,
    invoice_id,
    line_number,
    line_kind,
    charge_id,
    name,
    unit_description,
    subscription_id,
    customer_id,
    period_number,
    part_number,
    period_from,
    period_to,
    dimension_values,
    pricing_model,
    proration,
    billed_days,
    full_days,
    share_numerator,
    share_denominator,
    event_count,
    quantity,
    covered_quantity,
    rated_quantity,
    amount,
    rounded_total,
    over_maximum_total,
    discount_total,
    line_total,
    currency,
    tax_code,
    rated_line_id,
    rules_version,
    cutoff_at,
    adjusts_invoice_id,
    adjusts_line_id,
    adjusts_rated_line_id,
    unit,
    unit_rate,
    unit_total
from document_lines
where cutoff_at > {{ sealed_until_now() }}
