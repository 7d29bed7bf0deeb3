-- depends_on: {{ ref('build_window') }}
-- Credits of fees on invoices of periods that are rated again: as they were made, but never more
-- than the bill comes to; none where it has come to what was used of it.
with

due_credits as (

    select * from {{ ref('int_rating__due_credits') }}

),

reopened_periods as (

    select * from {{ ref('int_rating__reopened_periods') }}

),

discount_sums as (

    select
        rated_line_id,
        sum(discount_total) as discount_total
    from {{ ref('int_rating__invoice_discounts') }}
    group by rated_line_id

),

bills as (

    select
        charge_lines.subscription_id,
        charge_lines.charge_id,
        charge_lines.invoice_number_in_subscription,
        charge_lines.period_from,
        charge_lines.rounded_total as gross_total,
        charge_lines.charged_total - coalesce(discount_sums.discount_total, 0) as net_total
    from {{ ref('int_rating__charge_lines') }} as charge_lines
    left join discount_sums
        on charge_lines.rated_line_id = discount_sums.rated_line_id
    where
        charge_lines.line_kind = 'recurring'
        and not {{ is_first_rating('charge_lines.invoice_number_in_subscription') }}

    union all

    -- What an earlier run's correction made of it.
    select
        closed_lines.subscription_id,
        closed_lines.charge_id,
        closed_lines.invoice_number_in_subscription,
        closed_lines.period_from,
        closed_lines.rounded_total as gross_total,
        closed_lines.line_total as net_total
    from (
        {{ closed_lines("line_kind = 'recurring'", states=true) }}
    ) as closed_lines
    where not {{ is_first_rating('closed_lines.invoice_number_in_subscription') }}

),

states as (

    select
        due_credits.*,
        reopened_periods.period_number as reopened_number,
        reopened_periods.cutoff_at as reopened_at,
        bills.gross_total,
        bills.net_total,
        row_number() over (
            partition by due_credits.rated_line_id, reopened_periods.period_number
            order by bills.invoice_number_in_subscription desc
        ) as recency
    from due_credits
    inner join reopened_periods
        on
            due_credits.subscription_id = reopened_periods.subscription_id
            and due_credits.invoice_number_in_subscription = reopened_periods.own_period_number
    left join bills
        on
            due_credits.subscription_id = bills.subscription_id
            and due_credits.charge_id = bills.charge_id
            and due_credits.billed_invoice_number
            = {{ own_number('bills.invoice_number_in_subscription') }}
            and due_credits.billed_fee_from = bills.period_from
            and {{ state_number('bills.invoice_number_in_subscription') }}
            <= {{ reopened_number('0', 'reopened_periods.cutoff_at') }}

),

standing as (

    select
        states.*,
        greatest(
            states.line_total, -coalesce(states.net_total, -states.line_total)
        ) as standing_total
    from states
    where
        states.recency = 1
        and (
            states.net_total is null
            or {{ net_used_total('states', 'gross_used_total') }} < states.net_total
        )

)

select
    standing.subscription_id
    || '/' || cast(standing.reopened_number as {{ type_text() }})
    || substr(
        standing.rated_line_id,
        length(
            standing.subscription_id
            || '/' || cast(standing.invoice_number_in_subscription as {{ type_text() }})
        ) + 1
    ) as rated_line_id,
    standing.subscription_id,
    standing.customer_id,
    standing.plan_id,
    standing.reopened_number as invoice_number_in_subscription,
    {{ reopened_number('standing.period_number', 'standing.reopened_at') }} as period_number,
    standing.charge_id,
    standing.charge_position,
    standing.name,
    standing.part_number,
    standing.period_from,
    standing.period_to,
    standing.proration,
    standing.used_units,
    standing.full_units,
    cast(
        case
            when standing.standing_total > standing.line_total then -standing.standing_total
            else standing.billed_total
        end as {{ type_total() }}
    ) as billed_total,
    cast(
        case
            when standing.standing_total > standing.line_total then 0
            else standing.used_total
        end as {{ type_total() }}
    ) as used_total,
    cast(standing.standing_total as {{ type_total() }}) as line_total,
    standing.currency,
    standing.exponent,
    standing.tax_code,
    standing.reopened_at as cutoff_at
from standing
