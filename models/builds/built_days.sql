{{
    config(
        materialized="incremental",
        incremental_strategy="replace_window",
        meta={"replaces": "load_days"},
    )
}}
-- Written when everything else of the run stands: a day without a row here is built again.
-- depends_on: {{ ref('int_invoicing__seal') }}
-- depends_on: {{ ref('invoices') }}
-- depends_on: {{ ref('invoice_lines') }}
with

load_counts as (

    select * from {{ ref('stg_raw__load_counts') }}

)

select
    load_day,
    cast(sum(landed_count) as {{ type_count() }}) as landed_count,
    cast(sum(accepted_count) as {{ type_count() }}) as accepted_count,
    cast(sum(duplicate_count) as {{ type_count() }}) as duplicate_count,
    cast(sum(rejected_count) as {{ type_count() }}) as rejected_count
from load_counts
where {{ in_load_window('load_day') }}
group by load_day
