{#
    A room is a schema of its own name (`raw`, `rating`, `marts`, ...), whatever the target's
    default schema; the var schema_prefix lets several houses share one database.
#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- if custom_schema_name is none -%}
        {{ var("schema_prefix", "") }}{{ target.schema }}
    {%- else -%}
        {{ var("schema_prefix", "") }}{{ custom_schema_name | trim }}
    {%- endif -%}
{%- endmacro %}
