with

fee_periods as (

    select * from {{ ref('int_subscriptions__fee_periods') }}

),

fee_stretches as (

    select * from {{ ref('int_rating__fee_stretches') }}
    where is_billed = 1

),

fee_spans as (

    select * from {{ ref('int_rating__fee_spans') }}
    where charge_type = 'one_time'

),

billed_cycles as (

    select * from {{ ref('int_subscriptions__billed_cycles') }}

),

currencies as (

    select * from {{ ref('currencies') }}

),

reopened_subscriptions as (

    select distinct subscription_id
    from {{ ref('int_rating__reopened_periods') }}

),

-- A stretch is billed to where it is known to end when it is posted: else to the full cycle's end.
due as (

    select
        fee_stretches.subscription_id,
        fee_periods.customer_id,
        fee_stretches.plan_id,
        fee_periods.currency,
        fee_stretches.posted_invoice_number as invoice_number_in_subscription,
        fee_stretches.period_number,
        fee_stretches.charge_id,
        'recurring' as line_kind,
        fee_stretches.stretch_from as fee_from,
        coalesce(fee_stretches.known_to, fee_periods.full_to) as fee_to,
        fee_stretches.stretch_from_date as fee_from_date,
        coalesce(fee_stretches.known_to_date, fee_periods.full_to_date) as fee_to_date,
        fee_stretches.proration,
        fee_stretches.quantity,
        fee_stretches.unit_price,
        fee_stretches.price_row_id,
        fee_periods.full_from,
        fee_periods.full_to,
        fee_periods.full_from_date,
        fee_periods.full_to_date,
        fee_periods.cutoff_at as first_cutoff_at,
        fee_periods.invoice_number_in_subscription as first_invoice_number
    from fee_stretches
    inner join fee_periods
        on
            fee_stretches.subscription_id = fee_periods.subscription_id
            and fee_stretches.term_id = fee_periods.term_id
            and fee_stretches.charge_id = fee_periods.charge_id
            and fee_stretches.timing = fee_periods.timing
            and fee_stretches.every_cycles = fee_periods.every_cycles
            and fee_stretches.fee_index = fee_periods.fee_index
            and fee_periods.charge_type = 'recurring'

    union all

    -- A one-time fee is not a price for a stretch of time: it is due in full.
    select
        fee_spans.subscription_id,
        fee_spans.customer_id,
        fee_spans.plan_id,
        fee_spans.currency,
        fee_periods.invoice_number_in_subscription,
        fee_periods.first_period_number as period_number,
        fee_spans.charge_id,
        'one_time' as line_kind,
        fee_periods.fee_from,
        -- As a fee in advance: to the end that was known when it was billed.
        case
            when fee_periods.is_cut and fee_periods.end_recorded_at >= fee_periods.cutoff_at
                then fee_periods.full_to
            else fee_periods.fee_to
        end as fee_to,
        fee_periods.fee_from_date,
        case
            when fee_periods.is_cut and fee_periods.end_recorded_at >= fee_periods.cutoff_at
                then fee_periods.full_to_date
            else fee_periods.fee_to_date
        end as fee_to_date,
        'none' as proration,
        cast(1 as {{ type_quantity() }}) as quantity,
        fee_spans.unit_price,
        fee_spans.price_row_id,
        fee_periods.full_from,
        fee_periods.full_to,
        fee_periods.full_from_date,
        fee_periods.full_to_date,
        fee_periods.cutoff_at as first_cutoff_at,
        fee_periods.invoice_number_in_subscription as first_invoice_number
    from fee_spans
    inner join fee_periods
        on
            fee_spans.subscription_id = fee_periods.subscription_id
            and fee_spans.charge_id = fee_periods.charge_id
            and fee_periods.charge_type = 'one_time'

),

-- The opening invoice (number 0) belongs to the first period; nothing is billed before that begins.
-- One that begins at the as-of midnight is cut off by it: it is due.
cut_off as (

    select
        due.*,
        coalesce(
            case
                when due.invoice_number_in_subscription = due.first_invoice_number
                    then due.first_cutoff_at
            end,
            billed_cycles.cutoff_at
        ) as cutoff_at,
        case
            when due.proration = 'seconds'
                then {{ microseconds('due.fee_to') }} - {{ microseconds('due.fee_from') }}
            when due.proration = 'none' then due.full_to_date - due.full_from_date
            else due.fee_to_date - due.fee_from_date
        end as billed_units,
        case
            when due.proration = 'seconds'
                then {{ microseconds('due.full_to') }} - {{ microseconds('due.full_from') }}
            else due.full_to_date - due.full_from_date
        end as full_units
    from due
    inner join billed_cycles
        on
            due.subscription_id = billed_cycles.subscription_id
            and greatest(due.invoice_number_in_subscription, 1) = billed_cycles.period_number
            and (
                billed_cycles.period_from < {{ as_of_at() }}
                or case
                    when due.invoice_number_in_subscription = due.first_invoice_number
                        then due.first_cutoff_at
                    else billed_cycles.cutoff_at
                end <= {{ as_of_at() }}
            )

),

multiplied as (

    select
        cut_off.*,
        {{ exact_product('cut_off.quantity', 'cut_off.unit_price') }} as full_amount
    from cut_off
    left join reopened_subscriptions
        on cut_off.subscription_id = reopened_subscriptions.subscription_id
    where
        cut_off.cutoff_at > {{ open_from() }}
        or reopened_subscriptions.subscription_id is not null

),

exact as (

    select
        multiplied.*,
        {{ share_of(
            'multiplied.full_amount', 'multiplied.billed_units', 'multiplied.full_units'
        ) }} as exact_amount
    from multiplied

)

select
    exact.subscription_id,
    exact.customer_id,
    exact.plan_id,
    exact.invoice_number_in_subscription,
    exact.period_number,
    exact.charge_id,
    exact.line_kind,
    exact.fee_from,
    exact.fee_to,
    exact.fee_from_date,
    row_number() over (
        partition by
            exact.subscription_id,
            exact.invoice_number_in_subscription,
            exact.charge_id,
            exact.fee_from_date
        order by exact.fee_from
    ) as date_rank,
    cast(exact.billed_units as {{ type_count() }}) as billed_units,
    cast(exact.full_units as {{ type_count() }}) as full_units,
    exact.proration,
    exact.quantity,
    exact.unit_price,
    exact.price_row_id,
    {{ round_money('exact.exact_amount', 'currencies.exponent') }} as rounded_total,
    exact.currency,
    currencies.exponent,
    exact.cutoff_at
from exact
inner join currencies
    on exact.currency = currencies.currency
