-- depends_on: {{ ref('int_invoicing__closed_documents') }}
-- The rows of the catalogue that the run's closes can see and no earlier one has archived.
with

build_window as (

    select * from {{ ref('build_window') }}

),

catalog_rows as (

    {{ catalog_rows() }}

),

archived as (

    select * from {{ source('ledger', 'catalog_rows') }}

)

select
    catalog_rows.table_name,
    catalog_rows.row_hash,
    catalog_rows.row_text,
    build_window.close_at as sealed_until
from catalog_rows
cross join build_window
left join archived
    on
        catalog_rows.table_name = archived.table_name
        and catalog_rows.row_hash = archived.row_hash
where
    archived.row_hash is null
    and catalog_rows.recorded_at < build_window.close_at
    and build_window.close_at > build_window.sealed_until
    and {{ run_seals() }}
