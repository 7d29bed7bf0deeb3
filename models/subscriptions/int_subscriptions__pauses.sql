with

lives as (

    select * from {{ ref('int_subscriptions__lives') }}

),

moments as (

    select * from {{ ref('int_subscriptions__moments') }}

),

-- Of a pause and a resumption at one instant the resumption stands.
stops as (

    select
        moments.subscription_id,
        moments.moment,
        moments.moment_at,
        moments.recorded_at,
        row_number() over (
            partition by moments.subscription_id, moments.moment_at
            order by case when moments.moment = 'resume' then 1 else 2 end, moments.recorded_at
        ) as stop_rank
    from moments
    inner join lives
        on
            moments.subscription_id = lives.subscription_id
            and moments.moment_at > lives.starts_at
            and (lives.ends_at is null or moments.moment_at < lives.ends_at)
    where moments.moment in ('pause', 'resume')

),

-- To pause what is paused, or to resume what runs, changes nothing.
compared as (

    select
        stops.*,
        lag(stops.moment) over (
            partition by stops.subscription_id
            order by stops.moment_at
        ) as moment_before
    from stops
    where stops.stop_rank = 1

),

alternating as (

    select * from compared
    where moment <> coalesce(moment_before, 'resume')

),

spans as (

    select
        alternating.subscription_id,
        alternating.moment,
        alternating.moment_at as pause_from,
        lead(alternating.moment_at) over (
            partition by alternating.subscription_id
            order by alternating.moment_at
        ) as resumed_at,
        alternating.recorded_at as from_recorded_at,
        lead(alternating.recorded_at) over (
            partition by alternating.subscription_id
            order by alternating.moment_at
        ) as to_recorded_at
    from alternating

)

select
    spans.subscription_id,
    spans.pause_from,
    coalesce(spans.resumed_at, lives.ends_at) as pause_to,
    spans.from_recorded_at,
    spans.to_recorded_at
from spans
inner join lives
    on spans.subscription_id = lives.subscription_id
where spans.moment = 'pause'
