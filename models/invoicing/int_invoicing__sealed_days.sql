-- depends_on: {{ ref('int_invoicing__closed_documents') }}
-- The load days that the run seals, with count and digests of their raw rows.
with

build_window as (

    select * from {{ ref('build_window') }}

),

usage_events as (

    select * from {{ source('raw', 'usage_events') }}

),

row_digests as (

    select
        cast(usage_events.loaded_at as date) as load_day,
        {{ text_digest(content_text(raw_event_columns(), 'usage_events')) }} as row_digest
    from usage_events
    where
        usage_events.loaded_at >= {{ sealed_until() }}
        and usage_events.loaded_at < {{ close_at() }}
        and {{ run_seals() }}

)

select
    row_digests.load_day,
    max(build_window.close_at) as sealed_until,
    count(*) as landed_count,
    cast(sum({{ digest_number('row_digests.row_digest', 0) }}) as decimal(38, 0))
        as digest_1,
    cast(sum({{ digest_number('row_digests.row_digest', 1) }}) as decimal(38, 0))
        as digest_2,
    cast(sum({{ digest_number('row_digests.row_digest', 2) }}) as decimal(38, 0))
        as digest_3,
    cast(sum({{ digest_number('row_digests.row_digest', 3) }}) as decimal(38, 0))
        as digest_4
from row_digests
cross join build_window
group by row_digests.load_day
