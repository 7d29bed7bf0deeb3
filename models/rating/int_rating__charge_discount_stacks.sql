with

build_window as (

    select * from {{ ref('build_window') }}

),

row_amounts as (

    select * from {{ ref('int_rating__row_amounts') }}

),

fee_lines as (

    select * from {{ ref('int_rating__billed_fees') }}

),

charges as (

    select * from {{ ref('stg_catalog__charges') }}

),

periods as (

    select * from {{ ref('int_subscriptions__periods') }}

),

rated_periods as (

    select * from {{ ref('int_rating__rated_periods') }}

),

-- The opening invoice has no period of its own to say when it was closed.
opening_invoices as (

    select distinct
        subscription_id,
        invoice_number_in_subscription,
        closed_at
    from {{ ref('int_rating__reopened_fees') }}
    where {{ own_number('invoice_number_in_subscription') }} = 0

),

discounted_plans as (

    select * from {{ ref('int_rating__discounted_plans') }}

),

lines as (

    select
        {{ rated_line_id(
            'row_amounts', 'period_number', "'usage'", 'row_amounts.dimension_values'
        ) }} as rated_line_id,
        row_amounts.subscription_id,
        row_amounts.plan_id,
        row_amounts.period_number as invoice_number_in_subscription,
        row_amounts.period_number,
        row_amounts.charge_id,
        row_amounts.charge_position,
        'usage' as line_kind,
        row_amounts.part_number,
        row_amounts.price_position,
        row_amounts.dimension_values,
        row_amounts.period_from,
        row_amounts.from_date,
        row_amounts.currency,
        row_amounts.exponent,
        row_amounts.rounded_total as left_total,
        row_amounts.cutoff_at
    from row_amounts
    where
        row_amounts.outcome = 'line'
        and row_amounts.unit is null

    union all

    select
        {{ rated_line_id(
            'fee_lines',
            'invoice_number_in_subscription',
            'fee_lines.line_kind',
            'cast(fee_lines.fee_from_date as ' ~ type_text() ~ ')',
            'date_rank'
        ) }} as rated_line_id,
        fee_lines.subscription_id,
        fee_lines.plan_id,
        fee_lines.invoice_number_in_subscription,
        fee_lines.period_number,
        fee_lines.charge_id,
        charges.position as charge_position,
        fee_lines.line_kind,
        1 as part_number,
        cast(null as integer) as price_position,
        cast(null as {{ type_text() }}) as dimension_values,
        fee_lines.fee_from as period_from,
        fee_lines.fee_from_date as from_date,
        fee_lines.currency,
        fee_lines.exponent,
        fee_lines.rounded_total as left_total,
        fee_lines.cutoff_at
    from fee_lines
    inner join charges
        on
            fee_lines.plan_id = charges.plan_id
            and fee_lines.charge_id = charges.charge_id

),

{{ discount_stack('lines', ['line'], 'lines.charge_id') }}
