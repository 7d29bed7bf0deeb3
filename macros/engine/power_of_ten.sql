{#
    10 to the power `exponent` (a literal or a column, `lowest` to `highest`), exact: an engine's own
    power() is binary floating point on some.
#}
{% macro power_of_ten(exponent, lowest=0, highest=10) -%}
    case {{ exponent }}
        {%- for power in range(lowest, highest + 1) %} when {{ power }} then 1{{ "0" * power }}
        {%- endfor %} end
{%- endmacro %}
