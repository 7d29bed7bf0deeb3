{#
    per_unit: every unit at one price. amount = units x unit_price.

    Source: the field's "standard" or "per unit" charge; DESIGN, Pricing.
    Worked example: 100 units at 0.001 are 0.10.
#}
{% macro pricing__per_unit() -%}
    {{ return({
        "step_applies": "band_number = 1",
        "units": "rated_quantity",
        "rate": "unit_price",
        "fixed_amount": "0",
    }) }}
{%- endmacro %}
