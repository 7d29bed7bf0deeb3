{#
    The least whole number that is >= `quantity` / `size`, exact: how many packages hold a quantity.
    quantity >= 0 below 1e15, size > 0, both at most 10 decimals; a size of zero gives null.
    Worked example: 100.0000000001 by 100 is 2; 100 by 100 is 1; 0 by 100 is 0.
#}
{% macro ceiling_divide(quantity, size) -%}
    {{ return(adapter.dispatch("ceiling_divide")(quantity, size)) }}
{%- endmacro %}

{% macro default__ceiling_divide(quantity, size) -%}
    {{ exceptions.raise_compiler_error("ceiling_divide is not written for " ~ target.type) }}
{%- endmacro %}

{# Decimal `//` is a DOUBLE on DuckDB: divide the unscaled whole numbers. #}
{% macro duckdb__ceiling_divide(quantity, size) -%}
    {%- set whole_size = "cast(cast(" ~ size ~ " as " ~ type_quantity() ~ ")"
        ~ " * 10000000000 as hugeint)" -%}
    (
        (
            cast(cast({{ quantity }} as {{ type_quantity() }}) * 10000000000 as hugeint)
            + {{ whole_size }} - 1
        ) // nullif({{ whole_size }}, 0)
    )
{%- endmacro %}

{# div() and mod() of numerics are exact; ceil(a / b) is not, as a / b was already rounded. #}
{% macro postgres__ceiling_divide(quantity, size) -%}
    (
        div({{ quantity }}, nullif({{ size }}, 0))
        + case when mod({{ quantity }}, nullif({{ size }}, 0)) > 0 then 1 else 0 end
    )
{%- endmacro %}
