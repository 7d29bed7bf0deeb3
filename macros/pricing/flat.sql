{#
    flat: a fixed amount if any event was counted, whatever the quantity. amount = flat_fee.

    Source: DESIGN, Pricing. An allowance does not touch it: it is due for the use itself.
    Worked example: a flat_fee of 49 with 3 events is 49; without events it is 0.
#}
{% macro pricing__flat() -%}
    {{ return({
        "step_applies": "band_number = 1",
        "units": "rated_quantity",
        "rate": "0",
        "fixed_amount": "case when event_count > 0 then flat_fee else 0 end",
        "fixed_is_a_fee": "true",
    }) }}
{%- endmacro %}
