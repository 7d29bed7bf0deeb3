{{ config(materialized='view') }}
-- depends_on: {{ ref('int_invoicing__seal') }}
with

posted_entries as (

    select * from {{ source('ledger', 'credit_entries') }}

),

entries as (

    select * from {{ ref('int_credits__entries') }}

)

select
    entry_id,
    posted_date,
    moment_number,
    entry_kind,
    grant_id,
    catalog_grant_id,
    customer_id,
    wallet,
    currency,
    amount,
    rated_line_id,
    usage_date,
    invoice_id,
    action_id,
    false as is_provisional
from posted_entries

union all

-- Of days that are not sealed: what has been posted since these were made is not read twice.
select
    entry_id,
    posted_date,
    moment_number,
    entry_kind,
    grant_id,
    catalog_grant_id,
    customer_id,
    wallet,
    currency,
    amount,
    rated_line_id,
    usage_date,
    invoice_id,
    action_id,
    true as is_provisional
from entries
where posted_date >= cast({{ sealed_until_now() }} as date)
