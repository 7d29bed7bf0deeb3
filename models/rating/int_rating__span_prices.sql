with

charge_spans as (

    select * from {{ ref('int_rating__charge_spans') }}

),

price_lists as (

    select * from {{ ref('int_rating__price_lists') }}

),

unit_rates as (

    select * from {{ ref('int_rating__unit_rates') }}

),

candidates as (

    select
        charge_spans.subscription_id,
        charge_spans.period_number,
        charge_spans.charge_id,
        charge_spans.phase_number,
        price_lists.price_row_id,
        price_lists.price_position,
        price_lists.dimension_values,
        price_lists.bands_text,
        price_lists.unit,
        unit_rates.exponent as unit_exponent,
        unit_rates.rate as unit_rate,
        row_number() over (
            partition by
                charge_spans.subscription_id,
                charge_spans.period_number,
                charge_spans.charge_id,
                charge_spans.phase_number,
                price_lists.dimension_values
            order by {{ binding_order('price_lists') }}
        ) as recency
    from charge_spans
    inner join price_lists
        on
            {{ binds('charge_spans', 'price_lists', 'closed_at') }}
            -- Each state of a period knows what was recorded by its close.
            and charge_spans.cutoff_at > price_lists.recorded_at
    left join unit_rates
        on
            charge_spans.subscription_id = unit_rates.subscription_id
            and {{ own_number('charge_spans.period_number') }} = unit_rates.period_number
            and price_lists.unit = unit_rates.unit
    where price_lists.unit is null or unit_rates.rate is not null

)

select
    subscription_id,
    period_number,
    charge_id,
    phase_number,
    price_row_id,
    price_position,
    dimension_values,
    bands_text,
    unit,
    unit_exponent,
    unit_rate
from candidates
where recency = 1
