with recursive

lives as (

    select * from {{ ref('int_subscriptions__lives') }}

),

moments as (

    select * from {{ ref('int_subscriptions__moments') }}

),

plan_grids as (

    select
        plan_id,
        alignment,
        cycle_unit || ' ' || cast(cycle_length as {{ type_text() }}) || ' ' || alignment
            as grid
    from {{ ref('stg_catalog__plans') }}

),

-- At one instant what was said of the subscription itself comes before a migration.
plan_changes as (

    select
        moments.subscription_id,
        moments.moment,
        moments.moment_at,
        moments.moment_date,
        moments.plan_id,
        moments.from_plan_id,
        plan_grids.grid,
        case when plan_grids.alignment = 'anniversary' then moments.anchor_date end
            as anchor_date,
        moments.prices_as_of_date,
        moments.recorded_at,
        row_number() over (
            partition by moments.subscription_id
            order by
                moments.moment_at,
                case when moments.moment = 'plan' then 1 else 2 end,
                moments.recorded_at,
                {{ binary_order("coalesce(moments.from_plan_id, '')") }}
        ) as change_number
    from moments
    inner join lives
        on
            moments.subscription_id = lives.subscription_id
            and moments.moment_at > lives.starts_at
            and (lives.ends_at is null or moments.moment_at < lives.ends_at)
    inner join plan_grids
        on moments.plan_id = plan_grids.plan_id
    where moments.moment in ('plan', 'migration')

),

-- As many steps as a subscription has changes: a migration takes only who is on its plan then.
walk as (

    select
        lives.subscription_id,
        cast(0 as bigint) as change_number,
        lives.starts_at as moment_at,
        lives.start_date as moment_date,
        lives.plan_id,
        plan_grids.grid,
        cast(null as date) as anchor_date,
        lives.prices_as_of_date,
        lives.recorded_at,
        1 as is_applied
    from lives
    inner join plan_grids
        on lives.plan_id = plan_grids.plan_id

    union all

    select
        walk.subscription_id,
        plan_changes.change_number,
        plan_changes.moment_at,
        plan_changes.moment_date,
        case
            when plan_changes.moment = 'plan' or plan_changes.from_plan_id = walk.plan_id
                then plan_changes.plan_id
            else walk.plan_id
        end as plan_id,
        case
            when plan_changes.moment = 'plan' or plan_changes.from_plan_id = walk.plan_id
                then plan_changes.grid
            else walk.grid
        end as grid,
        -- An anchor given by a change lasts as long as plans of the same cycle follow.
        case
            when plan_changes.moment <> 'plan' and plan_changes.from_plan_id <> walk.plan_id
                then walk.anchor_date
            when plan_changes.anchor_date is not null then plan_changes.anchor_date
            when plan_changes.grid = walk.grid then walk.anchor_date
        end as anchor_date,
        case
            when plan_changes.moment = 'plan' or plan_changes.from_plan_id = walk.plan_id
                then plan_changes.prices_as_of_date
            else walk.prices_as_of_date
        end as prices_as_of_date,
        plan_changes.recorded_at,
        case
            when plan_changes.moment = 'plan' or plan_changes.from_plan_id = walk.plan_id then 1
            else 0
        end as is_applied
    from walk
    inner join plan_changes
        on
            walk.subscription_id = plan_changes.subscription_id
            and plan_changes.change_number = walk.change_number + 1

),

-- What holds after an instant is what its last change left.
settled as (

    select
        walk.*,
        max(walk.change_number) over (
            partition by walk.subscription_id, walk.moment_at
        ) as last_change_number,
        max(case when walk.is_applied = 1 then walk.recorded_at end) over (
            partition by walk.subscription_id, walk.moment_at
        ) as instant_recorded_at
    from walk

),

compared as (

    select
        settled.*,
        case
            when
                lag(settled.plan_id) over (
                    partition by settled.subscription_id order by settled.moment_at
                ) = settled.plan_id
                and coalesce(
                    lag(settled.prices_as_of_date) over (
                        partition by settled.subscription_id order by settled.moment_at
                    ), cast('0001-01-01' as date)
                ) = coalesce(settled.prices_as_of_date, cast('0001-01-01' as date))
                and coalesce(
                    lag(settled.anchor_date) over (
                        partition by settled.subscription_id order by settled.moment_at
                    ), cast('0001-01-01' as date)
                ) = coalesce(settled.anchor_date, cast('0001-01-01' as date))
                then 0
            else 1
        end as is_changed
    from settled
    where settled.change_number = settled.last_change_number

)

select
    compared.subscription_id,
    row_number() over (
        partition by compared.subscription_id
        order by compared.moment_at
    ) as phase_number,
    compared.plan_id,
    compared.moment_at as phase_from,
    coalesce(
        lead(compared.moment_at) over (
            partition by compared.subscription_id
            order by compared.moment_at
        ),
        lives.ends_at
    ) as phase_to,
    compared.moment_date as from_date,
    compared.anchor_date,
    compared.prices_as_of_date,
    compared.instant_recorded_at as recorded_at
from compared
inner join lives
    on compared.subscription_id = lives.subscription_id
where compared.is_changed = 1
