{#
    Makes a CTE a fence: it is computed once, and nothing is pushed into it. Empty on an engine that
    has no such word.
#}
{% macro materialized() -%}
    {{ return(adapter.dispatch("materialized")()) }}
{%- endmacro %}

{% macro default__materialized() -%} {%- endmacro %}

{% macro duckdb__materialized() -%} materialized {%- endmacro %}

{% macro postgres__materialized() -%} materialized {%- endmacro %}
