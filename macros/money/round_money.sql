{#
    `amount` rounded half away from zero at the currency's exponent (a column or a literal, 0 to 4),
    as type_total(). Casting a decimal down rounds half away from zero on every engine;
    round(decimal, column) would come back as a DOUBLE on DuckDB.

    Worked example: 2.345 at 2 is 2.35; -2.345 at 2 is -2.35; 0.5 at 0 (JPY) is 1.
#}
{% macro round_money(amount, exponent) -%}
    case {{ exponent }}
        {%- for digits in range(0, 5) %}
        when {{ digits }}
            then cast(cast({{ amount }} as decimal(38, {{ digits }})) as {{ type_total() }})
        {%- endfor %}
    end
{%- endmacro %}
