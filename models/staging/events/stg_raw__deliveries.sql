{{
    config(
        materialized="incremental",
        incremental_strategy="replace_window",
        meta={"replaces": "deliveries"},
        indexes=postgres_indexes([{"columns": ["key_hash"]}]),
    )
}}
-- Judged on the row alone, so that a day's rows depend on no other day.
with

usage_events as (

    select * from {{ source('raw', 'usage_events') }}
    where {{ loaded_in_window("loaded_at", "deliveries_from_day") }}

),

read_records as (

    select
        usage_events.load_id,
        usage_events.line_number,
        usage_events.loaded_at,
        nullif(usage_events.voids_key, '') is not null as is_void,
        {{ delivery_key('usage_events') }} as event_key,
        usage_events.customer_id,
        usage_events.event_name,
        usage_events.properties,
        usage_events.unread_record,
        case
            when occurred_at is null or occurred_at = '' then usage_events.loaded_at
            else {{ try_utc_timestamp('occurred_at') }}
        end as occurred_at,
        case
            when usage_events.properties is null or usage_events.properties = '' then true
            else {{ is_json_object('properties') }}
        end as has_json_object
    from usage_events

),

judged as (

    select
        load_id,
        line_number,
        loaded_at,
        is_void,
        case
            when unread_record is not null and {{ is_json_object('unread_record') }}
                then unread_record
            when has_json_object and nullif(properties, '') is not null
                then properties
        end as json_text,
        case
            when coalesce(customer_id, '') <> ''
                then {{ delivery_key_hash('customer_id', 'event_key') }}
        end as key_hash,
        occurred_at > loaded_at
        + interval '{{ var("future_tolerance_minutes") | int }} minutes' as is_in_future,
        case
            when unread_record is not null then 'unread_record'
            when coalesce(customer_id, '') = '' then 'customer_id'
            when coalesce(event_name, '') = '' and not is_void then 'event_name'
            when not has_json_object then 'properties'
            when occurred_at is null then 'occurred_at'
            when occurred_at < cast('1970-01-01' as {{ type_timestamp() }}) then 'occurred_at'
        end as malformed_field
    from read_records

)

select
    cast(loaded_at as date) as load_day,
    loaded_at,
    load_id,
    cast(line_number as {{ type_count() }}) as line_number,
    cast(key_hash as {{ type_key_hash() }}) as key_hash,
    is_void,
    is_in_future,
    malformed_field,
    case when json_text is not null then {{ json_key_shape('json_text') }} end as key_shape
from judged
