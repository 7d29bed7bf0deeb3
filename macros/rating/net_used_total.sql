{#
    What was used of a fee (`used_total`), net of the discounts on its bill: a discount on the bill is
    one on what was used of it. `states` has gross_total and net_total of the bill, and exponent;
    where nothing was billed nothing was used.
#}
{% macro net_used_total(states, used_total='used_total') -%}
    case
        when {{ states }}.gross_total = {{ states }}.net_total then {{ states }}.{{ used_total }}
        else cast(
            coalesce(
                {{ multiply_divide_round(
                    states ~ '.' ~ used_total,
                    minor_units(states ~ '.net_total', states ~ '.exponent'),
                    minor_units(states ~ '.gross_total', states ~ '.exponent'),
                    states ~ '.exponent'
                ) }},
                0
            ) as {{ type_total() }}
        )
    end
{%- endmacro %}
