{{ config(group="rating") }}
-- What a charge comes to in a period is within its minimum and maximum, to the cent, after the
-- discounts of its lines and before those of products and invoices.
with

discount_sums as (

    select
        rated_line_id,
        sum(discount_total) as discount_total
    from {{ ref('line_discounts') }}
    where level = 'line'
    group by rated_line_id

),

charge_sums as (

    select
        rated_lines.subscription_id,
        rated_lines.invoice_number_in_subscription as period_number,
        rated_lines.charge_id,
        rated_lines.part_number,
        sum(
            rated_lines.rounded_total
            - rated_lines.over_maximum_total
            - coalesce(discount_sums.discount_total, 0)
        ) as charge_sum
    from {{ ref('rated_lines') }} as rated_lines
    left join discount_sums
        on rated_lines.rated_line_id = discount_sums.rated_line_id
    where rated_lines.line_kind in ('usage', 'minimum')
    group by
        rated_lines.subscription_id,
        rated_lines.invoice_number_in_subscription,
        rated_lines.charge_id,
        rated_lines.part_number

)

select
    charge_sums.subscription_id,
    charge_sums.period_number,
    charge_sums.charge_id,
    charge_sums.charge_sum,
    limits.minimum,
    limits.maximum
from charge_sums
inner join {{ ref('int_rating__limits') }} as limits
    on
        charge_sums.subscription_id = limits.subscription_id
        and charge_sums.period_number = limits.period_number
        and charge_sums.charge_id = limits.charge_id
        and charge_sums.part_number = limits.part_number
where
    charge_sums.charge_sum < limits.minimum
    or charge_sums.charge_sum > limits.maximum
