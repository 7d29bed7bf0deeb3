{{
    config(
        materialized="incremental",
        incremental_strategy="replace_window",
        meta={"replaces": "load_days"},
        schema="marts",
    )
}}
with

exclusions as (

    select * from {{ ref('stg_raw__exclusions') }}
    where
        outcome = 'rejected'
        and {{ in_load_window('load_day') }}

),

usage_events as (

    select * from {{ source('raw', 'usage_events') }}

)

select
    exclusions.load_id,
    exclusions.line_number,
    exclusions.load_day,
    exclusions.loaded_at,
    exclusions.reason,
    exclusions.field,
    usage_events.customer_id,
    usage_events.event_name,
    usage_events.occurred_at,
    usage_events.event_key,
    usage_events.voids_key,
    usage_events.subscription_id,
    usage_events.subscription_item_id,
    usage_events.properties,
    usage_events.unread_record
from exclusions
inner join usage_events
    on
        exclusions.loaded_at = usage_events.loaded_at
        and exclusions.load_id = usage_events.load_id
        and exclusions.line_number = usage_events.line_number
