{#
    Whole quotient of two whole numbers, rounded down: -1 by 12 is -1. The divisor is positive.
#}
{% macro floor_divide(dividend, divisor) -%}
    {%- set remainder -%}
    mod(mod({{ dividend }}, {{ divisor }}) + {{ divisor }}, {{ divisor }})
    {%- endset -%}
    {{ return(adapter.dispatch("floor_divide")(dividend, divisor, remainder)) }}
{%- endmacro %}

{% macro default__floor_divide(dividend, divisor, remainder) -%}
    {{ exceptions.raise_compiler_error("floor_divide is not written for " ~ target.type) }}
{%- endmacro %}

{% macro duckdb__floor_divide(dividend, divisor, remainder) -%}
    cast(({{ dividend }} - {{ remainder }}) // {{ divisor }} as integer)
{%- endmacro %}

{% macro postgres__floor_divide(dividend, divisor, remainder) -%}
    cast(({{ dividend }} - {{ remainder }}) / {{ divisor }} as integer)
{%- endmacro %}
