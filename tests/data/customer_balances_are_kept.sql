-- Every document below zero is in a customer's balance, no more of it is used than there is, and
-- what an invoice takes of it is not due.
with

invoices as (

    select * from {{ ref('invoices') }}
    where status = 'final'

),

granted as (

    select
        customer_id,
        billing_entity,
        currency,
        sum(greatest(credits_total - invoice_total, 0)) as granted_total,
        sum(balance_applied_total) as used_total
    from invoices
    group by
        customer_id,
        billing_entity,
        currency

),

faulty_balances as (

    select granted.customer_id as faulty
    from granted
    left join {{ ref('customer_balances') }} as customer_balances
        on
            granted.customer_id = customer_balances.customer_id
            and granted.billing_entity = customer_balances.billing_entity
            and granted.currency = customer_balances.currency
    where
        granted.granted_total <> coalesce(customer_balances.granted_total, 0)
        or granted.granted_total - granted.used_total
        <> coalesce(customer_balances.balance_total, 0)
        or granted.used_total
        <> coalesce(customer_balances.applied_total + customer_balances.refunded_total, 0)
        or granted.granted_total < granted.used_total

),

faulty_invoices as (

    select invoice_id as faulty
    from invoices
    where
        amount_due_total + balance_applied_total <> greatest(invoice_total - credits_total, 0)
        or amount_due_total < 0
        or (document_kind = 'refund' and amount_due_total <> 0)

)

select faulty from faulty_balances

union all

select faulty from faulty_invoices
