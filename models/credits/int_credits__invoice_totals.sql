-- depends_on: {{ ref('build_window') }}
-- What credits paid of each document that is not in the ledger: draws less what was given back, but
-- for what became customer balance; of units of credit, what they are worth there.
with

new_entries as (

    select * from {{ ref('int_credits__entries') }}
    where entry_kind in ('draw', 'give_back', 'to_balance')

),

posted_entries as (

    select * from {{ source('ledger', 'credit_entries') }}
    where
        entry_kind in ('draw', 'give_back', 'to_balance')
        and posted_date < {{ first_posting_date() }}

),

billed_invoices as (

    select distinct invoice_id
    from {{ ref('int_invoicing__billed_lines') }}

),

unit_totals as (

    select * from {{ ref('int_credits__unit_totals') }}

),

entries as (

    select
        invoice_id,
        currency,
        amount
    from new_entries

    union all

    select
        posted_entries.invoice_id,
        posted_entries.currency,
        posted_entries.amount
    from posted_entries
    inner join billed_invoices
        on posted_entries.invoice_id = billed_invoices.invoice_id

),

paid as (

    select
        invoice_id,
        -amount as credit_total
    from entries
    where
        currency not in (
            select units.unit from {{ ref('stg_catalog__credit_units') }} as units
        )

    union all

    select
        unit_totals.invoice_id,
        unit_totals.credit_total
    from unit_totals
    inner join billed_invoices
        on unit_totals.invoice_id = billed_invoices.invoice_id

)

select
    invoice_id,
    cast(sum(credit_total) as {{ type_total() }}) as credits_total
from paid
group by invoice_id
having sum(credit_total) <> 0
