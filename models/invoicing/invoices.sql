with

build_window as (

    select * from {{ ref('build_window') }}

),

invoice_periods as (

    select * from {{ ref('int_invoicing__invoice_periods') }}

),

invoice_totals as (

    select * from {{ ref('int_invoicing__invoice_totals') }}

),

-- A document is final once its cutoff has passed; only then has it a number.
documents as (

    select
        invoice_periods.invoice_id,
        invoice_periods.invoice_number_in_subscription,
        case
            when invoice_totals.cutoff_at <= build_window.close_at then 'final'
            else 'draft'
        end as status,
        invoice_periods.billing_entity,
        invoice_periods.customer_id,
        invoice_periods.customer_name,
        invoice_periods.subscription_id,
        invoice_periods.plan_id,
        invoice_periods.currency,
        invoice_periods.period_from,
        invoice_periods.period_to,
        invoice_periods.period_from_date,
        invoice_periods.period_to_date,
        invoice_periods.invoice_date,
        invoice_totals.cutoff_at,
        invoice_totals.line_count,
        invoice_totals.invoice_total,
        invoice_totals.rules_version
    from invoice_totals
    cross join build_window
    inner join invoice_periods
        on invoice_totals.invoice_id = invoice_periods.invoice_id

),

-- Gapless per billing entity: all documents of one status are counted in one order.
counted as (

    select
        documents.*,
        row_number() over (
            partition by documents.billing_entity, documents.status
            order by
                documents.cutoff_at,
                {{ binary_order('documents.customer_id') }},
                {{ binary_order('documents.subscription_id') }},
                documents.period_from,
                documents.invoice_number_in_subscription
        ) as position_of_status
    from documents

)

select
    invoice_id,
    case
        when status = 'final'
            then
                billing_entity || '-' || lpad(
                    cast(position_of_status as {{ type_text() }}),
                    cast(
                        greatest(
                            6, length(cast(position_of_status as {{ type_text() }}))
                        ) as integer
                    ),
                    '0'
                )
    end as invoice_number,
    status,
    billing_entity,
    customer_id,
    customer_name,
    subscription_id,
    plan_id,
    cast(invoice_number_in_subscription as {{ type_count() }}) as period_number,
    currency,
    period_from,
    period_to,
    period_from_date,
    period_to_date,
    invoice_date,
    cutoff_at,
    line_count,
    invoice_total,
    rules_version
from counted
