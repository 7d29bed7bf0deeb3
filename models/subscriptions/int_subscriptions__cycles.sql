{{ config(pre_hook="{{ hash_joins_only() }}") }}
with recursive

build_window as (

    select * from {{ ref('build_window') }}

),

terms as (

    select * from {{ ref('int_subscriptions__terms') }}

),

customer_versions as (

    select * from {{ ref('int_subscriptions__customer_versions') }}

),

zone_segments as (

    select * from {{ ref('int_subscriptions__zone_segments') }}

),

charges as (

    select * from {{ ref('stg_catalog__charges') }}

),

plan_phases as (

    select * from {{ ref('int_subscriptions__plan_phases') }}

),

commitments as (

    select * from {{ ref('stg_catalog__commitments') }}

),

-- A fee in advance says until when it is paid, a commitment for how long it binds: so many cycles
-- past the horizon are needed.
reach_candidates as (

    select
        plan_phases.subscription_id,
        charges.every_cycles as cycle_count
    from plan_phases
    inner join charges
        on
            plan_phases.plan_id = charges.plan_id
            and charges.charge_type = 'recurring'

    union all

    select
        plan_phases.subscription_id,
        commitments.window_cycles as cycle_count
    from plan_phases
    inner join commitments
        on plan_phases.plan_id = commitments.plan_id

    union all

    select
        commitments.subscription_id,
        commitments.window_cycles as cycle_count
    from commitments
    where commitments.subscription_id is not null

),

reaches as (

    select
        subscription_id,
        max(cycle_count) as cycle_count
    from reach_candidates
    group by subscription_id

),

-- A term that follows at the end of a period which has begun is known too: the invoice at that end
-- carries its first fees. Later ones wait, as numbers count through.
near_terms as (

    select
        terms.*,
        case
            when terms.starts_at < build_window.as_of_at + interval '2 days' then 1
            when
                terms.start_date < {{ add_cycles(
                    "cast(build_window.as_of_at + interval '2 days' as date)",
                    'earlier_terms.cycle_unit',
                    'earlier_terms.cycle_length',
                    '2'
                ) }} then 1
            else 0
        end as is_near,
        cast(build_window.as_of_at + interval '2 days' as date) as horizon_date
    from terms
    cross join build_window
    left join terms as earlier_terms
        on
            terms.subscription_id = earlier_terms.subscription_id
            and terms.term_number = earlier_terms.term_number + 1

),

counted_terms as (

    select
        near_terms.*,
        min(near_terms.is_near) over (
            partition by near_terms.subscription_id
            order by near_terms.term_number
            rows between unbounded preceding and current row
        ) as is_reached
    from near_terms

),

reached as (

    select
        counted_terms.term_id,
        counted_terms.subscription_id,
        counted_terms.term_number,
        counted_terms.customer_id,
        counted_terms.version_count,
        counted_terms.start_version_number,
        counted_terms.start_time_zone,
        counted_terms.start_date,
        counted_terms.starts_at,
        counted_terms.ends_at,
        counted_terms.anchor_date,
        counted_terms.cycle_unit,
        counted_terms.cycle_length,
        coalesce(reaches.cycle_count, 1) as reach,
        greatest(
            counted_terms.start_date,
            least(counted_terms.horizon_date, cast(counted_terms.ends_at as date))
        ) as horizon_date
    from counted_terms
    left join reaches
        on counted_terms.subscription_id = reaches.subscription_id
    where counted_terms.is_reached = 1

),

numbered as (

    select
        term_id,
        customer_id,
        version_count,
        start_time_zone,
        anchor_date,
        cycle_unit,
        cycle_length,
        {{ whole_numbers(
            cycles_until('anchor_date', 'cycle_unit', 'cycle_length', 'start_date') ~ ' - 3',
            cycles_until('anchor_date', 'cycle_unit', 'cycle_length', 'horizon_date')
            ~ ' + 3 + reach'
        ) }} as cycle_index
    from reached

),

customer_zones as (

    select
        customer_id,
        time_zone
    from customer_versions
    where version_count > 1
    group by
        customer_id,
        time_zone

),

-- Where a customer moved, the cycle's end is known only once its start is: in each zone, then.
candidate_ends as (

    select
        numbered.term_id,
        numbered.customer_id,
        numbered.cycle_index,
        coalesce(customer_zones.time_zone, numbered.start_time_zone) as time_zone,
        {{ add_cycles(
            'numbered.anchor_date',
            'numbered.cycle_unit',
            'numbered.cycle_length',
            'numbered.cycle_index + 1'
        ) }} as cycle_to_date
    from numbered
    left join customer_zones
        on
            numbered.customer_id = customer_zones.customer_id
            and numbered.version_count > 1

),

days as (

    select
        time_zone,
        cycle_to_date as local_date
    from candidate_ends
    group by
        time_zone,
        cycle_to_date

),

midnights as {{ materialized() }} (

    {{ local_midnights('days', 'zone_segments') }}

),

cycle_ends as {{ materialized() }} (

    select
        candidate_ends.term_id,
        candidate_ends.customer_id,
        candidate_ends.cycle_index,
        candidate_ends.time_zone,
        candidate_ends.cycle_to_date,
        midnights.midnight_at as cycle_to
    from candidate_ends
    inner join midnights
        on
            candidate_ends.time_zone = midnights.time_zone
            and candidate_ends.cycle_to_date = midnights.local_date

),

-- What may change who bills and where: a row counts once it is valid and recorded.
changes as (

    select
        customer_id,
        greatest(valid_from_at, recorded_at) as changed_at
    from customer_versions
    where version_count > 1
    group by
        customer_id,
        greatest(valid_from_at, recorded_at)

),

-- From each zone, the first boundary at or after a change: there the customer is read again.
landings as (

    select
        cycle_ends.term_id,
        cycle_ends.customer_id,
        cycle_ends.time_zone,
        changes.changed_at,
        min(cycle_ends.cycle_index) + 1 as from_index,
        min(cycle_ends.cycle_to) as landed_at
    from cycle_ends
    inner join changes
        on
            cycle_ends.customer_id = changes.customer_id
            and cycle_ends.cycle_to >= changes.changed_at
    group by
        cycle_ends.term_id,
        cycle_ends.customer_id,
        cycle_ends.time_zone,
        changes.changed_at

),

landed_versions as (

    select
        landings.term_id,
        landings.time_zone,
        landings.changed_at,
        landings.from_index,
        customer_versions.version_number,
        customer_versions.time_zone as next_time_zone,
        (
            select min(changes.changed_at)
            from changes
            where
                changes.customer_id = landings.customer_id
                and changes.changed_at > landings.landed_at
        ) as next_changed_at,
        row_number() over (
            partition by landings.term_id, landings.time_zone, landings.changed_at
            order by {{ customer_state_order('customer_versions', 'landings.landed_at') }} asc
        ) as state_rank
    from landings
    inner join customer_versions
        on landings.customer_id = customer_versions.customer_id

),

first_changes as (

    select
        reached.term_id,
        min(changes.changed_at) as changed_at
    from reached
    inner join changes
        on
            reached.customer_id = changes.customer_id
            and reached.starts_at < changes.changed_at
    group by reached.term_id

),

-- As many steps as a customer has rows, however many cycles there are.
walk as (

    select
        reached.term_id,
        -1000000 as from_index,
        reached.start_version_number as version_number,
        reached.start_time_zone as time_zone,
        first_changes.changed_at as next_changed_at
    from reached
    left join first_changes
        on reached.term_id = first_changes.term_id

    union all

    select
        walk.term_id,
        landed_versions.from_index,
        landed_versions.version_number,
        landed_versions.next_time_zone as time_zone,
        landed_versions.next_changed_at
    from walk
    inner join landed_versions
        on
            walk.term_id = landed_versions.term_id
            and walk.time_zone = landed_versions.time_zone
            and walk.next_changed_at = landed_versions.changed_at
            and landed_versions.state_rank = 1

),

spans as (

    select
        term_id,
        from_index,
        coalesce(
            lead(from_index) over (partition by term_id order by from_index),
            1000000
        ) as to_index,
        version_number,
        time_zone
    from walk

),

chained as (

    select
        cycle_ends.term_id,
        cycle_ends.cycle_index,
        cycle_ends.time_zone,
        spans.version_number,
        cycle_ends.cycle_to_date,
        cycle_ends.cycle_to,
        max(cycle_ends.cycle_to) over (
            partition by cycle_ends.term_id
            order by cycle_ends.cycle_index
            rows between unbounded preceding and 1 preceding
        ) as ended_at
    from cycle_ends
    inner join spans
        on
            cycle_ends.term_id = spans.term_id
            and cycle_ends.time_zone = spans.time_zone
            and cycle_ends.cycle_index >= spans.from_index
            and cycle_ends.cycle_index < spans.to_index

),

-- A cycle that a skipped day or a change of zone leaves without time is no period.
lived as (

    select
        chained.*,
        reached.subscription_id,
        reached.term_number,
        reached.customer_id,
        reached.ends_at,
        greatest(chained.ended_at, reached.starts_at) as period_from
    from chained
    inner join reached
        on chained.term_id = reached.term_id
    where
        chained.cycle_to > greatest(chained.ended_at, reached.starts_at)
        and (
            reached.ends_at is null
            or greatest(chained.ended_at, reached.starts_at) < reached.ends_at
        )

)

select
    lived.subscription_id,
    lived.term_id,
    lived.term_number,
    lived.customer_id,
    customer_versions.billing_entity,
    lived.time_zone,
    row_number() over (
        partition by lived.subscription_id
        order by lived.term_number, lived.cycle_index
    ) as period_number,
    lived.cycle_index,
    lived.period_from,
    least(lived.cycle_to, lived.ends_at) as period_to,
    lag(lived.cycle_to_date) over (
        partition by lived.term_id
        order by lived.cycle_index
    ) as boundary_from_date,
    lived.cycle_to_date,
    lived.ended_at as boundary_from,
    lived.cycle_to,
    coalesce(lived.ends_at <= lived.cycle_to, false) as is_last
from lived
inner join customer_versions
    on
        lived.customer_id = customer_versions.customer_id
        and lived.version_number = customer_versions.version_number
