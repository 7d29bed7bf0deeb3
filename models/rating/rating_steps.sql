{{
    config(
        materialized='incremental',
        incremental_strategy='replace_window',
        meta={'replaces': 'open_periods'},
    )
}}

with

credit_lines as (

    select * from {{ ref('int_rating__credit_lines') }}

    union all

    select * from {{ ref('int_rating__reopened_credits') }}

),

twos as (

    select {{ whole_numbers(1, 2) }} as step_number

),

-- Amounts have one type in each part of the union: else the engine takes one of fewer decimals.
line_steps as (

    select
        rated_lines.rated_line_id,
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
        coalesce(rated_lines.unit, rated_lines.currency) as currency,
        rated_lines.cutoff_at
    from {{ ref('rated_lines') }} as rated_lines
    inner join {{ ref('int_rating__steps') }} as steps
        on
            rated_lines.subscription_id = steps.subscription_id
            and rated_lines.invoice_number_in_subscription = steps.period_number
            and rated_lines.charge_id = steps.charge_id
            and rated_lines.part_number = steps.part_number
            and rated_lines.price_row_id = steps.price_row_id
    where
        rated_lines.cutoff_at > {{ open_from() }}
        and rated_lines.line_kind = 'usage'

    union all

    -- Bands are rated as of the whole cycle: what of it is not due for a part of one.
    select
        rated_lines.rated_line_id,
        max(steps.band_number) + 1 as step_number,
        'share' as step_kind,
        rated_lines.pricing_model,
        cast(null as {{ type_quantity() }}) as tier_from,
        cast(null as {{ type_quantity() }}) as tier_to,
        0 as units,
        0 as rate,
        coalesce(cast(rated_lines.unit_total as {{ type_amount() }}), rated_lines.amount)
        - sum(steps.amount) as fixed_amount,
        rated_lines.share_numerator as billed_days,
        rated_lines.share_denominator as full_days,
        coalesce(cast(rated_lines.unit_total as {{ type_amount() }}), rated_lines.amount)
        - sum(steps.amount) as amount,
        coalesce(rated_lines.unit, rated_lines.currency) as currency,
        rated_lines.cutoff_at
    from {{ ref('rated_lines') }} as rated_lines
    inner join {{ ref('int_rating__steps') }} as steps
        on
            rated_lines.subscription_id = steps.subscription_id
            and rated_lines.invoice_number_in_subscription = steps.period_number
            and rated_lines.charge_id = steps.charge_id
            and rated_lines.part_number = steps.part_number
            and rated_lines.price_row_id = steps.price_row_id
    where
        rated_lines.cutoff_at > {{ open_from() }}
        and rated_lines.line_kind = 'usage'
        and rated_lines.share_numerator <> rated_lines.share_denominator
    group by
        rated_lines.rated_line_id,
        rated_lines.pricing_model,
        rated_lines.amount,
        rated_lines.unit_total,
        rated_lines.unit,
        rated_lines.share_numerator,
        rated_lines.share_denominator,
        rated_lines.currency,
        rated_lines.cutoff_at
    having
        coalesce(cast(rated_lines.unit_total as {{ type_amount() }}), rated_lines.amount)
        <> sum(steps.amount)

    union all

    -- Units of credit, rounded, are money once.
    select
        rated_lines.rated_line_id,
        max(steps.band_number) + 2 as step_number,
        'unit' as step_kind,
        rated_lines.pricing_model,
        cast(null as {{ type_quantity() }}) as tier_from,
        cast(null as {{ type_quantity() }}) as tier_to,
        rated_lines.unit_total as units,
        rated_lines.unit_rate as rate,
        cast(0 as {{ type_amount() }}) as fixed_amount,
        cast(null as {{ type_count() }}) as billed_days,
        cast(null as {{ type_count() }}) as full_days,
        rated_lines.amount,
        rated_lines.currency,
        rated_lines.cutoff_at
    from {{ ref('rated_lines') }} as rated_lines
    inner join {{ ref('int_rating__steps') }} as steps
        on
            rated_lines.subscription_id = steps.subscription_id
            and rated_lines.invoice_number_in_subscription = steps.period_number
            and rated_lines.charge_id = steps.charge_id
            and rated_lines.part_number = steps.part_number
            and rated_lines.price_row_id = steps.price_row_id
    where
        rated_lines.cutoff_at > {{ open_from() }}
        and rated_lines.unit is not null
    group by
        rated_lines.rated_line_id,
        rated_lines.pricing_model,
        rated_lines.unit_total,
        rated_lines.unit_rate,
        rated_lines.amount,
        rated_lines.currency,
        rated_lines.cutoff_at

    union all

    -- A fee's part of its cycle stays a ratio: it is divided once, in the rounding.
    select
        rated_lines.rated_line_id,
        1 as step_number,
        'fee' as step_kind,
        rated_lines.pricing_model,
        cast(null as {{ type_quantity() }}) as tier_from,
        cast(null as {{ type_quantity() }}) as tier_to,
        fee_lines.quantity as units,
        fee_lines.unit_price as rate,
        cast(0 as {{ type_amount() }}) as fixed_amount,
        fee_lines.billed_units as billed_days,
        fee_lines.full_units as full_days,
        rated_lines.amount,
        rated_lines.currency,
        rated_lines.cutoff_at
    from {{ ref('rated_lines') }} as rated_lines
    inner join {{ ref('int_rating__fee_lines') }} as fee_lines
        on
            rated_lines.subscription_id = fee_lines.subscription_id
            and rated_lines.invoice_number_in_subscription
            = fee_lines.invoice_number_in_subscription
            and rated_lines.charge_id = fee_lines.charge_id
            and rated_lines.period_from = fee_lines.fee_from
    where
        rated_lines.cutoff_at > {{ open_from() }}
        and rated_lines.line_kind in ('recurring', 'one_time')

    union all

    -- A fee of a period that is rated again stands as it was billed.
    select
        rated_lines.rated_line_id,
        1 as step_number,
        'fee' as step_kind,
        rated_lines.pricing_model,
        cast(null as {{ type_quantity() }}) as tier_from,
        cast(null as {{ type_quantity() }}) as tier_to,
        0 as units,
        0 as rate,
        rated_lines.amount as fixed_amount,
        rated_lines.billed_days,
        rated_lines.full_days,
        rated_lines.amount,
        rated_lines.currency,
        rated_lines.cutoff_at
    from {{ ref('rated_lines') }} as rated_lines
    where
        rated_lines.cutoff_at > {{ open_from() }}
        and rated_lines.line_kind in ('recurring', 'one_time')
        and not {{ is_first_rating('rated_lines.invoice_number_in_subscription') }}

    union all

    select
        rated_lines.rated_line_id,
        1 as step_number,
        'minimum' as step_kind,
        rated_lines.pricing_model,
        cast(null as {{ type_quantity() }}) as tier_from,
        cast(null as {{ type_quantity() }}) as tier_to,
        0 as units,
        0 as rate,
        rated_lines.amount as fixed_amount,
        cast(null as {{ type_count() }}) as billed_days,
        cast(null as {{ type_count() }}) as full_days,
        rated_lines.amount,
        rated_lines.currency,
        rated_lines.cutoff_at
    from {{ ref('rated_lines') }} as rated_lines
    where
        rated_lines.cutoff_at > {{ open_from() }}
        and rated_lines.line_kind = 'minimum'

    union all

    -- What was billed goes back but for what was used of it.
    select
        credit_lines.rated_line_id,
        twos.step_number,
        case twos.step_number when 1 then 'billed' else 'used' end as step_kind,
        cast(null as {{ type_text() }}) as pricing_model,
        cast(null as {{ type_quantity() }}) as tier_from,
        cast(null as {{ type_quantity() }}) as tier_to,
        0 as units,
        0 as rate,
        cast(
            case twos.step_number
                when 1 then -credit_lines.billed_total
                else credit_lines.used_total
            end as {{ type_amount() }}
        ) as fixed_amount,
        case twos.step_number when 2 then credit_lines.used_units end as billed_days,
        case twos.step_number when 2 then credit_lines.full_units end as full_days,
        cast(
            case twos.step_number
                when 1 then -credit_lines.billed_total
                else credit_lines.used_total
            end as {{ type_amount() }}
        ) as amount,
        credit_lines.currency,
        credit_lines.cutoff_at
    from credit_lines
    cross join twos

    union all

    select
        commitment_lines.rated_line_id,
        twos.step_number,
        case twos.step_number when 1 then 'committed' else 'counted' end as step_kind,
        cast(null as {{ type_text() }}) as pricing_model,
        cast(null as {{ type_quantity() }}) as tier_from,
        cast(null as {{ type_quantity() }}) as tier_to,
        0 as units,
        0 as rate,
        cast(
            case twos.step_number
                when 1 then commitment_lines.committed_total
                else -commitment_lines.counted_total
            end as {{ type_amount() }}
        ) as fixed_amount,
        case twos.step_number when 1 then commitment_lines.window_days end as billed_days,
        case twos.step_number when 1 then commitment_lines.full_days end as full_days,
        cast(
            case twos.step_number
                when 1 then commitment_lines.committed_total
                else -commitment_lines.counted_total
            end as {{ type_amount() }}
        ) as amount,
        commitment_lines.currency,
        commitment_lines.cutoff_at
    from {{ ref('int_rating__commitment_lines') }} as commitment_lines
    cross join twos
    where
        commitment_lines.line_kind = 'true_up'
        and commitment_lines.committed_total is not null

    union all

    -- Units that lack at their price; money over the commitment at what is due on top of it.
    select
        commitment_lines.rated_line_id,
        1 as step_number,
        case commitment_lines.line_kind
            when 'overage' then 'overage'
            else 'shortfall'
        end as step_kind,
        cast(null as {{ type_text() }}) as pricing_model,
        cast(null as {{ type_quantity() }}) as tier_from,
        cast(null as {{ type_quantity() }}) as tier_to,
        commitment_lines.units,
        case commitment_lines.line_kind
            when 'overage' then commitment_lines.overage_factor - 1
            else commitment_lines.unit_price
        end as rate,
        cast(0 as {{ type_amount() }}) as fixed_amount,
        commitment_lines.window_days as billed_days,
        commitment_lines.full_days,
        cast(commitment_lines.line_total as {{ type_amount() }}) as amount,
        commitment_lines.currency,
        commitment_lines.cutoff_at
    from {{ ref('int_rating__commitment_lines') }} as commitment_lines
    where commitment_lines.units is not null

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
    cast({{ var('rules_version') }} as integer) as rules_version,
    cutoff_at
from line_steps
