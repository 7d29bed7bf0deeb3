{#
    What so many units of credit are worth: a total of at most 4 decimals times a rate of at most 8,
    exact.

    Worked example: 11.63 x 0.03 is 0.3489.
#}
{% macro worth_of_units(units, rate) -%}
    cast(
        cast({{ units }} as {{ type_total() }}) * cast({{ rate }} as decimal(14, 8))
        as {{ type_amount() }}
    )
{%- endmacro %}

{# Whether what an amount of units is worth is below 10^13 either way; without a rate it is. #}
{% macro fits_worth(units, rate) -%}
    coalesce({{ product_fits(units, rate) }}, true)
{%- endmacro %}
