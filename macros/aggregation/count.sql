{#
    The number of events. Source: DESIGN, Meters. Three events: 3.

    An aggregation's macro returns a dictionary:
    value      what is read of an event: none, number or text
    parts      columns of the rollup that it needs: sum, min, max, latest, moment
    keeps      `buckets` (mergeable parts a quarter of an hour) or `values` (a row a value) or
               `readings` (a row an event)
    is_restated  whether a void can take away what a part holds (its bucket is then stated anew)
    quantity   the quantity of a period, over the merged columns of int_rating__period_usage
    zero_without_events  whether no event is a quantity of zero (true) or no quantity (false)
#}
{% macro aggregation__count(weighted_mode=none) -%}
    {{ return({
        "value": "none",
        "parts": [],
        "keeps": "buckets",
        "is_restated": false,
        "quantity": "event_count",
        "zero_without_events": true,
    }) }}
{%- endmacro %}
