{{ config(group="rating") }}
-- What a charge bills in a period is within its minimum and maximum, to the cent.
with

charge_sums as (

    select
        subscription_id,
        invoice_number_in_subscription as period_number,
        charge_id,
        sum(line_total) as charge_sum
    from {{ ref('rated_lines') }}
    where line_kind in ('usage', 'minimum')
    group by
        subscription_id,
        invoice_number_in_subscription,
        charge_id

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
where
    charge_sums.charge_sum < limits.minimum
    or charge_sums.charge_sum > limits.maximum
