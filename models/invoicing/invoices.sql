{{ config(materialized='view') }}
-- depends_on: {{ ref('int_invoicing__seal') }}
with

posted_documents as (

    select * from {{ source('ledger', 'documents') }}

),

documents as (

    select * from {{ ref('int_invoicing__documents') }}

),

balanced_documents as (

    select * from {{ ref('int_invoicing__balanced_documents') }}

),

disputed_lines as (

    select * from {{ ref('disputed_lines') }}

),

disputed_invoices as (

    select
        invoice_id,
        sum(disputed_total) as disputed_total
    from disputed_lines
    group by invoice_id

),

invoices as (

    select
        {{ column_names(ledger_document_columns()) }},
        'final' as status
    from posted_documents

    union all

    -- A draft has no number yet.
    select
        {{ column_names(ledger_document_columns()) }},
        'draft' as status
    from documents
    where cutoff_at > {{ sealed_until_now() }}

)

select
    invoices.invoice_id,
    case when invoices.status = 'final' then invoices.invoice_number end as invoice_number,
    invoices.status,
    invoices.document_kind,
    invoices.billing_entity,
    invoices.customer_id,
    invoices.customer_name,
    invoices.subscription_id,
    invoices.plan_id,
    invoices.period_number,
    invoices.currency,
    invoices.period_from,
    invoices.period_to,
    invoices.period_from_date,
    invoices.period_to_date,
    invoices.invoice_date,
    invoices.cutoff_at,
    invoices.line_count,
    invoices.invoice_total,
    invoices.rules_version,
    cast(coalesce(invoices.credits_total, 0) as {{ type_total() }}) as credits_total,
    cast(
        greatest(-coalesce(balanced_documents.moved_total, 0), 0) as {{ type_total() }}
    ) as balance_applied_total,
    -- What is below zero is customer balance; nothing is due of it.
    cast(
        greatest({{ net_total('invoices') }}, 0)
        - greatest(-coalesce(balanced_documents.moved_total, 0), 0) as {{ type_total() }}
    ) as amount_due_total,
    cast(coalesce(disputed_invoices.disputed_total, 0) as {{ type_total() }})
        as disputed_total,
    invoices.adjusts_invoice_id,
    invoices.action_id,
    invoices.acted_by,
    invoices.acted_at,
    invoices.action_reason
from invoices
left join balanced_documents
    on invoices.invoice_id = balanced_documents.invoice_id
left join disputed_invoices
    on invoices.invoice_id = disputed_invoices.invoice_id
