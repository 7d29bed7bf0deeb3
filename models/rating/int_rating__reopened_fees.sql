-- Fees of periods that are rated again, as they come to with what is known now: a change of plan or
-- quantity that was recorded late moves them, discounts are spread over them, and they count
-- towards a commitment.
with

reopened_periods as (

    select * from {{ ref('int_rating__reopened_periods') }}

),

rated_periods as (

    select * from {{ ref('int_rating__rated_periods') }}
    where chain_number > 0

),

due_fees as (

    select * from {{ ref('int_rating__due_fees') }}

),

-- The opening invoice (number 0) goes with the first period, be that rated again or for the first
-- time in a chain.
reopened_invoices as (

    select
        subscription_id,
        own_period_number,
        cutoff_at
    from reopened_periods

    union

    select
        subscription_id,
        0 as own_period_number,
        cutoff_at
    from rated_periods
    where own_period_number = 1

)

select
    due_fees.subscription_id,
    due_fees.customer_id,
    due_fees.plan_id,
    {{ reopened_number(
        'due_fees.invoice_number_in_subscription', 'reopened_invoices.cutoff_at'
    ) }} as invoice_number_in_subscription,
    {{ reopened_number('due_fees.period_number', 'reopened_invoices.cutoff_at') }}
        as period_number,
    due_fees.charge_id,
    due_fees.line_kind,
    due_fees.fee_from,
    due_fees.fee_to,
    due_fees.fee_from_date,
    due_fees.date_rank,
    due_fees.billed_units,
    due_fees.full_units,
    due_fees.proration,
    due_fees.price_row_id,
    due_fees.rounded_total,
    due_fees.currency,
    due_fees.exponent,
    due_fees.cutoff_at as closed_at,
    reopened_invoices.cutoff_at
from due_fees
inner join reopened_invoices
    on
        due_fees.subscription_id = reopened_invoices.subscription_id
        and due_fees.invoice_number_in_subscription = reopened_invoices.own_period_number
