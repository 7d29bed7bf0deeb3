-- Closed periods that are rated again, each for a close: those with late usage, and those that
-- depend on them.
with

build_window as (

    select * from {{ ref('build_window') }}

),

late_usage as (

    select late_usage.*
    from {{ ref('int_rating__late_usage') }} as late_usage
    inner join build_window
        on late_usage.cutoff_at > build_window.open_from

),

dependences as (

    select * from {{ ref('int_rating__dependences') }}

),

periods as (

    select * from {{ ref('int_subscriptions__periods') }}

),

late_closes as (

    select
        subscription_id,
        cutoff_at,
        coalesce(min(period_number), 1) as first_number
    from late_usage
    group by
        subscription_id,
        cutoff_at

),

-- Where all periods hang together, the ones to come go on from what earlier ones come to as known
-- by then: once there was late usage, every close rates all.
closes as (

    select
        subscription_id,
        cutoff_at,
        first_number
    from late_closes

    union

    select
        periods.subscription_id,
        periods.cutoff_at,
        1 as first_number
    from periods
    inner join build_window
        on periods.cutoff_at > build_window.open_from
    inner join dependences
        on
            periods.subscription_id = dependences.subscription_id
            and periods.cutoff_at >= dependences.first_close_at
    where dependences.depending = 'all'

),

reopened as (

    select
        late_usage.subscription_id,
        late_usage.period_number,
        late_usage.cutoff_at
    from late_usage
    where late_usage.period_number is not null

    union

    select
        closes.subscription_id,
        periods.period_number,
        closes.cutoff_at
    from closes
    inner join dependences
        on closes.subscription_id = dependences.subscription_id
    inner join periods
        on
            closes.subscription_id = periods.subscription_id
            and closes.cutoff_at > periods.cutoff_at
    where
        dependences.depending = 'all'
        or periods.period_number >= closes.first_number

)

select
    reopened.subscription_id,
    {{ reopened_number('reopened.period_number', 'reopened.cutoff_at') }} as period_number,
    reopened.period_number as own_period_number,
    periods.cutoff_at as closed_at,
    reopened.cutoff_at
from reopened
inner join periods
    on
        reopened.subscription_id = periods.subscription_id
        and reopened.period_number = periods.period_number
