-- Lines of what is not in the ledger: of drafts, and of what the run closes.
with

billed_lines as (

    select * from {{ ref('int_invoicing__billed_lines') }}

),

refunds as (

    select invoice_actions.*
    from {{ ref('int_invoicing__refunds') }} as refunds
    inner join {{ ref('int_invoicing__invoice_actions') }} as invoice_actions
        on refunds.action_id = invoice_actions.action_id
    where refunds.is_granted

),

invoice_periods as (

    select * from {{ ref('int_invoicing__invoice_periods') }}

),

refunded as (

    select
        refunds.document_id,
        refunds.invoice_id,
        refunds.action_id,
        refunds.amount,
        refunds.cutoff_at,
        refunds.own_period_number,
        refunds.subscription_id,
        invoice_periods.customer_id,
        invoice_periods.currency,
        refunds.action_id as charge_id,
        'Refund' as name,
        1 as part_number,
        invoice_periods.period_from,
        invoice_periods.period_to
    from refunds
    inner join invoice_periods
        on
            refunds.subscription_id = invoice_periods.subscription_id
            and refunds.own_period_number = invoice_periods.invoice_number_in_subscription

)

select
    {{ column_names(ledger_line_columns()) }},
    header_number,
    action_id
from billed_lines

union all

select
    {{ refund_line('refunded') }},
    own_period_number as header_number,
    action_id
from refunded
