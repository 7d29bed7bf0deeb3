{{ config(pre_hook="{{ more_memory() }}") }}
-- depends_on: {{ ref('build_window') }}
-- depends_on: {{ ref('stg_catalog__credit_grants') }}
-- depends_on: {{ ref('stg_catalog__credit_actions') }}
-- depends_on: {{ ref('int_credits__grants') }}
-- depends_on: {{ ref('int_credits__steps') }}
-- depends_on: {{ ref('int_credits__step_lines') }}
{{ fold_credits() }}
with

entries as (

    {{ folded_entries() }}

),

grants as (

    select * from {{ ref('int_credits__grants') }}

)

select
    {{ credit_entry_id('entries') }} as entry_id,
    entries.posted_date,
    entries.moment_number,
    entries.entry_kind,
    entries.grant_id,
    grants.catalog_grant_id,
    entries.customer_id,
    grants.wallet,
    entries.currency,
    entries.amount,
    entries.rated_line_id,
    entries.usage_date,
    entries.invoice_id,
    entries.action_id
from entries
inner join grants
    on entries.grant_id = grants.grant_id
