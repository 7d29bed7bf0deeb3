with

plans as (

    select * from {{ ref('stg_catalog__plans') }}

),

lives as (

    select * from {{ ref('int_subscriptions__lives') }}

),

moments as (

    select * from {{ ref('int_subscriptions__moments') }}

),

plan_phases as (

    select * from {{ ref('int_subscriptions__plan_phases') }}

),

zone_segments as (

    select * from {{ ref('int_subscriptions__zone_segments') }}

),

-- The calendar's weeks begin on Monday, its months, quarters and years on their first day.
anchored as (

    select
        plan_phases.subscription_id,
        plan_phases.phase_number,
        plan_phases.phase_from,
        plan_phases.from_date,
        plan_phases.recorded_at,
        plans.cycle_unit,
        plans.cycle_length,
        plans.grace_days,
        plans.recorded_at as plan_recorded_at,
        case
            when plans.alignment = 'anniversary'
                then coalesce(plan_phases.anchor_date, lives.anchor_date, lives.start_date)
            when plans.cycle_unit = 'day' then cast('1970-01-05' as date)
            else cast('1970-01-01' as date)
        end as anchor_date,
        plans.alignment
    from plan_phases
    inner join lives
        on plan_phases.subscription_id = lives.subscription_id
    inner join plans
        on plan_phases.plan_id = plans.plan_id

),

-- A plan of a like cycle keeps the running period; an unlike one begins a term of its own.
compared as (

    select
        anchored.*,
        case
            when
                lag(anchored.cycle_unit) over (
                    partition by anchored.subscription_id order by anchored.phase_number
                ) = anchored.cycle_unit
                and lag(anchored.cycle_length) over (
                    partition by anchored.subscription_id order by anchored.phase_number
                ) = anchored.cycle_length
                and lag(anchored.alignment) over (
                    partition by anchored.subscription_id order by anchored.phase_number
                ) = anchored.alignment
                and lag(anchored.anchor_date) over (
                    partition by anchored.subscription_id order by anchored.phase_number
                ) = anchored.anchor_date
                then 0
            else 1
        end as is_unlike
    from anchored

),

numbered as (

    select
        compared.*,
        row_number() over (
            partition by compared.subscription_id
            order by compared.phase_number
        ) as term_number,
        lead(compared.phase_from) over (
            partition by compared.subscription_id
            order by compared.phase_number
        ) as next_term_from,
        lead(compared.recorded_at) over (
            partition by compared.subscription_id
            order by compared.phase_number
        ) as next_recorded_at
    from compared
    where compared.is_unlike = 1

),

-- An end that became known after periods past it had closed leaves those as they are: a boundary or
-- cutoff that has passed does not move. The last boundary whose cutoff had passed ends the term.
late_ends as (

    select
        lives.subscription_id,
        lives.ends_at,
        lives.end_recorded_at,
        lives.known_at,
        anchored.anchor_date,
        anchored.cycle_unit,
        anchored.cycle_length,
        anchored.grace_days,
        anchored.plan_recorded_at,
        min(moments.time_zone) as time_zone
    from lives
    inner join anchored
        on
            lives.subscription_id = anchored.subscription_id
            and lives.ends_at > anchored.phase_from
    inner join moments
        on
            lives.subscription_id = moments.subscription_id
            and lives.ends_at = moments.moment_at
            and moments.moment in ('end', 'own_end')
    where
        lives.end_recorded_at > lives.ends_at
        and not exists (
            select 1
            from anchored as later_phases
            where
                anchored.subscription_id = later_phases.subscription_id
                and anchored.phase_number < later_phases.phase_number
        )
    group by
        lives.subscription_id,
        lives.ends_at,
        lives.end_recorded_at,
        lives.known_at,
        anchored.anchor_date,
        anchored.cycle_unit,
        anchored.cycle_length,
        anchored.grace_days,
        anchored.plan_recorded_at

),

-- The end that it had until then.
earlier_ends as (

    select
        late_ends.subscription_id,
        moments.moment_at,
        min(moments.recorded_at) as recorded_at,
        row_number() over (
            partition by late_ends.subscription_id
            order by moments.moment_at
        ) as end_rank
    from late_ends
    inner join moments
        on
            late_ends.subscription_id = moments.subscription_id
            and late_ends.ends_at < moments.moment_at
            and late_ends.end_recorded_at > moments.recorded_at
            and moments.moment in ('end', 'own_end')
    group by
        late_ends.subscription_id,
        moments.moment_at

),

passed_cycles as (

    select
        late_ends.*,
        {{ whole_numbers(
            cycles_until(
                'anchor_date', 'cycle_unit', 'cycle_length', 'cast(ends_at as date)'
            ) ~ ' - 1',
            cycles_until(
                'anchor_date', 'cycle_unit', 'cycle_length', 'cast(end_recorded_at as date)'
            ) ~ ' + 1'
        ) }} as cycle_index
    from late_ends

),

passed_days as (

    select
        passed_cycles.*,
        {{ add_cycles('anchor_date', 'cycle_unit', 'cycle_length', 'cycle_index') }}
            as local_date
    from passed_cycles

),

days as (

    select distinct
        time_zone,
        local_date
    from passed_days

),

midnights as (

    {{ local_midnights('days', 'zone_segments') }}

),

boundaries as (

    select
        passed_days.subscription_id,
        midnights.midnight_at as boundary_at,
        greatest(passed_days.known_at, passed_days.plan_recorded_at) as known_at
    from passed_days
    inner join midnights
        on
            passed_days.time_zone = midnights.time_zone
            and passed_days.local_date = midnights.local_date
    left join earlier_ends
        on
            passed_days.subscription_id = earlier_ends.subscription_id
            and earlier_ends.end_rank = 1
    where
        midnights.midnight_at > passed_days.ends_at
        and (
            earlier_ends.moment_at is null
            or midnights.midnight_at < earlier_ends.moment_at
        )

    union all

    select
        late_ends.subscription_id,
        earlier_ends.moment_at as boundary_at,
        greatest(late_ends.known_at, late_ends.plan_recorded_at, earlier_ends.recorded_at)
            as known_at
    from late_ends
    inner join earlier_ends
        on
            late_ends.subscription_id = earlier_ends.subscription_id
            and earlier_ends.end_rank = 1

),

passed_ends as (

    select
        boundaries.subscription_id,
        max(boundaries.boundary_at) as ends_at
    from boundaries
    inner join late_ends
        on boundaries.subscription_id = late_ends.subscription_id
    where
        {{ cutoff(
            "boundaries.boundary_at + late_ends.grace_days * interval '1 day'",
            'boundaries.known_at'
        ) }} <= late_ends.end_recorded_at
    group by boundaries.subscription_id

),

-- Customer and zone as they are when the term begins.
begun as (

    select
        moments.subscription_id,
        moments.moment_at,
        max(moments.version_number) as start_version_number,
        max(moments.version_count) as version_count,
        max(moments.time_zone) as start_time_zone
    from moments
    group by
        moments.subscription_id,
        moments.moment_at

)

select
    numbered.subscription_id || '~' || cast(numbered.term_number as {{ type_text() }}) as term_id,
    numbered.subscription_id,
    cast(numbered.term_number as integer) as term_number,
    lives.customer_id,
    lives.currency,
    numbered.phase_from as starts_at,
    coalesce(numbered.next_term_from, passed_ends.ends_at, lives.ends_at) as ends_at,
    begun.start_version_number,
    begun.version_count,
    begun.start_time_zone,
    numbered.from_date as start_date,
    numbered.cycle_unit,
    numbered.cycle_length,
    numbered.anchor_date,
    greatest(lives.known_at, numbered.recorded_at) as known_at,
    -- A subscription that ends by its own row was known to end when it was known.
    coalesce(
        numbered.next_recorded_at,
        case when passed_ends.ends_at is null then lives.end_recorded_at end
    ) as end_recorded_at
from numbered
inner join lives
    on numbered.subscription_id = lives.subscription_id
left join passed_ends
    on numbered.subscription_id = passed_ends.subscription_id
inner join begun
    on
        numbered.subscription_id = begun.subscription_id
        and numbered.phase_from = begun.moment_at
