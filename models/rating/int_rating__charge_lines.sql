{{ config(materialized='view') }}
with

charges as (

    select * from {{ ref('stg_catalog__charges') }}

),

usage_lines as (

    select * from {{ ref('int_rating__usage_lines') }}

),

minimum_lines as (

    select * from {{ ref('int_rating__minimum_lines') }}

),

fee_lines as (

    select * from {{ ref('int_rating__billed_fees') }}

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

identified_fees as (

    select
        fee_lines.*,
        {{ rated_line_id(
            'fee_lines',
            'invoice_number_in_subscription',
            'fee_lines.line_kind',
            'cast(fee_lines.fee_from_date as ' ~ type_text() ~ ')',
            'date_rank'
        ) }} as rated_line_id
    from fee_lines

),

-- Amounts have one type in each part of the union: else the engine takes one of fewer decimals.
lines as (

    select
        usage_lines.rated_line_id,
        usage_lines.subscription_id,
        usage_lines.customer_id,
        usage_lines.plan_id,
        usage_lines.period_number as invoice_number_in_subscription,
        usage_lines.period_number,
        usage_lines.charge_id,
        usage_lines.part_number,
        'usage' as line_kind,
        usage_lines.price_row_id,
        usage_lines.price_position,
        usage_lines.dimension_values,
        usage_lines.pricing_model,
        usage_lines.period_from,
        usage_lines.period_to,
        usage_lines.from_date,
        cast(null as {{ type_text() }}) as proration,
        cast(null as {{ type_count() }}) as billed_days,
        cast(null as {{ type_count() }}) as full_days,
        usage_lines.share_numerator,
        usage_lines.share_denominator,
        usage_lines.event_count,
        usage_lines.quantity,
        usage_lines.covered_quantity,
        usage_lines.rated_quantity,
        usage_lines.amount,
        usage_lines.rounded_total,
        usage_lines.charge_discount_total,
        usage_lines.over_maximum_total,
        usage_lines.charged_total,
        usage_lines.unit,
        usage_lines.unit_rate,
        usage_lines.unit_total,
        usage_lines.currency,
        usage_lines.exponent,
        usage_lines.cutoff_at
    from usage_lines

    union all

    select
        minimum_lines.rated_line_id,
        minimum_lines.subscription_id,
        minimum_lines.customer_id,
        minimum_lines.plan_id,
        minimum_lines.period_number as invoice_number_in_subscription,
        minimum_lines.period_number,
        minimum_lines.charge_id,
        minimum_lines.part_number,
        'minimum' as line_kind,
        cast(null as {{ type_text() }}) as price_row_id,
        cast(null as integer) as price_position,
        cast(null as {{ type_text() }}) as dimension_values,
        cast(null as {{ type_text() }}) as pricing_model,
        minimum_lines.period_from,
        minimum_lines.period_to,
        minimum_lines.from_date,
        cast(null as {{ type_text() }}) as proration,
        cast(null as {{ type_count() }}) as billed_days,
        cast(null as {{ type_count() }}) as full_days,
        cast(null as {{ type_count() }}) as share_numerator,
        cast(null as {{ type_count() }}) as share_denominator,
        cast(null as {{ type_count() }}) as event_count,
        cast(null as {{ type_quantity() }}) as quantity,
        cast(null as {{ type_quantity() }}) as covered_quantity,
        cast(null as {{ type_quantity() }}) as rated_quantity,
        cast(minimum_lines.charged_total as {{ type_amount() }}) as amount,
        minimum_lines.charged_total as rounded_total,
        0 as charge_discount_total,
        0 as over_maximum_total,
        minimum_lines.charged_total,
        cast(null as {{ type_text() }}) as unit,
        cast(null as {{ type_price() }}) as unit_rate,
        cast(null as {{ type_total() }}) as unit_total,
        minimum_lines.currency,
        minimum_lines.exponent,
        minimum_lines.cutoff_at
    from minimum_lines

    union all

    -- A fee's part of its cycle stays a ratio: its exact amount is none that could be shown.
    select
        identified_fees.rated_line_id,
        identified_fees.subscription_id,
        identified_fees.customer_id,
        identified_fees.plan_id,
        identified_fees.invoice_number_in_subscription,
        identified_fees.period_number,
        identified_fees.charge_id,
        1 as part_number,
        identified_fees.line_kind,
        identified_fees.price_row_id,
        cast(null as integer) as price_position,
        cast(null as {{ type_text() }}) as dimension_values,
        cast(null as {{ type_text() }}) as pricing_model,
        identified_fees.fee_from as period_from,
        identified_fees.fee_to as period_to,
        identified_fees.fee_from_date as from_date,
        identified_fees.proration,
        identified_fees.billed_units as billed_days,
        identified_fees.full_units as full_days,
        cast(null as {{ type_count() }}) as share_numerator,
        cast(null as {{ type_count() }}) as share_denominator,
        cast(null as {{ type_count() }}) as event_count,
        cast(null as {{ type_quantity() }}) as quantity,
        cast(null as {{ type_quantity() }}) as covered_quantity,
        cast(null as {{ type_quantity() }}) as rated_quantity,
        cast(identified_fees.rounded_total as {{ type_amount() }}) as amount,
        identified_fees.rounded_total,
        coalesce(discount_sums.discount_total, 0) as charge_discount_total,
        0 as over_maximum_total,
        identified_fees.rounded_total - coalesce(discount_sums.discount_total, 0)
            as charged_total,
        cast(null as {{ type_text() }}) as unit,
        cast(null as {{ type_price() }}) as unit_rate,
        cast(null as {{ type_total() }}) as unit_total,
        identified_fees.currency,
        identified_fees.exponent,
        identified_fees.cutoff_at
    from identified_fees
    left join discount_sums
        on identified_fees.rated_line_id = discount_sums.rated_line_id

)

select
    lines.*,
    charges.position as charge_position,
    charges.name,
    charges.tax_code
from lines
inner join charges
    on
        lines.plan_id = charges.plan_id
        and lines.charge_id = charges.charge_id
