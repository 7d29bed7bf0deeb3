{#
    The number of different values. Source: DESIGN, Meters. Values a, b and a: 2. A row is kept for
    each value, with the events that had it: a void takes one of them away.
#}
{% macro aggregation__count_unique(weighted_mode=none) -%}
    {{ return({
        "value": "text",
        "parts": [],
        "keeps": "values",
        "is_restated": false,
        "quantity": "unique_count",
        "zero_without_events": true,
    }) }}
{%- endmacro %}
