-- Documents that are not in the ledger: drafts, and those that the run closes, with their numbers.
with

build_window as (

    select * from {{ ref('build_window') }}

),

invoice_periods as (

    select * from {{ ref('int_invoicing__invoice_periods') }}

),

document_lines as (

    select * from {{ ref('int_invoicing__document_lines') }}

),

posted_closes as (

    select * from {{ source('ledger', 'closes') }}

),

totals as (

    select
        invoice_id,
        subscription_id,
        -- One of corrections alone has no period, and the header of the last that it corrects.
        max(period_number) as period_number,
        max(header_number) as header_number,
        count(*) as line_count,
        cast(sum(line_total) as {{ type_total() }}) as invoice_total,
        max(rules_version) as rules_version,
        max(cutoff_at) as cutoff_at
    from document_lines
    group by
        invoice_id,
        subscription_id

),

-- A document is final once its cutoff has passed; only then has it a number.
documents as (

    select
        totals.invoice_id,
        totals.period_number,
        coalesce(totals.cutoff_at <= build_window.close_at, false) as is_closed,
        case
            when totals.invoice_total < 0 then 'credit_note'
            when totals.period_number is null then 'adjustment'
            else 'invoice'
        end as document_kind,
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
        case
            when totals.period_number is null then cast(totals.cutoff_at as date)
            else invoice_periods.invoice_date
        end as invoice_date,
        totals.cutoff_at,
        totals.line_count,
        totals.invoice_total,
        totals.rules_version
    from totals
    cross join build_window
    inner join invoice_periods
        on
            totals.subscription_id = invoice_periods.subscription_id
            and totals.header_number = invoice_periods.invoice_number_in_subscription

),

last_numbers as (

    select
        billing_entity,
        max(last_sequence_number) as last_sequence_number
    from posted_closes
    group by billing_entity

),

-- Gapless per billing entity, on from the last that was posted.
counted as (

    select
        documents.*,
        coalesce(last_numbers.last_sequence_number, 0) + row_number() over (
            partition by documents.billing_entity, documents.is_closed
            order by
                documents.cutoff_at,
                case documents.document_kind
                    when 'invoice' then 1
                    when 'adjustment' then 2
                    else 3
                end,
                {{ binary_order('documents.customer_id') }},
                {{ binary_order('documents.subscription_id') }},
                documents.period_from,
                documents.period_number
        ) as sequence_number
    from documents
    left join last_numbers
        on documents.billing_entity = last_numbers.billing_entity

)

select
    invoice_id,
    case
        when is_closed
            then
                billing_entity || '-' || lpad(
                    cast(sequence_number as {{ type_text() }}),
                    cast(
                        greatest(
                            6, length(cast(sequence_number as {{ type_text() }}))
                        ) as integer
                    ),
                    '0'
                )
    end as invoice_number,
    cast(case when is_closed then sequence_number end as {{ type_count() }})
        as sequence_number,
    document_kind,
    billing_entity,
    customer_id,
    customer_name,
    subscription_id,
    plan_id,
    cast(period_number as {{ type_count() }}) as period_number,
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
