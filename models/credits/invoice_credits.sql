{{ config(materialized='view') }}
with

entries as (

    select * from {{ ref('credit_ledger_entries') }}
    where entry_kind in ('draw', 'give_back', 'to_balance')

),

grants as (

    select * from {{ ref('int_credits__grants') }}

),

applied as (

    select
        invoice_id,
        grant_id,
        currency,
        cast(-sum(amount) as {{ type_total() }}) as credit_total
    from entries
    group by
        invoice_id,
        grant_id,
        currency
    having sum(amount) <> 0

)

select
    applied.invoice_id,
    row_number() over (
        partition by applied.invoice_id
        order by grants.draw_rank
    ) as credit_number,
    applied.grant_id,
    grants.name as grant_name,
    applied.credit_total,
    applied.currency
from applied
inner join grants
    on applied.grant_id = grants.grant_id
