{#
    `text` for an `order by` or a comparison that decides a bill: by code point, on every engine
    alike, whatever the database's own collation.
#}
{% macro binary_order(text) -%}
    {{ return(adapter.dispatch("binary_order")(text)) }}
{%- endmacro %}

{% macro default__binary_order(text) -%}
    {{ exceptions.raise_compiler_error("binary_order is not written for " ~ target.type) }}
{%- endmacro %}

{# Text is compared by its UTF-8 bytes unless a collation is set; none ever is here. #}
{% macro duckdb__binary_order(text) -%} {{ text }} {%- endmacro %}

{% macro postgres__binary_order(text) -%} ({{ text }}) collate "C" {%- endmacro %}
