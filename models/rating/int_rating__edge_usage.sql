-- depends_on: {{ ref("build_window") }}
-- Usage in the quarters of an hour that a route's bound cuts, event by event.
{% set profiles = meter_profiles() %}
with

routes as (

    select * from {{ ref('int_rating__usage_routes') }}

),

usage_events as (

    select * from {{ ref('stg_raw__usage_events') }}

),

voided_events as (

    select * from {{ ref('stg_raw__voided_events') }}

),

edges as (

    select
        customer_id,
        {{ quarter_hour('route_from') }} as quarter_hour
    from routes
    where full_from > route_from

    union

    select
        customer_id,
        {{ quarter_hour('route_to') }} as quarter_hour
    from routes
    where full_to < route_to

),

events_to_measure as (

    select
        usage_events.load_day,
        usage_events.loaded_at,
        usage_events.load_id,
        usage_events.line_number,
        usage_events.customer_id,
        usage_events.event_name,
        usage_events.occurred_at,
        usage_events.subscription_id,
        usage_events.subscription_item_id,
        usage_events.properties,
        voided_events.load_day as void_day
    from usage_events
    inner join edges
        on
            usage_events.customer_id = edges.customer_id
            and edges.quarter_hour = {{ quarter_hour('usage_events.occurred_at') }}
    left join voided_events
        on
            usage_events.loaded_at = voided_events.loaded_at
            and usage_events.load_id = voided_events.load_id
            and usage_events.line_number = voided_events.line_number

),

{{ measured_events(profiles) }},

profile_names as (

    select
        cast(null as integer) as profile_number,
        cast(null as {{ type_text() }}) as meter_profile
    {%- for profile in profiles %}
    union all
    select
        {{ profile["number"] }},
        {{ text_literal(profile["meter_profile"]) }}
    {%- endfor %}

)

select
    valued.load_day,
    valued.void_day,
    valued.load_id,
    valued.line_number,
    valued.customer_id,
    valued.subscription_id as subscription_ref,
    valued.subscription_item_id as item_ref,
    profile_names.meter_profile,
    {{ dimensions_text(profiles, 'valued') }} as dimensions,
    valued.occurred_at,
    {{ value_key_text(profiles, 'valued') }} as value_key,
    valued.number_value,
    valued.amount_value,
    {{ event_order('valued') }} as event_order
from valued
inner join profile_names
    on valued.profile_number = profile_names.profile_number
where valued.outcome = 'metered'
