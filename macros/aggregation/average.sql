{#
    The mean of the values, rounded half away from zero to 10 decimals: that is then the quantity.
    Source: DESIGN, Meters and Pricing (rounding). Values 1, 2 and 2: 1.6666666667.
#}
{% macro aggregation__average(weighted_mode=none) -%}
    {{ return({
        "value": "number",
        "parts": ["sum"],
        "keeps": "buckets",
        "is_restated": false,
        "quantity": multiply_divide_round("value_sum", 1, "event_count", 10),
        "zero_without_events": false,
    }) }}
{%- endmacro %}
