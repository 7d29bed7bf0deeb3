{#
    The tables of the catalogue that decide a bill.
#}
{% macro billing_tables() -%}
    {{ return([
        "customers", "products", "plans", "charges", "charge_limits", "prices", "meters",
        "meter_filters", "subscriptions", "subscription_changes", "plan_migrations",
        "allowances", "commitments", "discounts", "entitlements", "alerts", "invoice_actions",
        "credit_grants", "credit_actions", "credit_top_ups", "credit_units"
    ]) }}
{%- endmacro %}

{#
    The catalogue as the archive keeps it: one row per row of each table, as text (`column=value` of
    what is not blank, in the order of the catalogue's columns), with its hash and recorded_at.
#}
{% macro catalog_rows() -%}
    {%- for name in billing_tables() %}
    select
        table_name,
        {{ text_digest("row_text") }} as row_hash,
        row_text,
        recorded_at
    from (
        select distinct
            '{{ name }}' as table_name,
            {{ content_text(catalog_text_columns(name), name) }} as row_text,
            {{ recorded_at(name ~ ".recorded_at") }} as recorded_at
        from {{ catalog_table(name) }}
    ) as texts
    {{- "\n    union all" if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{% macro catalog_text_columns(name) -%}
    {%- set columns = [] -%}
    {%- for column in catalog_columns(name) -%}
        {%- do columns.append((column, type_text())) -%}
    {%- endfor -%}
    {{ return(columns) }}
{%- endmacro %}

{# The columns of raw.usage_events, whose texts make the digests of a sealed day. #}
{% macro raw_event_columns() -%}
    {{ return([
        ("load_id", type_text()),
        ("line_number", type_count()),
        ("loaded_at", type_timestamp()),
        ("customer_id", type_text()),
        ("event_name", type_text()),
        ("occurred_at", type_text()),
        ("event_key", type_text()),
        ("voids_key", type_text()),
        ("subscription_id", type_text()),
        ("subscription_item_id", type_text()),
        ("properties", type_text()),
        ("unread_record", type_text()),
    ]) }}
{%- endmacro %}
