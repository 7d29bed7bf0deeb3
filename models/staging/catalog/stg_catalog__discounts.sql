with

discounts as (

    select * from {{ catalog_table('discounts') }}

)

select
    discount_id,
    name,
    level,
    cast(coalesce(position, '1') as integer) as position,
    customer_id,
    subscription_id,
    plan_id,
    product_id,
    charge_id,
    -- Two decimals fewer, then a hundredth of it: exact at twelve.
    cast(
        cast(percent as decimal(18, 10)) * cast('0.01' as decimal(3, 2))
        as {{ type_price() }}
    ) as percent_fraction,
    cast(amount as {{ type_total() }}) as amount,
    cast(total_amount as {{ type_total() }}) as total_amount,
    currency,
    cast(periods as integer) as periods,
    {{ valid_from_date('valid_from') }} as valid_from_date,
    cast(valid_to as date) as valid_to_date,
    {{ recorded_at('recorded_at') }} as recorded_at
from discounts
