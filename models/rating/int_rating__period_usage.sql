-- The one pass over the rollups: what each open period's routes hold, merged over their buckets.
{% set has_restated = has_restated_rollups() %}
with

rollups as (

    select * from {{ ref('int_metering__rollups') }}
    where outcome = 'metered'

),

whole_routes as (

    select * from {{ ref('int_rating__usage_routes') }}

),

edge_usage as (

    select * from {{ ref('int_rating__edge_usage') }}

),

{% if has_restated -%}
restated as (

    {{ restated_rollups() }}

),

{% endif -%}
-- A route is looked up by the month of a bucket, so that a long history is not compared with every
-- period of its customer.
routes as (

    select
        whole_routes.*,
        {{ microseconds('whole_routes.until_at') }} as until_microseconds,
        {{ month_numbers('whole_routes.full_from', 'whole_routes.full_to') }} as bucket_month
    from whole_routes
    where whole_routes.full_from < whole_routes.full_to

),

routed as (

    select
        routes.slice_id,
        routes.cutoff_at,
        routes.meter_profile,
        routes.subscription_ref,
        routes.item_ref,
        rollups.dimensions,
        rollups.value_key,
        rollups.event_count,
        rollups.value_sum,
        {{ standing_part('value_min', has_restated) }} as value_min,
        {{ standing_part('value_max', has_restated) }} as value_max,
        {{ standing_part('value_latest', has_restated) }} as value_latest,
        {{ standing_part('latest_order', has_restated) }} as latest_order,
        case
            when rollups.value_moment is null then null
            when rollups.bucket_from >= routes.until_at then 0
            else rollups.value_moment + rollups.value_sum * (
                routes.until_microseconds - {{ microseconds('rollups.bucket_from') }} - 900000000
            )
        end as level_integral,
        rollups.amount_sum
    from rollups
    inner join routes
        on
            rollups.customer_id = routes.customer_id
            and rollups.meter_profile = routes.meter_profile
            and rollups.subscription_id = routes.subscription_ref
            and rollups.subscription_item_id = routes.item_ref
            and routes.bucket_month = {{ month_number('rollups.bucket_from') }}
            and rollups.bucket_from >= routes.full_from
            and rollups.bucket_from < routes.full_to
            and rollups.load_day < routes.cutoff_date

    union all

    select
        whole_routes.slice_id,
        whole_routes.cutoff_at,
        whole_routes.meter_profile,
        whole_routes.subscription_ref,
        whole_routes.item_ref,
        edge_usage.dimensions,
        edge_usage.value_key,
        1 as event_count,
        edge_usage.number_value as value_sum,
        edge_usage.number_value as value_min,
        edge_usage.number_value as value_max,
        edge_usage.number_value as value_latest,
        edge_usage.event_order as latest_order,
        edge_usage.number_value * greatest(
            {{ microseconds('whole_routes.until_at') }}
            - {{ microseconds('edge_usage.occurred_at') }},
            0
        ) as level_integral,
        edge_usage.amount_value as amount_sum
    from edge_usage
    inner join whole_routes
        on
            edge_usage.customer_id = whole_routes.customer_id
            and edge_usage.meter_profile = whole_routes.meter_profile
            and edge_usage.subscription_ref = whole_routes.subscription_ref
            and edge_usage.item_ref = whole_routes.item_ref
            and edge_usage.occurred_at >= whole_routes.route_from
            and edge_usage.occurred_at < whole_routes.route_to
            and edge_usage.load_day < whole_routes.cutoff_date
            and coalesce(edge_usage.void_day, whole_routes.cutoff_date)
            >= whole_routes.cutoff_date
            and (
                edge_usage.occurred_at < whole_routes.full_from
                or edge_usage.occurred_at >= whole_routes.full_to
            )

)

select
    routed.slice_id,
    routed.cutoff_at,
    routed.meter_profile,
    routed.subscription_ref,
    routed.item_ref,
    routed.dimensions,
    routed.value_key,
    {{ merged_usage_parts('routed') }},
    cast(sum(routed.level_integral) as {{ type_integral() }}) as level_integral
from routed
group by
    routed.slice_id,
    routed.cutoff_at,
    routed.meter_profile,
    routed.subscription_ref,
    routed.item_ref,
    routed.dimensions,
    routed.value_key
