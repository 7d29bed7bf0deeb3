{# The sum of the values. Source: DESIGN, Meters. Values 2, 3.5 and -1: 4.5. #}
{% macro aggregation__sum(weighted_mode=none) -%}
    {{ return({
        "value": "number",
        "parts": ["sum"],
        "keeps": "buckets",
        "is_restated": false,
        "quantity": "value_sum",
        "zero_without_events": true,
    }) }}
{%- endmacro %}
