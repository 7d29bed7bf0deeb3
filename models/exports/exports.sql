{{ config(materialized="view", schema="marts") }}
with

exports as (

    select * from {{ source('exports', 'exports') }}

)

select
    folder,
    file,
    invoice_id,
    invoice_number,
    format,
    content_hash,
    byte_count,
    document_hash,
    cutoff_at,
    exported_at
from exports
