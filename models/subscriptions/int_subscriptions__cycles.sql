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

-- A fee in advance says until when it is paid: so many cycles past the horizon are needed.
plan_reaches as (

    select
        plan_id,
        max(every_cycles) as cycle_count
    from charges
    where charge_type = 'recurring'
    group by plan_id

),

reached as (

    select
        terms.*,
        coalesce(plan_reaches.cycle_count, 1) as reach,
        cast(
            least(build_window.as_of_at + interval '2 days', terms.ends_at) as date
        ) as horizon_date
    from terms
    inner join build_window
        on terms.starts_at < build_window.as_of_at + interval '2 days'
    left join plan_reaches
        on terms.plan_id = plan_reaches.plan_id

),

numbered as (

    select
        subscription_id,
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
        numbered.subscription_id,
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
        candidate_ends.subscription_id,
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
        cycle_ends.subscription_id,
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
        cycle_ends.subscription_id,
        cycle_ends.customer_id,
        cycle_ends.time_zone,
        changes.changed_at

),

landed_versions as (

    select
        landings.subscription_id,
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
            partition by landings.subscription_id, landings.time_zone, landings.changed_at
            order by {{ customer_state_order('customer_versions', 'landings.landed_at') }} asc
        ) as state_rank
    from landings
    inner join customer_versions
        on landings.customer_id = customer_versions.customer_id

),

first_changes as (

    select
        reached.subscription_id,
        min(changes.changed_at) as changed_at
    from reached
    inner join changes
        on
            reached.customer_id = changes.customer_id
            and reached.starts_at < changes.changed_at
    group by reached.subscription_id

),

-- As many steps as a customer has rows, however many cycles there are.
walk as (

    select
        reached.subscription_id,
        -1000000 as from_index,
        reached.start_version_number as version_number,
        reached.start_time_zone as time_zone,
        first_changes.changed_at as next_changed_at
    from reached
    left join first_changes
        on reached.subscription_id = first_changes.subscription_id

    union all

    select
        walk.subscription_id,
        landed_versions.from_index,
        landed_versions.version_number,
        landed_versions.next_time_zone as time_zone,
        landed_versions.next_changed_at
    from walk
    inner join landed_versions
        on
            walk.subscription_id = landed_versions.subscription_id
            and walk.time_zone = landed_versions.time_zone
            and walk.next_changed_at = landed_versions.changed_at
            and landed_versions.state_rank = 1

),

spans as (

    select
        subscription_id,
        from_index,
        coalesce(
            lead(from_index) over (partition by subscription_id order by from_index),
            1000000
        ) as to_index,
        version_number,
        time_zone
    from walk

),

chained as (

    select
        cycle_ends.subscription_id,
        cycle_ends.cycle_index,
        cycle_ends.time_zone,
        spans.version_number,
        cycle_ends.cycle_to_date,
        cycle_ends.cycle_to,
        max(cycle_ends.cycle_to) over (
            partition by cycle_ends.subscription_id
            order by cycle_ends.cycle_index
            rows between unbounded preceding and 1 preceding
        ) as ended_at
    from cycle_ends
    inner join spans
        on
            cycle_ends.subscription_id = spans.subscription_id
            and cycle_ends.time_zone = spans.time_zone
            and cycle_ends.cycle_index >= spans.from_index
            and cycle_ends.cycle_index < spans.to_index

),

-- A cycle that a skipped day or a change of zone leaves without time is no period.
lived as (

    select
        chained.*,
        reached.customer_id,
        reached.ends_at,
        greatest(chained.ended_at, reached.starts_at) as period_from
    from chained
    inner join reached
        on chained.subscription_id = reached.subscription_id
    where
        chained.cycle_to > greatest(chained.ended_at, reached.starts_at)
        and (
            reached.ends_at is null
            or greatest(chained.ended_at, reached.starts_at) < reached.ends_at
        )

)

select
    lived.subscription_id,
    lived.customer_id,
    customer_versions.billing_entity,
    lived.time_zone,
    row_number() over (
        partition by lived.subscription_id
        order by lived.cycle_index
    ) as period_number,
    lived.cycle_index,
    lived.period_from,
    least(lived.cycle_to, lived.ends_at) as period_to,
    lag(lived.cycle_to_date) over (
        partition by lived.subscription_id
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
