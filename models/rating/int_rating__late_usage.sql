{{
    config(
        materialized='incremental',
        incremental_strategy='replace_window',
        meta={'replaces': 'open_periods'},
    )
}}

-- Closed periods of which usage, a void, or a row of the catalogue came in after their cutoff, and
-- the close that corrects them: the subscription's next invoice, or the first of the next month if
-- that is far by what is known then.
with

build_window as (

    select * from {{ ref('build_window') }}

),

periods as (

    select * from {{ ref('int_subscriptions__periods') }}

),

recorded_changes as (

    select
        recorded_at,
        change = 'end'
        and coalesce(changes_on_date, cast(changes_at_instant as date))
        < cast(recorded_at as date) as is_late_end,
        row_number() over (
            partition by
                subscription_id,
                change,
                changes_on_date,
                changes_at_instant
            order by recorded_at
        ) as version_number
    from {{ ref('stg_catalog__subscription_changes') }}
    where change in ('end', 'plan')

),

-- A close takes what came in a month before it at the most; or two, where what waited for an
-- invoice has to go on without it: the change that was to make it was taken back, or an end was
-- told that lies before it.
reaches as (

    select
        build_window.open_from - case
            when
                exists (
                    select 1 from recorded_changes
                    where
                        (recorded_changes.version_number > 1 or recorded_changes.is_late_end)
                        and recorded_changes.recorded_at
                        >= build_window.open_from - interval '33 days'
                        and recorded_changes.recorded_at < build_window.as_of_at
                )
                then interval '64 days'
            else interval '33 days'
        end as known_from,
        build_window.as_of_at
    from build_window

),

-- Usage of a closed period is of a day before its load day.
late_buckets as (

    select distinct
        rollups.customer_id,
        rollups.bucket_from,
        rollups.load_day
    from {{ ref('int_metering__rollups') }} as rollups
    inner join reaches
        on rollups.load_day >= cast(reaches.known_from as date)
    where
        rollups.outcome = 'metered'
        and rollups.bucket_from < cast(rollups.load_day as {{ type_timestamp() }})

),

late_rows as (

    select late_catalog_rows.*
    from (
        {{ late_catalog_rows() }}
    ) as late_catalog_rows
    inner join reaches
        on
            late_catalog_rows.recorded_at < reaches.as_of_at
            and late_catalog_rows.recorded_at >= reaches.known_from

),

lives as (

    select * from {{ ref('int_subscriptions__lives') }}

),

plan_phases as (

    select * from {{ ref('int_subscriptions__plan_phases') }}

),

-- Whose bill a late row may change: with a subscription all of its customer's, for usage that
-- names none may go to another one now.
changed_customers as (

    select distinct
        lives.customer_id,
        late_rows.from_date,
        late_rows.is_everywhere,
        late_rows.recorded_at
    from late_rows
    inner join lives
        on late_rows.subscription_id = lives.subscription_id

    union

    select distinct
        lives.customer_id,
        late_rows.from_date,
        late_rows.is_everywhere,
        late_rows.recorded_at
    from late_rows
    inner join plan_phases
        on late_rows.plan_id = plan_phases.plan_id
    inner join lives
        on
            plan_phases.subscription_id = lives.subscription_id
            and coalesce(late_rows.customer_id, lives.customer_id) = lives.customer_id
    where
        not late_rows.is_everywhere
        or (
            late_rows.from_date <= plan_phases.prices_as_of_date
            and late_rows.recorded_at >= plan_phases.phase_from
        )

),

-- A fee that was billed in advance stands on an earlier invoice than the period of its change.
late_fees as (

    select distinct
        fee_periods.subscription_id,
        fee_periods.customer_id,
        fee_periods.invoice_number_in_subscription as period_number,
        date_trunc('day', changed_customers.recorded_at) + interval '1 day' as known_at
    from changed_customers
    inner join {{ ref('int_subscriptions__fee_periods') }} as fee_periods
        on
            changed_customers.customer_id = fee_periods.customer_id
            and changed_customers.recorded_at >= fee_periods.cutoff_at
            and (
                changed_customers.is_everywhere
                or fee_periods.fee_to
                > cast(changed_customers.from_date as {{ type_timestamp() }}) - interval '1 day'
            )

),

-- A plan that was to follow may not come to be after all: no fee period tells of its fee any more,
-- only the bill does.
late_bills as (

    select distinct
        posted_fees.subscription_id,
        posted_fees.customer_id,
        {{ number_of_rated_line(
            'posted_fees.subscription_id',
            'coalesce(posted_fees.adjusts_rated_line_id, posted_fees.rated_line_id)'
        ) }} as period_number,
        date_trunc('day', changed_customers.recorded_at) + interval '1 day' as known_at
    from changed_customers
    inner join {{ source('ledger', 'lines') }} as posted_fees
        on
            changed_customers.customer_id = posted_fees.customer_id
            and changed_customers.recorded_at >= posted_fees.cutoff_at
            and posted_fees.period_from
            > cast(changed_customers.from_date as {{ type_timestamp() }}) - interval '1 day'
    where
        posted_fees.line_kind = 'recurring'
        and not changed_customers.is_everywhere

),

known_periods as (

    select * from late_fees

    union

    select * from late_bills

    union

    select distinct
        periods.subscription_id,
        periods.customer_id,
        periods.period_number,
        date_trunc('day', changed_customers.recorded_at) + interval '1 day' as known_at
    from changed_customers
    inner join periods
        on
            changed_customers.customer_id = periods.customer_id
            and changed_customers.recorded_at >= periods.cutoff_at
            and (
                changed_customers.is_everywhere
                or periods.period_to
                > cast(changed_customers.from_date as {{ type_timestamp() }}) - interval '1 day'
            )

    union

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
            -- A level of before the subscription is carried into its first period.
            and (
                late_buckets.bucket_from > periods.period_from - interval '15 minutes'
                or periods.period_number = 1
            )
            and late_buckets.load_day >= cast(periods.cutoff_at as date)

),

-- A plan may say for how long after their cutoff its periods are corrected.
late_periods as (

    select known_periods.*
    from known_periods
    inner join periods
        on
            known_periods.subscription_id = periods.subscription_id
            -- The opening invoice (number 0) is the first period's.
            and greatest(known_periods.period_number, 1) = periods.period_number
    inner join {{ ref('stg_catalog__plans') }} as own_plans
        on periods.plan_id = own_plans.plan_id
    where
        own_plans.correction_days is null
        or known_periods.known_at
        <= periods.cutoff_at + own_plans.correction_days * interval '1 day'

),

knowledge as (

    select distinct
        subscription_id,
        known_at,
        case
            when date_trunc('month', known_at) = known_at then known_at
            else date_trunc('month', known_at) + interval '1 month'
        end as collected_at
    from late_periods

),

-- Cutoffs follow the numbers.
next_closes as (

    select
        knowledge.subscription_id,
        knowledge.known_at,
        knowledge.collected_at,
        min(periods.period_number) as period_number,
        min(periods.cutoff_at) as cutoff_at
    from knowledge
    left join periods
        on
            knowledge.subscription_id = periods.subscription_id
            and knowledge.known_at <= periods.cutoff_at
    group by
        knowledge.subscription_id,
        knowledge.known_at,
        knowledge.collected_at

),

awaited as (

    select distinct
        subscription_id,
        collected_at,
        period_number
    from next_closes
    where cutoff_at > collected_at

),

foreseen_cutoffs as (

    {{ foreseen_cutoffs('awaited') }}

),

pool_members as (

    select * from {{ ref('int_rating__pool_members') }}

),

-- An end that was told after that day, and lies before the period that was running on it, leaves
-- nothing of which invoice had been next then: so what was not posted on that day is on the next.
reconsidered as (

    select
        next_closes.subscription_id,
        next_closes.known_at,
        next_closes.collected_at + interval '1 month' as cutoff_at
    from next_closes
    inner join lives
        on next_closes.subscription_id = lives.subscription_id
    where
        next_closes.cutoff_at is null
        and lives.end_recorded_at >= next_closes.collected_at

),

-- What waited for an invoice that never came closes on the next first of a month: by then none is
-- within a month of it any more.
own_closes as (

    select
        next_closes.subscription_id,
        case
            when next_closes.cutoff_at <= next_closes.collected_at then next_closes.cutoff_at
            when foreseen_cutoffs.foreseen_at <= next_closes.known_at + interval '1 month'
                then least(next_closes.cutoff_at, next_closes.collected_at + interval '1 month')
            else next_closes.collected_at
        end as cutoff_at
    from next_closes
    left join foreseen_cutoffs
        on
            next_closes.subscription_id = foreseen_cutoffs.subscription_id
            and next_closes.collected_at = foreseen_cutoffs.collected_at

    union all

    select
        subscription_id,
        cutoff_at
    from reconsidered

),

-- Who shares an allowance with one of them has usage that it covers otherwise now.
closes as (

    select
        subscription_id,
        cutoff_at
    from own_closes

    union

    select
        members.subscription_id,
        own_closes.cutoff_at
    from own_closes
    inner join pool_members
        on own_closes.subscription_id = pool_members.subscription_id
    inner join pool_members as members
        on pool_members.customer_id = members.customer_id

),

-- A close takes all that is known by then.
taken as (

    select
        late_periods.subscription_id,
        late_periods.period_number,
        late_periods.known_at,
        min(closes.cutoff_at) as cutoff_at
    from late_periods
    inner join closes
        on
            late_periods.subscription_id = closes.subscription_id
            and late_periods.known_at <= closes.cutoff_at
    group by
        late_periods.subscription_id,
        late_periods.period_number,
        late_periods.known_at

    union all

    select
        late_periods.subscription_id,
        late_periods.period_number,
        late_periods.known_at,
        reconsidered.cutoff_at
    from late_periods
    inner join reconsidered
        on
            late_periods.subscription_id = reconsidered.subscription_id
            and late_periods.known_at = reconsidered.known_at

),

taken_periods as (

    select distinct
        subscription_id,
        period_number,
        cutoff_at
    from taken

)

-- A pool's member without late usage of its own has no period here, only the close.
select
    closes.subscription_id,
    closes.cutoff_at,
    taken_periods.period_number
from closes
inner join build_window
    on closes.cutoff_at > build_window.open_from
left join taken_periods
    on
        closes.subscription_id = taken_periods.subscription_id
        and closes.cutoff_at = taken_periods.cutoff_at
