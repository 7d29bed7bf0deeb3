{#
    Texts of a group in one, in the order of `order_by`: an aggregate.
#}
{% macro joined_text(text, separator, order_by) -%}
    {{ return(adapter.dispatch("joined_text")(text, separator, order_by)) }}
{%- endmacro %}

{% macro default__joined_text(text, separator, order_by) -%}
    {{ exceptions.raise_compiler_error("joined_text is not written for " ~ target.type) }}
{%- endmacro %}

{% macro duckdb__joined_text(text, separator, order_by) -%}
    string_agg({{ text }}, '{{ separator }}' order by {{ order_by }})
{%- endmacro %}

{% macro postgres__joined_text(text, separator, order_by) -%}
    string_agg({{ text }}, '{{ separator }}' order by {{ order_by }})
{%- endmacro %}
