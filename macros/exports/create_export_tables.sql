{#
    What was exported, and what the receivables ledger said to it. Made at the start of a run where it
    is not there yet, appended to by `tally export` and `tally receivables acknowledge`; no run alters
    or drops it, `--full-refresh` neither (it is no model). No bill reads it.

    exports                      one row per document, file that it is in, and folder of that file
    receivable_acknowledgements  one row per document and time that the receivables ledger told of it:
                                 its id there, and what differs; its amounts are not kept
#}
{% macro create_export_tables() -%}
    {%- set schema = exports_schema() -%}
    create schema if not exists {{ schema }};
    create table if not exists {{ schema }}.exports (
        folder {{ type_text() }} not null,
        file {{ type_text() }} not null,
        invoice_id {{ type_text() }} not null,
        invoice_number {{ type_text() }} not null,
        format {{ type_text() }} not null,
        content_hash {{ type_text() }} not null,
        byte_count {{ type_count() }} not null,
        document_hash {{ type_text() }} not null,
        cutoff_at {{ type_timestamp() }} not null,
        exported_at {{ type_timestamp() }} not null,
        primary key (folder, file, invoice_id)
    );
    create table if not exists {{ schema }}.receivable_acknowledgements (
        acknowledgement_number {{ type_count() }} not null,
        file_hash {{ type_text() }} not null,
        row_number {{ type_count() }} not null,
        invoice_id {{ type_text() }} not null,
        external_id {{ type_text() }} not null,
        external_status {{ type_text() }},
        net_difference {{ type_total() }} not null,
        is_taxed boolean not null,
        payment_state {{ type_text() }} not null,
        acknowledged_at {{ type_timestamp() }} not null,
        primary key (acknowledgement_number),
        unique (file_hash, row_number)
    );
    {{ guard_tables(schema, ["exports", "receivable_acknowledgements"], "the log of exports") }}
{%- endmacro %}

{% macro exports_schema() -%} {{ return(var("schema_prefix", "") ~ "exports") }} {%- endmacro %}
