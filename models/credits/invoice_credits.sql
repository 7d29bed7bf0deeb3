{{ config(materialized='view') }}
with

entries as (

    select * from {{ ref('credit_ledger_entries') }}
    where entry_kind in ('draw', 'give_back', 'to_balance')

),

grants as (

    select * from {{ ref('int_credits__grants') }}

),

units as (

    select distinct unit
    from {{ ref('stg_catalog__credit_units') }}

),

unit_documents as (

    select
        invoice_id,
        subscription_id,
        currency,
        cutoff_at,
        acted_at,
        action_id
    from {{ ref('invoices') }}

),

unit_lines as (

    select
        invoice_id,
        coalesce(adjusts_rated_line_id, rated_line_id) as own_rated_line_id,
        unit_total
    from {{ ref('invoice_lines') }}
    where unit_total is not null

),

unit_entries as (

    select * from entries
    where currency in (select units.unit from units)

),

{{ unit_credits() }},

applied as (

    select
        invoice_id,
        grant_id,
        cast(-sum(amount) as {{ type_total() }}) as credit_total,
        currency,
        cast(null as {{ type_text() }}) as unit,
        cast(null as {{ type_total() }}) as unit_total
    from entries
    where currency not in (select units.unit from units)
    group by
        invoice_id,
        grant_id,
        currency
    having sum(amount) <> 0

    union all

    select
        invoice_id,
        grant_id,
        credit_total,
        currency,
        unit,
        unit_total
    from unit_credits

)

select
    applied.invoice_id,
    row_number() over (
        partition by applied.invoice_id
        order by
            case when applied.unit is null then 1 else 2 end,
            {{ binary_order('applied.unit') }},
            grants.draw_rank
    ) as credit_number,
    applied.grant_id,
    grants.name as grant_name,
    applied.credit_total,
    applied.currency,
    applied.unit,
    applied.unit_total
from applied
inner join grants
    on applied.grant_id = grants.grant_id
