-- The chain of closes has no gap: documents, first and last numbers of each link are those of the
-- ledger's documents. (The digests themselves are `tally verify`'s.)
with

documents as (

    select
        billing_entity,
        cutoff_at,
        count(*) as document_count,
        min(sequence_number) as first_sequence_number,
        max(sequence_number) as last_sequence_number
    from {{ source('ledger', 'documents') }}
    group by
        billing_entity,
        cutoff_at

),

closes as (

    select
        billing_entity,
        cutoff_at,
        close_number,
        document_count,
        last_sequence_number,
        previous_hash,
        lag(close_hash, 1, '') over (
            partition by billing_entity
            order by close_number
        ) as hash_before,
        lag(last_sequence_number, 1, cast(0 as {{ type_count() }})) over (
            partition by billing_entity
            order by close_number
        ) as number_before,
        row_number() over (
            partition by billing_entity
            order by cutoff_at
        ) as place
    from {{ source('ledger', 'closes') }}

)

select
    coalesce(closes.billing_entity, documents.billing_entity) as billing_entity,
    coalesce(closes.cutoff_at, documents.cutoff_at) as cutoff_at
from closes
full outer join documents
    on
        closes.billing_entity = documents.billing_entity
        and closes.cutoff_at = documents.cutoff_at
where
    not coalesce(
        closes.place = closes.close_number
        and closes.previous_hash = closes.hash_before
        and closes.document_count = documents.document_count
        and closes.last_sequence_number = documents.last_sequence_number
        and documents.first_sequence_number = closes.number_before + 1,
        false
    )
