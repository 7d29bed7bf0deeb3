{#
    One row for each part of `text` between separators: stands as a column of a select.
#}
{% macro split_rows(text, separator) -%}
    {{ return(adapter.dispatch("split_rows")(text, separator)) }}
{%- endmacro %}

{% macro default__split_rows(text, separator) -%}
    {{ exceptions.raise_compiler_error("split_rows is not written for " ~ target.type) }}
{%- endmacro %}

{% macro duckdb__split_rows(text, separator) -%}
    unnest(string_split({{ text }}, '{{ separator }}'))
{%- endmacro %}

{% macro postgres__split_rows(text, separator) -%}
    unnest(string_to_array({{ text }}, '{{ separator }}'))
{%- endmacro %}
