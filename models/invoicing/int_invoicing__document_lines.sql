-- Of what is not in the ledger: a posted document is read from there, never made again.
with

build_window as (

    select * from {{ ref('build_window') }}

),

rated_lines as (

    select * from {{ ref('rated_lines') }}

),

invoice_periods as (

    select * from {{ ref('int_invoicing__invoice_periods') }}

),

posted as (

    select
        subscription_id,
        period_number
    from {{ source('ledger', 'documents') }}

),

numbered as (

    select
        invoice_periods.invoice_id,
        rated_lines.*,
        row_number() over (
            partition by invoice_periods.invoice_id
            order by {{ line_order('rated_lines') }}
        ) as line_number
    from rated_lines
    inner join build_window
        on rated_lines.cutoff_at > build_window.sealed_until
    inner join invoice_periods
        on
            rated_lines.subscription_id = invoice_periods.subscription_id
            and rated_lines.invoice_number_in_subscription
            = invoice_periods.invoice_number_in_subscription
    left join posted
        on
            rated_lines.subscription_id = posted.subscription_id
            and rated_lines.invoice_number_in_subscription = posted.period_number
    where posted.subscription_id is null

)

select
    invoice_id || '#' || cast(line_number as {{ type_text() }}) as line_id,
    invoice_id,
    cast(line_number as integer) as line_number,
    line_kind,
    charge_id,
    name,
    case
        when pricing_model in ('percentage', 'tiered_percentage') then currency
        when line_kind in ('true_up', 'overage') then 'commitment'
        when pricing_model is null then 'fee'
        else 'units'
    end as unit_description,
    subscription_id,
    customer_id,
    invoice_number_in_subscription as period_number,
    part_number,
    period_from,
    period_to,
    dimension_values,
    pricing_model,
    proration,
    billed_days,
    full_days,
    share_numerator,
    share_denominator,
    event_count,
    quantity,
    covered_quantity,
    rated_quantity,
    amount,
    rounded_total,
    over_maximum_total,
    discount_total,
    line_total,
    currency,
    tax_code,
    rated_line_id,
    rules_version,
    cutoff_at
from numbered
