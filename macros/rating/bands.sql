{#
    What the tiered pricing models say about one band (tier_from, tier_to] of a price row. A null
    tier_to has no upper end. The columns are those of int_rating__applied_bands.
#}

{# Units of the rated quantity that fall in the band. #}
{% macro units_in_band() -%}
    greatest(least(rated_quantity, coalesce(tier_to, rated_quantity)) - tier_from, 0)
{%- endmacro %}

{#
    Whether the band's flat fee is due: once a unit fell in it, or, where the charge says so, for
    the first band at zero usage.
#}
{% macro band_is_entered() -%}
    (rated_quantity > tier_from or (rated_quantity = 0 and band_number = 1 and flat_fee_at_zero))
{%- endmacro %}

{# Whether the band is a step of the line: those entered, and always the first. #}
{% macro band_is_shown() -%}
    (rated_quantity > tier_from or band_number = 1)
{%- endmacro %}
