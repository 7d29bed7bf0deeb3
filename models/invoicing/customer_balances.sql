{{ config(materialized='view', schema='marts') }}
with

balance_entries as (

    select * from {{ ref('customer_balance_entries') }}

),

entries as (

    select
        balance_entries.*,
        row_number() over (
            partition by
                balance_entries.customer_id,
                balance_entries.billing_entity,
                balance_entries.currency
            order by balance_entries.sequence_number desc
        ) as recency
    from balance_entries

)

select
    customer_id,
    billing_entity,
    currency,
    cast(sum(case when entry_kind = 'granted' then moved_total else 0 end) as {{ type_total() }})
        as granted_total,
    cast(sum(case when entry_kind = 'applied' then -moved_total else 0 end) as {{ type_total() }})
        as applied_total,
    cast(sum(case when entry_kind = 'refunded' then -moved_total else 0 end) as {{ type_total() }})
        as refunded_total,
    cast(sum(case when recency = 1 then balance_total else 0 end) as {{ type_total() }})
        as balance_total,
    max(case when recency = 1 then invoice_number end) as last_invoice_number,
    max(cutoff_at) as last_moved_at
from entries
group by
    customer_id,
    billing_entity,
    currency
