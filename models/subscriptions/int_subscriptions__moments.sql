with

build_window as (

    select * from {{ ref('build_window') }}

),

subscriptions as (

    select * from {{ ref('stg_catalog__subscriptions') }}

),

plans as (

    select * from {{ ref('stg_catalog__plans') }}

),

subscription_changes as (

    select * from {{ ref('stg_catalog__subscription_changes') }}

),

plan_migrations as (

    select * from {{ ref('stg_catalog__plan_migrations') }}

),

customer_versions as (

    select * from {{ ref('int_subscriptions__customer_versions') }}

),

zone_segments as (

    select * from {{ ref('int_subscriptions__zone_segments') }}

),

known_subscriptions as (

    select subscriptions.*
    from subscriptions
    inner join build_window
        on subscriptions.recorded_at < build_window.as_of_at

),

known_plans as (

    select plans.plan_id
    from plans
    inner join build_window
        on plans.recorded_at < build_window.as_of_at

),

-- A change is taken back, or said anew, by a later row of the same key.
ranked_changes as (

    select
        subscription_changes.*,
        row_number() over (
            partition by
                subscription_changes.subscription_id,
                subscription_changes.change,
                subscription_changes.charge_id,
                subscription_changes.changes_on_date,
                subscription_changes.changes_at_instant
            order by subscription_changes.recorded_at desc
        ) as recency
    from subscription_changes
    inner join build_window
        on subscription_changes.recorded_at < build_window.as_of_at

),

known_migrations as (

    select plan_migrations.*
    from plan_migrations
    inner join build_window
        on plan_migrations.recorded_at < build_window.as_of_at
    inner join known_plans
        on plan_migrations.to_plan_id = known_plans.plan_id

),

dated_moments as (

    select
        subscription_id,
        customer_id,
        'start' as moment,
        plan_id,
        cast(null as {{ type_text() }}) as from_plan_id,
        cast(null as {{ type_text() }}) as charge_id,
        cast(null as {{ type_quantity() }}) as quantity,
        cast(null as date) as anchor_date,
        prices_as_of_date,
        starts_on_date as on_date,
        starts_at_instant as at_instant,
        recorded_at
    from known_subscriptions

    union all

    select
        subscription_id,
        customer_id,
        'own_end' as moment,
        cast(null as {{ type_text() }}) as plan_id,
        cast(null as {{ type_text() }}) as from_plan_id,
        cast(null as {{ type_text() }}) as charge_id,
        cast(null as {{ type_quantity() }}) as quantity,
        cast(null as date) as anchor_date,
        cast(null as date) as prices_as_of_date,
        ends_on_date as on_date,
        ends_at_instant as at_instant,
        recorded_at
    from known_subscriptions
    where ends_on_date is not null or ends_at_instant is not null

    union all

    select
        ranked_changes.subscription_id,
        known_subscriptions.customer_id,
        ranked_changes.change as moment,
        ranked_changes.plan_id,
        cast(null as {{ type_text() }}) as from_plan_id,
        ranked_changes.charge_id,
        ranked_changes.quantity,
        ranked_changes.anchor_date,
        ranked_changes.prices_as_of_date,
        ranked_changes.changes_on_date as on_date,
        ranked_changes.changes_at_instant as at_instant,
        ranked_changes.recorded_at
    from ranked_changes
    inner join known_subscriptions
        on ranked_changes.subscription_id = known_subscriptions.subscription_id
    left join known_plans
        on ranked_changes.plan_id = known_plans.plan_id
    where
        ranked_changes.recency = 1
        and not ranked_changes.is_withdrawn
        and (ranked_changes.change <> 'plan' or known_plans.plan_id is not null)

    union all

    -- Whether the plan is then in force is seen when the plans are put in order.
    select
        known_subscriptions.subscription_id,
        known_subscriptions.customer_id,
        'migration' as moment,
        known_migrations.to_plan_id as plan_id,
        known_migrations.from_plan_id,
        cast(null as {{ type_text() }}) as charge_id,
        cast(null as {{ type_quantity() }}) as quantity,
        cast(null as date) as anchor_date,
        cast(null as date) as prices_as_of_date,
        known_migrations.migrates_on_date as on_date,
        known_migrations.migrates_at_instant as at_instant,
        known_migrations.recorded_at
    from known_subscriptions
    cross join known_migrations

),

numbered as (

    select
        dated_moments.*,
        row_number() over (
            partition by dated_moments.subscription_id
            order by
                {{ binary_order('dated_moments.moment') }},
                dated_moments.on_date,
                dated_moments.at_instant,
                {{ binary_order("coalesce(dated_moments.charge_id, '')") }},
                {{ binary_order("coalesce(dated_moments.from_plan_id, '')") }},
                dated_moments.recorded_at
        ) as moment_number
    from dated_moments

),

days as (

    select
        customer_versions.time_zone,
        numbered.on_date as local_date
    from numbered
    inner join customer_versions
        on numbered.customer_id = customer_versions.customer_id
    where numbered.on_date is not null
    group by
        customer_versions.time_zone,
        numbered.on_date

),

midnights as (

    {{ local_midnights('days', 'zone_segments') }}

),

-- A date is local midnight in the zone that holds at that very time: each of the customer's zones
-- is tried, and the newest that then really holds is taken.
tried as (

    select
        numbered.subscription_id,
        numbered.customer_id,
        numbered.moment_number,
        customer_versions.version_number,
        customer_versions.time_zone,
        coalesce(numbered.at_instant, midnights.midnight_at) as moment_at
    from numbered
    inner join customer_versions
        on numbered.customer_id = customer_versions.customer_id
    left join midnights
        on
            customer_versions.time_zone = midnights.time_zone
            and numbered.on_date = midnights.local_date

),

held as (

    select
        tried.subscription_id,
        tried.moment_number,
        tried.version_number as tried_version_number,
        tried.moment_at,
        tried.time_zone as tried_time_zone,
        customer_versions.version_number,
        customer_versions.version_count,
        customer_versions.customer_recorded_at,
        customer_versions.currency,
        customer_versions.time_zone,
        row_number() over (
            partition by tried.subscription_id, tried.moment_number, tried.version_number
            order by {{ customer_state_order('customer_versions', 'tried.moment_at') }}
        ) as state_rank
    from tried
    inner join customer_versions
        on tried.customer_id = customer_versions.customer_id

),

resolved as (

    select
        held.*,
        row_number() over (
            partition by held.subscription_id, held.moment_number
            order by
                case when held.tried_time_zone = held.time_zone then 1 else 2 end,
                held.tried_version_number desc
        ) as resolution
    from held
    where held.state_rank = 1

)

select
    numbered.subscription_id,
    numbered.customer_id,
    numbered.moment,
    resolved.moment_at,
    {{ local_date('resolved.moment_at', 'zone_segments.offset_seconds') }} as moment_date,
    numbered.plan_id,
    numbered.from_plan_id,
    numbered.charge_id,
    numbered.quantity,
    numbered.anchor_date,
    numbered.prices_as_of_date,
    resolved.version_number,
    resolved.version_count,
    resolved.customer_recorded_at,
    resolved.currency as customer_currency,
    resolved.time_zone,
    numbered.recorded_at
from numbered
inner join resolved
    on
        numbered.subscription_id = resolved.subscription_id
        and numbered.moment_number = resolved.moment_number
        and resolved.resolution = 1
inner join zone_segments
    on
        resolved.time_zone = zone_segments.time_zone
        and resolved.moment_at >= zone_segments.utc_from
        and resolved.moment_at < zone_segments.utc_to
