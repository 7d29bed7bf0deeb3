{{
    config(
        materialized='incremental',
        incremental_strategy='replace_window',
        meta={'replaces': 'open_periods'},
    )
}}

with

build_window as (

    select * from {{ ref('build_window') }}

),

periods as (

    select * from {{ ref('int_subscriptions__periods') }}

),

charges as (

    select * from {{ ref('stg_catalog__charges') }}

),

meters as (

    select * from {{ ref('stg_catalog__meters') }}

),

prices as (

    select * from {{ ref('stg_catalog__prices') }}

),

currencies as (

    select * from {{ ref('currencies') }}

),

open_periods as (

    select periods.*
    from periods
    inner join build_window
        on periods.cutoff_at > build_window.open_from

),

-- The bands of a price row share everything but their bounds and rates.
price_rows as (

    select
        price_row_id,
        plan_id,
        charge_id,
        currency,
        dimension_values,
        valid_from_date,
        recorded_at,
        min(position) as price_position
    from prices
    group by
        price_row_id,
        plan_id,
        charge_id,
        currency,
        dimension_values,
        valid_from_date,
        recorded_at

),

-- The latest valid at the period's start; of two for one day the later recorded one.
candidates as (

    select
        open_periods.subscription_id,
        open_periods.period_number,
        open_periods.plan_id,
        charges.charge_id,
        charges.position as charge_position,
        price_rows.price_row_id,
        price_rows.price_position,
        price_rows.dimension_values,
        open_periods.currency,
        charges.pricing_model,
        charges.allowance,
        charges.flat_fee_at_zero,
        charges.meter_profile,
        open_periods.cutoff_at,
        row_number() over (
            partition by
                open_periods.subscription_id,
                open_periods.period_number,
                charges.charge_id,
                price_rows.dimension_values
            order by price_rows.valid_from_date desc, price_rows.recorded_at desc
        ) as recency
    from open_periods
    inner join charges
        on
            open_periods.plan_id = charges.plan_id
            and charges.charge_type = 'usage'
            and open_periods.period_from >= charges.recorded_at
    inner join price_rows
        on
            charges.plan_id = price_rows.plan_id
            and charges.charge_id = price_rows.charge_id
            and open_periods.currency = price_rows.currency
            and open_periods.period_from_date >= price_rows.valid_from_date
            and open_periods.period_from >= price_rows.recorded_at

)

select
    candidates.subscription_id,
    candidates.period_number,
    candidates.plan_id,
    candidates.charge_id,
    candidates.charge_position,
    candidates.price_row_id,
    candidates.price_position,
    candidates.dimension_values,
    candidates.currency,
    currencies.exponent,
    candidates.pricing_model,
    candidates.allowance,
    candidates.flat_fee_at_zero,
    candidates.meter_profile,
    meters.aggregation,
    candidates.cutoff_at
from candidates
inner join currencies
    on candidates.currency = currencies.currency
inner join meters
    on candidates.meter_profile = meters.meter_profile
where candidates.recency = 1
