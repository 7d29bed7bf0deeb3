{{ config(materialized="view") }}
-- Renames and casts only, so that a filter on loaded_at reaches raw.
with

usage_events as (

    select * from {{ source('raw', 'usage_events') }}

),

exclusions as (

    select * from {{ ref('stg_raw__exclusions') }}

)

select
    {{ accepted_event_columns('usage_events') }}
from usage_events
where
    -- Not coalesced: the engine knows how many are null.
    (usage_events.voids_key is null or usage_events.voids_key = '')
    and {{ is_not_excluded('usage_events', 'exclusions') }}
