{{ config(materialized='view', schema='marts') }}
-- depends_on: {{ ref('int_invoicing__seal') }}
with

invoice_actions as (

    select * from {{ ref('int_invoicing__invoice_actions') }}

),

posted as (

    select action_id
    from {{ source('ledger', 'documents') }}
    where action_id is not null

    union

    select action_id
    from {{ ref('int_invoicing__documents') }}
    where action_id is not null

)

select
    invoice_actions.action_id,
    invoice_actions.action,
    invoice_actions.named_invoice_id as invoice_id,
    invoice_actions.named_line_id as line_id,
    invoice_actions.amount,
    invoice_actions.acted_by,
    invoice_actions.recorded_at as acted_at,
    invoice_actions.reason as action_reason,
    coalesce(
        invoice_actions.refused_because,
        case invoice_actions.action
            when 'credit' then 'over_line'
            when 'refund' then 'over_balance'
            else 'nothing_to_post'
        end
    ) as reason
from invoice_actions
left join posted
    on invoice_actions.action_id = posted.action_id
where posted.action_id is null
