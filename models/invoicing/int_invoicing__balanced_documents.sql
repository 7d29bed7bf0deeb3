{{ config(materialized='view') }}
-- depends_on: {{ ref('int_invoicing__seal') }}
-- Customer balance before and after each document of a customer who ever had any, in the order of
-- their numbers, drafts last, after prepaid credits. A document below zero adds to it, one above
-- takes what there is.
with

documents as (

    select
        documents.invoice_id,
        documents.customer_id,
        documents.billing_entity,
        documents.currency,
        {{ net_total('documents') }} as net_total,
        documents.sequence_number as order_number,
        1 as order_of_status
    from {{ source('ledger', 'documents') }} as documents

    union all

    select
        documents.invoice_id,
        documents.customer_id,
        documents.billing_entity,
        documents.currency,
        {{ net_total('documents') }} as net_total,
        documents.order_number,
        2 as order_of_status
    from {{ ref('int_invoicing__documents') }} as documents
    where documents.cutoff_at > {{ sealed_until_now() }}

),

balance_keys as (

    select
        customer_id,
        billing_entity,
        currency
    from documents
    where net_total < 0
    group by
        customer_id,
        billing_entity,
        currency

),

-- As if every document took its whole total, below zero too.
summed as (

    select
        documents.*,
        -sum(documents.net_total) over (
            partition by documents.customer_id, documents.billing_entity, documents.currency
            order by documents.order_of_status, documents.order_number
        ) as moved_total
    from documents
    inner join balance_keys
        on
            documents.customer_id = balance_keys.customer_id
            and documents.billing_entity = balance_keys.billing_entity
            and documents.currency = balance_keys.currency

),

-- How far that ever fell below zero is what invoices could not take.
balanced as (

    select
        summed.*,
        summed.moved_total - least(
            0,
            min(summed.moved_total) over (
                partition by summed.customer_id, summed.billing_entity, summed.currency
                order by summed.order_of_status, summed.order_number
            )
        ) as balance_total
    from summed

)

select
    invoice_id,
    customer_id,
    billing_entity,
    currency,
    order_of_status,
    order_number,
    cast(balance_total as {{ type_total() }}) as balance_total,
    cast(
        balance_total - lag(balance_total, 1, cast(0 as decimal(38, 4))) over (
            partition by customer_id, billing_entity, currency
            order by order_of_status, order_number
        ) as {{ type_total() }}
    ) as moved_total
from balanced
