{#
    tiered_percentage: as tiered, each band of an amount at its own percentage, and the flat fee of
    each band entered. amount of a band = part of the amount in it x percent / 100 + flat_fee.

    Source: the field's "graduated percentage" charge; DESIGN, Pricing.
    Worked example: bands to 10 at 1 % + fee 200, to 20 at 2 % + 300; 11 are
    0.10 + 200 + 0.02 + 300 = 500.12.
#}
{% macro pricing__tiered_percentage() -%}
    {{ return({
        "step_applies": band_is_shown(),
        "units": units_in_band(),
        "rate": "percent_fraction",
        "fixed_amount": "case when " ~ band_is_entered() ~ " then flat_fee else 0 end",
        "fixed_is_a_fee": "true",
    }) }}
{%- endmacro %}
