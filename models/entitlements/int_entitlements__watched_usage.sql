-- Whose usage is added up day by day: by period and meter profile, for a feature of a plan in force
-- during the period, or for an alert.
with

periods as (

    select * from {{ ref('int_subscriptions__periods') }}
    where
        cutoff_at > {{ open_from() }}
        and period_from < {{ as_of_at() }}

),

plan_phases as (

    select * from {{ ref('int_subscriptions__plan_phases') }}

),

plan_features as (

    select * from {{ ref('int_entitlements__plan_features') }}

),

alerts as (

    select * from {{ ref('stg_catalog__alerts') }}

),

watched as (

    select
        periods.subscription_id,
        periods.period_number,
        plan_features.meter_profile
    from periods
    inner join plan_phases
        on
            periods.subscription_id = plan_phases.subscription_id
            and periods.period_to > plan_phases.phase_from
            and (plan_phases.phase_to is null or periods.period_from < plan_phases.phase_to)
    inner join plan_features
        on
            plan_phases.plan_id = plan_features.plan_id
            and plan_features.meter_profile is not null

    union

    select
        periods.subscription_id,
        periods.period_number,
        alerts.meter_profile
    from periods
    inner join alerts
        on
            alerts.kind = 'usage'
            and {{ alert_watches('alerts', 'periods') }}

)

-- full_from and full_to bound the quarters of an hour that lie wholly inside; the rest of the
-- period is read from the events.
select
    watched.subscription_id,
    periods.customer_id,
    watched.period_number,
    watched.meter_profile,
    periods.time_zone,
    periods.period_from,
    periods.period_to,
    periods.period_from_date,
    case
        when
            {{ quarter_hour_start(quarter_hour('periods.period_from')) }} = periods.period_from
            then periods.period_from
        else {{ quarter_hour_start(quarter_hour('periods.period_from') ~ ' + 1') }}
    end as full_from,
    {{ quarter_hour_start(quarter_hour('periods.period_to')) }} as full_to,
    periods.cutoff_at,
    cast(periods.cutoff_at as date) as cutoff_date
from watched
inner join periods
    on
        watched.subscription_id = periods.subscription_id
        and watched.period_number = periods.period_number
