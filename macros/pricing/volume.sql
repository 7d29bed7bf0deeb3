{#
    volume: all units at the price of the one band that the quantity falls in, and that band's flat
    fee. amount = quantity x unit_price + flat_fee.

    Source: the field's "volume" charge; DESIGN, Pricing. It is not monotone: 200 units may cost
    more than 201. A quantity of zero is in the first band.
    Worked example: bands to 100 at 2 + fee 10, to 200 at 1, open at 0.5 + 50; 210 units are
    210 x 0.5 + 50 = 155; 100 units are 100 x 2 + 10 = 210.
#}
{% macro pricing__volume() -%}
    {{ return({
        "step_applies": "(rated_quantity > tier_from or (rated_quantity = 0 and band_number = 1))"
            ~ " and (tier_to is null or rated_quantity <= tier_to)",
        "units": "rated_quantity",
        "rate": "unit_price",
        "fixed_amount": "case when " ~ band_is_entered() ~ " then flat_fee else 0 end",
        "fixed_is_a_fee": "true",
    }) }}
{%- endmacro %}
