{{ config(materialized='view', schema='marts') }}
with

alerts as (

    select
        *,
        -- A share has one whole digit: its product with an amount then fits 38 digits.
        cast(threshold as decimal(11, 10)) as share_threshold
    from {{ ref('stg_catalog__alerts') }}
    where kind = 'credits'

),

daily_totals as (

    select * from {{ ref('int_credits__daily_totals') }}

),

compared as (

    select
        alerts.alert_id,
        alerts.name,
        alerts.threshold,
        alerts.recorded_at,
        daily_totals.customer_id,
        daily_totals.currency,
        daily_totals.balance_date,
        daily_totals.balance_total,
        daily_totals.granted_total,
        daily_totals.is_provisional,
        daily_totals.balance_total <= alerts.share_threshold * daily_totals.granted_total
            as is_low
    from alerts
    inner join daily_totals
        on alerts.customer_id = daily_totals.customer_id

),

-- Of a day without a row nothing was left; before the first there was nothing to run out of.
with_day_before as (

    select
        *,
        lag(balance_date) over (
            partition by alert_id, currency
            order by balance_date
        ) as earlier_date,
        lag(is_low) over (
            partition by alert_id, currency
            order by balance_date
        ) as was_low
    from compared

)

select
    alert_id,
    name,
    customer_id,
    currency,
    balance_date as crossed_on,
    threshold,
    cast(
        coalesce({{ quotient('balance_total', 'granted_total') }}, 0) as {{ type_quantity() }}
    ) as share_left,
    balance_total,
    granted_total,
    is_provisional
from with_day_before
where
    is_low
    and (earlier_date is null or (earlier_date = balance_date - 1 and not was_low))
    and recorded_at < cast(balance_date as {{ type_timestamp() }}) + interval '1 day'
