{{ config(group="rating") }}
-- In the open periods a unit of usage is in one part of a charge, in one slice of it, and is one
-- subscription's; the slices of a part and its pauses are all of it. Returns the places where two
-- claim a time, or where nobody does.
with

charge_parts as (

    select * from {{ ref('int_rating__charge_parts') }}

),

slices as (

    select * from {{ ref('int_rating__slices') }}

),

routes as (

    select * from {{ ref('int_rating__usage_routes') }}
    where {{ is_first_rating('period_number') }}

),

lives as (

    select * from {{ ref('int_subscriptions__lives') }}

),

pauses as (

    select * from {{ ref('int_subscriptions__pauses') }}

),

-- A period whose end became known after its close has an end before its own: no part is split off.
followed_parts as (

    select
        charge_parts.*,
        least(charge_parts.period_to, lives.ends_at) as runs_to,
        lag(charge_parts.part_to) over (
            partition by
                charge_parts.subscription_id, charge_parts.period_number, charge_parts.charge_id
            order by charge_parts.part_number
        ) as earlier_to,
        lag(charge_parts.part_to_date) over (
            partition by
                charge_parts.subscription_id, charge_parts.period_number, charge_parts.charge_id
            order by charge_parts.part_number
        ) as earlier_to_date
    from charge_parts
    left join lives
        on charge_parts.subscription_id = lives.subscription_id

),

part_faults as (

    select
        'part' as fault,
        subscription_id,
        period_number,
        charge_id,
        part_from as fault_from
    from followed_parts
    where
        part_from >= part_to
        or part_from < coalesce(earlier_to, period_from)
        or part_to > period_to
        or part_from_date < coalesce(earlier_to_date, part_from_date)
        or is_split <> (part_from > period_from or part_to < runs_to)

),

followed_slices as (

    select
        slices.*,
        charge_parts.part_from,
        charge_parts.part_to,
        lag(slices.slice_to) over (
            partition by
                slices.subscription_id, slices.period_number, slices.charge_id,
                slices.part_number
            order by slices.slice_from
        ) as earlier_to,
        lead(slices.slice_from) over (
            partition by
                slices.subscription_id, slices.period_number, slices.charge_id,
                slices.part_number
            order by slices.slice_from
        ) as later_from
    from slices
    inner join charge_parts
        on
            slices.subscription_id = charge_parts.subscription_id
            and slices.period_number = charge_parts.period_number
            and slices.charge_id = charge_parts.charge_id
            and slices.part_number = charge_parts.part_number

),

-- Between the slices of a part, before the first and after the last are its pauses alone (a pause
-- may begin past the as-of day, where no slice does).
slice_faults as (

    select
        'slice' as fault,
        followed_slices.subscription_id,
        followed_slices.period_number,
        followed_slices.charge_id,
        followed_slices.slice_from as fault_from
    from followed_slices
    left join pauses as ended
        on
            followed_slices.subscription_id = ended.subscription_id
            and followed_slices.slice_from = ended.pause_to
    left join pauses as begun
        on
            followed_slices.subscription_id = begun.subscription_id
            and followed_slices.slice_to = begun.pause_from
    where
        followed_slices.slice_from >= followed_slices.slice_to
        or followed_slices.slice_from
        < coalesce(followed_slices.earlier_to, followed_slices.part_from)
        or followed_slices.slice_to
        > coalesce(followed_slices.later_from, followed_slices.part_to)
        or (
            ended.pause_to is null
            and followed_slices.slice_from <> followed_slices.part_from
        )
        or (begun.pause_from is null and followed_slices.slice_to <> followed_slices.part_to)
        or (
            ended.pause_to is not null
            and ended.pause_from > coalesce(followed_slices.earlier_to, followed_slices.part_from)
        )
        or (
            begun.pause_from is not null
            and coalesce(begun.pause_to, followed_slices.part_to)
            < coalesce(followed_slices.later_from, followed_slices.part_to)
            and begun.pause_to < {{ as_of_at() }}
        )

),

followed_routes as (

    select
        routes.*,
        lag(routes.route_to) over (
            partition by routes.slice_id, routes.subscription_ref, routes.item_ref
            order by routes.route_from
        ) as earlier_to
    from routes

),

route_faults as (

    select
        'route' as fault,
        subscription_id,
        period_number,
        charge_id,
        route_from as fault_from
    from followed_routes
    where
        route_from >= route_to
        or route_from < coalesce(earlier_to, slice_from)

),

shared_references as (

    select
        customer_id,
        meter_profile,
        item_ref
    from routes
    where subscription_ref = ''
    group by
        customer_id,
        meter_profile,
        item_ref
    having min(subscription_id) <> max(subscription_id)

),

unreferenced as (

    select
        routes.subscription_id,
        routes.customer_id,
        routes.period_number,
        routes.meter_profile,
        routes.item_ref,
        routes.route_from,
        routes.route_to,
        min(routes.charge_id) as charge_id
    from routes
    inner join shared_references
        on
            routes.customer_id = shared_references.customer_id
            and routes.meter_profile = shared_references.meter_profile
            and routes.item_ref = shared_references.item_ref
    where routes.subscription_ref = ''
    group by
        routes.subscription_id,
        routes.customer_id,
        routes.period_number,
        routes.meter_profile,
        routes.item_ref,
        routes.route_from,
        routes.route_to

),

owner_faults as (

    select
        'owner' as fault,
        unreferenced.subscription_id,
        unreferenced.period_number,
        unreferenced.charge_id,
        unreferenced.route_from as fault_from
    from unreferenced
    inner join unreferenced as rivals
        on
            unreferenced.customer_id = rivals.customer_id
            and unreferenced.meter_profile = rivals.meter_profile
            and unreferenced.item_ref = rivals.item_ref
            and unreferenced.subscription_id <> rivals.subscription_id
            and unreferenced.route_from < rivals.route_to
            and unreferenced.route_to > rivals.route_from

)

select * from part_faults

union all

select * from slice_faults

union all

select * from route_faults

union all

select * from owner_faults
