with

subscriptions as (

    select * from {{ ref('stg_catalog__subscriptions') }}

),

plans as (

    select * from {{ ref('stg_catalog__plans') }}

),

moments as (

    select * from {{ ref('int_subscriptions__moments') }}

),

zone_segments as (

    select * from {{ ref('int_subscriptions__zone_segments') }}

),

starts as (

    select * from moments
    where moment = 'start'

),

-- The first end after the start counts, be it the subscription's own or a change.
ranked_ends as (

    select
        moments.subscription_id,
        moments.moment_at,
        moments.recorded_at,
        row_number() over (
            partition by moments.subscription_id
            order by moments.moment_at, moments.recorded_at
        ) as end_rank
    from moments
    inner join starts
        on moments.subscription_id = starts.subscription_id
    where
        moments.moment in ('own_end', 'end')
        and moments.moment_at > starts.moment_at

),

-- A subscription that ends no later than it starts has no life at all.
lifeless as (

    select moments.subscription_id
    from moments
    inner join starts
        on
            moments.subscription_id = starts.subscription_id
            and moments.moment_at <= starts.moment_at
    where moments.moment = 'own_end'

),

lived as (

    select
        starts.subscription_id,
        starts.customer_id,
        starts.plan_id,
        coalesce(subscriptions.currency, starts.customer_currency) as currency,
        starts.moment_at as starts_at,
        starts.moment_date as start_date,
        ranked_ends.moment_at as ends_at,
        ranked_ends.recorded_at as end_recorded_at,
        starts.time_zone as start_time_zone,
        subscriptions.anchor_date,
        starts.prices_as_of_date,
        coalesce(subscriptions.trial_days, plans.trial_days) as trial_days,
        greatest(starts.recorded_at, starts.customer_recorded_at) as known_at,
        starts.recorded_at
    from starts
    inner join subscriptions
        on starts.subscription_id = subscriptions.subscription_id
    inner join plans
        on
            starts.plan_id = plans.plan_id
            and plans.recorded_at < {{ as_of_at() }}
    left join ranked_ends
        on
            starts.subscription_id = ranked_ends.subscription_id
            and ranked_ends.end_rank = 1
    left join lifeless
        on starts.subscription_id = lifeless.subscription_id
    where lifeless.subscription_id is null

),

trial_days as (

    select distinct
        start_time_zone as time_zone,
        start_date + cast(trial_days as integer) as local_date
    from lived
    where trial_days > 0

),

trial_midnights as (

    {{ local_midnights('trial_days', 'zone_segments') }}

)

select
    lived.subscription_id,
    lived.customer_id,
    lived.plan_id,
    lived.currency,
    lived.starts_at,
    lived.start_date,
    lived.ends_at,
    lived.end_recorded_at,
    lived.anchor_date,
    lived.prices_as_of_date,
    trial_midnights.midnight_at as trial_ends_at,
    lived.known_at,
    lived.recorded_at
from lived
left join trial_midnights
    on
        lived.start_time_zone = trial_midnights.time_zone
        and lived.trial_days > 0
        and lived.start_date + cast(lived.trial_days as integer) = trial_midnights.local_date
