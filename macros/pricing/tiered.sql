{#
    tiered (graduated): the units in each band (tier_from, tier_to] at that band's own price, and
    the flat fee of each band entered. amount of a band = units in it x unit_price + flat_fee.

    Source: the field's "graduated" charge; DESIGN, Pricing. Bands touch, fractions are allowed.
    Worked example: bands to 10 at 10 + fee 2, to 20 at 5 + 3, open at 5 + 3; 12 units are
    10 x 10 + 2 + 2 x 5 + 3 = 115.
#}
{% macro pricing__tiered() -%}
    {{ return({
        "step_applies": band_is_shown(),
        "units": units_in_band(),
        "rate": "unit_price",
        "fixed_amount": "case when " ~ band_is_entered() ~ " then flat_fee else 0 end",
        "fixed_is_a_fee": "true",
    }) }}
{%- endmacro %}
