{#
    The raw tables, made empty where no loader has made them yet, so that a new house builds.
    Runs at the start of every run; append-only data, so it never alters or drops one.
#}
{% macro create_raw_tables() -%}
    {% set raw_schema = var("schema_prefix", "") ~ "raw" %}
    create schema if not exists {{ raw_schema }};
    create table if not exists {{ raw_schema }}.usage_events (
        load_id {{ type_text() }},
        line_number bigint,
        loaded_at {{ type_timestamp() }},
        customer_id {{ type_text() }},
        event_name {{ type_text() }},
        occurred_at {{ type_text() }},
        event_key {{ type_text() }},
        voids_key {{ type_text() }},
        subscription_id {{ type_text() }},
        subscription_item_id {{ type_text() }},
        properties {{ type_text() }},
        unread_record {{ type_text() }}
    );
    create table if not exists {{ raw_schema }}.loads (
        load_id {{ type_text() }},
        file_name {{ type_text() }},
        content_hash {{ type_text() }},
        row_count bigint,
        loaded_at {{ type_timestamp() }},
        mapping_hash {{ type_text() }}
    );
{%- endmacro %}
