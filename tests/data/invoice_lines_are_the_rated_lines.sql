-- Every rated line that was not sealed when the run began is on exactly one document, with its own
-- amount and total: on a draft, or on one that the run closed. (A period that has its document in
-- the ledger and is rated anew stays as it was sent.)
with

rated_lines as (

    select
        rated_line_id,
        subscription_id,
        invoice_number_in_subscription,
        amount,
        line_total,
        currency
    from {{ ref('rated_lines') }}
    where
        cutoff_at > {{ sealed_until() }}
        and {{ is_first_rating('invoice_number_in_subscription') }}

),

invoice_lines as (

    select
        rated_line_id,
        line_id,
        amount,
        line_total,
        currency
    from {{ ref('invoice_lines') }}
    where
        cutoff_at > {{ sealed_until() }}
        and adjusts_invoice_id is null

),

posted as (

    select
        subscription_id,
        period_number
    from {{ source('ledger', 'documents') }}
    where cutoff_at <= {{ sealed_until() }}

)

select
    coalesce(rated_lines.rated_line_id, invoice_lines.rated_line_id) as rated_line_id,
    invoice_lines.line_id
from rated_lines
full outer join invoice_lines
    on rated_lines.rated_line_id = invoice_lines.rated_line_id
left join posted
    on
        rated_lines.subscription_id = posted.subscription_id
        and rated_lines.invoice_number_in_subscription = posted.period_number
where
    posted.subscription_id is null
    and (
        rated_lines.line_total is distinct from invoice_lines.line_total
        or rated_lines.amount is distinct from invoice_lines.amount
        or rated_lines.currency is distinct from invoice_lines.currency
    )
