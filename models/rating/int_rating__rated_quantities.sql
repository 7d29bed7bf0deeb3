with

build_window as (

    select * from {{ ref('build_window') }}

),

periods as (

    select * from {{ ref('int_subscriptions__periods') }}

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
        periods.period_number,
        periods.period_from,
        periods.period_to
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
        started_periods.period_from,
        started_periods.period_to,
        price_rows.charge_id,
        price_rows.charge_position,
        price_rows.price_row_id,
        price_rows.price_position,
        price_rows.dimension_values,
        price_rows.currency,
        price_rows.exponent,
        price_rows.pricing_model,
        price_rows.aggregation,
        price_rows.allowance,
        price_rows.flat_fee_at_zero,
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
            and price_rows.price_row_id = quantities.price_row_id
    where quantities.price_row_id is not null or price_rows.flat_fee_at_zero

),

-- What is too large to compute takes nothing of the allowance; a negative quantity is
-- rated as zero.
limited as (

    select
        measured.*,
        {{ fits_quantity('measured.quantity') }}
        and {{ fits_quantity('coalesce(measured.usage_amount, 0)') }} as is_in_range
    from measured
    where measured.quantity is not null

),

billable as (

    select
        limited.*,
        cast(
            case
                when limited.is_in_range then greatest(limited.quantity, 0)
                else 0
            end as {{ type_quantity() }}
        ) as billable_quantity
    from limited

),

running as (

    select
        billable.*,
        sum(billable.billable_quantity) over (
            partition by
                billable.subscription_id,
                billable.period_number,
                billable.charge_id
            order by
                billable.price_position,
                {{ binary_order('billable.dimension_values') }}
            rows between unbounded preceding and current row
        ) as running_quantity
    from billable

),

covered as (

    select
        running.*,
        cast(
            least(running.running_quantity, running.allowance)
            - least(
                running.running_quantity - running.billable_quantity, running.allowance
            ) as {{ type_quantity() }}
        ) as covered_quantity
    from running

)

select
    subscription_id,
    customer_id,
    period_number,
    period_from,
    period_to,
    charge_id,
    charge_position,
    price_row_id,
    price_position,
    dimension_values,
    currency,
    exponent,
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
    is_in_range,
    cutoff_at
from covered
