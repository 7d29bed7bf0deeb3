{# The greatest value. Source: DESIGN, Meters. Values 2, 3.5 and -1: 3.5. #}
{% macro aggregation__max(weighted_mode=none) -%}
    {{ return({
        "value": "number",
        "parts": ["max"],
        "keeps": "buckets",
        "is_restated": true,
        "quantity": "value_max",
        "zero_without_events": false,
    }) }}
{%- endmacro %}
