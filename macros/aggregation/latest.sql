{#
    The value of the newest event; of several at one instant the one loaded last. Source: DESIGN,
    Meters. 5 at 10:00, 3 at 11:00, loaded in any order: 3.
#}
{% macro aggregation__latest(weighted_mode=none) -%}
    {{ return({
        "value": "number",
        "parts": ["latest"],
        "keeps": "buckets",
        "is_restated": true,
        "quantity": "value_latest",
        "zero_without_events": false,
    }) }}
{%- endmacro %}
