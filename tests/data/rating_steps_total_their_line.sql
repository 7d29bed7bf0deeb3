-- The steps of a line add up to its exact amount (before rounding and maximum).
with

step_sums as (

    select
        rated_line_id,
        sum(amount) as step_sum
    from {{ ref('rating_steps') }}
    group by rated_line_id

)

select
    rated_lines.rated_line_id,
    rated_lines.amount,
    step_sums.step_sum
from {{ ref('rated_lines') }} as rated_lines
left join step_sums
    on rated_lines.rated_line_id = step_sums.rated_line_id
where rated_lines.amount is distinct from step_sums.step_sum
