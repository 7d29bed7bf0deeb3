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

charge_limits as (

    select * from {{ ref('stg_catalog__charge_limits') }}

),

open_periods as (

    select periods.*
    from periods
    inner join build_window
        on periods.cutoff_at > build_window.open_from

),

-- A limit is chosen as a price is: by the period's start, the later recorded one of two.
candidates as (

    select
        open_periods.subscription_id,
        open_periods.period_number,
        charges.charge_id,
        charge_limits.minimum,
        charge_limits.maximum,
        open_periods.currency,
        open_periods.cutoff_at,
        row_number() over (
            partition by
                open_periods.subscription_id,
                open_periods.period_number,
                charges.charge_id
            order by charge_limits.valid_from_date desc, charge_limits.recorded_at desc
        ) as recency
    from open_periods
    inner join charges
        on
            open_periods.plan_id = charges.plan_id
            and charges.charge_type = 'usage'
    inner join charge_limits
        on
            charges.plan_id = charge_limits.plan_id
            and charges.charge_id = charge_limits.charge_id
            and open_periods.currency = charge_limits.currency
            and open_periods.period_from_date >= charge_limits.valid_from_date
            and open_periods.period_from >= charge_limits.recorded_at

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
