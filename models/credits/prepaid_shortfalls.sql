{{ config(materialized='view', schema='marts') }}
-- Nothing is lost: what credits do not pay is due as ever, and stands here to be seen.
with

invoices as (

    select * from {{ ref('invoices') }}

),

plans as (

    select * from {{ ref('stg_catalog__plans') }}

)

select
    invoices.invoice_id,
    invoices.invoice_number,
    invoices.status,
    invoices.customer_id,
    invoices.subscription_id,
    invoices.plan_id,
    invoices.currency,
    invoices.period_from_date,
    invoices.period_to_date,
    invoices.invoice_total,
    invoices.credits_total,
    cast(invoices.invoice_total - invoices.credits_total as {{ type_total() }})
        as shortfall_total
from invoices
inner join plans
    on invoices.plan_id = plans.plan_id
where
    plans.requires_prepaid
    and invoices.invoice_total > invoices.credits_total
