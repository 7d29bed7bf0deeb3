{#
    quantity / whole, rounded half away from zero to 10 decimals; null where there is no whole, or
    where one of them has more than 15 whole digits.

    Worked example: 800 of 1000 is 0.8; 2 of 3 is 0.6666666667.
#}
{% macro quotient(quantity, whole) -%}
    {%- set fitting -%}
    case
        when {{ fits_quantity(quantity) }} and {{ fits_quantity(whole) }} and {{ whole }} > 0
            then cast({{ quantity }} as {{ type_quantity() }})
    end
    {%- endset -%}
    {%- set divisor -%}
    case
        when {{ fits_quantity(whole) }} then cast({{ whole }} * 10000000000 as decimal(38, 0))
    end
    {%- endset -%}
    {{ multiply_divide_round(fitting, 10000000000, divisor, 10) }}
{%- endmacro %}
