{#
    The p-th percentile by nearest rank: of n values in order, the one at rank ceil(p / 100 * n).
    Source: DESIGN, Meters. The 95th of 1..20: rank 19, 19; the 50th of 1, 2, 3: rank 2, 2.
#}
{% macro aggregation__percentile(weighted_mode=none) -%}
    {{ return({
        "value": "number",
        "parts": [],
        "keeps": "values",
        "is_restated": false,
        "quantity": "value_percentile",
        "zero_without_events": false,
    }) }}
{%- endmacro %}
