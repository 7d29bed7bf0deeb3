{#
    Discounts that lines with days (int_credits__lines) draw net of, day by day: of level line, by the
    invoice. What is used up over several invoices (total_amount) is not known by the day: the close
    takes it off, as it does what product and invoice discounts take.
    Source: DESIGN, Credits ("daily draws are on amounts after allowance, line discount and maximum").
#}
{% macro credited_discounts() -%}
    {%- if not has_daily_discounts() -%}
    {{ no_rows([
        ("line_number", type_count()),
        ("place_number", type_count()),
        ("pass_number", type_count()),
        ("discount_id", type_text()),
        ("percent_units", type_minor_units()),
        ("amount_units", type_minor_units()),
    ]) }}
    {%- else -%}
    with

    build_window as (

        select * from {{ ref("build_window") }}

    ),

    periods as (

        select * from {{ ref("int_subscriptions__periods") }}

    ),

    rated_periods as (

        select * from {{ ref("int_rating__rated_periods") }}

    ),

    -- No usage is billed with an opening invoice.
    opening_invoices as (

        select
            subscription_id,
            period_number as invoice_number_in_subscription,
            closed_at
        from rated_periods
        where false

    ),

    discounted_plans as (

        select * from {{ ref("int_rating__discounted_plans") }}
        where {{ is_taken_off_by_day() }}

    ),

    charge_parts as (

        select * from {{ ref("int_rating__charge_parts") }}

    ),

    -- What a line comes to on a day is not known here: it is there. What is priced in a unit of
    -- credit has no discounts.
    lines as (

        select
            credit_lines.line_number as rated_line_id,
            credit_lines.subscription_id,
            credit_lines.plan_id,
            credit_lines.period_number as invoice_number_in_subscription,
            credit_lines.period_number,
            credit_lines.charge_id,
            credit_lines.charge_position,
            'usage' as line_kind,
            credit_lines.part_number,
            credit_lines.price_position,
            credit_lines.dimension_values,
            charge_parts.part_from as period_from,
            charge_parts.part_from_date as from_date,
            credit_lines.currency,
            credit_lines.exponent,
            cast(1 as {{ type_total() }}) as left_total,
            credit_lines.cutoff_at
        from {{ ref("int_credits__lines") }} as credit_lines
        inner join charge_parts
            on
                credit_lines.subscription_id = charge_parts.subscription_id
                and credit_lines.period_number = charge_parts.period_number
                and credit_lines.charge_id = charge_parts.charge_id
                and credit_lines.part_number = charge_parts.part_number
                and credit_lines.currency = charge_parts.currency
        where credit_lines.is_asked

    ),

    stacks as (

        with {{ discount_stack("lines", ["line"], "lines.charge_id") }}

    )

    select
        rated_line_id as line_number,
        line_number as place_number,
        pass_number,
        discount_id,
        percent_units,
        amount_units
    from stacks
    {%- endif %}
{%- endmacro %}

{# Which discounts are taken off by the day, of rows of the catalogue. #}
{% macro is_taken_off_by_day() -%} level = 'line' and total_amount is null {%- endmacro %}

{% macro has_daily_discounts() -%}
    {{ return(
        has_grants() and has_rows(ref("stg_catalog__discounts"), is_taken_off_by_day())
    ) }}
{%- endmacro %}
