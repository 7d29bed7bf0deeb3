-- The links that the run adds to the chain of digests, one per billing entity and cutoff.
with recursive

closed_documents as (

    select * from {{ ref('int_invoicing__closed_documents') }}

),

posted_closes as (

    select * from {{ source('ledger', 'closes') }}

),

entities as (

    select distinct billing_entity from closed_documents

),

posted_in_order as (

    select
        billing_entity,
        close_number,
        close_hash,
        row_number() over (
            partition by billing_entity
            order by close_number desc
        ) as recency
    from posted_closes

),

last_links as (

    select
        entities.billing_entity,
        coalesce(posted_in_order.close_number, 0) as close_number,
        coalesce(posted_in_order.close_hash, '') as close_hash
    from entities
    left join posted_in_order
        on
            entities.billing_entity = posted_in_order.billing_entity
            and posted_in_order.recency = 1

),

cutoffs as (

    select
        billing_entity,
        cutoff_at,
        count(*) as document_count,
        max(sequence_number) as last_sequence_number,
        {{ text_digest(joined_text('content_hash', '', 'sequence_number')) }}
            as documents_hash
    from closed_documents
    group by
        billing_entity,
        cutoff_at

),

counted_closes as (

    select
        cutoffs.billing_entity,
        last_links.close_number + row_number() over (
            partition by cutoffs.billing_entity
            order by cutoffs.cutoff_at
        ) as close_number,
        cutoffs.cutoff_at,
        cutoffs.document_count,
        cutoffs.last_sequence_number,
        cutoffs.documents_hash
    from cutoffs
    inner join last_links
        on cutoffs.billing_entity = last_links.billing_entity

),

{{ chained_closes() }}

select
    billing_entity,
    close_number,
    cutoff_at,
    document_count,
    last_sequence_number,
    documents_hash,
    previous_hash,
    close_hash
from chained
where cutoff_at is not null
