{{ config(materialized='view') }}
-- What one of a unit of credit is worth in each period: the rate that is valid on its first day and
-- was recorded by its start, so that no later row moves what it comes to.
with

credit_units as (

    select * from {{ ref('stg_catalog__credit_units') }}

),

periods as (

    select * from {{ ref('int_subscriptions__periods') }}

),

candidates as (

    select
        periods.subscription_id,
        periods.period_number,
        periods.currency,
        credit_units.unit,
        credit_units.exponent,
        credit_units.rate,
        row_number() over (
            partition by
                periods.subscription_id,
                periods.period_number,
                credit_units.unit
            order by credit_units.valid_from_date desc, credit_units.recorded_at desc
        ) as recency
    from periods
    inner join credit_units
        on
            periods.currency = credit_units.currency
            and periods.period_from_date >= credit_units.valid_from_date
            and periods.period_from >= credit_units.recorded_at

)

select
    subscription_id,
    period_number,
    currency,
    unit,
    exponent,
    rate
from candidates
where recency = 1
