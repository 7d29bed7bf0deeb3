{{ config(materialized='view', schema='marts') }}
with

documents as (

    select * from {{ source('ledger', 'documents') }}

),

balanced_documents as (

    select * from {{ ref('int_invoicing__balanced_documents') }}

)

select
    documents.invoice_id,
    documents.invoice_number,
    documents.sequence_number,
    documents.document_kind,
    documents.cutoff_at,
    documents.customer_id,
    documents.billing_entity,
    documents.currency,
    case
        when balanced_documents.moved_total > 0 then 'granted'
        when documents.document_kind = 'refund' then 'refunded'
        else 'applied'
    end as entry_kind,
    balanced_documents.moved_total,
    balanced_documents.balance_total
from documents
inner join balanced_documents
    on documents.invoice_id = balanced_documents.invoice_id
where balanced_documents.moved_total <> 0
