-- depends_on: {{ ref("build_window") }}
-- depends_on: {{ ref("stg_raw__usage_events") }}
-- depends_on: {{ ref("stg_raw__voided_events") }}
-- Usage in the quarters of an hour that a period's bound cuts, event by event. Most periods are cut
-- by none, so the events are read only where one is.
-- depends_on: {{ ref("stg_catalog__meters") }}
-- depends_on: {{ ref("stg_catalog__meter_filters") }}
{% set is_cut = has_rows(
    ref("int_entitlements__watched_usage"), "full_from > period_from or full_to < period_to"
) %}
{% if not is_cut -%}
{{ no_rows([
    ("customer_id", type_text()),
    ("meter_profile", type_text()),
    ("subscription_ref", type_text()),
    ("item_ref", type_text()),
    ("dimensions", type_text()),
    ("occurred_at", type_timestamp()),
    ("load_day", "date"),
    ("void_day", "date"),
    ("value_key", type_text()),
    ("number_value", type_quantity()),
    ("event_order", type_text()),
]) }}
{%- else -%}
{% set profiles = cumulative_profiles(meter_profiles()) %}
with

watched_usage as (

    select * from {{ ref('int_entitlements__watched_usage') }}

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
        {{ quarter_hour('period_from') }} as quarter_hour
    from watched_usage
    where full_from > period_from

    union

    select
        customer_id,
        {{ quarter_hour('period_to') }} as quarter_hour
    from watched_usage
    where full_to < period_to

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
    valued.customer_id,
    profile_names.meter_profile,
    valued.subscription_id as subscription_ref,
    valued.subscription_item_id as item_ref,
    {{ dimensions_text(profiles, 'valued') }} as dimensions,
    valued.occurred_at,
    valued.load_day,
    valued.void_day,
    {{ value_key_text(profiles, 'valued') }} as value_key,
    valued.number_value,
    {{ event_order('valued') }} as event_order
from valued
inner join profile_names
    on valued.profile_number = profile_names.profile_number
where valued.outcome = 'metered'
{%- endif %}
