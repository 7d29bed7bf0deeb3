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

invoice_actions as (

    select * from {{ ref('int_invoicing__invoice_actions') }}

),

posted_closes as (

    select * from {{ source('ledger', 'closes') }}

),

credit_totals as (

    select * from {{ ref('int_credits__invoice_totals') }}

),

{{ documents_of_lines() }},

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
            order by {{ document_order('documents') }}
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
    rules_version,
    adjusts_invoice_id,
    action_id,
    acted_by,
    acted_at,
    action_reason,
    credits_total,
    sequence_number as order_number
from counted
