{{ config(materialized='view') }}
-- depends_on: {{ ref('int_invoicing__seal') }}
with

grants as (

    select * from {{ ref('int_credits__grants') }}

),

balances as (

    select
        balance_date,
        grant_id,
        balance_total,
        false as is_provisional
    from {{ source('ledger', 'credit_balances') }}

    union all

    select
        balance_date,
        grant_id,
        balance_total,
        true as is_provisional
    from {{ ref('int_credits__balances') }}
    where balance_date >= cast({{ sealed_until_now() }} as date)

)

select
    balances.balance_date,
    grants.customer_id,
    grants.wallet,
    grants.currency,
    balances.grant_id,
    balances.balance_total,
    balances.is_provisional
from balances
inner join grants
    on balances.grant_id = grants.grant_id
