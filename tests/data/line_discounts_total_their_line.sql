-- What the discounts of a line take is what the line says they do.
with

rated_lines as (

    select
        rated_line_id,
        discount_total
    from {{ ref('rated_lines') }}
    where discount_total <> 0

),

discount_sums as (

    select
        rated_line_id,
        sum(discount_total) as discount_sum
    from {{ ref('line_discounts') }}
    group by rated_line_id

)

select
    coalesce(rated_lines.rated_line_id, discount_sums.rated_line_id) as rated_line_id,
    rated_lines.discount_total,
    discount_sums.discount_sum
from rated_lines
full outer join discount_sums
    on rated_lines.rated_line_id = discount_sums.rated_line_id
where rated_lines.discount_total is distinct from discount_sums.discount_sum
