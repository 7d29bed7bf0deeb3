with

build_window as (

    select * from {{ ref('build_window') }}

),

fee_periods as (

    select * from {{ ref('int_subscriptions__fee_periods') }}

),

periods as (

    select * from {{ ref('int_subscriptions__periods') }}

),

charges as (

    select * from {{ ref('stg_catalog__charges') }}

),

prices as (

    select * from {{ ref('stg_catalog__prices') }}

),

currencies as (

    select * from {{ ref('currencies') }}

),

-- The opening invoice (number 0) belongs to the first period; nothing is billed before
-- that begins. One that begins at the as-of midnight is cut off by it: it is due.
billed_fees as (

    select
        fee_periods.subscription_id,
        periods.customer_id,
        periods.plan_id,
        periods.currency,
        fee_periods.invoice_number_in_subscription,
        fee_periods.charge_id,
        fee_periods.fee_from,
        fee_periods.fee_to,
        fee_periods.fee_from_date,
        fee_periods.billed_days,
        fee_periods.full_days,
        fee_periods.cutoff_at
    from fee_periods
    inner join build_window
        on fee_periods.cutoff_at > build_window.open_from
    inner join periods
        on
            fee_periods.subscription_id = periods.subscription_id
            and greatest(fee_periods.invoice_number_in_subscription, 1)
            = periods.period_number
            and (
                build_window.as_of_at > periods.period_from
                or fee_periods.cutoff_at <= build_window.as_of_at
            )

),

-- A fee has the price valid at the start of its own period, which may be longer than
-- the cycle.
candidates as (

    select
        billed_fees.*,
        prices.price_row_id,
        prices.unit_price,
        row_number() over (
            partition by
                billed_fees.subscription_id,
                billed_fees.charge_id,
                billed_fees.invoice_number_in_subscription,
                billed_fees.fee_from
            order by prices.valid_from_date desc, prices.recorded_at desc
        ) as recency
    from billed_fees
    inner join charges
        on
            billed_fees.plan_id = charges.plan_id
            and billed_fees.charge_id = charges.charge_id
            and billed_fees.fee_from >= charges.recorded_at
    inner join prices
        on
            billed_fees.plan_id = prices.plan_id
            and billed_fees.charge_id = prices.charge_id
            and billed_fees.currency = prices.currency
            and prices.dimension_values = ''
            and billed_fees.fee_from_date >= prices.valid_from_date
            and billed_fees.fee_from >= prices.recorded_at

)

select
    candidates.subscription_id,
    candidates.customer_id,
    candidates.plan_id,
    candidates.invoice_number_in_subscription,
    candidates.charge_id,
    candidates.price_row_id,
    candidates.fee_from,
    candidates.fee_to,
    candidates.fee_from_date,
    candidates.billed_days,
    candidates.full_days,
    candidates.currency,
    candidates.unit_price,
    cast(
        {{ multiply_divide_round(
            'candidates.unit_price',
            'candidates.billed_days',
            'candidates.full_days',
            'currencies.exponent'
        ) }} as {{ type_total() }}
    ) as line_total,
    candidates.cutoff_at
from candidates
inner join currencies
    on candidates.currency = currencies.currency
where candidates.recency = 1
