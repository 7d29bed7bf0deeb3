{#
    dynamic: the price comes with the event. amount = the sum of the events' own amounts (the
    meter's amount_property); the quantity is shown and costs nothing.

    Source: DESIGN, Pricing. Events are summed exactly and rounded once, on the line.
    Worked example: events of 0.101 and 9.019 are 9.12.
#}
{% macro pricing__dynamic() -%}
    {{ return({
        "step_applies": "band_number = 1",
        "units": "rated_quantity",
        "rate": "0",
        "fixed_amount": "coalesce(usage_amount, 0)",
    }) }}
{%- endmacro %}
