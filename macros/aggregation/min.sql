{# The least value. Source: DESIGN, Meters. Values 2, 3.5 and -1: -1. #}
{% macro aggregation__min(weighted_mode=none) -%}
    {{ return({
        "value": "number",
        "parts": ["min"],
        "keeps": "buckets",
        "is_restated": true,
        "quantity": "value_min",
        "zero_without_events": false,
    }) }}
{%- endmacro %}
