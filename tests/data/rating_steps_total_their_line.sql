-- The steps of a line add up to its exact amount (before rounding and maximum); those in a unit of
-- credit to its units.
with

step_sums as (

    select
        rated_line_id,
        currency,
        sum(amount) as step_sum
    from {{ ref('rating_steps') }}
    group by
        rated_line_id,
        currency

),

unit_exponents as (

    select distinct
        unit,
        exponent
    from {{ ref('stg_catalog__credit_units') }}

)

select
    rated_lines.rated_line_id,
    rated_lines.amount,
    step_sums.step_sum
from {{ ref('rated_lines') }} as rated_lines
left join step_sums
    on
        rated_lines.rated_line_id = step_sums.rated_line_id
        and rated_lines.currency = step_sums.currency
left join step_sums as unit_sums
    on
        rated_lines.rated_line_id = unit_sums.rated_line_id
        and rated_lines.unit = unit_sums.currency
left join unit_exponents
    on rated_lines.unit = unit_exponents.unit
where
    rated_lines.amount is distinct from step_sums.step_sum
    or rated_lines.unit_total
    is distinct from {{ round_money('unit_sums.step_sum', 'unit_exponents.exponent') }}
