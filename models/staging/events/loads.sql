{{ config(materialized="view", schema="marts") }}
with

load_counts as (

    select * from {{ ref('stg_raw__load_counts') }}

),

landed_files as (

    select * from {{ source('raw', 'loads') }}

)

select
    load_counts.load_id,
    load_counts.load_day,
    landed_files.file_name,
    landed_files.content_hash,
    landed_files.loaded_at,
    load_counts.landed_count,
    load_counts.accepted_count,
    load_counts.duplicate_count,
    load_counts.rejected_count
from load_counts
left join landed_files
    on load_counts.load_id = landed_files.load_id
