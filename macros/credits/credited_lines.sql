{#
    Usage lines that draw on credits day by day (int_credits__lines), with what rating says of each:
    price rows that take usage, of periods whose customer has grants in what they are priced in. A
    charge that shares or carries over its allowance draws when the period closes; so does a volume
    price, which may fall as usage grows.

    The days of a line, a million where lines are thousands, go by its line_number: 60 bits of the
    digest of its key, and not its place among them, so that a model built alone still finds the days
    of its own lines. Two of one number fail the build (a data test).
#}
{% macro credited_lines() -%}
    {%- if not has_grants() -%}
    {{ no_rows([
        ("line_number", type_count()),
        ("part_key", type_count()),
        ("rated_line_id", type_text()),
        ("subscription_id", type_text()),
        ("period_number", type_count()),
        ("own_period_number", type_count()),
        ("charge_id", type_text()),
        ("part_number", "integer"),
        ("price_row_id", type_text()),
        ("customer_id", type_text()),
        ("currency", type_text()),
        ("cutoff_at", type_timestamp()),
        ("is_kept", "boolean"),
        ("is_first_rating", "boolean"),
        ("is_closing", "boolean"),
        ("plan_id", type_text()),
        ("charge_position", "integer"),
        ("price_position", "integer"),
        ("dimension_values", type_text()),
        ("exponent", "integer"),
        ("meter_profile", type_text()),
        ("pricing_model", type_text()),
        ("available_quantity", type_quantity()),
        ("flat_fee_at_zero", "boolean"),
        ("share_numerator", type_count()),
        ("share_denominator", type_count()),
        ("is_rated_in_full", "boolean"),
        ("maximum", type_total()),
    ]) }}
    {%- else -%}
    {%- set key = [
        ("subscription_id", type_text()),
        ("period_number", type_count()),
        ("charge_id", type_text()),
        ("part_number", "integer"),
        ("price_row_id", type_text()),
    ] -%}
    with

    price_rows as (

        select * from {{ ref("int_rating__price_rows") }}
        where pricing_model <> 'volume'

    ),

    periods as (

        select * from {{ ref("int_credits__periods") }}

    ),

    allowance_charges as (

        select * from {{ ref("int_rating__allowance_charges") }}

    ),

    limits as (

        select * from {{ ref("int_rating__limits") }}

    ),

    matched_rows as (

        select
            subscription_id,
            period_number,
            charge_id,
            part_number,
            price_row_id
        from {{ ref("int_rating__matched_rows") }}
        group by
            subscription_id,
            period_number,
            charge_id,
            part_number,
            price_row_id

    ),

    drawing_rows as (

        select
            price_rows.subscription_id,
            price_rows.period_number,
            periods.own_period_number,
            price_rows.charge_id,
            price_rows.part_number,
            price_rows.price_row_id,
            periods.customer_id,
            periods.currency,
            periods.cutoff_at,
            periods.is_kept,
            periods.is_first_rating,
            periods.is_closing,
            price_rows.plan_id,
            price_rows.charge_position,
            price_rows.price_position,
            price_rows.dimension_values,
            price_rows.priced_exponent as exponent,
            price_rows.meter_profile,
            price_rows.pricing_model,
            price_rows.allowance as available_quantity,
            price_rows.flat_fee_at_zero,
            price_rows.share_numerator,
            price_rows.share_denominator,
            price_rows.is_rated_in_full,
            limits.maximum
        from price_rows
        inner join periods
            on
                price_rows.subscription_id = periods.subscription_id
                and price_rows.period_number = periods.period_number
                and price_rows.priced_in = periods.currency
        inner join matched_rows
            on
                price_rows.subscription_id = matched_rows.subscription_id
                and price_rows.period_number = matched_rows.period_number
                and price_rows.charge_id = matched_rows.charge_id
                and price_rows.part_number = matched_rows.part_number
                and price_rows.price_row_id = matched_rows.price_row_id
        left join allowance_charges
            on
                price_rows.plan_id = allowance_charges.plan_id
                and price_rows.charge_id = allowance_charges.charge_id
        left join limits
            on
                price_rows.subscription_id = limits.subscription_id
                and price_rows.period_number = limits.period_number
                and price_rows.charge_id = limits.charge_id
                and price_rows.part_number = limits.part_number
        where allowance_charges.allowance_id is null

    ),

    numbered_rows as (

        select
            drawing_rows.*,
            {{ digest_number(text_digest(content_text(key, 'drawing_rows')), 0) }} as line_number
        from drawing_rows

    )

    select
        numbered_rows.*,
        min(line_number) over (
            partition by subscription_id, period_number, charge_id, part_number
        ) as part_key,
        {{ rated_line_id(
            'numbered_rows', 'own_period_number', "'usage'", 'numbered_rows.dimension_values'
        ) }} as rated_line_id
    from numbered_rows
    {%- endif %}
{%- endmacro %}
