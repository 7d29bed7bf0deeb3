with

build_window as (

    select * from {{ ref('build_window') }}

),

subscriptions as (

    select * from {{ ref('stg_catalog__subscriptions') }}

),

plans as (

    select * from {{ ref('stg_catalog__plans') }}

),

customer_versions as (

    select * from {{ ref('int_subscriptions__customer_versions') }}

),

zone_segments as (

    select * from {{ ref('int_subscriptions__zone_segments') }}

),

known_subscriptions as (

    select subscriptions.*
    from subscriptions
    inner join build_window
        on subscriptions.recorded_at < build_window.as_of_at

),

known_plans as (

    select plans.*
    from plans
    inner join build_window
        on plans.recorded_at < build_window.as_of_at

),

moments as (

    select
        subscription_id,
        customer_id,
        'start' as moment,
        starts_on_date as on_date,
        starts_at_instant as at_instant
    from known_subscriptions

    union all

    select
        subscription_id,
        customer_id,
        'end' as moment,
        ends_on_date as on_date,
        ends_at_instant as at_instant
    from known_subscriptions
    where ends_on_date is not null or ends_at_instant is not null

),

days as (

    select
        customer_versions.time_zone,
        moments.on_date as local_date
    from moments
    inner join customer_versions
        on moments.customer_id = customer_versions.customer_id
    where moments.on_date is not null
    group by
        customer_versions.time_zone,
        moments.on_date

),

midnights as (

    {{ local_midnights('days', 'zone_segments') }}

),

-- A date is local midnight in the zone that holds at that very time: each of the customer's zones
-- is tried, and the newest that then really holds is taken.
tried as (

    select
        moments.subscription_id,
        moments.customer_id,
        moments.moment,
        customer_versions.version_number,
        customer_versions.time_zone,
        coalesce(moments.at_instant, midnights.midnight_at) as moment_at
    from moments
    inner join customer_versions
        on moments.customer_id = customer_versions.customer_id
    left join midnights
        on
            customer_versions.time_zone = midnights.time_zone
            and moments.on_date = midnights.local_date

),

held as (

    select
        tried.subscription_id,
        tried.moment,
        tried.version_number as tried_version_number,
        tried.moment_at,
        tried.time_zone as tried_time_zone,
        customer_versions.version_number,
        customer_versions.time_zone,
        row_number() over (
            partition by tried.subscription_id, tried.moment, tried.version_number
            order by {{ customer_state_order('customer_versions', 'tried.moment_at') }}
        ) as state_rank
    from tried
    inner join customer_versions
        on tried.customer_id = customer_versions.customer_id

),

resolved as (

    select
        subscription_id,
        moment,
        moment_at,
        version_number,
        row_number() over (
            partition by subscription_id, moment
            order by
                case when tried_time_zone = time_zone then 1 else 2 end,
                tried_version_number desc
        ) as resolution
    from held
    where state_rank = 1

),

starts as (

    select * from resolved
    where moment = 'start' and resolution = 1

),

ends as (

    select * from resolved
    where moment = 'end' and resolution = 1

),

started as (

    select
        known_subscriptions.subscription_id,
        known_subscriptions.customer_id,
        known_subscriptions.plan_id,
        coalesce(known_subscriptions.currency, customer_versions.currency) as currency,
        starts.moment_at as starts_at,
        ends.moment_at as ends_at,
        starts.version_number as start_version_number,
        customer_versions.version_count,
        customer_versions.time_zone as start_time_zone,
        {{ local_date('starts.moment_at', 'zone_segments.offset_seconds') }} as start_date,
        known_subscriptions.anchor_date,
        greatest(
            known_subscriptions.recorded_at,
            customer_versions.customer_recorded_at
        ) as known_at
    from known_subscriptions
    inner join starts
        on known_subscriptions.subscription_id = starts.subscription_id
    inner join customer_versions
        on
            known_subscriptions.customer_id = customer_versions.customer_id
            and starts.version_number = customer_versions.version_number
    inner join zone_segments
        on
            customer_versions.time_zone = zone_segments.time_zone
            and starts.moment_at >= zone_segments.utc_from
            and starts.moment_at < zone_segments.utc_to
    left join ends
        on known_subscriptions.subscription_id = ends.subscription_id

)

select
    started.subscription_id,
    started.customer_id,
    started.plan_id,
    started.currency,
    started.starts_at,
    started.ends_at,
    started.start_version_number,
    started.version_count,
    started.start_time_zone,
    started.start_date,
    known_plans.cycle_unit,
    known_plans.cycle_length,
    -- The calendar's weeks begin on Monday, its months, quarters and years on their first day.
    case
        when known_plans.alignment = 'anniversary'
            then coalesce(started.anchor_date, started.start_date)
        when known_plans.cycle_unit = 'day' then cast('1970-01-05' as date)
        else cast('1970-01-01' as date)
    end as anchor_date,
    known_plans.grace_days,
    greatest(started.known_at, known_plans.recorded_at) as known_at
from started
inner join known_plans
    on started.plan_id = known_plans.plan_id
where started.ends_at is null or started.starts_at < started.ends_at
