{#
    The time-weighted average of a level: its integral over the period in real seconds, divided by
    the seconds of the full cycle, rounded half away from zero to 10 decimals. A value *changes* the
    level (mode change) or *is* it until the next one (mode reading). Source: DESIGN, Meters.
    Level 10 over the first half of a cycle, nothing after: 5.
#}
{% macro aggregation__weighted_sum(weighted_mode=none) -%}
    {{ return({
        "value": "number",
        "parts": ["sum", "moment"] if weighted_mode == "change" else [],
        "keeps": "buckets" if weighted_mode == "change" else "readings",
        "is_restated": false,
        "quantity": multiply_divide_round("level_integral", 1, "cycle_microseconds", 10),
        "zero_without_events": false,
    }) }}
{%- endmacro %}
