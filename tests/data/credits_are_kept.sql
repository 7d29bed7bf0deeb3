-- What was granted and moved in is what was drawn, moved out, ended and is left, on every day; and
-- what credits paid of a document is what its entries say.
with

entries as (

    select * from {{ ref('credit_ledger_entries') }}

),

balances as (

    select * from {{ ref('credit_balances_daily') }}

),

moved as (

    select
        grant_id,
        posted_date,
        sum(amount) as amount
    from entries
    group by
        grant_id,
        posted_date

),

running as (

    select
        grant_id,
        posted_date,
        sum(amount) over (partition by grant_id order by posted_date) as balance_total
    from moved

),

faulty_balances as (

    select running.grant_id as faulty
    from running
    left join balances
        on
            running.grant_id = balances.grant_id
            and running.posted_date = balances.balance_date
    where running.balance_total is distinct from balances.balance_total

),

invoice_sums as (

    select
        invoice_id,
        sum(credit_total) as credit_total
    from {{ ref('invoice_credits') }}
    group by invoice_id

),

faulty_invoices as (

    select invoices.invoice_id as faulty
    from {{ ref('invoices') }} as invoices
    full outer join invoice_sums
        on invoices.invoice_id = invoice_sums.invoice_id
    where coalesce(invoices.credits_total, 0) <> coalesce(invoice_sums.credit_total, 0)

)

select faulty from faulty_balances

union all

select faulty from faulty_invoices
