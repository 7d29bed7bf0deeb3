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

rated_lines as (

    select * from {{ ref('rated_lines') }}

),

steps as (

    select * from {{ ref('int_rating__steps') }}

),

fee_lines as (

    select * from {{ ref('int_rating__fee_lines') }}

),

open_lines as (

    select rated_lines.*
    from rated_lines
    inner join build_window
        on rated_lines.cutoff_at > build_window.open_from

),

line_steps as (

    select
        open_lines.rated_line_id,
        steps.band_number as step_number,
        'band' as step_kind,
        steps.pricing_model,
        steps.tier_from,
        steps.tier_to,
        steps.units,
        steps.rate,
        steps.fixed_amount,
        cast(null as {{ type_count() }}) as billed_days,
        cast(null as {{ type_count() }}) as full_days,
        steps.amount,
        open_lines.currency,
        open_lines.rules_version,
        open_lines.cutoff_at
    from open_lines
    inner join steps
        on
            open_lines.subscription_id = steps.subscription_id
            and open_lines.invoice_number_in_subscription = steps.period_number
            and open_lines.charge_id = steps.charge_id
            and open_lines.price_row_id = steps.price_row_id
    where open_lines.line_kind = 'usage'

    union all

    -- A fee's part of its cycle stays a ratio: it is divided once, in the rounding.
    select
        open_lines.rated_line_id,
        1 as step_number,
        'fee' as step_kind,
        open_lines.pricing_model,
        cast(null as {{ type_quantity() }}) as tier_from,
        cast(null as {{ type_quantity() }}) as tier_to,
        1 as units,
        fee_lines.unit_price as rate,
        0 as fixed_amount,
        fee_lines.billed_days,
        fee_lines.full_days,
        open_lines.amount,
        open_lines.currency,
        open_lines.rules_version,
        open_lines.cutoff_at
    from open_lines
    inner join fee_lines
        on
            open_lines.subscription_id = fee_lines.subscription_id
            and open_lines.invoice_number_in_subscription
            = fee_lines.invoice_number_in_subscription
            and open_lines.charge_id = fee_lines.charge_id
            and open_lines.period_from = fee_lines.fee_from
    where open_lines.line_kind in ('recurring', 'one_time')

    union all

    select
        open_lines.rated_line_id,
        1 as step_number,
        'minimum' as step_kind,
        open_lines.pricing_model,
        cast(null as {{ type_quantity() }}) as tier_from,
        cast(null as {{ type_quantity() }}) as tier_to,
        0 as units,
        0 as rate,
        open_lines.amount as fixed_amount,
        cast(null as {{ type_count() }}) as billed_days,
        cast(null as {{ type_count() }}) as full_days,
        open_lines.amount,
        open_lines.currency,
        open_lines.rules_version,
        open_lines.cutoff_at
    from open_lines
    where open_lines.line_kind = 'minimum'

)

select
    rated_line_id || '#' || cast(step_number as {{ type_text() }}) as rating_step_id,
    rated_line_id,
    cast(step_number as integer) as step_number,
    step_kind,
    pricing_model,
    cast(tier_from as {{ type_quantity() }}) as tier_from,
    cast(tier_to as {{ type_quantity() }}) as tier_to,
    cast(units as {{ type_quantity() }}) as units,
    cast(rate as {{ type_price() }}) as rate,
    cast(fixed_amount as {{ type_amount() }}) as fixed_amount,
    cast(billed_days as {{ type_count() }}) as billed_days,
    cast(full_days as {{ type_count() }}) as full_days,
    cast(amount as {{ type_amount() }}) as amount,
    currency,
    rules_version,
    cutoff_at
from line_steps
