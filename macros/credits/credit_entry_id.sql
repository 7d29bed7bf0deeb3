{# The id of an entry: the grant, the day, the moment, what moved, and for which day of which line. #}
{% macro credit_entry_id(entries) -%}
    {{ entries }}.grant_id
    || '|' || cast({{ entries }}.posted_date as {{ type_text() }})
    || '|' || cast({{ entries }}.moment_number as {{ type_text() }})
    || '|' || {{ entries }}.entry_kind
    || coalesce('|' || {{ entries }}.rated_line_id, '')
    || coalesce('|' || cast({{ entries }}.usage_date as {{ type_text() }}), '')
    || coalesce('|' || {{ entries }}.action_id, '')
{%- endmacro %}
