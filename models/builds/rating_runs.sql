{{ config(materialized="view", schema="marts") }}
with

rating_runs as (

    select * from {{ source('builds', 'rating_runs') }}

)

select
    run_id,
    started_at,
    finished_at,
    has_succeeded,
    is_full,
    code_version,
    rules_version,
    catalog_hash,
    from_day,
    through_day,
    open_day,
    close_at,
    raw_row_count,
    rated_line_count,
    closed_document_count
from rating_runs
