{#
    The ledger: what was sent to customers, and what it was known by. Made at the start of a run
    where it is not there yet; no run alters or drops it, `--full-refresh` neither (it is no model).

    documents     one row per closed document
    lines         one row per line of one
    closes        one row per billing entity and cutoff that has documents: a link of the chain
    seals         one row per run that closed: until when everything is sealed
    sealed_days   one row per sealed load day: the count and digests of its raw rows
    catalog_rows  one row per row of the catalogue that a close could see, by content
#}
{% macro create_ledger_tables() -%}
    {%- set schema = ledger_schema() -%}
    create schema if not exists {{ schema }};
    create table if not exists {{ schema }}.documents (
        {%- for name, type in ledger_document_columns() %}
        {{ name }} {{ type }},
        {%- endfor %}
        content_hash {{ type_text() }} not null,
        primary key (invoice_id),
        unique (subscription_id, period_number),
        unique (billing_entity, sequence_number)
    );
    -- Columns that came later, null for what was posted before.
    {%- for name, type in ledger_document_columns()[20:] %}
    alter table {{ schema }}.documents add column if not exists {{ name }} {{ type }};
    {%- endfor %}
    create table if not exists {{ schema }}.lines (
        {%- for name, type in ledger_line_columns() %}
        {{ name }} {{ type }},
        {%- endfor %}
        primary key (invoice_id, line_number)
    );
    create table if not exists {{ schema }}.closes (
        billing_entity {{ type_text() }} not null,
        close_number {{ type_count() }} not null,
        cutoff_at {{ type_timestamp() }} not null,
        document_count {{ type_count() }} not null,
        last_sequence_number {{ type_count() }} not null,
        documents_hash {{ type_text() }} not null,
        previous_hash {{ type_text() }} not null,
        close_hash {{ type_text() }} not null,
        primary key (billing_entity, close_number),
        unique (billing_entity, cutoff_at)
    );
    create table if not exists {{ schema }}.sealed_days (
        load_day date not null,
        landed_count {{ type_count() }} not null,
        {%- for place in range(4) %}
        digest_{{ place + 1 }} decimal(38, 0) not null,
        {%- endfor %}
        primary key (load_day)
    );
    create table if not exists {{ schema }}.catalog_rows (
        table_name {{ type_text() }} not null,
        row_hash {{ type_text() }} not null,
        row_text {{ type_text() }} not null,
        sealed_until {{ type_timestamp() }} not null,
        primary key (table_name, row_hash)
    );
    create table if not exists {{ schema }}.seals (
        sealed_until {{ type_timestamp() }} not null,
        rules_version integer not null,
        primary key (sealed_until)
    );
    {{ guard_tables(schema, ledger_tables(), "the ledger") }}
{%- endmacro %}

{% macro ledger_schema() -%} {{ return(var("schema_prefix", "") ~ "ledger") }} {%- endmacro %}

{% macro ledger_tables() -%}
    {{ return(["documents", "lines", "closes", "seals", "sealed_days", "catalog_rows"]) }}
{%- endmacro %}

{#
    Where the engine can refuse it, no row of these tables is updated or deleted, by whomever; `what`
    says what they are. Where it cannot, the ledger's chain of digests shows it (`tally verify`).
#}
{% macro guard_tables(schema, tables, what) -%}
    {{ return(adapter.dispatch("guard_tables")(schema, tables, what)) }}
{%- endmacro %}

{% macro default__guard_tables(schema, tables, what) -%} {{ return("") }} {%- endmacro %}

{% macro postgres__guard_tables(schema, tables, what) -%}
    create or replace function {{ schema }}.refuse_change() returns trigger
    language plpgsql as $body$
    begin
        raise exception '{{ what }} is append-only: % of %.% is refused',
            lower(tg_op), tg_table_schema, tg_table_name;
    end
    $body$;
    {%- for table in tables %}
    create or replace trigger refuse_change
    before update or delete or truncate on {{ schema }}.{{ table }}
    for each statement execute function {{ schema }}.refuse_change();
    {%- endfor %}
{%- endmacro %}

{# The midnight until which everything is sealed, when the statement runs. #}
{% macro sealed_until_now() -%}
    (
        select coalesce(max(sealed_until), cast('1900-01-01' as {{ type_timestamp() }}))
        from {{ ledger_schema() }}.seals
    )
{%- endmacro %}
