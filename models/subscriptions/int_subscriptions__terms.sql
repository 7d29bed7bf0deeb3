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
    coalesce(numbered.next_term_from, lives.ends_at) as ends_at,
    begun.start_version_number,
    begun.version_count,
    begun.start_time_zone,
    numbered.from_date as start_date,
    numbered.cycle_unit,
    numbered.cycle_length,
    numbered.anchor_date,
    greatest(lives.known_at, numbered.recorded_at) as known_at,
    -- A subscription that ends by its own row was known to end when it was known.
    coalesce(numbered.next_recorded_at, lives.end_recorded_at) as end_recorded_at
from numbered
inner join lives
    on numbered.subscription_id = lives.subscription_id
inner join begun
    on
        numbered.subscription_id = begun.subscription_id
        and numbered.phase_from = begun.moment_at
