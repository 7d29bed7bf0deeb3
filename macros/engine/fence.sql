{#
    Ends a CTE whose expressions must be computed once, where an engine would otherwise write them
    into every place that reads them (PostgreSQL then parses one JSON text a dozen times). Filters
    do not pass it either, so views that are asked for a few rows go without.
#}
{% macro fence() -%}
    {{ return(adapter.dispatch("fence")()) }}
{%- endmacro %}

{% macro default__fence() -%} {%- endmacro %}

{% macro postgres__fence() -%} offset 0 {%- endmacro %}
