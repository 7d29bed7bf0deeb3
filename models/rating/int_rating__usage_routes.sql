-- Which usage a slice of a charge bills: by customer, profile and the references that the usage
-- carries. Usage without a reference goes to the only subscription that could bill it then, so the
-- life of every other one that could is cut out.
with

limited_periods as (

    select
        periods.subscription_id,
        periods.period_number,
        periods.cutoff_at + own_plans.correction_days * interval '1 day' as late_until
    from {{ ref('int_subscriptions__periods') }} as periods
    inner join {{ ref('stg_catalog__plans') }} as own_plans
        on periods.plan_id = own_plans.plan_id
    where own_plans.correction_days is not null

),

-- A state of a period takes the usage known at its close, unless its plan has had enough by then.
slices as (

    select
        slices.*,
        least(slices.cutoff_at, limited_periods.late_until) as usage_until
    from {{ ref('int_rating__slices') }} as slices
    left join limited_periods
        on
            slices.subscription_id = limited_periods.subscription_id
            and {{ own_number('slices.period_number') }} = limited_periods.period_number

),

eligible as (

    select * from {{ ref('int_rating__billable_lives') }}
    where subscription_ref = ''

),

-- Usage that names the charge is its alone; usage that names none is every charge's on the profile.
claims as (

    select
        slices.*,
        '' as item_ref,
        least(slices.usage_until, {{ as_of_at() }}) as known_until
    from slices

    union all

    select
        slices.*,
        slices.charge_id as item_ref,
        least(slices.usage_until, {{ as_of_at() }}) as known_until
    from slices

),

rivals as (

    select
        claims.slice_id,
        claims.item_ref,
        eligible.life_from,
        eligible.life_to
    from claims
    inner join eligible
        on
            claims.customer_id = eligible.customer_id
            and claims.meter_profile = eligible.meter_profile
            and claims.item_ref = eligible.item_ref
            and claims.subscription_id <> eligible.subscription_id
            and claims.known_until > eligible.recorded_at
            and claims.slice_from < eligible.life_to
            and claims.slice_to > eligible.life_from

),

contested as (

    select distinct
        slice_id,
        item_ref
    from rivals

),

cuts as (

    select
        claims.slice_id,
        claims.item_ref,
        claims.slice_from as cut_at
    from claims
    inner join contested
        on
            claims.slice_id = contested.slice_id
            and claims.item_ref = contested.item_ref

    union

    select
        claims.slice_id,
        claims.item_ref,
        claims.slice_to as cut_at
    from claims
    inner join contested
        on
            claims.slice_id = contested.slice_id
            and claims.item_ref = contested.item_ref

    union

    select
        slice_id,
        item_ref,
        life_from as cut_at
    from rivals

    union

    select
        slice_id,
        item_ref,
        life_to as cut_at
    from rivals

),

pieces as (

    select
        slice_id,
        item_ref,
        cut_at as route_from,
        lead(cut_at) over (
            partition by slice_id, item_ref
            order by cut_at
        ) as route_to
    from cuts

),

routes as (

    select
        claims.*,
        '' as subscription_ref,
        claims.slice_from as route_from,
        claims.slice_to as route_to
    from claims
    left join contested
        on
            claims.slice_id = contested.slice_id
            and claims.item_ref = contested.item_ref
    where contested.slice_id is null

    union all

    select
        claims.*,
        '' as subscription_ref,
        pieces.route_from,
        pieces.route_to
    from claims
    inner join pieces
        on
            claims.slice_id = pieces.slice_id
            and claims.item_ref = pieces.item_ref
            and claims.slice_from <= pieces.route_from
            and claims.slice_to >= pieces.route_to
    where
        not exists (
            select 1
            from rivals
            where
                rivals.slice_id = pieces.slice_id
                and rivals.item_ref = pieces.item_ref
                and rivals.life_from <= pieces.route_from
                and rivals.life_to >= pieces.route_to
        )

    union all

    select
        claims.*,
        claims.subscription_id as subscription_ref,
        claims.slice_from as route_from,
        claims.slice_to as route_to
    from claims

)

-- full_from and full_to bound the quarters of an hour that lie wholly inside; the rest of the route
-- is read from the events.
select
    slice_id,
    subscription_id,
    period_number,
    charge_id,
    part_number,
    customer_id,
    meter_profile,
    subscription_ref,
    item_ref,
    route_from,
    route_to,
    case
        when {{ quarter_hour_start(quarter_hour('route_from')) }} = route_from then route_from
        else {{ quarter_hour_start(quarter_hour('route_from') ~ ' + 1') }}
    end as full_from,
    {{ quarter_hour_start(quarter_hour('route_to')) }} as full_to,
    slice_from,
    until_at,
    cutoff_at,
    cast(usage_until as date) as cutoff_date
from routes
