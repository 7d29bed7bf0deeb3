{{
    config(
        materialized='incremental',
        incremental_strategy='replace_window',
        meta={'replaces': 'open_periods'},
    )
}}
-- depends_on: {{ ref('build_window') }}
with

periods as (

    select * from {{ ref('int_subscriptions__periods') }}
    where
        cutoff_at > {{ open_from() }}
        and period_from < {{ as_of_at() }}

),

alerts as (

    select * from {{ ref('stg_catalog__alerts') }}
    where kind <> 'credits'

),

daily_usage as (

    select * from {{ ref('int_entitlements__daily_usage') }}

),

daily_charges as (

    select * from {{ ref('int_rating__daily_charges') }}

),

watches as (

    select
        alerts.alert_id,
        alerts.name,
        alerts.kind,
        alerts.charge_id,
        alerts.meter_profile,
        alerts.threshold,
        periods.subscription_id,
        periods.customer_id,
        periods.plan_id,
        periods.period_number,
        periods.period_from,
        periods.period_to,
        periods.cutoff_at
    from alerts
    inner join periods
        on {{ alert_watches('alerts', 'periods') }}

),

-- The days on which a charge's usage moved, or its period ended.
watched_charges as (

    select
        watches.alert_id,
        watches.subscription_id,
        watches.period_number,
        daily_charges.usage_date,
        daily_charges.currency,
        cast(sum(daily_charges.spent_total) as {{ type_integral() }}) as spent_total,
        max({{ quotient(
            'daily_charges.billable_quantity', 'daily_charges.available_quantity'
        ) }}) as used_share
    from watches
    inner join daily_charges
        on
            watches.subscription_id = daily_charges.subscription_id
            and watches.period_number = daily_charges.period_number
            and daily_charges.charge_id = coalesce(watches.charge_id, daily_charges.charge_id)
    where watches.kind in ('spend', 'allowance')
    group by
        watches.alert_id,
        watches.subscription_id,
        watches.period_number,
        daily_charges.usage_date,
        daily_charges.currency

),

-- What each alert watches, through every day on which it may have moved.
daily_values as (

    select
        watches.alert_id,
        watches.subscription_id,
        watches.period_number,
        daily_usage.usage_date,
        daily_usage.quantity as value_then,
        cast(null as {{ type_text() }}) as currency
    from watches
    inner join daily_usage
        on
            watches.subscription_id = daily_usage.subscription_id
            and watches.period_number = daily_usage.period_number
            and watches.meter_profile = daily_usage.meter_profile
    where watches.kind = 'usage'

    union all

    select
        watched_charges.alert_id,
        watched_charges.subscription_id,
        watched_charges.period_number,
        watched_charges.usage_date,
        case
            when watches.kind = 'allowance' then watched_charges.used_share
            else cast(
                sum(watched_charges.spent_total) over (
                    partition by
                        watched_charges.alert_id,
                        watched_charges.subscription_id,
                        watched_charges.period_number
                    order by watched_charges.usage_date
                    rows between unbounded preceding and current row
                ) as {{ type_integral() }}
            )
        end as value_then,
        case when watches.kind = 'spend' then watched_charges.currency end as currency
    from watched_charges
    inner join watches
        on
            watched_charges.alert_id = watches.alert_id
            and watched_charges.subscription_id = watches.subscription_id
            and watched_charges.period_number = watches.period_number

),

crossings as (

    select
        watches.*,
        daily_values.usage_date as crossed_on,
        daily_values.value_then,
        daily_values.currency,
        row_number() over (
            partition by
                daily_values.alert_id,
                daily_values.subscription_id,
                daily_values.period_number
            order by daily_values.usage_date
        ) as crossing
    from daily_values
    inner join watches
        on
            daily_values.alert_id = watches.alert_id
            and daily_values.subscription_id = watches.subscription_id
            and daily_values.period_number = watches.period_number
    where daily_values.value_then >= watches.threshold

)

select
    alert_id,
    name,
    kind,
    subscription_id,
    customer_id,
    plan_id,
    cast(period_number as {{ type_count() }}) as period_number,
    period_from,
    period_to,
    charge_id,
    meter_profile,
    threshold,
    crossed_on,
    cast(value_then as {{ type_integral() }}) as value_then,
    currency,
    cutoff_at
from crossings
where crossing = 1
