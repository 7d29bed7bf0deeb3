-- The numbers of a billing entity run from 1 to the count of its final invoices.
select
    billing_entity,
    count(*) as invoice_count,
    count(distinct invoice_number) as number_count,
    min(cast(right(invoice_number, length(invoice_number) - length(billing_entity) - 1) as integer))
        as first_number,
    max(cast(right(invoice_number, length(invoice_number) - length(billing_entity) - 1) as integer))
        as last_number
from {{ ref('invoices') }}
where status = 'final'
group by billing_entity
having
    count(*) <> count(distinct invoice_number)
    or min(
        cast(right(invoice_number, length(invoice_number) - length(billing_entity) - 1) as integer)
    ) <> 1
    or max(
        cast(right(invoice_number, length(invoice_number) - length(billing_entity) - 1) as integer)
    ) <> count(*)
