{#
    round(amount * numerator / denominator, digits), exact, half away from zero, as decimal(38, 10).

    amount: any decimal; numerator: a whole number; denominator: a whole number above zero (zero gives
    null); digits: 0 to 10, a literal or a column. A ratio is never stored: the three travel together
    and are divided once, here. What does not fit 38 digits on the way is an error, never a wrong
    number.

    Worked example: 10.00 * 17 / 31 at 2 digits is 5.48 (5.4838...); 0.05 * 1 / 2 at 2 digits is 0.03.
#}
{% macro multiply_divide_round(amount, numerator, denominator, digits) -%}
    {{ return(adapter.dispatch("multiply_divide_round")(amount, numerator, denominator, digits)) }}
{%- endmacro %}

{% macro default__multiply_divide_round(amount, numerator, denominator, digits) -%}
    {{ exceptions.raise_compiler_error("multiply_divide_round is not written for " ~ target.type) }}
{%- endmacro %}

{#
    Whole numbers only: the amount without its point, A, over D = denominator * 10^(scale - digits).
    A = q * D + r splits off the whole part, so that only r * numerator has to fit 38 digits. One
    expression, so that it may stand over aggregates too; the engine computes equal parts once.
#}
{% macro duckdb__multiply_divide_round(amount, numerator, denominator, digits) -%}
    {%- set text = "cast(abs(" ~ amount ~ ") as varchar)" -%}
    {%- set scale = "length(split_part(" ~ text ~ ", '.', 2))" -%}
    {%- set factor = "abs(cast(" ~ numerator ~ " as hugeint))" -%}
    {%- set unscaled = "(cast(replace(" ~ text ~ ", '.', '') as hugeint) * cast(rpad('1', 1 + "
        ~ "cast(greatest(" ~ digits ~ " - " ~ scale ~ ", 0) as integer), '0') as hugeint))" -%}
    {%- set divisor = "(nullif(cast(" ~ denominator ~ " as hugeint), 0) * cast(rpad('1', 1 + "
        ~ "cast(greatest(" ~ scale ~ " - " ~ digits ~ ", 0) as integer), '0') as hugeint))" -%}
    cast(
        cast(
            cast(sign({{ amount }}) * sign({{ numerator }}) as hugeint)
            * (
                ({{ unscaled }} // {{ divisor }}) * {{ factor }}
                + (2 * (({{ unscaled }} % {{ divisor }}) * {{ factor }}) + {{ divisor }})
                // (2 * {{ divisor }})
            ) * cast(rpad('1', 11 - cast({{ digits }} as integer), '0') as hugeint)
            as decimal(38, 0)
        ) * cast(0.0000000001 as decimal(10, 10)) as decimal(38, 10)
    )
{%- endmacro %}

{#
    Multiplied by 10^-digits, not divided by 10^digits: a numeric quotient is cut at 16 digits or so.
    Every term is made numeric first: sign() of a bigint is a double.
#}
{% macro postgres__multiply_divide_round(amount, numerator, denominator, digits) -%}
    {%- set factor = "cast(" ~ numerator ~ " as numeric)" -%}
    {%- set divisor = "cast(nullif(" ~ denominator ~ ", 0) as numeric)" -%}
    cast(
        sign(cast({{ amount }} as numeric)) * sign({{ factor }}) * div(
            2 * abs(cast({{ amount }} as numeric)) * abs({{ factor }})
            * {{ power_of_ten(digits) }} + {{ divisor }},
            2 * {{ divisor }}
        ) * case {{ digits }}
            when 0 then 1
            {%- for power in range(1, 11) %}
            when {{ power }} then 0.{{ "0" * (power - 1) }}1
            {%- endfor %}
        end as numeric(38, 10)
    )
{%- endmacro %}
