{#
    Whether a relation has a row that a condition holds for, asked when a model is compiled: a model
    of rows that a catalogue may do without then costs nothing.
#}
{% macro has_rows(relation, condition="true") -%}
    {%- if not execute or flags.WHICH in ["parse", "list", "ls"] -%}
        {{ return(false) }}
    {%- endif -%}
    {{ return(run_query(
        "select count(*) from (select 1 as one from " ~ relation
        ~ " where " ~ condition ~ " limit 1) as first_row"
    ).rows[0][0] > 0) }}
{%- endmacro %}
