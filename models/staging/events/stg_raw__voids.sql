{{
    config(
        materialized="incremental",
        incremental_strategy="replace_window",
        meta={"replaces": "load_days"},
    )
}}
with

deliveries as (

    select * from {{ ref('stg_raw__deliveries') }}
    where
        is_void
        and {{ in_load_window('load_day') }}

),

exclusions as (

    select * from {{ ref('stg_raw__exclusions') }}

),

usage_events as (

    select * from {{ source('raw', 'usage_events') }}

)

select
    deliveries.load_day,
    deliveries.load_id,
    deliveries.line_number,
    usage_events.customer_id,
    usage_events.voids_key,
    cast(
        {{ delivery_key_hash('usage_events.customer_id', 'usage_events.voids_key') }}
        as {{ type_key_hash() }}
    ) as key_hash
from deliveries
inner join usage_events
    on
        deliveries.loaded_at = usage_events.loaded_at
        and deliveries.load_id = usage_events.load_id
        and deliveries.line_number = usage_events.line_number
where {{ is_not_excluded('deliveries', 'exclusions') }}
