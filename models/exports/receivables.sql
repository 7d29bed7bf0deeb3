{{ config(materialized="view", schema="marts") }}
with

invoices as (

    select * from {{ ref('invoices') }}

),

exports as (

    select * from {{ source('exports', 'exports') }}

),

acknowledgements as (

    select * from {{ source('exports', 'receivable_acknowledgements') }}

),

sent_documents as (

    select
        invoice_id,
        min(exported_at) as sent_at
    from exports
    where format = 'receivables'
    group by invoice_id

),

-- What the receivables ledger said last.
last_acknowledgements as (

    select
        invoice_id,
        max(acknowledgement_number) as acknowledgement_number
    from acknowledgements
    group by invoice_id

)

select
    invoices.invoice_id,
    invoices.invoice_number,
    invoices.document_kind,
    invoices.billing_entity,
    invoices.customer_id,
    invoices.currency,
    invoices.cutoff_at,
    invoices.invoice_total,
    cast(sent_documents.sent_at as date) as sent_date,
    acknowledgements.external_id,
    acknowledgements.external_status,
    cast(acknowledgements.acknowledged_at as date) as acknowledged_date,
    acknowledgements.is_taxed,
    acknowledgements.payment_state,
    acknowledgements.net_difference,
    case
        when
            acknowledgements.net_difference <> 0 or acknowledgements.payment_state = 'overpaid'
            then 'differs'
        when acknowledgements.invoice_id is not null then 'acknowledged'
        when sent_documents.invoice_id is not null then 'sent'
        else 'not_sent'
    end as state
from invoices
left join sent_documents
    on invoices.invoice_id = sent_documents.invoice_id
left join last_acknowledgements
    on invoices.invoice_id = last_acknowledgements.invoice_id
left join acknowledgements
    on last_acknowledgements.acknowledgement_number = acknowledgements.acknowledgement_number
where invoices.status = 'final'
