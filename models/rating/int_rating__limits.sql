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

charge_limits as (

    select * from {{ ref('stg_catalog__charge_limits') }}

),

-- A charge without a price in force bills nothing, not even its minimum.
priced_charges as (

    select
        price_rows.subscription_id,
        price_rows.period_number,
        price_rows.plan_id,
        price_rows.charge_id,
        price_rows.currency,
        price_rows.cutoff_at
    from price_rows
    inner join build_window
        on price_rows.cutoff_at > build_window.open_from
    group by
        price_rows.subscription_id,
        price_rows.period_number,
        price_rows.plan_id,
        price_rows.charge_id,
        price_rows.currency,
        price_rows.cutoff_at

),

-- A limit is chosen as a price is: by the period's start, the later recorded of two.
candidates as (

    select
        priced_charges.subscription_id,
        priced_charges.period_number,
        priced_charges.charge_id,
        charge_limits.minimum,
        charge_limits.maximum,
        priced_charges.currency,
        priced_charges.cutoff_at,
        row_number() over (
            partition by
                priced_charges.subscription_id,
                priced_charges.period_number,
                priced_charges.charge_id
            order by charge_limits.valid_from_date desc, charge_limits.recorded_at desc
        ) as recency
    from priced_charges
    inner join periods
        on
            priced_charges.subscription_id = periods.subscription_id
            and priced_charges.period_number = periods.period_number
    inner join charge_limits
        on
            priced_charges.plan_id = charge_limits.plan_id
            and priced_charges.charge_id = charge_limits.charge_id
            and priced_charges.currency = charge_limits.currency
            and periods.period_from_date >= charge_limits.valid_from_date
            and periods.period_from >= charge_limits.recorded_at

)

select
    subscription_id,
    period_number,
    charge_id,
    minimum,
    maximum,
    currency,
    cutoff_at
from candidates
where recency = 1
