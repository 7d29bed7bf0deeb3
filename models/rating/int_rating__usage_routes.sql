-- Which usage a period bills: by customer, profile and the references that the usage carries. Usage
-- without a reference goes to the only subscription that could bill it then, so the life of every
-- other one that could is cut out.
with

periods as (

    select * from {{ ref('int_subscriptions__periods') }}
    where
        cutoff_at > {{ open_from() }}
        and period_from < {{ as_of_at() }}

),

eligible as (

    select * from {{ ref('int_rating__billable_lives') }}
    where subscription_ref = ''

),

claims as (

    select
        periods.subscription_id,
        periods.period_number,
        periods.customer_id,
        periods.period_from,
        periods.period_to,
        periods.cutoff_at,
        least(periods.cutoff_at, {{ as_of_at() }}) as known_until,
        eligible.meter_profile,
        eligible.item_ref
    from periods
    inner join eligible
        on periods.subscription_id = eligible.subscription_id

),

rivals as (

    select
        claims.subscription_id,
        claims.period_number,
        claims.meter_profile,
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
            and claims.period_from < eligible.life_to
            and claims.period_to > eligible.life_from

),

cuts as (

    select
        subscription_id,
        period_number,
        meter_profile,
        item_ref,
        period_from as cut_at
    from claims

    union

    select
        subscription_id,
        period_number,
        meter_profile,
        item_ref,
        period_to as cut_at
    from claims

    union

    select
        subscription_id,
        period_number,
        meter_profile,
        item_ref,
        life_from as cut_at
    from rivals

    union

    select
        subscription_id,
        period_number,
        meter_profile,
        item_ref,
        life_to as cut_at
    from rivals

),

pieces as (

    select
        subscription_id,
        period_number,
        meter_profile,
        item_ref,
        cut_at as route_from,
        lead(cut_at) over (
            partition by subscription_id, period_number, meter_profile, item_ref
            order by cut_at
        ) as route_to
    from cuts

),

routes as (

    select
        claims.subscription_id,
        claims.period_number,
        claims.customer_id,
        claims.meter_profile,
        '' as subscription_ref,
        claims.item_ref,
        pieces.route_from,
        pieces.route_to,
        claims.period_from,
        claims.period_to,
        claims.cutoff_at
    from claims
    inner join pieces
        on
            claims.subscription_id = pieces.subscription_id
            and claims.period_number = pieces.period_number
            and claims.meter_profile = pieces.meter_profile
            and claims.item_ref = pieces.item_ref
            and claims.period_from <= pieces.route_from
            and claims.period_to >= pieces.route_to
    where
        not exists (
            select 1
            from rivals
            where
                rivals.subscription_id = pieces.subscription_id
                and rivals.period_number = pieces.period_number
                and rivals.meter_profile = pieces.meter_profile
                and rivals.item_ref = pieces.item_ref
                and rivals.life_from <= pieces.route_from
                and rivals.life_to >= pieces.route_to
        )

    union all

    select
        subscription_id,
        period_number,
        customer_id,
        meter_profile,
        subscription_id as subscription_ref,
        item_ref,
        period_from as route_from,
        period_to as route_to,
        period_from,
        period_to,
        cutoff_at
    from claims

)

-- until_at is how far a level is known to have lasted: a draft's lasts until the as-of day.
-- full_from and full_to bound the quarters of an hour that lie wholly inside; the rest of the route
-- is read from the events.
select
    subscription_id,
    period_number,
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
    period_from,
    case
        when cutoff_at <= {{ close_at() }} then period_to
        else least(period_to, {{ as_of_at() }})
    end as until_at,
    cutoff_at,
    cast(cutoff_at as date) as cutoff_date
from routes
