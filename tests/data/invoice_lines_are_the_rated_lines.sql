-- Every rated line is on exactly one invoice, with its own amount and total.
select
    coalesce(rated_lines.rated_line_id, invoice_lines.rated_line_id) as rated_line_id,
    invoice_lines.line_id
from {{ ref('rated_lines') }} as rated_lines
full outer join {{ ref('invoice_lines') }} as invoice_lines
    on rated_lines.rated_line_id = invoice_lines.rated_line_id
where
    rated_lines.line_total is distinct from invoice_lines.line_total
    or rated_lines.amount is distinct from invoice_lines.amount
    or rated_lines.currency is distinct from invoice_lines.currency
