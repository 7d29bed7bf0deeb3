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
    coalesce(usage_events.voids_key, '') = ''
    and {{ is_not_excluded('usage_events', 'exclusions') }}
