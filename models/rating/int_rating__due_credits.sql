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

-- What was billed, by this run or an earlier one, before and after discounts.
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

-- As it was corrected by then: a fee that a late row of the catalogue moved is given back as such.
-- (What late usage moves of its discounts is not.)
billed_states as (

    select
        billed.*,
        max(
            case
                when {{ is_first_rating('billed.invoice_number_in_subscription') }}
                    then billed.gross_total
            end
        ) over (
            partition by
                billed.subscription_id,
                billed.charge_id,
                {{ own_number('billed.invoice_number_in_subscription') }},
                billed.period_from
        ) as first_gross_total
    from billed

),

states as (

    select
        fee_credits.*,
        billed.gross_total,
        billed.net_total,
        row_number() over (
            partition by
                fee_credits.subscription_id,
                fee_credits.invoice_number_in_subscription,
                fee_credits.charge_id,
                fee_credits.credit_from_date,
                fee_credits.date_rank
            order by billed.invoice_number_in_subscription desc
        ) as recency
    from fee_credits
    inner join billed_states as billed
        on
            fee_credits.subscription_id = billed.subscription_id
            and fee_credits.charge_id = billed.charge_id
            and fee_credits.billed_invoice_number
            = {{ own_number('billed.invoice_number_in_subscription') }}
            and {{ state_number('billed.invoice_number_in_subscription') }}
            <= {{ reopened_number('0', 'fee_credits.cutoff_at') }}
            and fee_credits.billed_fee_from = billed.period_from
            and (
                {{ is_first_rating('billed.invoice_number_in_subscription') }}
                or billed.gross_total is distinct from billed.first_gross_total
            )
    where {{ has_rows(ref('int_rating__fee_credits')) | lower }}

),

-- A discount on the bill is one on what was used of it.
used as (

    select
        states.*,
        states.net_total as billed_total,
        case
            when states.gross_total = states.net_total then states.used_total
            else cast(
                coalesce(
                    {{ multiply_divide_round(
                        'states.used_total',
                        minor_units('states.net_total', 'states.exponent'),
                        minor_units('states.gross_total', 'states.exponent'),
                        'states.exponent'
                    ) }},
                    0
                ) as {{ type_total() }}
            )
        end as used_net_total
    from states
    where states.recency = 1

)

-- Never more than was billed, and nothing is charged here.
select
    {{ rated_line_id(
        'used',
        'invoice_number_in_subscription',
        "'credit'",
        'cast(used.credit_from_date as ' ~ type_text() ~ ')',
        'date_rank'
    ) }} as rated_line_id,
    used.subscription_id,
    used.customer_id,
    used.plan_id,
    used.invoice_number_in_subscription,
    used.period_number,
    used.charge_id,
    charges.position as charge_position,
    charges.name,
    1 as part_number,
    used.credit_from as period_from,
    used.credit_to as period_to,
    charges.proration,
    used.used_units,
    used.full_units,
    cast(used.billed_total as {{ type_total() }}) as billed_total,
    cast(
        least(greatest(used.used_net_total, 0), used.billed_total) as {{ type_total() }}
    ) as used_total,
    cast(
        least(greatest(used.used_net_total, 0), used.billed_total) - used.billed_total
        as {{ type_total() }}
    ) as line_total,
    used.currency,
    used.exponent,
    charges.tax_code,
    used.cutoff_at
from used
inner join charges
    on
        used.plan_id = charges.plan_id
        and used.charge_id = charges.charge_id
where used.used_net_total < used.billed_total
