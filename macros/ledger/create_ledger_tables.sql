{#
    The ledger: what was sent to customers, and what it was known by. Made at the start of a run
    where it is not there yet; no run alters or drops it, `--full-refresh` neither (it is no model).

    documents     one row per closed document
    lines         one row per line of one
    closes        one row per billing entity and cutoff that has documents: a link of the chain
    seals         one row per run that closed: until when everything is sealed
    sealed_days   one row per sealed load day: the count and digests of its raw rows
    catalog_rows  one row per row of the catalogue that a close could see, by content
    credit_entries   one row per movement of a grant of prepaid credits
    credit_days      one row per sealed day with such movements: their count and digest
    credit_balances  one row per sealed day and grant that has something left or moved on it
    credit_steps     one row per open line, day of usage and load day that moved what it asks for
    credit_vectors   one row per closed line's rating and day of usage that drew on credits
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
    {{ add_column(schema, "documents", name, type) }}
    {%- endfor %}
    create table if not exists {{ schema }}.lines (
        {%- for name, type in ledger_line_columns() %}
        {{ name }} {{ type }},
        {%- endfor %}
        primary key (invoice_id, line_number)
    );
    {%- for name, type in ledger_line_columns()[-3:] %}
    {{ add_column(schema, "lines", name, type) }}
    {%- endfor %}
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
    create table if not exists {{ schema }}.credit_entries (
        {%- for name, type in ledger_credit_entry_columns() %}
        {{ name }} {{ type }},
        {%- endfor %}
        primary key (entry_id)
    );
    create table if not exists {{ schema }}.credit_days (
        posted_date date not null,
        entry_count {{ type_count() }} not null,
        entries_hash {{ type_text() }} not null,
        primary key (posted_date)
    );
    create table if not exists {{ schema }}.credit_balances (
        balance_date date not null,
        grant_id {{ type_text() }} not null,
        balance_total {{ type_total() }} not null,
        primary key (balance_date, grant_id)
    );
    create table if not exists {{ schema }}.credit_vectors (
        rated_line_id {{ type_text() }} not null,
        posted_date date not null,
        moment_number {{ type_count() }} not null,
        usage_date date not null,
        step_total {{ type_total() }} not null,
        primary key (rated_line_id, posted_date, moment_number, usage_date)
    );
    create table if not exists {{ schema }}.credit_steps (
        subscription_id {{ type_text() }} not null,
        rated_line_id {{ type_text() }} not null,
        usage_date date not null,
        posted_date date not null,
        asked_total {{ type_total() }} not null,
        currency {{ type_text() }},
        primary key (rated_line_id, usage_date, posted_date)
    );
    {{ add_column(schema, "credit_steps", "currency", type_text()) }}
    {%- if target.type == "postgres" %}
    create index if not exists credit_steps_subscription
    on {{ schema }}.credit_steps (subscription_id);
    create index if not exists credit_entries_line on {{ schema }}.credit_entries (rated_line_id);
    {%- endif %}
    create table if not exists {{ schema }}.seals (
        sealed_until {{ type_timestamp() }} not null,
        rules_version integer not null,
        primary key (sealed_until)
    );
    {{ guard_tables(schema, ledger_tables(), "the ledger") }}
{%- endmacro %}

{#
    A column that a table does not have yet. PostgreSQL takes the table from its readers for the
    question alone, so there it is asked before.
#}
{% macro add_column(schema, table, name, type) -%}
    {{ return(adapter.dispatch("add_column")(schema, table, name, type)) }}
{%- endmacro %}

{% macro default__add_column(schema, table, name, type) -%}
    alter table {{ schema }}.{{ table }} add column if not exists {{ name }} {{ type }};
{%- endmacro %}

{% macro postgres__add_column(schema, table, name, type) -%}
    do $body$
    begin
        if not exists (
            select 1 from information_schema.columns
            where
                table_schema = '{{ schema }}'
                and table_name = '{{ table }}'
                and column_name = '{{ name }}'
        ) then
            alter table {{ schema }}.{{ table }} add column {{ name }} {{ type }};
        end if;
    end
    $body$;
{%- endmacro %}

{% macro ledger_schema() -%} {{ return(var("schema_prefix", "") ~ "ledger") }} {%- endmacro %}

{% macro ledger_tables() -%}
    {{ return([
        "documents", "lines", "closes", "seals", "sealed_days", "catalog_rows",
        "credit_entries", "credit_days", "credit_balances", "credit_steps", "credit_vectors",
    ]) }}
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
