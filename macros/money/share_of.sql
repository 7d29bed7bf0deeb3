{#
    amount * numerator / denominator as decimal(38, 23), cut after the 22nd decimal, with a 1 in the
    23rd where anything was cut off. That one tells every later rounding which side the exact ratio
    lies on, so that rounding the sum of this and exact amounts once is rounding the exact sum.

    amount: type_amount(); numerator and denominator: whole numbers from 0, below 10^14, the
    denominator above zero. Long division: whole 10^-10 first, then twelve digits more, so that
    nothing on the way has more than 38 digits.

    Worked example: 10 * 1 / 3 is 3.33333333333333333333331; 10 * 1 / 4 is 2.5.
#}
{% macro share_of(amount, numerator, denominator) -%}
    {{ return(adapter.dispatch("share_of")(amount, numerator, denominator)) }}
{%- endmacro %}

{% macro default__share_of(amount, numerator, denominator) -%}
    {{ exceptions.raise_compiler_error("share_of is not written for " ~ target.type) }}
{%- endmacro %}

{% macro duckdb__share_of(amount, numerator, denominator) -%}
    {%- set text = "cast(abs(cast(" ~ amount ~ " as " ~ type_amount() ~ ")) as varchar)" -%}
    {%- set upper = "(cast(split_part(" ~ text ~ ", '.', 1) || substr(split_part(" ~ text
        ~ ", '.', 2), 1, 10) as hugeint) * cast(" ~ numerator ~ " as hugeint))" -%}
    {%- set lower = "(cast(substr(split_part(" ~ text ~ ", '.', 2), 11) as hugeint) * cast("
        ~ numerator ~ " as hugeint))" -%}
    {%- set divisor = "cast(" ~ denominator ~ " as hugeint)" -%}
    {%- set rest = "((" ~ upper ~ " % " ~ divisor ~ ") * cast(1000000000000 as hugeint) + " ~ lower
        ~ ")" -%}
    case
        when {{ numerator }} = {{ denominator }} then cast({{ amount }} as decimal(38, 23))
        else cast(
            (
                cast(
                    cast({{ upper }} // {{ divisor }} as decimal(25, 0))
                    * cast(0.0000000001 as decimal(10, 10)) as decimal(38, 23)
                )
                + cast(
                    cast({{ rest }} // {{ divisor }} as decimal(15, 0))
                    * cast(0.0000000000000000000001 as decimal(22, 22)) as decimal(38, 23)
                )
                + case
                    when {{ rest }} % {{ divisor }} <> 0
                        then cast(0.00000000000000000000001 as decimal(38, 23))
                    else 0
                end
            ) * case when {{ amount }} < 0 then -1 else 1 end as decimal(38, 23)
        )
    end
{%- endmacro %}

{% macro postgres__share_of(amount, numerator, denominator) -%}
    {%- set product = "(abs(cast(" ~ amount ~ " as numeric)) * cast(" ~ numerator ~ " as numeric)"
        ~ " * 10000000000000000000000)" -%}
    {%- set divisor = "cast(" ~ denominator ~ " as numeric)" -%}
    case
        when {{ numerator }} = {{ denominator }} then cast({{ amount }} as numeric(38, 23))
        else cast(
            sign(cast({{ amount }} as numeric)) * (
                div({{ product }}, {{ divisor }}) * 0.0000000000000000000001
                + case
                    when mod({{ product }}, {{ divisor }}) <> 0 then 0.00000000000000000000001
                    else 0
                end
            ) as numeric(38, 23)
        )
    end
{%- endmacro %}
