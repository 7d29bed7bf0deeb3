{{ config(post_hook=["{{ stop_at_what_came_between() }}", "{{ post_to_ledger() }}"]) }}
-- What the run closes goes into the ledger here, last of all and at once; see post_to_ledger.
-- depends_on: {{ ref('int_invoicing__document_lines') }}
-- depends_on: {{ ref('int_invoicing__closed_documents') }}
-- depends_on: {{ ref('int_invoicing__closes') }}
-- depends_on: {{ ref('int_invoicing__sealed_days') }}
-- depends_on: {{ ref('int_invoicing__sealed_catalog_rows') }}
-- depends_on: {{ ref('int_credits__entries') }}
-- depends_on: {{ ref('int_credits__days') }}
-- depends_on: {{ ref('int_credits__balances') }}
-- depends_on: {{ ref('int_credits__steps') }}
-- depends_on: {{ ref('int_credits__step_lines') }}
-- depends_on: {{ ref('int_credits__ratings') }}
-- depends_on: {{ ref('line_discounts') }}
-- depends_on: {{ ref('rating_steps') }}
-- depends_on: {{ ref('allowance_balances') }}
-- depends_on: {{ ref('entitlement_usage') }}
-- depends_on: {{ ref('usage_alerts') }}
-- depends_on: {{ ref('int_rating__allowance_lots') }}
-- depends_on: {{ ref('int_rating__line_routes') }}
-- depends_on: {{ ref('int_rating__line_dimensions') }}
-- depends_on: {{ ref('int_rating__unbilled_events') }}
-- depends_on: {{ ref('int_metering__built_profiles') }}
-- depends_on: {{ ref('rejected_events') }}
-- depends_on: {{ ref('stg_raw__load_counts') }}
with

build_window as (

    select * from {{ ref('build_window') }}

)

select
    close_at as sealed_until,
    cast({{ var('rules_version') }} as integer) as rules_version
from build_window
where
    close_at > sealed_until
    and {{ run_seals() }}
