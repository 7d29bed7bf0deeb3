-- Whether there is enough customer balance for each refund: what earlier documents leave, and the
-- refunds before it. One that is refused takes nothing from the next.
-- depends_on: {{ ref('stg_catalog__invoice_actions') }}
{% set is_asked = has_actions(['refund']) | lower %}
with recursive

build_window as (

    select * from {{ ref('build_window') }}

),

invoice_periods as (

    select * from {{ ref('int_invoicing__invoice_periods') }}

),

asked as (

    select
        invoice_actions.*,
        'refund' as document_kind,
        invoice_periods.customer_id,
        invoice_periods.billing_entity,
        invoice_periods.currency,
        invoice_periods.period_from,
        cast(null as {{ type_count() }}) as period_number
    from {{ ref('int_invoicing__invoice_actions') }} as invoice_actions
    inner join build_window
        on invoice_actions.cutoff_at > build_window.sealed_until
    inner join invoice_periods
        on
            invoice_actions.subscription_id = invoice_periods.subscription_id
            and invoice_actions.own_period_number
            = invoice_periods.invoice_number_in_subscription
    where
        invoice_actions.action = 'refund'
        and invoice_actions.refused_because is null
        and {{ is_asked }}

),

balance_keys as (

    select distinct
        customer_id,
        billing_entity,
        currency
    from asked

),

posted_documents as (

    select
        documents.customer_id,
        documents.billing_entity,
        documents.currency,
        cast(
            -sum({{ net_total('documents') }}) over (
                partition by documents.customer_id, documents.billing_entity, documents.currency
                order by documents.sequence_number
            ) as {{ type_total() }}
        ) as moved_total,
        documents.sequence_number
    from {{ source('ledger', 'documents') }} as documents
    inner join balance_keys
        on
            documents.customer_id = balance_keys.customer_id
            and documents.billing_entity = balance_keys.billing_entity
            and documents.currency = balance_keys.currency

),

posted_in_order as (

    select
        posted_documents.*,
        min(posted_documents.moved_total) over (
            partition by
                posted_documents.customer_id,
                posted_documents.billing_entity,
                posted_documents.currency
        ) as least_total,
        row_number() over (
            partition by
                posted_documents.customer_id,
                posted_documents.billing_entity,
                posted_documents.currency
            order by posted_documents.sequence_number desc
        ) as recency
    from posted_documents

),

posted_balances as (

    select
        customer_id,
        billing_entity,
        currency,
        moved_total - least(least_total, 0) as balance_total
    from posted_in_order
    where recency = 1

),

movements as (

    select
        billed_documents.customer_id,
        billed_documents.billing_entity,
        billed_documents.currency,
        -{{ net_total('billed_documents') }} as movement,
        0 as refund_count,
        billed_documents.cutoff_at,
        billed_documents.document_kind,
        billed_documents.subscription_id,
        billed_documents.period_from,
        billed_documents.period_number,
        billed_documents.action_order
    from {{ ref('int_invoicing__billed_documents') }} as billed_documents
    where {{ is_asked }}

    union all

    select
        customer_id,
        billing_entity,
        currency,
        0 as movement,
        1 as refund_count,
        cutoff_at,
        document_kind,
        subscription_id,
        period_from,
        period_number,
        action_order
    from asked

),

-- What moves between two refunds: the documents after the one, up to the other.
between_refunds as (

    select
        movements.*,
        sum(movements.refund_count) over (
            partition by movements.customer_id, movements.billing_entity, movements.currency
            order by {{ document_order('movements') }}
        ) - movements.refund_count as refunds_before
    from movements

),

running as (

    select
        between_refunds.*,
        sum(between_refunds.movement) over (
            partition by
                between_refunds.customer_id,
                between_refunds.billing_entity,
                between_refunds.currency,
                between_refunds.refunds_before
            order by {{ document_order('between_refunds') }}
        ) as moved_total
    from between_refunds

),

stretches as (

    select
        customer_id,
        billing_entity,
        currency,
        refunds_before,
        sum(movement) as moved_total,
        -- What would be left if nothing had been there before.
        sum(movement) - least(min(moved_total), 0) as left_total
    from running
    group by
        customer_id,
        billing_entity,
        currency,
        refunds_before

),

counted as (

    select
        asked.*,
        row_number() over (
            partition by asked.customer_id, asked.billing_entity, asked.currency
            order by {{ document_order('asked') }}
        ) as refund_number
    from asked

),

measured as (

    select
        counted.*,
        stretches.moved_total,
        stretches.left_total
    from counted
    inner join stretches
        on
            counted.customer_id = stretches.customer_id
            and counted.billing_entity = stretches.billing_entity
            and counted.currency = stretches.currency
            and counted.refund_number = stretches.refunds_before + 1

),

-- A balance is never below zero: an invoice takes what there is of it.
paid as (

    select
        balance_keys.customer_id,
        balance_keys.billing_entity,
        balance_keys.currency,
        cast(0 as {{ type_count() }}) as refund_number,
        cast(null as {{ type_text() }}) as action_id,
        false as is_granted,
        cast(
            coalesce(posted_balances.balance_total, 0) as {{ type_total() }}
        ) as balance_total
    from balance_keys
    left join posted_balances
        on
            balance_keys.customer_id = posted_balances.customer_id
            and balance_keys.billing_entity = posted_balances.billing_entity
            and balance_keys.currency = posted_balances.currency

    union all

    select
        measured.customer_id,
        measured.billing_entity,
        measured.currency,
        measured.refund_number,
        measured.action_id,
        greatest(paid.balance_total + measured.moved_total, measured.left_total)
        >= measured.amount as is_granted,
        cast(
            greatest(paid.balance_total + measured.moved_total, measured.left_total)
            - case
                when
                    greatest(paid.balance_total + measured.moved_total, measured.left_total)
                    >= measured.amount
                    then measured.amount
                else 0
            end as {{ type_total() }}
        ) as balance_total
    from paid
    inner join measured
        on
            paid.customer_id = measured.customer_id
            and paid.billing_entity = measured.billing_entity
            and paid.currency = measured.currency
            and paid.refund_number + 1 = measured.refund_number

)

select
    action_id,
    customer_id,
    billing_entity,
    currency,
    is_granted,
    balance_total
from paid
where action_id is not null
