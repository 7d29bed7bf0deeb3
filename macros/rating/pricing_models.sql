{#
    Names of the pricing models that the catalogue uses, in binary order. Before the catalogue is
    built for the first time: all that have a macro.
#}
{% macro pricing_models() -%}
    {%- set charges = ref("stg_catalog__charges") -%}
    {%- set names = [] -%}
    {%- if execute -%}
        {%- if load_relation(charges) is none -%}
            {%- for name in context if name.startswith("pricing__") -%}
                {%- do names.append(name[9:]) -%}
            {%- endfor -%}
        {%- else -%}
            {%- set found = run_query(
                "select distinct pricing_model from " ~ charges ~ " where pricing_model is not null"
            ) -%}
            {%- do names.extend(found.columns[0].values()) -%}
        {%- endif -%}
    {%- endif -%}
    {{ return(names | sort(case_sensitive=true)) }}
{%- endmacro %}

{#
    What the macro pricing__<name> says of a pricing model: SQL expressions over the columns of a
    price row's band and its usage (rated_quantity, event_count, usage_amount, flat_fee_at_zero,
    band_number, tier_from, tier_to, unit_price, flat_fee, package_size, percent_fraction,
    event_fee, free_amount, free_events):

        step_applies   whether the band takes part
        units, rate    multiplied exactly
        fixed_amount   what is added
        fixed_is_a_fee whether that is a fee of the cycle, due in proportion in a part of one
                       (may be left out: it is not)

    The amount of the step is units x rate + fixed_amount. A null in any of them means that it cannot
    be computed within the limits of fits.sql. A new pricing model is one such macro, in one file.
#}
{% macro pricing_model(name) -%}
    {%- set macro_name = "pricing__" ~ name -%}
    {%- if macro_name not in context -%}
        {{ exceptions.raise_compiler_error(
            "The catalogue (charges.csv) names the pricing model '" ~ name ~ "', which no macro"
            ~ " prices: expected " ~ macro_name ~ "() in macros/pricing/" ~ name ~ ".sql"
        ) }}
    {%- endif -%}
    {{ return(context[macro_name]()) }}
{%- endmacro %}

{#
    One of those expressions for a row of whatever pricing model. Amounts get their type one by one:
    of branches of many types the engine takes one of fewer decimals.
#}
{% macro pricing_expression(part, models) -%}
    {%- if not models -%}
    cast(null as {{ "boolean" if part in ["step_applies", "fixed_is_a_fee"] else type_quantity() }})
    {%- else -%}
    case pricing_model
        {%- for name in models %}
        {%- set expression = pricing_model(name).get(part, "false") %}
        when '{{ name }}'
            then {{ exact_amount(expression) if part == "fixed_amount" else expression }}
        {%- endfor %}
        when '' then null
    end
    {%- endif -%}
{%- endmacro %}

{% macro step_applies(models) -%}
    coalesce({{ pricing_expression("step_applies", models) }}, false)
{%- endmacro %}

{% macro step_units(models) -%}
    cast(
        case
            when {{ fits_quantity(pricing_expression("units", models)) }}
                then {{ pricing_expression("units", models) }}
        end as {{ type_quantity() }}
    )
{%- endmacro %}

{% macro step_rate(models) -%}
    cast({{ pricing_expression("rate", models) }} as {{ type_price() }})
{%- endmacro %}

{% macro step_fixed_amount(models) -%}
    cast({{ pricing_expression("fixed_amount", models) }} as {{ type_amount() }})
{%- endmacro %}

{% macro step_fixed_is_a_fee(models) -%}
    coalesce({{ pricing_expression("fixed_is_a_fee", models) }}, false)
{%- endmacro %}
