{{
    config(
        materialized='incremental',
        incremental_strategy='replace_window',
        meta={'replaces': 'open_periods'},
        indexes=postgres_indexes([{'columns': ['subscription_id']}]),
    )
}}

with

build_window as (

    select * from {{ ref('build_window') }}

),

charge_lines as (

    select * from {{ ref('int_rating__charge_lines') }}

),

invoice_discounts as (

    select * from {{ ref('int_rating__invoice_discounts') }}

),

credit_lines as (

    select * from {{ ref('int_rating__credit_lines') }}

    union all

    select * from {{ ref('int_rating__reopened_credits') }}

),

commitment_lines as (

    select * from {{ ref('int_rating__commitment_lines') }}

),

discount_sums as (

    select
        rated_line_id,
        sum(discount_total) as discount_total
    from invoice_discounts
    group by rated_line_id

),

lines as (

    select
        charge_lines.rated_line_id,
        charge_lines.subscription_id,
        charge_lines.customer_id,
        charge_lines.plan_id,
        charge_lines.invoice_number_in_subscription,
        charge_lines.period_number as service_period_number,
        charge_lines.charge_id,
        charge_lines.part_number,
        charge_lines.line_kind,
        charge_lines.name,
        charge_lines.charge_position,
        charge_lines.price_row_id,
        charge_lines.price_position,
        charge_lines.dimension_values,
        charge_lines.pricing_model,
        charge_lines.period_from,
        charge_lines.period_to,
        charge_lines.proration,
        charge_lines.billed_days,
        charge_lines.full_days,
        charge_lines.share_numerator,
        charge_lines.share_denominator,
        charge_lines.event_count,
        charge_lines.quantity,
        charge_lines.covered_quantity,
        charge_lines.rated_quantity,
        charge_lines.amount,
        charge_lines.rounded_total,
        charge_lines.over_maximum_total,
        charge_lines.charge_discount_total + coalesce(discount_sums.discount_total, 0)
            as discount_total,
        charge_lines.charged_total - coalesce(discount_sums.discount_total, 0) as line_total,
        charge_lines.unit,
        charge_lines.unit_rate,
        charge_lines.unit_total,
        charge_lines.currency,
        charge_lines.tax_code,
        charge_lines.cutoff_at
    from charge_lines
    left join discount_sums
        on charge_lines.rated_line_id = discount_sums.rated_line_id

    union all

    select
        credit_lines.rated_line_id,
        credit_lines.subscription_id,
        credit_lines.customer_id,
        credit_lines.plan_id,
        credit_lines.invoice_number_in_subscription,
        credit_lines.period_number as service_period_number,
        credit_lines.charge_id,
        credit_lines.part_number,
        'credit' as line_kind,
        credit_lines.name,
        credit_lines.charge_position,
        cast(null as {{ type_text() }}) as price_row_id,
        cast(null as integer) as price_position,
        cast(null as {{ type_text() }}) as dimension_values,
        cast(null as {{ type_text() }}) as pricing_model,
        credit_lines.period_from,
        credit_lines.period_to,
        credit_lines.proration,
        credit_lines.used_units as billed_days,
        credit_lines.full_units as full_days,
        cast(null as {{ type_count() }}) as share_numerator,
        cast(null as {{ type_count() }}) as share_denominator,
        cast(null as {{ type_count() }}) as event_count,
        cast(null as {{ type_quantity() }}) as quantity,
        cast(null as {{ type_quantity() }}) as covered_quantity,
        cast(null as {{ type_quantity() }}) as rated_quantity,
        cast(credit_lines.line_total as {{ type_amount() }}) as amount,
        credit_lines.line_total as rounded_total,
        0 as over_maximum_total,
        0 as discount_total,
        credit_lines.line_total,
        cast(null as {{ type_text() }}) as unit,
        cast(null as {{ type_price() }}) as unit_rate,
        cast(null as {{ type_total() }}) as unit_total,
        credit_lines.currency,
        credit_lines.tax_code,
        credit_lines.cutoff_at
    from credit_lines

    union all

    select
        commitment_lines.rated_line_id,
        commitment_lines.subscription_id,
        commitment_lines.customer_id,
        commitment_lines.plan_id,
        commitment_lines.period_number as invoice_number_in_subscription,
        commitment_lines.period_number as service_period_number,
        commitment_lines.commitment_id as charge_id,
        1 as part_number,
        commitment_lines.line_kind,
        commitment_lines.name,
        cast(null as integer) as charge_position,
        cast(null as {{ type_text() }}) as price_row_id,
        cast(null as integer) as price_position,
        cast(null as {{ type_text() }}) as dimension_values,
        cast(null as {{ type_text() }}) as pricing_model,
        commitment_lines.period_from,
        commitment_lines.period_to,
        'days' as proration,
        commitment_lines.window_days as billed_days,
        commitment_lines.full_days,
        cast(null as {{ type_count() }}) as share_numerator,
        cast(null as {{ type_count() }}) as share_denominator,
        cast(null as {{ type_count() }}) as event_count,
        cast(null as {{ type_quantity() }}) as quantity,
        cast(null as {{ type_quantity() }}) as covered_quantity,
        cast(null as {{ type_quantity() }}) as rated_quantity,
        cast(commitment_lines.line_total as {{ type_amount() }}) as amount,
        commitment_lines.line_total as rounded_total,
        0 as over_maximum_total,
        0 as discount_total,
        commitment_lines.line_total,
        cast(null as {{ type_text() }}) as unit,
        cast(null as {{ type_price() }}) as unit_rate,
        cast(null as {{ type_total() }}) as unit_total,
        commitment_lines.currency,
        commitment_lines.tax_code,
        commitment_lines.cutoff_at
    from commitment_lines

)

select
    lines.rated_line_id,
    lines.subscription_id,
    lines.customer_id,
    lines.plan_id,
    cast(lines.invoice_number_in_subscription as {{ type_count() }})
        as invoice_number_in_subscription,
    cast(lines.service_period_number as {{ type_count() }}) as service_period_number,
    lines.charge_id,
    cast(lines.part_number as integer) as part_number,
    lines.line_kind,
    lines.name,
    lines.charge_position,
    lines.price_row_id,
    lines.price_position,
    lines.dimension_values,
    lines.pricing_model,
    lines.period_from,
    lines.period_to,
    lines.proration,
    cast(lines.billed_days as {{ type_count() }}) as billed_days,
    cast(lines.full_days as {{ type_count() }}) as full_days,
    cast(lines.share_numerator as {{ type_count() }}) as share_numerator,
    cast(lines.share_denominator as {{ type_count() }}) as share_denominator,
    cast(lines.event_count as {{ type_count() }}) as event_count,
    cast(lines.quantity as {{ type_quantity() }}) as quantity,
    cast(lines.covered_quantity as {{ type_quantity() }}) as covered_quantity,
    cast(lines.rated_quantity as {{ type_quantity() }}) as rated_quantity,
    cast(lines.amount as {{ type_amount() }}) as amount,
    cast(lines.rounded_total as {{ type_total() }}) as rounded_total,
    cast(lines.over_maximum_total as {{ type_total() }}) as over_maximum_total,
    cast(lines.discount_total as {{ type_total() }}) as discount_total,
    cast(lines.line_total as {{ type_total() }}) as line_total,
    lines.unit,
    cast(lines.unit_rate as {{ type_price() }}) as unit_rate,
    cast(lines.unit_total as {{ type_total() }}) as unit_total,
    lines.currency,
    lines.tax_code,
    cast({{ var('rules_version') }} as integer) as rules_version,
    lines.cutoff_at
from lines
inner join build_window
    on lines.cutoff_at > build_window.open_from
