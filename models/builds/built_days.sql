{{
    config(
        materialized="incremental",
        incremental_strategy="replace_window",
        meta={"replaces": "load_days"},
    )
}}
-- Written when everything else of the run stands: a day without a row here is built again.
-- depends_on: {{ ref('invoices') }}
-- depends_on: {{ ref('invoice_lines') }}
-- depends_on: {{ ref('line_discounts') }}
-- depends_on: {{ ref('rating_steps') }}
-- depends_on: {{ ref('allowance_balances') }}
-- depends_on: {{ ref('int_rating__allowance_lots') }}
-- depends_on: {{ ref('entitlement_usage') }}
-- depends_on: {{ ref('usage_alerts') }}
-- depends_on: {{ ref('int_rating__unbilled_events') }}
-- depends_on: {{ ref('int_metering__built_profiles') }}
-- depends_on: {{ ref('rejected_events') }}
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
