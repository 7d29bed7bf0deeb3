{{ config(group="rating") }}
-- What goes back of a fee is never more than it was billed for, net of discounts and as it had been
-- corrected by then, and never a charge; a bill that a late row cut anew afterwards counts as it
-- first came to be. Where a bill was corrected between two credits, each is looked at alone: the
-- earlier one is corrected with the bill.
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
        min(rated_lines.line_total) as lowest_total,
        max(rated_lines.line_total) as highest_total,
        max(rated_lines.cutoff_at) as credited_at
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

),

-- A fee as it was first billed, and as it was rated again.
rated_fees as (

    select
        rated_lines.subscription_id,
        rated_lines.charge_id,
        rated_lines.period_from,
        rated_lines.line_total,
        rated_lines.cutoff_at,
        {{ own_number('rated_lines.invoice_number_in_subscription') }} as own_number,
        not {{ is_first_rating('rated_lines.invoice_number_in_subscription') }} as is_rated_again
    from rated_lines
    where rated_lines.line_kind = 'recurring'

),

billed as (

    select
        credit_sums.*,
        rated_fees.line_total as billed_total,
        case
            when rated_fees.is_rated_again then credit_sums.lowest_total
            else credit_sums.credit_sum
        end as credited_total,
        row_number() over (
            partition by
                credit_sums.subscription_id,
                credit_sums.charge_id,
                credit_sums.billed_invoice_number,
                credit_sums.billed_fee_from
            order by
                case when credit_sums.credited_at >= rated_fees.cutoff_at then 0 else 1 end,
                case
                    when credit_sums.credited_at >= rated_fees.cutoff_at then rated_fees.cutoff_at
                end desc,
                rated_fees.cutoff_at asc,
                rated_fees.is_rated_again desc
        ) as recency
    from credit_sums
    left join rated_fees
        on
            credit_sums.subscription_id = rated_fees.subscription_id
            and credit_sums.charge_id = rated_fees.charge_id
            and credit_sums.billed_invoice_number = rated_fees.own_number
            and credit_sums.billed_fee_from = rated_fees.period_from

)

select
    subscription_id,
    charge_id,
    billed_invoice_number,
    credited_total,
    billed_total
from billed
where
    recency = 1
    and (
        highest_total >= 0
        or billed_total is null
        or billed_total + credited_total < 0
    )
