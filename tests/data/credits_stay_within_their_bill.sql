{{ config(group="rating") }}
-- What goes back of a fee is never more than it was billed for, net of discounts, and never a
-- charge.
with

rated_lines as (

    select * from {{ ref('rated_lines') }}

),

fee_credits as (

    select * from {{ ref('int_rating__fee_credits') }}

),

credit_sums as (

    select
        fee_credits.subscription_id,
        fee_credits.charge_id,
        fee_credits.billed_invoice_number,
        fee_credits.billed_fee_from,
        sum(rated_lines.line_total) as credit_sum,
        max(rated_lines.line_total) as highest_total
    from fee_credits
    inner join rated_lines
        on
            fee_credits.subscription_id = rated_lines.subscription_id
            and fee_credits.charge_id = rated_lines.charge_id
            and fee_credits.invoice_number_in_subscription
            = rated_lines.invoice_number_in_subscription
            and fee_credits.credit_from = rated_lines.period_from
    where rated_lines.line_kind = 'credit'
    group by
        fee_credits.subscription_id,
        fee_credits.charge_id,
        fee_credits.billed_invoice_number,
        fee_credits.billed_fee_from

)

select
    credit_sums.subscription_id,
    credit_sums.charge_id,
    credit_sums.billed_invoice_number,
    credit_sums.credit_sum,
    rated_lines.line_total as billed_total
from credit_sums
left join rated_lines
    on
        credit_sums.subscription_id = rated_lines.subscription_id
        and credit_sums.charge_id = rated_lines.charge_id
        and credit_sums.billed_invoice_number = rated_lines.invoice_number_in_subscription
        and credit_sums.billed_fee_from = rated_lines.period_from
        and rated_lines.line_kind = 'recurring'
where
    credit_sums.highest_total >= 0
    or rated_lines.line_total is null
    or rated_lines.line_total + credit_sums.credit_sum < 0
