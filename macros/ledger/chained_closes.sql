{#
    The chain of digests: each close of a billing entity has the hash of its documents' content
    hashes in the order of their numbers, and of the close before it. Altering, inserting or
    taking away a document, a line or a close breaks every link from there on.

    Expects CTEs `counted_closes` (billing_entity, close_number, cutoff_at, document_count,
    last_sequence_number, documents_hash; numbered on from what is posted) and `last_links`
    (billing_entity, close_number, close_hash: the last posted close, or 0 and an empty text).
    Gives the CTE `chained`; the `with` must be recursive.
#}
{% macro chained_closes() -%}
    chained as (

        select
            billing_entity,
            close_number,
            cast(null as {{ type_timestamp() }}) as cutoff_at,
            cast(null as {{ type_count() }}) as document_count,
            cast(null as {{ type_count() }}) as last_sequence_number,
            cast(null as {{ type_text() }}) as documents_hash,
            cast(null as {{ type_text() }}) as previous_hash,
            close_hash
        from last_links

        union all

        select
            counted_closes.billing_entity,
            counted_closes.close_number,
            counted_closes.cutoff_at,
            counted_closes.document_count,
            counted_closes.last_sequence_number,
            counted_closes.documents_hash,
            chained.close_hash as previous_hash,
            {{ text_digest(
                "concat_ws(chr(31), "
                ~ "counted_closes.billing_entity, "
                ~ content_value("counted_closes.close_number", type_count()) ~ ", "
                ~ content_value("counted_closes.cutoff_at", type_timestamp()) ~ ", "
                ~ "counted_closes.documents_hash, chained.close_hash)"
            ) }} as close_hash
        from chained
        inner join counted_closes
            on
                chained.billing_entity = counted_closes.billing_entity
                and chained.close_number + 1 = counted_closes.close_number

    )
{%- endmacro %}
