{#
    percentage: a share of an amount (the quantity is money), after a free part, and a fixed fee for
    each event after the free ones.
    amount = max(quantity - free_amount, 0) x percent / 100 + max(events - free_events, 0) x event_fee

    Source: DESIGN, Pricing. The free amount and the free events are two allowances, each by itself.
    Worked example: 800 in 4 events at 1.3 % + 2.00 an event is 10.40 + 8.00 = 18.40.
#}
{% macro pricing__percentage() -%}
    {{ return({
        "step_applies": "band_number = 1",
        "units": "greatest(rated_quantity - free_amount, 0)",
        "rate": "percent_fraction",
        "fixed_amount": exact_product(
            "greatest(cast(event_count as " ~ type_quantity() ~ ") - free_events, 0)", "event_fee"
        ),
    }) }}
{%- endmacro %}
