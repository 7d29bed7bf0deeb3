-- An invoice is the sum of its rounded lines, and has as many as it says.
with

invoices as (

    select * from {{ ref('invoices') }}

),

line_sums as (

    select
        invoice_id,
        count(*) as line_count,
        sum(line_total) as line_sum
    from {{ ref('invoice_lines') }}
    group by invoice_id

)

select
    coalesce(invoices.invoice_id, line_sums.invoice_id) as invoice_id,
    invoices.invoice_total,
    line_sums.line_sum
from invoices
full outer join line_sums
    on invoices.invoice_id = line_sums.invoice_id
where
    invoices.invoice_total is distinct from line_sums.line_sum
    or invoices.line_count is distinct from line_sums.line_count
