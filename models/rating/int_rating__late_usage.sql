-- Closed periods of which usage, or a void, came in after their cutoff, and the close that corrects
-- them: the subscription's next invoice, or the first of the next month if that is far.
with

build_window as (

    select * from {{ ref('build_window') }}

),

periods as (

    select * from {{ ref('int_subscriptions__periods') }}

),

-- Usage of a closed period is of a day before its load day. A close takes what came in a month
-- before it at the most.
late_buckets as (

    select distinct
        rollups.customer_id,
        rollups.bucket_from,
        rollups.load_day
    from {{ ref('int_metering__rollups') }} as rollups
    inner join build_window
        on rollups.load_day >= cast(build_window.open_from - interval '33 days' as date)
    where
        rollups.outcome = 'metered'
        and rollups.bucket_from < cast(rollups.load_day as {{ type_timestamp() }})

),

late_periods as (

    select distinct
        periods.subscription_id,
        periods.customer_id,
        periods.period_number,
        cast(late_buckets.load_day as {{ type_timestamp() }}) + interval '1 day' as known_at
    from late_buckets
    inner join periods
        on
            late_buckets.customer_id = periods.customer_id
            and late_buckets.bucket_from < periods.period_to
            and late_buckets.bucket_from > periods.period_from - interval '15 minutes'
            and late_buckets.load_day >= cast(periods.cutoff_at as date)

),

knowledge as (

    select distinct
        subscription_id,
        known_at
    from late_periods

),

next_closes as (

    select
        knowledge.subscription_id,
        knowledge.known_at,
        min(periods.cutoff_at) as cutoff_at
    from knowledge
    inner join periods
        on
            knowledge.subscription_id = periods.subscription_id
            and knowledge.known_at <= periods.cutoff_at
    group by
        knowledge.subscription_id,
        knowledge.known_at

),

corrected as (

    select
        late_periods.subscription_id,
        late_periods.customer_id,
        late_periods.period_number,
        case
            when next_closes.cutoff_at <= late_periods.known_at + interval '1 month'
                then next_closes.cutoff_at
            when date_trunc('month', late_periods.known_at) = late_periods.known_at
                then late_periods.known_at
            else date_trunc('month', late_periods.known_at) + interval '1 month'
        end as cutoff_at
    from late_periods
    left join next_closes
        on
            late_periods.subscription_id = next_closes.subscription_id
            and late_periods.known_at = next_closes.known_at

)

select distinct
    corrected.subscription_id,
    corrected.customer_id,
    corrected.period_number,
    corrected.cutoff_at
from corrected
inner join build_window
    on corrected.cutoff_at > build_window.open_from
