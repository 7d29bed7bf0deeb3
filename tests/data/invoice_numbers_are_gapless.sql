-- The numbers of a billing entity run from 1 to the count of its final invoices.
with

numbers as (

    select
        billing_entity,
        cast(
            right(invoice_number, length(invoice_number) - length(billing_entity) - 1)
            as integer
        ) as final_number
    from {{ ref('invoices') }}
    where status = 'final'

)

select
    billing_entity,
    count(*) as invoice_count,
    count(distinct final_number) as number_count,
    min(final_number) as first_number,
    max(final_number) as last_number
from numbers
group by billing_entity
having
    count(distinct final_number) <> count(*)
    or min(final_number) <> 1
    or max(final_number) <> count(*)
