{#
    stairstep: the flat fees of the bands entered, stacked; the units themselves cost nothing.

    Source: DESIGN, Pricing. (Where a list states the whole price at each step, the flat fee of a
    band is the difference to the step before.)
    Worked example: bands to 100 for 10, to 200 for 15, open for 20; 150 units are 10 + 15 = 25.
#}
{% macro pricing__stairstep() -%}
    {{ return({
        "step_applies": band_is_shown(),
        "units": units_in_band(),
        "rate": "0",
        "fixed_amount": "case when " ~ band_is_entered() ~ " then flat_fee else 0 end",
        "fixed_is_a_fee": "true",
    }) }}
{%- endmacro %}
