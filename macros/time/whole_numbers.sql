{#
    A set-returning column: one row for every whole number from `first` to `last`.
#}
{% macro whole_numbers(first, last) -%}
    {{ return(adapter.dispatch("whole_numbers")(first, last)) }}
{%- endmacro %}

{% macro default__whole_numbers(first, last) -%}
    {{ exceptions.raise_compiler_error("whole_numbers is not written for " ~ target.type) }}
{%- endmacro %}

{% macro duckdb__whole_numbers(first, last) -%}
    cast(unnest(generate_series({{ first }}, {{ last }})) as integer)
{%- endmacro %}

{% macro postgres__whole_numbers(first, last) -%}
    cast(generate_series({{ first }}, {{ last }}) as integer)
{%- endmacro %}
