with

invoices as (

    select * from {{ ref('invoices') }}

),

invoice_lines as (

    select * from {{ ref('invoice_lines') }}

),

unbilled_usage as (

    select * from {{ ref('unbilled_usage') }}

),

customers as (

    select * from {{ ref('stg_catalog__customers') }}

),

line_sums as (

    select
        invoice_id,
        count(*) as line_count,
        sum(coalesce(event_count, 0)) as event_count,
        sum(
            case
                when line_kind in {{ fee_line_kinds() }} then line_total
                else 0
            end
        ) as fee_total,
        sum(
            case when line_kind in ('usage', 'minimum') then line_total else 0 end
        ) as usage_total,
        sum(
            case when line_kind in ('true_up', 'overage') then line_total else 0 end
        ) as commitment_total,
        sum(case when line_kind = 'credited' then line_total else 0 end) as credited_total,
        sum(discount_total) as discount_total
    from invoice_lines
    group by invoice_id

),

customer_currencies as (

    select
        customer_id,
        min(currency) as currency
    from customers
    group by customer_id

),

activities as (

    select
        invoices.customer_id,
        cast(date_trunc('month', invoices.period_from) as date) as report_month,
        invoices.currency,
        case when invoices.status = 'final' and invoices.action_id is null then 1 else 0 end
            as final_invoice_count,
        case when invoices.status = 'draft' and invoices.action_id is null then 1 else 0 end
            as draft_invoice_count,
        line_sums.line_count,
        line_sums.event_count as billed_event_count,
        0 as unbilled_event_count,
        line_sums.fee_total,
        line_sums.usage_total,
        line_sums.commitment_total,
        line_sums.credited_total,
        line_sums.discount_total,
        case when invoices.status = 'final' then invoices.invoice_total else 0 end
            as final_total,
        case when invoices.status = 'final' then 0 else invoices.invoice_total end
            as draft_total
    from invoices
    inner join line_sums
        on invoices.invoice_id = line_sums.invoice_id
    -- A refund pays out what was taken off before: nothing is billed by it.
    where invoices.document_kind <> 'refund'

    union all

    -- XXX is ISO 4217's code for no currency.
    select
        unbilled_usage.customer_id,
        cast(date_trunc('month', unbilled_usage.occurred_at) as date) as report_month,
        coalesce(customer_currencies.currency, 'XXX') as currency,
        0 as final_invoice_count,
        0 as draft_invoice_count,
        0 as line_count,
        0 as billed_event_count,
        1 as unbilled_event_count,
        0 as fee_total,
        0 as usage_total,
        0 as commitment_total,
        0 as credited_total,
        0 as discount_total,
        0 as final_total,
        0 as draft_total
    from unbilled_usage
    left join customer_currencies
        on unbilled_usage.customer_id = customer_currencies.customer_id

)

select
    customer_id,
    report_month,
    currency,
    cast(sum(final_invoice_count) as {{ type_count() }}) as final_invoice_count,
    cast(sum(draft_invoice_count) as {{ type_count() }}) as draft_invoice_count,
    cast(sum(line_count) as {{ type_count() }}) as line_count,
    cast(sum(billed_event_count) as {{ type_count() }}) as billed_event_count,
    cast(sum(unbilled_event_count) as {{ type_count() }}) as unbilled_event_count,
    cast(sum(fee_total) as {{ type_total() }}) as fee_total,
    cast(sum(usage_total) as {{ type_total() }}) as usage_total,
    cast(sum(commitment_total) as {{ type_total() }}) as commitment_total,
    cast(sum(credited_total) as {{ type_total() }}) as credited_total,
    cast(sum(discount_total) as {{ type_total() }}) as discount_total,
    cast(sum(final_total) as {{ type_total() }}) as final_total,
    cast(sum(draft_total) as {{ type_total() }}) as draft_total
from activities
group by
    customer_id,
    report_month,
    currency
