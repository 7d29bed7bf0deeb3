{{ config(materialized='view', schema='marts') }}
-- depends_on: {{ ref('int_invoicing__seal') }}
with

lines as (

    select * from {{ source('ledger', 'lines') }}

),

documents as (

    select * from {{ source('ledger', 'documents') }}

),

-- A dispute and its end take turns: one that is open is the last.
marks as (

    select
        lines.adjusts_line_id as line_id,
        lines.adjusts_invoice_id as invoice_id,
        lines.line_kind,
        lines.name,
        lines.charge_id,
        lines.customer_id,
        lines.subscription_id,
        lines.currency,
        documents.action_id,
        documents.acted_by,
        documents.acted_at,
        documents.action_reason,
        row_number() over (
            partition by lines.adjusts_line_id
            order by documents.cutoff_at desc, documents.sequence_number desc
        ) as recency
    from lines
    inner join documents
        on lines.invoice_id = documents.invoice_id
    where lines.line_kind in ('disputed', 'resolved')

),

disputes as (

    select * from marks
    where
        recency = 1
        and line_kind = 'disputed'

),

-- The line with its corrections, less what was credited on it; nothing of a voided one.
standing as (

    select
        disputes.line_id,
        cast(sum(lines.line_total) as {{ type_total() }}) as disputed_total
    from lines
    inner join disputes
        on coalesce(lines.adjusts_line_id, lines.line_id) = disputes.line_id
    group by disputes.line_id

)

select
    disputes.line_id,
    disputes.invoice_id,
    disputes.subscription_id,
    disputes.customer_id,
    disputes.charge_id,
    disputes.name,
    standing.disputed_total,
    disputes.currency,
    disputes.action_id,
    disputes.acted_by,
    disputes.acted_at,
    disputes.action_reason
from disputes
inner join standing
    on disputes.line_id = standing.line_id
