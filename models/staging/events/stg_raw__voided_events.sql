{{
    config(
        materialized="incremental",
        incremental_strategy="replace_window",
        meta={"replaces": "load_days"},
    )
}}
-- load_day is the day from which the event no longer counts: the later of its own and its void's.
with

deliveries as (

    select * from {{ ref('stg_raw__deliveries') }}

),

exclusions as (

    select * from {{ ref('stg_raw__exclusions') }}

),

voids as (

    select * from {{ ref('stg_raw__voids') }}

),

usage_events as (

    select * from {{ source('raw', 'usage_events') }}

),

first_voids as (

    select
        customer_id,
        voids_key,
        key_hash,
        min(load_day) as void_day
    from voids
    where load_day <= cast('{{ build_window()["through_day"] }}' as date)
    group by
        customer_id,
        voids_key,
        key_hash

),

candidates as (

    select
        deliveries.load_day as event_load_day,
        deliveries.loaded_at,
        deliveries.load_id,
        deliveries.line_number,
        first_voids.customer_id,
        first_voids.voids_key,
        greatest(deliveries.load_day, first_voids.void_day) as load_day
    from deliveries
    inner join first_voids
        on deliveries.key_hash = first_voids.key_hash
    where
        not deliveries.is_void
        and deliveries.malformed_field is null
        and {{ in_load_window('greatest(deliveries.load_day, first_voids.void_day)') }}

)

select
    candidates.load_day,
    candidates.event_load_day,
    candidates.loaded_at,
    candidates.load_id,
    candidates.line_number
from candidates
inner join usage_events
    on
        candidates.loaded_at = usage_events.loaded_at
        and candidates.load_id = usage_events.load_id
        and candidates.line_number = usage_events.line_number
        and candidates.customer_id = usage_events.customer_id
        and candidates.voids_key = {{ delivery_key('usage_events') }}
where {{ is_not_excluded('candidates', 'exclusions') }}
