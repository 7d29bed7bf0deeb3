with

prices as (

    select * from {{ ref('stg_catalog__prices') }}

),

-- What is priced in a unit of credit is so in every currency in which one has a worth.
unit_currencies as (

    select distinct
        unit,
        currency
    from {{ ref('stg_catalog__credit_units') }}

),

priced as (

    select
        prices.*,
        unit_currencies.unit,
        coalesce(unit_currencies.currency, prices.currency) as billed_currency
    from prices
    left join unit_currencies
        on prices.currency = unit_currencies.unit

)

-- The bands of a price row share everything but their bounds and rates. bands_text says all of
-- them: rows of one text cost the same.
select
    price_row_id,
    plan_id,
    charge_id,
    billed_currency as currency,
    unit,
    dimension_values,
    valid_from_date,
    customer_id,
    contract_month,
    applies_to,
    recorded_at,
    min(position) as price_position,
    min(unit_price) as unit_price,
    {{ joined_text(
        "coalesce(cast(up_to as " ~ type_text() ~ "), '')"
        ~ " || ' ' || cast(unit_price as " ~ type_text() ~ ")"
        ~ " || ' ' || cast(flat_fee as " ~ type_text() ~ ")"
        ~ " || ' ' || cast(package_size as " ~ type_text() ~ ")"
        ~ " || ' ' || cast(percent_fraction as " ~ type_text() ~ ")"
        ~ " || ' ' || cast(event_fee as " ~ type_text() ~ ")"
        ~ " || ' ' || cast(free_amount as " ~ type_text() ~ ")"
        ~ " || ' ' || cast(free_events as " ~ type_text() ~ ")",
        ', ',
        'up_to nulls last'
    ) }} as bands_text
from priced
where recorded_at < {{ as_of_at() }}
group by
    price_row_id,
    plan_id,
    charge_id,
    billed_currency,
    unit,
    dimension_values,
    valid_from_date,
    customer_id,
    contract_month,
    applies_to,
    recorded_at
