-- depends_on: {{ ref("build_window") }}
{{
    config(
        materialized='incremental',
        incremental_strategy='replace_window',
        meta={'replaces': 'open_periods'},
    )
}}

with

charge_parts as (

    select * from {{ ref('int_rating__charge_parts') }}

),

span_prices as (

    select * from {{ ref('int_rating__span_prices') }}

)

-- A part has the prices that its first plan phase began with.
select
    charge_parts.subscription_id,
    charge_parts.period_number,
    charge_parts.charge_id,
    charge_parts.part_number,
    charge_parts.part_from,
    charge_parts.part_to,
    charge_parts.plan_id,
    charge_parts.charge_position,
    span_prices.price_row_id,
    span_prices.price_position,
    span_prices.dimension_values,
    charge_parts.currency,
    charge_parts.exponent,
    span_prices.unit,
    span_prices.unit_rate,
    coalesce(span_prices.unit, charge_parts.currency) as priced_in,
    coalesce(span_prices.unit_exponent, charge_parts.exponent) as priced_exponent,
    charge_parts.pricing_model,
    charge_parts.allowance,
    charge_parts.flat_fee_at_zero,
    charge_parts.meter_profile,
    charge_parts.aggregation,
    charge_parts.share_numerator,
    charge_parts.share_denominator,
    charge_parts.is_rated_in_full,
    charge_parts.cutoff_at
from charge_parts
inner join span_prices
    on
        charge_parts.subscription_id = span_prices.subscription_id
        and charge_parts.period_number = span_prices.period_number
        and charge_parts.charge_id = span_prices.charge_id
        and charge_parts.phase_number = span_prices.phase_number
