{{ config(materialized="view", schema="marts") }}
{%- set profiles = meter_profiles() %}
-- A view: asked for a customer and a few days, when a line is traced to its events.
with

usage_events as (

    select * from {{ ref('stg_raw__usage_events') }}

),

voided_events as (

    select * from {{ ref('stg_raw__voided_events') }}

),

events_to_measure as (

    select
        {{ measured_columns('usage_events', 'usage_events.load_day') }},
        usage_events.event_key,
        voided_events.load_day as voided_day,
        1 as direction
    from usage_events
    left join voided_events
        on
            usage_events.loaded_at = voided_events.loaded_at
            and usage_events.load_id = voided_events.load_id
            and usage_events.line_number = voided_events.line_number

),

{{ measured_events(profiles, fenced=false) }}

select
    load_day,
    loaded_at,
    load_id,
    line_number,
    voided_day,
    customer_id,
    event_name,
    event_key,
    occurred_at,
    subscription_id,
    subscription_item_id,
    {{ by_number(profiles, "meter_profile") }} as meter_profile,
    outcome,
    {{ by_number(profiles, "dimensions") }} as dimensions,
    cast(value_text as {{ type_text() }}) as value_text,
    cast(number_value as {{ type_quantity() }}) as quantity,
    cast(amount_value as {{ type_quantity() }}) as amount,
    properties
from valued
