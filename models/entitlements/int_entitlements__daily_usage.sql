-- The watched usage of open periods by local day, and the quantity of the period through each day
-- with usage: from the rollups, added up by windows.
-- depends_on: {{ ref('int_metering__rollups') }}
-- depends_on: {{ ref('int_entitlements__watched_usage') }}
-- depends_on: {{ ref('int_entitlements__edge_usage') }}
-- depends_on: {{ ref('int_entitlements__carrying_routes') }}
-- depends_on: {{ ref('int_entitlements__carried_usage') }}
-- depends_on: {{ ref('stg_catalog__meters') }}
-- depends_on: {{ ref('stg_catalog__meter_filters') }}
-- depends_on: {{ ref('build_window') }}
-- depends_on: {{ ref('int_subscriptions__zone_segments') }}
{% if not has_rows(ref('int_entitlements__watched_usage')) -%}
{{ no_rows([
    ("subscription_id", type_text()),
    ("period_number", type_count()),
    ("meter_profile", type_text()),
    ("usage_date", "date"),
    ("event_count", type_count()),
    ("quantity", type_integral()),
]) }}
{%- else -%}
{% set profiles = cumulative_profiles(meter_profiles()) %}
{% set has_restated = has_restated_rollups() %}
with

rollups as (

    select * from {{ ref('int_metering__rollups') }}
    where outcome = 'metered'

),

watched_usage as (

    select * from {{ ref('int_entitlements__watched_usage') }}
    where meter_profile in ({{ profile_literals(profiles) }})

),

edge_usage as (

    select * from {{ ref('int_entitlements__edge_usage') }}

),

carrying_routes as (

    select * from {{ ref('int_entitlements__carrying_routes') }}

),

carried_usage as (

    select * from {{ ref('int_entitlements__carried_usage') }}

),

zone_segments as (

    select * from {{ ref('int_subscriptions__zone_segments') }}

),

{% if has_restated -%}
restated as (

    {{ restated_rollups() }}

),

{% endif -%}
-- A period's stretches of one offset from UTC.
stretches as (

    select
        watched_usage.*,
        zone_segments.offset_seconds,
        zone_segments.utc_from,
        zone_segments.utc_to,
        greatest(watched_usage.full_from, zone_segments.utc_from) as stretch_from,
        least(watched_usage.full_to, zone_segments.utc_to) as stretch_to
    from watched_usage
    inner join zone_segments
        on
            watched_usage.time_zone = zone_segments.time_zone
            and watched_usage.period_from < zone_segments.utc_to
            and watched_usage.period_to > zone_segments.utc_from

),

-- Usage that names the subscription, and usage that names none: the latter is that of each of the
-- customer's subscriptions. Looked up by month, as the routes of rating are.
routes as (

    select
        stretches.*,
        stretches.subscription_id as subscription_ref,
        {{ month_numbers('stretches.stretch_from', 'stretches.stretch_to') }} as bucket_month
    from stretches
    where stretches.stretch_from < stretches.stretch_to

    union all

    select
        stretches.*,
        '' as subscription_ref,
        {{ month_numbers('stretches.stretch_from', 'stretches.stretch_to') }} as bucket_month
    from stretches
    where stretches.stretch_from < stretches.stretch_to

),

-- Where midnight comes twice, the hour before it may bear the date of the day before the period.
routed as (

    select
        routes.subscription_id,
        routes.period_number,
        routes.meter_profile,
        greatest(
            {{ local_date('rollups.bucket_from', 'routes.offset_seconds') }},
            routes.period_from_date
        ) as usage_date,
        rollups.value_key,
        rollups.event_count,
        rollups.value_sum,
        {{ standing_part('value_min', has_restated) }} as value_min,
        {{ standing_part('value_max', has_restated) }} as value_max,
        {{ standing_part('value_latest', has_restated) }} as value_latest,
        {{ standing_part('latest_order', has_restated) }} as latest_order,
        rollups.amount_sum
    from rollups
    inner join routes
        on
            rollups.customer_id = routes.customer_id
            and rollups.meter_profile = routes.meter_profile
            and rollups.subscription_id = routes.subscription_ref
            and routes.bucket_month = {{ month_number('rollups.bucket_from') }}
            and rollups.bucket_from >= routes.stretch_from
            and rollups.bucket_from < routes.stretch_to
            and rollups.load_day < routes.cutoff_date

    union all

    select
        stretches.subscription_id,
        stretches.period_number,
        stretches.meter_profile,
        greatest(
            {{ local_date('edge_usage.occurred_at', 'stretches.offset_seconds') }},
            stretches.period_from_date
        ) as usage_date,
        edge_usage.value_key,
        1 as event_count,
        edge_usage.number_value as value_sum,
        edge_usage.number_value as value_min,
        edge_usage.number_value as value_max,
        edge_usage.number_value as value_latest,
        edge_usage.event_order as latest_order,
        cast(null as {{ type_integral() }}) as amount_sum
    from edge_usage
    inner join stretches
        on
            edge_usage.customer_id = stretches.customer_id
            and edge_usage.meter_profile = stretches.meter_profile
            and edge_usage.subscription_ref in ('', stretches.subscription_id)
            and edge_usage.occurred_at >= greatest(stretches.period_from, stretches.utc_from)
            and edge_usage.occurred_at < least(stretches.period_to, stretches.utc_to)
            and edge_usage.load_day < stretches.cutoff_date
            and coalesce(edge_usage.void_day, stretches.cutoff_date) >= stretches.cutoff_date
            and (
                edge_usage.occurred_at < stretches.full_from
                or edge_usage.occurred_at >= stretches.full_to
            )

    union all

    -- A latest value that goes on from before the period.
    select
        carrying_routes.subscription_id,
        carrying_routes.period_number,
        carrying_routes.meter_profile,
        carrying_routes.period_from_date as usage_date,
        cast(null as {{ type_text() }}) as value_key,
        0 as event_count,
        cast(null as {{ type_integral() }}) as value_sum,
        cast(null as {{ type_quantity() }}) as value_min,
        cast(null as {{ type_quantity() }}) as value_max,
        carried_usage.carried_latest as value_latest,
        carried_usage.latest_order,
        cast(null as {{ type_integral() }}) as amount_sum
    from carried_usage
    inner join carrying_routes
        on carried_usage.slice_id = carrying_routes.slice_id

),

{{ running_usage(["subscription_id", "period_number", "meter_profile"], profiles) }}

select
    subscription_id,
    period_number,
    meter_profile,
    usage_date,
    event_count,
    quantity
from running_usage
{%- endif %}
