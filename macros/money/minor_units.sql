{#
    Money as whole minor units (cents, yen), for what is divided among lines to the last one: whole
    numbers of 38 digits, so that units x units still fits.
#}
{% macro type_minor_units() -%}
    {{ return(adapter.dispatch("type_minor_units")()) }}
{%- endmacro %}

{% macro default__type_minor_units() -%}
    {{ exceptions.raise_compiler_error("type_minor_units is not written for " ~ target.type) }}
{%- endmacro %}

{% macro duckdb__type_minor_units() -%} hugeint {%- endmacro %}

{% macro postgres__type_minor_units() -%} numeric(38, 0) {%- endmacro %}

{# A rounded total in minor units of its currency. Worked example: 12.3400 at 2 is 1234. #}
{% macro minor_units(total, exponent) -%}
    cast({{ total }} * {{ power_of_ten(exponent, 0, 4) }} as {{ type_minor_units() }})
{%- endmacro %}

{# And back: multiplied, as a quotient of decimals is binary floating point on some engines. #}
{% macro total_of_minor_units(units, exponent) -%}
    cast(
        cast(
            {{ units }} * {{ power_of_ten("(4 - " ~ exponent ~ ")", 0, 4) }} as decimal(20, 0)
        ) * cast(0.0001 as decimal(4, 4)) as {{ type_total() }}
    )
{%- endmacro %}

{#
    Whole quotient of two whole numbers that are not negative, rounded down, of any size; null where
    the divisor is zero. Its remainder is mod().
#}
{% macro whole_quotient(dividend, divisor) -%}
    {{ return(adapter.dispatch("whole_quotient")(dividend, divisor)) }}
{%- endmacro %}

{% macro default__whole_quotient(dividend, divisor) -%}
    {{ exceptions.raise_compiler_error("whole_quotient is not written for " ~ target.type) }}
{%- endmacro %}

{% macro duckdb__whole_quotient(dividend, divisor) -%}
    (({{ dividend }}) // nullif({{ divisor }}, 0))
{%- endmacro %}

{% macro postgres__whole_quotient(dividend, divisor) -%}
    div({{ dividend }}, nullif({{ divisor }}, 0))
{%- endmacro %}
