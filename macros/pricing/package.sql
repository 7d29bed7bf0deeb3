{#
    package: whole packages, a part of one is billed whole. amount = packages x unit_price, where
    unit_price is the price of one package; the units of the step are packages.

    Source: DESIGN, Pricing. The allowance is taken off before the units are packed.
    Worked example: packages of 100 at 1.00; 101 units are 2 packages, 2.00; 0 units are 0.
#}
{% macro pricing__package() -%}
    {{ return({
        "step_applies": "band_number = 1",
        "units": ceiling_divide("rated_quantity", "package_size"),
        "rate": "unit_price",
        "fixed_amount": "0",
    }) }}
{%- endmacro %}
