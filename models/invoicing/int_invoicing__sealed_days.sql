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

)

select
    row_digests.load_day,
    max(build_window.close_at) as sealed_until,
    count(*) as landed_count,
    {%- for place in range(4) %}
    cast(sum({{ digest_number('row_digests.row_digest', place) }}) as decimal(38, 0))
        as digest_{{ place + 1 }}{{ "," if not loop.last }}
    {%- endfor %}
from row_digests
cross join build_window
group by row_digests.load_day
