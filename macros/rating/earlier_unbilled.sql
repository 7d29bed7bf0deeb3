{#
    What earlier runs found unbilled, and why: of a closed period that the run does not rate again
    their verdict stands, for its charges are not looked at. One row per event.
#}
{% macro earlier_unbilled() -%}
    {%- set relation = earlier_relation("rating", "int_rating__unbilled_events") -%}
    {%- if relation is none -%}
    {{ no_rows([
        ("load_id", type_text()),
        ("line_number", type_count()),
        ("reason", type_text()),
    ]) }}
    {%- else -%}
    select
        load_id,
        line_number,
        reason
    from {{ relation }}
    {%- endif -%}
{%- endmacro %}
