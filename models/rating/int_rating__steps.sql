with

build_window as (

    select * from {{ ref('build_window') }}

),

rated_quantities as (

    select * from {{ ref('int_rating__rated_quantities') }}

),

price_bands as (

    select * from {{ ref('int_rating__price_bands') }}

),

open_quantities as (

    select
        rated_quantities.*,
        case
            when rated_quantities.is_rated_in_full then 1
            else rated_quantities.share_numerator
        end as free_numerator,
        case
            when rated_quantities.is_rated_in_full then 1
            else rated_quantities.share_denominator
        end as free_denominator
    from rated_quantities
    inner join build_window
        on rated_quantities.cutoff_at > build_window.open_from

),

applied_bands as (

    select
        open_quantities.subscription_id,
        open_quantities.period_number,
        open_quantities.charge_id,
        open_quantities.part_number,
        open_quantities.price_row_id,
        open_quantities.currency,
        open_quantities.pricing_model,
        open_quantities.flat_fee_at_zero,
        open_quantities.rated_quantity,
        open_quantities.event_count,
        open_quantities.usage_amount,
        open_quantities.cutoff_at,
        price_bands.band_number,
        price_bands.tier_from,
        price_bands.tier_to,
        price_bands.unit_price,
        price_bands.flat_fee,
        price_bands.package_size,
        price_bands.percent_fraction,
        price_bands.event_fee,
        -- What is free in a cycle is free in proportion in a part of one.
        cast(
            {{ multiply_divide_round(
                'price_bands.free_amount',
                'open_quantities.free_numerator',
                'open_quantities.free_denominator',
                '10'
            ) }} as {{ type_quantity() }}
        ) as free_amount,
        cast(
            {{ multiply_divide_round(
                'cast(price_bands.free_events as ' ~ type_quantity() ~ ')',
                'open_quantities.free_numerator',
                'open_quantities.free_denominator',
                '10'
            ) }} as {{ type_quantity() }}
        ) as free_events
    from open_quantities
    inner join price_bands
        on open_quantities.price_row_id = price_bands.price_row_id
    where
        open_quantities.is_in_range
        -- Bands above the quantity never take part.
        and price_bands.tier_from <= open_quantities.rated_quantity

),

steps as (

    select
        subscription_id,
        period_number,
        charge_id,
        part_number,
        price_row_id,
        currency,
        pricing_model,
        band_number,
        tier_from,
        tier_to,
        cutoff_at,
        {{ step_units(pricing_models()) }} as units,
        {{ step_rate(pricing_models()) }} as rate,
        {{ step_fixed_amount(pricing_models()) }} as fixed_amount,
        {{ step_fixed_is_a_fee(pricing_models()) }} as fixed_is_a_fee
    from applied_bands
    where {{ step_applies(pricing_models()) }}

),

priced as (

    select
        steps.*,
        {{ exact_product('steps.units', 'steps.rate') }} as units_amount
    from steps

)

-- A null amount is one too large to compute.
select
    subscription_id,
    period_number,
    charge_id,
    part_number,
    price_row_id,
    currency,
    pricing_model,
    band_number,
    tier_from,
    tier_to,
    units,
    rate,
    units_amount,
    fixed_amount,
    fixed_is_a_fee,
    cast(units_amount + fixed_amount as {{ type_amount() }}) as amount,
    cutoff_at
from priced
