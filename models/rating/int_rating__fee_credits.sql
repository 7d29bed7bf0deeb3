-- What was billed in advance and is not used after all: one row per stretch of a fee that a change
-- cut short after it had been billed.
with

fee_periods as (

    select * from {{ ref('int_subscriptions__fee_periods') }}
    where charge_type = 'recurring'

),

fee_stretches as (

    select * from {{ ref('int_rating__fee_stretches') }}
    where
        is_billed = 1
        and proration <> 'none'
        and next_invoice_number > posted_invoice_number

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

unused as (

    select
        fee_stretches.*,
        fee_periods.customer_id,
        fee_periods.currency,
        coalesce(fee_stretches.known_to, fee_periods.full_to) as billed_to,
        billed_cycles.cutoff_at,
        case
            when fee_stretches.proration = 'seconds'
                then
                    {{ microseconds('fee_stretches.next_from') }}
                    - {{ microseconds('fee_stretches.stretch_from') }}
            else fee_stretches.next_from_date - fee_stretches.stretch_from_date
        end as used_units,
        case
            when fee_stretches.proration = 'seconds'
                then
                    {{ microseconds('fee_periods.full_to') }}
                    - {{ microseconds('fee_periods.full_from') }}
            else fee_periods.full_to_date - fee_periods.full_from_date
        end as full_units
    from fee_stretches
    inner join fee_periods
        on
            fee_stretches.subscription_id = fee_periods.subscription_id
            and fee_stretches.term_id = fee_periods.term_id
            and fee_stretches.charge_id = fee_periods.charge_id
            and fee_stretches.timing = fee_periods.timing
            and fee_stretches.every_cycles = fee_periods.every_cycles
            and fee_stretches.fee_index = fee_periods.fee_index
    inner join billed_cycles
        on
            fee_stretches.subscription_id = billed_cycles.subscription_id
            and fee_stretches.next_invoice_number = billed_cycles.period_number
            and billed_cycles.period_from < {{ as_of_at() }}

),

multiplied as (

    select
        unused.*,
        {{ exact_product('unused.quantity', 'unused.unit_price') }} as full_amount
    from unused
    left join reopened_subscriptions
        on unused.subscription_id = reopened_subscriptions.subscription_id
    where
        unused.cutoff_at > {{ open_from() }}
        or reopened_subscriptions.subscription_id is not null

),

exact as (

    select
        multiplied.*,
        {{ share_of(
            'multiplied.full_amount', 'multiplied.used_units', 'multiplied.full_units'
        ) }} as used_amount
    from multiplied

)

select
    exact.subscription_id,
    exact.customer_id,
    exact.plan_id,
    exact.next_invoice_number as invoice_number_in_subscription,
    exact.next_cut_period_number as period_number,
    exact.charge_id,
    exact.posted_invoice_number as billed_invoice_number,
    exact.stretch_from as billed_fee_from,
    exact.next_from as credit_from,
    exact.billed_to as credit_to,
    exact.next_from_date as credit_from_date,
    row_number() over (
        partition by
            exact.subscription_id,
            exact.next_invoice_number,
            exact.charge_id,
            exact.next_from_date
        order by exact.next_from, exact.stretch_from
    ) as date_rank,
    cast(exact.used_units as {{ type_count() }}) as used_units,
    cast(exact.full_units as {{ type_count() }}) as full_units,
    {{ round_money('exact.used_amount', 'currencies.exponent') }} as used_total,
    exact.currency,
    currencies.exponent,
    exact.cutoff_at
from exact
inner join currencies
    on exact.currency = currencies.currency
