{#
    quantity x price as type_amount(), every digit kept; null where it would not fit (see fits.sql).
    The guard is on the factor, not around the product: no engine may then compute it on the way.

    Worked example: 12.5 x 0.000125 is 0.0015625; 10^14 x 1 is null.
#}
{% macro exact_product(quantity, price) -%}
    cast(
        cast(
            case
                when {{ product_fits(quantity, price) }}
                    then {{ quantity }}
            end as {{ type_quantity() }}
        ) * cast({{ price }} as {{ type_price() }}) as {{ type_amount() }}
    )
{%- endmacro %}

{#
    A decimal as type_amount(), null where it would not fit.
#}
{% macro exact_amount(amount) -%}
    cast(case when {{ fits_amount(amount) }} then {{ amount }} end as {{ type_amount() }})
{%- endmacro %}
