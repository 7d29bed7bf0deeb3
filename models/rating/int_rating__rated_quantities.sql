-- depends_on: {{ ref('stg_catalog__allowances') }}
-- depends_on: {{ ref('int_rating__allowance_charges') }}
-- depends_on: {{ ref('int_rating__allowance_draws') }}
with

build_window as (

    select * from {{ ref('build_window') }}

),

periods as (

    select * from {{ ref('int_rating__rated_periods') }}

),

price_rows as (

    select * from {{ ref('int_rating__price_rows') }}

),

quantities as (

    select * from {{ ref('int_rating__quantities') }}

),

-- Only what has begun is billed, be it as a draft.
started_periods as (

    select
        periods.subscription_id,
        periods.customer_id,
        periods.period_number
    from periods
    inner join build_window
        on
            periods.cutoff_at > build_window.open_from
            and periods.period_from < build_window.as_of_at

),

-- Without events a count or a sum is zero, and a flat fee may be due then; others have
-- no quantity.
measured as (

    select
        price_rows.subscription_id,
        started_periods.customer_id,
        price_rows.period_number,
        price_rows.charge_id,
        price_rows.part_number,
        price_rows.part_from,
        price_rows.part_to,
        price_rows.plan_id,
        price_rows.charge_position,
        price_rows.price_row_id,
        price_rows.price_position,
        price_rows.dimension_values,
        price_rows.currency,
        price_rows.exponent,
        price_rows.unit,
        price_rows.unit_rate,
        price_rows.priced_in,
        price_rows.priced_exponent,
        price_rows.pricing_model,
        price_rows.aggregation,
        price_rows.allowance,
        price_rows.flat_fee_at_zero,
        price_rows.share_numerator,
        price_rows.share_denominator,
        price_rows.is_rated_in_full,
        price_rows.cutoff_at,
        coalesce(quantities.event_count, 0) as event_count,
        quantities.usage_amount,
        coalesce(
            quantities.quantity,
            case
                when price_rows.aggregation in ('count', 'sum', 'count_unique') then 0
            end
        ) as quantity
    from price_rows
    inner join started_periods
        on
            price_rows.subscription_id = started_periods.subscription_id
            and price_rows.period_number = started_periods.period_number
    left join quantities
        on
            price_rows.subscription_id = quantities.subscription_id
            and price_rows.period_number = quantities.period_number
            and price_rows.charge_id = quantities.charge_id
            and price_rows.part_number = quantities.part_number
            and price_rows.price_row_id = quantities.price_row_id
    where quantities.price_row_id is not null or price_rows.flat_fee_at_zero

),

-- What is too large to compute takes nothing of the allowance; a negative quantity is
-- rated as zero.
limited as (

    select
        measured.*,
        {{ is_in_range('measured.quantity', 'measured.usage_amount') }} as is_in_range
    from measured
    where measured.quantity is not null

),

billable as (

    select
        limited.*,
        {{ billable_quantity('limited.quantity', 'limited.is_in_range') }} as billable_quantity
    from limited

),

allowed as (

    {{ allowed_quantities('billable') }}

),

running as (

    select
        allowed.*,
        sum(allowed.billable_quantity) over (
            partition by
                allowed.subscription_id,
                allowed.period_number,
                allowed.allowance_key,
                allowed.part_from
            order by
                allowed.charge_position,
                {{ binary_order('allowed.charge_id') }},
                allowed.price_position,
                {{ binary_order('allowed.dimension_values') }}
            rows between unbounded preceding and current row
        ) as running_quantity
    from allowed

),

covered as (

    select
        running.*,
        cast(
            least(running.running_quantity, running.available_quantity)
            - least(
                running.running_quantity - running.billable_quantity, running.available_quantity
            ) as {{ type_quantity() }}
        ) as covered_quantity
    from running

)

select
    subscription_id,
    customer_id,
    period_number,
    plan_id,
    charge_id,
    part_number,
    part_from as period_from,
    part_to as period_to,
    charge_position,
    price_row_id,
    price_position,
    dimension_values,
    currency,
    exponent,
    unit,
    unit_rate,
    priced_in,
    priced_exponent,
    pricing_model,
    aggregation,
    flat_fee_at_zero,
    event_count,
    usage_amount,
    cast(quantity as {{ type_integral() }}) as quantity,
    covered_quantity,
    cast(
        billable_quantity - covered_quantity as {{ type_quantity() }}
    ) as rated_quantity,
    share_numerator,
    share_denominator,
    is_rated_in_full,
    is_in_range,
    cutoff_at
from covered
