{#
    The limits of what is computed at all: an amount of at most 13 whole digits, a quantity of at
    most 15. They are compared before a multiplication, so that no type overflows on the way.
#}

{# Whether an exact amount is below 10^13 either way. #}
{% macro fits_amount(amount) -%}
    (abs({{ amount }}) < 10000000000000)
{%- endmacro %}

{# Whether a quantity is below 10^15 either way. #}
{% macro fits_quantity(quantity) -%}
    (abs({{ quantity }}) < 1000000000000000)
{%- endmacro %}

{#
    Whether quantity x price can be an amount that fits, by whole numbers that cannot overflow:
    floor(quantity) (18 digits) x price without its point (20 digits). What it lets through is below
    10^13 + 10^8 and is compared again once it is exact. Two numbers below a million fit without
    that, which is dear: on DuckDB it takes a hundred times as long as the product.
#}
{% macro product_fits(quantity, price) -%}
    (
        (abs({{ quantity }}) < 1000000 and abs({{ price }}) < 1000000)
        or cast(floor(abs({{ quantity }})) as decimal(18, 0))
        * cast(abs({{ price }}) * 1000000000000 as decimal(20, 0))
        < 10000000000000000000000000
    )
{%- endmacro %}
