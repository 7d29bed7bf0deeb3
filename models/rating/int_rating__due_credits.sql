-- depends_on: {{ ref('build_window') }}
with

fee_credits as (

    select * from {{ ref('int_rating__fee_credits') }}

),

charge_lines as (

    select * from {{ ref('int_rating__charge_lines') }}
    where line_kind = 'recurring'

),

invoice_discounts as (

    select * from {{ ref('int_rating__invoice_discounts') }}

),

charges as (

    select * from {{ ref('stg_catalog__charges') }}

),

discount_sums as (

    select
        rated_line_id,
        sum(discount_total) as discount_total
    from invoice_discounts
    group by rated_line_id

),

-- What was billed, by this run or an earlier one, before and after discounts. A fee is given back
-- as it was corrected by then: a late row of the catalogue moves it, late usage its discounts.
billed as (

    select
        charge_lines.subscription_id,
        charge_lines.charge_id,
        charge_lines.invoice_number_in_subscription,
        charge_lines.period_from,
        charge_lines.rounded_total as gross_total,
        charge_lines.charged_total - coalesce(discount_sums.discount_total, 0) as net_total
    from charge_lines
    left join discount_sums
        on charge_lines.rated_line_id = discount_sums.rated_line_id

    union all

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

),

-- What was given back once, before a bill that fell took some of it away.
given as (

    select
        subscription_id,
        charge_id,
        {{ own_number('invoice_number_in_subscription') }} as own_number,
        period_from,
        min(line_total) as line_total
    from (
        {{ closed_lines("line_kind = 'credit'", states=true) }}
    ) as closed_credits
    group by
        subscription_id,
        charge_id,
        {{ own_number('invoice_number_in_subscription') }},
        period_from

),

first_reopened as (

    select
        subscription_id,
        own_period_number,
        min(cutoff_at) as cutoff_at
    from {{ ref('int_rating__reopened_periods') }}
    group by
        subscription_id,
        own_period_number

),

-- It is made by its own invoice, or, where what asks for it came in late, by the first correction.
made_credits as (

    select
        fee_credits.*,
        given.line_total as given_total,
        case
            when fee_credits.cutoff_at > {{ open_from() }} or given.line_total is not null
                then fee_credits.cutoff_at
            else first_reopened.cutoff_at
        end as made_at
    from fee_credits
    left join given
        on
            fee_credits.subscription_id = given.subscription_id
            and fee_credits.charge_id = given.charge_id
            and fee_credits.invoice_number_in_subscription = given.own_number
            and fee_credits.credit_from = given.period_from
    left join first_reopened
        on
            fee_credits.subscription_id = first_reopened.subscription_id
            and fee_credits.invoice_number_in_subscription = first_reopened.own_period_number

),

-- A bill that was cut anew afterwards has the credit as one of its new parts.
states as (

    select
        fee_credits.*,
        billed.gross_total,
        billed.net_total,
        billed.invoice_number_in_subscription as billed_state,
        {{ state_number('billed.invoice_number_in_subscription') }}
        <= {{ reopened_number('0', 'fee_credits.made_at') }} as is_known
    from made_credits as fee_credits
    inner join billed
        on
            fee_credits.subscription_id = billed.subscription_id
            and fee_credits.charge_id = billed.charge_id
            and fee_credits.billed_invoice_number
            = {{ own_number('billed.invoice_number_in_subscription') }}
            and fee_credits.billed_fee_from = billed.period_from
    where {{ has_rows(ref('int_rating__fee_credits')) | lower }}

),

ranked_states as (

    select
        states.*,
        row_number() over (
            partition by
                states.subscription_id,
                states.invoice_number_in_subscription,
                states.charge_id,
                states.credit_from_date,
                states.date_rank
            order by
                states.is_known desc,
                case when states.is_known then -states.billed_state else states.billed_state end
        ) as recency
    from states

),

-- A discount on the bill is one on what was used of it.
used as (

    select
        ranked_states.*,
        ranked_states.net_total as billed_total,
        {{ net_used_total('ranked_states') }} as used_net_total
    from ranked_states
    where ranked_states.recency = 1

),

credited as (

    select
        used.*,
        coalesce(
            used.given_total + used.billed_total,
            least(greatest(used.used_net_total, 0), used.billed_total)
        ) as credited_used_total
    from used
    where used.given_total is not null or used.used_net_total < used.billed_total

)

-- Never more than was billed, and nothing is charged here.
select
    {{ rated_line_id(
        'credited',
        'invoice_number_in_subscription',
        "'credit'",
        'cast(credited.credit_from_date as ' ~ type_text() ~ ')',
        'date_rank'
    ) }} as rated_line_id,
    credited.subscription_id,
    credited.customer_id,
    credited.plan_id,
    credited.invoice_number_in_subscription,
    credited.period_number,
    credited.charge_id,
    charges.position as charge_position,
    charges.name,
    1 as part_number,
    credited.credit_from as period_from,
    credited.credit_to as period_to,
    charges.proration,
    credited.used_units,
    credited.full_units,
    credited.billed_invoice_number,
    credited.billed_fee_from,
    credited.used_total as gross_used_total,
    cast(credited.billed_total as {{ type_total() }}) as billed_total,
    cast(credited.credited_used_total as {{ type_total() }}) as used_total,
    cast(credited.credited_used_total - credited.billed_total as {{ type_total() }}) as line_total,
    credited.currency,
    credited.exponent,
    charges.tax_code,
    credited.cutoff_at
from credited
inner join charges
    on
        credited.plan_id = charges.plan_id
        and credited.charge_id = charges.charge_id
