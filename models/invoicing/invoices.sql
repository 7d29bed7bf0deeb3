{{ config(materialized='view') }}
-- depends_on: {{ ref('int_invoicing__seal') }}
with

posted_documents as (

    select * from {{ source('ledger', 'documents') }}

),

documents as (

    select * from {{ ref('int_invoicing__documents') }}

)

select
    invoice_id,
    invoice_number,
    'final' as status,
    document_kind,
    billing_entity,
    customer_id,
    customer_name,
    subscription_id,
    plan_id,
    period_number,
    currency,
    period_from,
    period_to,
    period_from_date,
    period_to_date,
    invoice_date,
    cutoff_at,
    line_count,
    invoice_total,
    rules_version
from posted_documents

union all

select
    invoice_id,
    cast(null as {{ type_text() }}) as invoice_number,
    'draft' as status,
    document_kind,
    billing_entity,
    customer_id,
    customer_name,
    subscription_id,
    plan_id,
    period_number,
    currency,
    period_from,
    period_to,
    period_from_date,
    period_to_date,
    invoice_date,
    cutoff_at,
    line_count,
    invoice_total,
    rules_version
from documents
where cutoff_at > {{ sealed_until_now() }}
