-- No line has more decimals than its currency.
select
    rated_lines.rated_line_id,
    rated_lines.line_total,
    rated_lines.rounded_total
from {{ ref('rated_lines') }} as rated_lines
left join {{ ref('currencies') }} as currencies
    on rated_lines.currency = currencies.currency
where
    rated_lines.line_total
    is distinct from {{ round_money('rated_lines.line_total', 'currencies.exponent') }}
    or rated_lines.rounded_total
    is distinct from {{ round_money('rated_lines.amount', 'currencies.exponent') }}
