{#
    A select of no rows with these columns, a list of (name, type).
#}
{% macro no_rows(columns) -%}
    select
    {%- for name, type in columns %}
        cast(null as {{ type }}) as {{ name }}{{ "," if not loop.last }}
    {%- endfor %}
    where false
{%- endmacro %}
