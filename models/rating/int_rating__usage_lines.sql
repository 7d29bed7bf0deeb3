with

row_amounts as (

    select * from {{ ref('int_rating__row_amounts') }}

),

limits as (

    select * from {{ ref('int_rating__limits') }}

),

charge_discounts as (

    select * from {{ ref('int_rating__charge_discounts') }}

),

discount_sums as (

    select
        rated_line_id,
        sum(discount_total) as discount_total
    from charge_discounts
    group by rated_line_id

),

identified as (

    select
        row_amounts.*,
        {{ rated_line_id(
            'row_amounts', 'period_number', "'usage'", 'row_amounts.dimension_values'
        ) }} as rated_line_id
    from row_amounts
    where row_amounts.outcome = 'line'

),

discounted as (

    select
        identified.*,
        limits.maximum,
        coalesce(discount_sums.discount_total, 0) as charge_discount_total,
        identified.rounded_total - coalesce(discount_sums.discount_total, 0)
            as discounted_total
    from identified
    left join discount_sums
        on identified.rated_line_id = discount_sums.rated_line_id
    left join limits
        on
            identified.subscription_id = limits.subscription_id
            and identified.period_number = limits.period_number
            and identified.charge_id = limits.charge_id
            and identified.part_number = limits.part_number

),

running as (

    select
        discounted.*,
        sum(discounted.discounted_total) over (
            partition by
                discounted.subscription_id,
                discounted.period_number,
                discounted.charge_id,
                discounted.part_number
            order by
                discounted.price_position,
                {{ binary_order('discounted.dimension_values') }}
            rows between unbounded preceding and current row
        ) as running_total
    from discounted

),

-- The maximum caps the running sum of rounded rows: an invoice meets it to the cent.
capped as (

    select
        running.*,
        case
            when running.maximum is null then running.discounted_total
            else
                least(running.running_total, running.maximum)
                - least(
                    running.running_total - running.discounted_total, running.maximum
                )
        end as charged_total
    from running

)

select
    rated_line_id,
    subscription_id,
    customer_id,
    period_number,
    part_number,
    plan_id,
    period_from,
    period_to,
    from_date,
    charge_id,
    charge_position,
    price_row_id,
    price_position,
    dimension_values,
    currency,
    exponent,
    pricing_model,
    event_count,
    quantity,
    covered_quantity,
    rated_quantity,
    share_numerator,
    share_denominator,
    amount,
    cast(rounded_total as {{ type_total() }}) as rounded_total,
    cast(charge_discount_total as {{ type_total() }}) as charge_discount_total,
    cast(discounted_total - charged_total as {{ type_total() }}) as over_maximum_total,
    cast(charged_total as {{ type_total() }}) as charged_total,
    unit,
    unit_rate,
    cast(unit_total as {{ type_total() }}) as unit_total,
    cutoff_at
from capped
