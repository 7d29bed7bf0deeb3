{#
    When a catalogue row became known, from its text; a blank was known from the beginning.
#}
{% macro recorded_at(text) -%}
    coalesce({{ utc_timestamp(text) }}, cast('1970-01-01 00:00:00' as {{ type_timestamp() }}))
{%- endmacro %}

{#
    First local date on which a catalogue row holds; a blank holds always.
#}
{% macro valid_from_date(text) -%}
    cast(coalesce({{ text }}, '1970-01-01') as date)
{%- endmacro %}
