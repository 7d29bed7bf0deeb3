-- Fees of periods that are rated again, as they were billed: late usage moves none of them, but
-- discounts are spread over them and they count towards a commitment.
-- depends_on: {{ ref('build_window') }}
-- depends_on: {{ ref('stg_catalog__discounts') }}
-- depends_on: {{ ref('stg_catalog__commitments') }}
{% set is_asked = has_rows(ref('stg_catalog__discounts'))
    or has_rows(ref('stg_catalog__commitments')) %}
with

reopened_periods as (

    select * from {{ ref('int_rating__reopened_periods') }}
    where {{ is_asked | lower }}

),

rated_periods as (

    select * from {{ ref('int_rating__rated_periods') }}
    where
        {{ is_asked | lower }}
        and chain_number > 0

),

fee_lines as (

    select * from {{ ref('int_rating__fee_lines') }}

),

currencies as (

    select * from {{ ref('currencies') }}

),

-- The opening invoice (number 0) goes with the first period, be that rated again or for the first
-- time in a chain.
reopened_invoices as (

    select
        subscription_id,
        own_period_number,
        cutoff_at
    from reopened_periods

    union all

    select
        subscription_id,
        0 as own_period_number,
        cutoff_at
    from rated_periods
    where own_period_number = 1

),

billed as (

    select
        subscription_id,
        customer_id,
        plan_id,
        invoice_number_in_subscription,
        period_number,
        charge_id,
        line_kind,
        fee_from,
        fee_to,
        fee_from_date,
        date_rank,
        billed_units,
        full_units,
        proration,
        price_row_id,
        rounded_total,
        currency,
        cutoff_at as closed_at
    from fee_lines

    union all

    {{ closed_fees() }}

)

select
    billed.subscription_id,
    billed.customer_id,
    billed.plan_id,
    {{ reopened_number(
        'billed.invoice_number_in_subscription', 'reopened_invoices.cutoff_at'
    ) }} as invoice_number_in_subscription,
    {{ reopened_number('billed.period_number', 'reopened_invoices.cutoff_at') }}
        as period_number,
    billed.charge_id,
    billed.line_kind,
    billed.fee_from,
    billed.fee_to,
    billed.fee_from_date,
    billed.date_rank,
    billed.billed_units,
    billed.full_units,
    billed.proration,
    billed.price_row_id,
    billed.rounded_total,
    billed.currency,
    currencies.exponent,
    billed.closed_at,
    reopened_invoices.cutoff_at
from billed
inner join reopened_invoices
    on
        billed.subscription_id = reopened_invoices.subscription_id
        and billed.invoice_number_in_subscription = reopened_invoices.own_period_number
inner join currencies
    on billed.currency = currencies.currency
