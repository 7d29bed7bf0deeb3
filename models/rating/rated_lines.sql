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

charges as (

    select * from {{ ref('stg_catalog__charges') }}

),

periods as (

    select * from {{ ref('int_subscriptions__periods') }}

),

usage_lines as (

    select * from {{ ref('int_rating__usage_lines') }}

),

minimum_lines as (

    select * from {{ ref('int_rating__minimum_lines') }}

),

fee_lines as (

    select * from {{ ref('int_rating__fee_lines') }}

),

lines as (

    select
        usage_lines.subscription_id,
        usage_lines.customer_id,
        periods.plan_id,
        usage_lines.period_number as invoice_number_in_subscription,
        usage_lines.charge_id,
        'usage' as line_kind,
        usage_lines.dimension_values as line_key,
        usage_lines.price_row_id,
        usage_lines.price_position,
        usage_lines.dimension_values,
        usage_lines.pricing_model,
        usage_lines.period_from,
        usage_lines.period_to,
        cast(null as {{ type_count() }}) as billed_days,
        cast(null as {{ type_count() }}) as full_days,
        usage_lines.event_count,
        usage_lines.quantity,
        usage_lines.covered_quantity,
        usage_lines.rated_quantity,
        usage_lines.amount,
        usage_lines.rounded_total,
        usage_lines.line_total,
        usage_lines.currency,
        usage_lines.cutoff_at
    from usage_lines
    inner join periods
        on
            usage_lines.subscription_id = periods.subscription_id
            and usage_lines.period_number = periods.period_number

    union all

    select
        minimum_lines.subscription_id,
        minimum_lines.customer_id,
        minimum_lines.plan_id,
        minimum_lines.period_number as invoice_number_in_subscription,
        minimum_lines.charge_id,
        'minimum' as line_kind,
        '' as line_key,
        cast(null as {{ type_text() }}) as price_row_id,
        cast(null as integer) as price_position,
        cast(null as {{ type_text() }}) as dimension_values,
        cast(null as {{ type_text() }}) as pricing_model,
        minimum_lines.period_from,
        minimum_lines.period_to,
        cast(null as {{ type_count() }}) as billed_days,
        cast(null as {{ type_count() }}) as full_days,
        cast(null as {{ type_count() }}) as event_count,
        cast(null as {{ type_quantity() }}) as quantity,
        cast(null as {{ type_quantity() }}) as covered_quantity,
        cast(null as {{ type_quantity() }}) as rated_quantity,
        minimum_lines.line_total as amount,
        minimum_lines.line_total as rounded_total,
        minimum_lines.line_total,
        minimum_lines.currency,
        minimum_lines.cutoff_at
    from minimum_lines

    union all

    select
        fee_lines.subscription_id,
        fee_lines.customer_id,
        fee_lines.plan_id,
        fee_lines.invoice_number_in_subscription,
        fee_lines.charge_id,
        'fee' as line_kind,
        cast(fee_lines.fee_from_date as {{ type_text() }}) as line_key,
        fee_lines.price_row_id,
        cast(null as integer) as price_position,
        cast(null as {{ type_text() }}) as dimension_values,
        cast(null as {{ type_text() }}) as pricing_model,
        fee_lines.fee_from as period_from,
        fee_lines.fee_to as period_to,
        fee_lines.billed_days,
        fee_lines.full_days,
        cast(null as {{ type_count() }}) as event_count,
        cast(null as {{ type_quantity() }}) as quantity,
        cast(null as {{ type_quantity() }}) as covered_quantity,
        cast(null as {{ type_quantity() }}) as rated_quantity,
        fee_lines.line_total as amount,
        fee_lines.line_total as rounded_total,
        fee_lines.line_total,
        fee_lines.currency,
        fee_lines.cutoff_at
    from fee_lines

),

open_lines as (

    select lines.*
    from lines
    inner join build_window
        on lines.cutoff_at > build_window.open_from

),

named as (

    select
        open_lines.*,
        case
            when open_lines.line_kind = 'fee' then charges.charge_type
            else open_lines.line_kind
        end as named_kind,
        charges.position as charge_position,
        charges.name,
        charges.tax_code
    from open_lines
    inner join charges
        on
            open_lines.plan_id = charges.plan_id
            and open_lines.charge_id = charges.charge_id

)

select
    subscription_id
    || '/' || cast(invoice_number_in_subscription as {{ type_text() }})
    || '/' || charge_id
    || '/' || named_kind
    || case when line_key = '' then '' else '/' || line_key end as rated_line_id,
    subscription_id,
    customer_id,
    plan_id,
    cast(invoice_number_in_subscription as {{ type_count() }})
        as invoice_number_in_subscription,
    charge_id,
    named_kind as line_kind,
    name,
    charge_position,
    price_row_id,
    price_position,
    dimension_values,
    pricing_model,
    period_from,
    period_to,
    cast(billed_days as {{ type_count() }}) as billed_days,
    cast(full_days as {{ type_count() }}) as full_days,
    cast(event_count as {{ type_count() }}) as event_count,
    cast(quantity as {{ type_quantity() }}) as quantity,
    cast(covered_quantity as {{ type_quantity() }}) as covered_quantity,
    cast(rated_quantity as {{ type_quantity() }}) as rated_quantity,
    cast(amount as {{ type_amount() }}) as amount,
    cast(rounded_total as {{ type_total() }}) as rounded_total,
    cast(line_total as {{ type_total() }}) as line_total,
    currency,
    tax_code,
    cast({{ var('rules_version') }} as integer) as rules_version,
    cutoff_at
from named
