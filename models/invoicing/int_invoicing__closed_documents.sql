-- The documents that the run closes, each with the hash of all that it says.
with

documents as (

    select * from {{ ref('int_invoicing__documents') }}
    where invoice_number is not null

),

document_lines as (

    select * from {{ ref('int_invoicing__document_lines') }}
    where cutoff_at <= {{ close_at() }}

),

line_hashes as (

    select
        document_lines.invoice_id,
        document_lines.line_number,
        {{ text_digest(content_text(ledger_line_columns(), 'document_lines')) }} as line_hash
    from document_lines

),

hashed_lines as (

    select
        invoice_id,
        {{ joined_text('line_hash', '', 'line_number') }} as line_hashes
    from line_hashes
    group by invoice_id

),

header_texts as (

    select
        documents.invoice_id,
        {{ content_text(ledger_document_columns(), 'documents') }} as header_text
    from documents

)

select
    documents.invoice_id,
    documents.invoice_number,
    documents.sequence_number,
    documents.document_kind,
    documents.billing_entity,
    documents.customer_id,
    documents.customer_name,
    documents.subscription_id,
    documents.plan_id,
    documents.period_number,
    documents.currency,
    documents.period_from,
    documents.period_to,
    documents.period_from_date,
    documents.period_to_date,
    documents.invoice_date,
    documents.cutoff_at,
    documents.line_count,
    documents.invoice_total,
    documents.rules_version,
    documents.adjusts_invoice_id,
    documents.action_id,
    documents.acted_by,
    documents.acted_at,
    documents.action_reason,
    documents.credits_total,
    {{ text_digest(
        "header_texts.header_text || chr(31) || 'lines=' || hashed_lines.line_hashes"
    ) }} as content_hash
from documents
inner join header_texts
    on documents.invoice_id = header_texts.invoice_id
inner join hashed_lines
    on documents.invoice_id = hashed_lines.invoice_id
