with

charge_parts as (

    select * from {{ ref('int_rating__charge_parts') }}

),

span_prices as (

    select * from {{ ref('int_rating__span_prices') }}

)

-- A charge without a price in force bills nothing, not even its minimum.
select
    charge_parts.subscription_id,
    charge_parts.customer_id,
    charge_parts.period_number,
    charge_parts.charge_id,
    charge_parts.part_number,
    charge_parts.plan_id,
    charge_parts.part_from,
    charge_parts.part_to,
    charge_parts.part_from_date as from_date,
    charge_parts.minimum,
    charge_parts.maximum,
    charge_parts.currency,
    charge_parts.exponent,
    charge_parts.cutoff_at
from charge_parts
where
    (charge_parts.minimum is not null or charge_parts.maximum is not null)
    and exists (
        select 1
        from span_prices
        where
            span_prices.subscription_id = charge_parts.subscription_id
            and span_prices.period_number = charge_parts.period_number
            and span_prices.charge_id = charge_parts.charge_id
            and span_prices.phase_number = charge_parts.phase_number
    )
