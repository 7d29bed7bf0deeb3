-- depends_on: {{ ref('build_window') }}
{{ config(materialized='view', schema='marts') }}
with

grants as (

    select * from {{ ref('int_credits__grants') }}

),

ledger_entries as (

    select * from {{ ref('credit_ledger_entries') }}

),

grant_totals as (

    select
        grant_id,
        sum(case when entry_kind = 'grant' then amount else 0 end) as granted_total,
        sum(case when entry_kind in ('draw', 'give_back') then -amount else 0 end)
            as drawn_total,
        sum(case when entry_kind = 'transfer' then amount else 0 end) as transferred_total,
        sum(case when entry_kind = 'expiry' then -amount else 0 end) as expired_total,
        sum(case when entry_kind = 'void' then -amount else 0 end) as voided_total,
        sum(case when entry_kind = 'to_balance' then -amount else 0 end)
            as to_balance_total,
        sum(amount) as balance_total,
        max(case when is_provisional then 1 else 0 end) as has_provisional_entries
    from ledger_entries
    group by grant_id

)

select
    grants.grant_id,
    grants.catalog_grant_id,
    grants.name,
    grants.customer_id,
    grants.wallet,
    grants.kind,
    grants.currency,
    cast(grants.priority as {{ type_count() }}) as priority,
    grants.scope,
    grants.scope_id,
    cast(grants.draw_rank as {{ type_count() }}) as draw_rank,
    grants.is_recurring,
    grants.covers_true_up,
    grants.effective_at,
    grants.expires_at,
    grants.posted_from_date,
    grants.expiry_date,
    grants.void_date,
    case
        when grants.posted_from_date >= cast({{ as_of_at() }} as date) then 'scheduled'
        when grants.void_date < least(grants.expiry_date + 1, cast({{ as_of_at() }} as date))
            then 'voided'
        when grants.expiry_date < cast({{ as_of_at() }} as date) then 'expired'
        when coalesce(grant_totals.balance_total, 0) = 0 then 'used_up'
        else 'live'
    end as grant_status,
    cast(grants.amount as {{ type_total() }}) as amount,
    cast(grants.cost_basis as {{ type_total() }}) as cost_basis,
    cast(coalesce(grant_totals.granted_total, 0) as {{ type_total() }}) as granted_total,
    cast(coalesce(grant_totals.drawn_total, 0) as {{ type_total() }}) as drawn_total,
    cast(coalesce(grant_totals.transferred_total, 0) as {{ type_total() }})
        as transferred_total,
    cast(coalesce(grant_totals.expired_total, 0) as {{ type_total() }}) as expired_total,
    cast(coalesce(grant_totals.voided_total, 0) as {{ type_total() }}) as voided_total,
    cast(coalesce(grant_totals.to_balance_total, 0) as {{ type_total() }})
        as to_balance_total,
    cast(coalesce(grant_totals.balance_total, 0) as {{ type_total() }}) as balance_total,
    coalesce(grant_totals.has_provisional_entries, 0) = 1 as is_provisional
from grants
left join grant_totals
    on grants.grant_id = grant_totals.grant_id
