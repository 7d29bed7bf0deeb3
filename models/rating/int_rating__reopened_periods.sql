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

reissued_periods as (

    select * from {{ ref('int_rating__reissued_periods') }}

),

periods as (

    select * from {{ ref('int_subscriptions__periods') }}

),

pool_members as (

    select * from {{ ref('int_rating__pool_members') }}

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

-- Who shares an allowance with a subscription whose close rates all is rated with it; what moves of
-- theirs is posted at their own.
pool_closes as (

    select distinct
        pool_members.customer_id,
        periods.cutoff_at
    from periods
    inner join build_window
        on periods.cutoff_at > build_window.open_from
    inner join dependences
        on
            periods.subscription_id = dependences.subscription_id
            and periods.cutoff_at >= dependences.first_close_at
    inner join pool_members
        on periods.subscription_id = pool_members.subscription_id

),

shared_closes as (

    select
        pool_members.subscription_id,
        pool_closes.cutoff_at
    from pool_closes
    inner join pool_members
        on pool_closes.customer_id = pool_members.customer_id

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

),

-- The opening invoice has no period of its own.
openings as (

    select
        subscription_id,
        min(cutoff_at) as cutoff_at
    from {{ ref('int_subscriptions__fee_periods') }}
    where invoice_number_in_subscription = 0
    group by subscription_id

),

-- For a reissue the others are rated that its period goes on from, and nothing of them is posted.
rated_for as (

    select
        subscription_id,
        period_number,
        cutoff_at,
        1 as correction_count
    from reopened

    union all

    -- What the opening invoice billed counts for a commitment as well.
    select
        closes.subscription_id,
        0 as period_number,
        closes.cutoff_at,
        0 as correction_count
    from closes
    inner join dependences
        on
            closes.subscription_id = dependences.subscription_id
            and dependences.depending = 'all'
    inner join openings
        on
            closes.subscription_id = openings.subscription_id
            and closes.cutoff_at > openings.cutoff_at

    union all

    select
        shared_closes.subscription_id,
        periods.period_number,
        shared_closes.cutoff_at,
        0 as correction_count
    from shared_closes
    inner join periods
        on
            shared_closes.subscription_id = periods.subscription_id
            and shared_closes.cutoff_at > periods.cutoff_at

    union all

    select
        subscription_id,
        period_number,
        cutoff_at,
        0 as correction_count
    from reissued_periods
    where period_number is not null

    union all

    select
        reissued_periods.subscription_id,
        periods.period_number,
        reissued_periods.cutoff_at,
        0 as correction_count
    from reissued_periods
    inner join dependences
        on
            reissued_periods.subscription_id = dependences.subscription_id
            and dependences.depending = 'all'
    inner join periods
        on
            reissued_periods.subscription_id = periods.subscription_id
            and reissued_periods.cutoff_at > periods.cutoff_at

),

rated as (

    select
        subscription_id,
        period_number,
        cutoff_at,
        max(correction_count) > 0 as is_corrected
    from rated_for
    group by
        subscription_id,
        period_number,
        cutoff_at

)

select
    rated.subscription_id,
    {{ reopened_number('rated.period_number', 'rated.cutoff_at') }} as period_number,
    rated.period_number as own_period_number,
    coalesce(periods.cutoff_at, openings.cutoff_at) as closed_at,
    rated.cutoff_at,
    rated.is_corrected
from rated
left join periods
    on
        rated.subscription_id = periods.subscription_id
        and rated.period_number = periods.period_number
left join openings
    on
        rated.subscription_id = openings.subscription_id
        and rated.period_number = 0
