-- What a period begins with: the level, or the latest value, of profiles that carry it over. One row
-- per route at its period's start and dimension values.
{% set has_restated = has_restated_rollups() %}
{% set carrying = carrying_profiles() %}
with

rollups as (

    select * from {{ ref('int_metering__rollups') }}
    where
        outcome = 'metered'
        and meter_profile in ({{ profile_literals(carrying) }})

),

routes as (

    select * from {{ ref('int_rating__usage_routes') }}
    where
        route_from = period_from
        and meter_profile in ({{ profile_literals(carrying) }})

),

edge_usage as (

    select * from {{ ref('int_rating__edge_usage') }}

),

{% if has_restated -%}
restated as (

    {{ restated_rollups() }}

),

{% endif -%}
earlier as (

    select
        routes.subscription_id,
        routes.period_number,
        routes.meter_profile,
        routes.subscription_ref,
        routes.item_ref,
        rollups.dimensions,
        rollups.value_key,
        rollups.event_count,
        rollups.value_sum,
        {{ standing_part('value_latest', has_restated) }} as value_latest,
        {{ standing_part('latest_order', has_restated) }} as latest_order
    from rollups
    inner join routes
        on
            rollups.customer_id = routes.customer_id
            and rollups.meter_profile = routes.meter_profile
            and rollups.subscription_id = routes.subscription_ref
            and rollups.subscription_item_id = routes.item_ref
            and rollups.bucket_from < {{ quarter_hour_start(quarter_hour('routes.route_from')) }}
            and rollups.load_day < routes.cutoff_date

    union all

    select
        routes.subscription_id,
        routes.period_number,
        routes.meter_profile,
        routes.subscription_ref,
        routes.item_ref,
        edge_usage.dimensions,
        edge_usage.value_key,
        1 as event_count,
        edge_usage.number_value as value_sum,
        edge_usage.number_value as value_latest,
        edge_usage.event_order as latest_order
    from edge_usage
    inner join routes
        on
            edge_usage.customer_id = routes.customer_id
            and edge_usage.meter_profile = routes.meter_profile
            and edge_usage.subscription_ref = routes.subscription_ref
            and edge_usage.item_ref = routes.item_ref
            and edge_usage.occurred_at < routes.route_from
            and edge_usage.occurred_at >= {{ quarter_hour_start(quarter_hour('routes.route_from')) }}
            and edge_usage.load_day < routes.cutoff_date
            and coalesce(edge_usage.void_day, routes.cutoff_date) >= routes.cutoff_date

),

-- A reading that was voided is no reading; what changes a level adds up under no key.
standing as (

    select
        subscription_id,
        period_number,
        meter_profile,
        subscription_ref,
        item_ref,
        dimensions,
        value_key,
        sum(event_count) as event_count,
        sum(value_sum) as value_sum,
        {{ value_at_greatest('value_latest', 'latest_order') }} as value_latest,
        max({{ binary_order('latest_order') }}) as latest_order
    from earlier
    group by
        subscription_id,
        period_number,
        meter_profile,
        subscription_ref,
        item_ref,
        dimensions,
        value_key
    having value_key is null or sum(event_count) > 0

),

carried as (

    select
        subscription_id,
        period_number,
        meter_profile,
        subscription_ref,
        item_ref,
        dimensions,
        sum(event_count) as event_count,
        case
            when max({{ binary_order('value_key') }}) is not null
                then {{ value_at_greatest('cast(value_sum as ' ~ type_quantity() ~ ')', 'value_key') }}
            else cast(sum(value_sum) as {{ type_quantity() }})
        end as carried_level,
        {{ value_at_greatest('value_latest', 'latest_order') }} as carried_latest,
        max({{ binary_order('latest_order') }}) as latest_order
    from standing
    group by
        subscription_id,
        period_number,
        meter_profile,
        subscription_ref,
        item_ref,
        dimensions

)

select
    subscription_id,
    period_number,
    meter_profile,
    subscription_ref,
    item_ref,
    dimensions,
    carried_level,
    carried_latest,
    latest_order
from carried
where event_count > 0
