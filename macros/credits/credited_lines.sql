{#
    Usage lines that draw on credits day by day (int_credits__lines), with what rating says of each:
    price rows that take usage, of periods whose customer has grants in what they are priced in. A
    volume price, which may fall as usage grows, draws when the period closes; where it uses up an
    allowance that others share it is here too, and asks for nothing (is_asked).

    The days of a line, a million where lines are thousands, go by its line_number: 60 bits of the
    digest of its key, and not its place among them, so that a model built alone still finds the days
    of its own lines. Two of one number fail the build (a data test).
#}
{% macro credited_lines() -%}
    {%- if not has_grants() -%}
    {{ no_rows(credited_line_columns() + [
        ("part_key", type_count()),
        ("allowance_key", type_count()),
        ("place_in_allowance", type_count()),
        ("sharing_key", type_count()),
        ("rated_line_id", type_text()),
    ]) }}
    {%- else -%}
    {%- set is_shared = has_allowances() -%}
    {%- set period = "period_places" if is_shared else "periods" -%}
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
        {%- if not is_shared %}
        where pricing_model <> 'volume'
        {%- endif %}

    ),

    periods as (

        select * from {{ ref("int_credits__periods") }}

    ),

    {% if is_shared -%}
    allowance_charges as (

        select * from {{ ref("int_rating__allowance_charges") }}

    ),

    allowance_draws as (

        select * from {{ ref("int_rating__allowance_draws") }}

    ),

    carried_allowances as (

        select allowance_id
        from {{ ref("stg_catalog__allowances") }}
        where rollover_periods > 0
        group by allowance_id

    ),

    -- Each period once, in whatever its customer has grants.
    period_places as (

        select
            *,
            row_number() over (
                partition by subscription_id, period_number
                order by {{ binary_order("currency") }}
            ) as place
        from periods

    ),

    {% endif -%}
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
            {{ period }}.own_period_number,
            price_rows.charge_id,
            price_rows.part_number,
            price_rows.price_row_id,
            {{ period }}.customer_id,
            price_rows.priced_in as currency,
            {{ period }}.cutoff_at,
            {{ 'coalesce(periods.is_kept, period_places.is_kept)' if is_shared else 'periods.is_kept' }} as is_kept,
            {{ period }}.is_first_rating,
            {{ period }}.is_closing,
            price_rows.plan_id,
            price_rows.charge_position,
            price_rows.price_position,
            price_rows.dimension_values,
            price_rows.priced_exponent as exponent,
            price_rows.meter_profile,
            price_rows.pricing_model,
            {%- if is_shared %}
            coalesce(
                case
                    when carried_allowances.allowance_id is null then allowance_draws.own_quantity
                    else allowance_draws.available_quantity
                end,
                price_rows.allowance
            ) as available_quantity,
            {%- else %}
            price_rows.allowance as available_quantity,
            {%- endif %}
            price_rows.flat_fee_at_zero,
            price_rows.share_numerator,
            price_rows.share_denominator,
            price_rows.is_rated_in_full,
            limits.maximum,
            {%- if is_shared %}
            price_rows.pricing_model <> 'volume' and periods.currency is not null as is_asked,
            allowance_charges.allowance_id,
            price_rows.part_from,
            coalesce(allowance_charges.is_pooled, false) as is_pooled,
            coalesce(
                allowance_charges.is_pooled
                or (carried_allowances.allowance_id is not null and period_places.is_first_rating),
                false
            ) as has_allowance_by_day,
            period_places.cycle_from_date,
            period_places.chain_number,
            lives.starts_at
            {%- else %}
            true as is_asked,
            cast(null as {{ type_text() }}) as allowance_id,
            price_rows.part_from,
            false as is_pooled,
            false as has_allowance_by_day
            {%- endif %}
        from price_rows
        {%- if is_shared %}
        inner join period_places
            on
                price_rows.subscription_id = period_places.subscription_id
                and price_rows.period_number = period_places.period_number
                and period_places.place = 1
        left join periods
            on
                price_rows.subscription_id = periods.subscription_id
                and price_rows.period_number = periods.period_number
                and price_rows.priced_in = periods.currency
        left join allowance_charges
            on
                price_rows.plan_id = allowance_charges.plan_id
                and price_rows.charge_id = allowance_charges.charge_id
        inner join {{ ref("int_subscriptions__lives") }} as lives
            on price_rows.subscription_id = lives.subscription_id
        left join carried_allowances
            on allowance_charges.allowance_id = carried_allowances.allowance_id
        left join allowance_draws
            on
                price_rows.subscription_id = allowance_draws.subscription_id
                and price_rows.period_number = allowance_draws.period_number
                and price_rows.part_from = allowance_draws.part_from
                and allowance_charges.allowance_id = allowance_draws.allowance_id
        {%- else %}
        inner join periods
            on
                price_rows.subscription_id = periods.subscription_id
                and price_rows.period_number = periods.period_number
                and price_rows.priced_in = periods.currency
        {%- endif %}
        inner join matched_rows
            on
                price_rows.subscription_id = matched_rows.subscription_id
                and price_rows.period_number = matched_rows.period_number
                and price_rows.charge_id = matched_rows.charge_id
                and price_rows.part_number = matched_rows.part_number
                and price_rows.price_row_id = matched_rows.price_row_id
        left join limits
            on
                price_rows.subscription_id = limits.subscription_id
                and price_rows.period_number = limits.period_number
                and price_rows.charge_id = limits.charge_id
                and price_rows.part_number = limits.part_number
        {%- if is_shared %}
        where
            allowance_charges.allowance_id is not null
            or (price_rows.pricing_model <> 'volume' and periods.currency is not null)
        {%- endif %}

    ),

    numbered_rows as (

        select
            drawing_rows.*,
            {{ digest_number(text_digest(content_text(key, 'drawing_rows')), 0) }} as line_number
        from drawing_rows

    ),

    keyed_rows as (

        select
            {%- for column, _ in credited_line_columns() %}
            {{ column }},
            {%- endfor %}
            min(line_number) over (
                partition by subscription_id, period_number, charge_id, part_number
            ) as part_key
            {%- if is_shared %},
            starts_at,
            -- What one allowance covers, in its order; and all that a day of it may move: the lines
            -- of the period, or of all periods of a cycle in which something is pooled.
            case
                when allowance_id is null
                    then
                        min(line_number) over (
                            partition by subscription_id, period_number, charge_id, part_number
                        )
                when is_pooled
                    then
                        min(line_number) over (
                            partition by customer_id, allowance_id, cycle_from_date, chain_number
                        )
                else
                    min(line_number) over (
                        partition by subscription_id, period_number, allowance_id, part_from
                    )
            end as allowance_key,
            max(case when allowance_id is null then 0 when is_pooled then 2 else 1 end) over (
                partition by subscription_id, period_number
            ) as sharing_level,
            cycle_from_date,
            chain_number
            {%- endif %}
        from numbered_rows

    )

    select
        {%- for column, _ in credited_line_columns() %}
        keyed_rows.{{ column }},
        {%- endfor %}
        keyed_rows.part_key,
        {%- if is_shared %}
        keyed_rows.allowance_key,
        row_number() over (
            partition by keyed_rows.allowance_key
            order by
                keyed_rows.starts_at,
                {{ binary_order("keyed_rows.subscription_id") }},
                keyed_rows.own_period_number,
                keyed_rows.part_from,
                keyed_rows.charge_position,
                {{ binary_order("keyed_rows.charge_id") }},
                keyed_rows.price_position,
                {{ binary_order("keyed_rows.dimension_values") }},
                keyed_rows.line_number
        ) as place_in_allowance,
        case keyed_rows.sharing_level
            when 2
                then
                    min(keyed_rows.line_number) over (
                        partition by
                            keyed_rows.customer_id,
                            keyed_rows.cycle_from_date,
                            keyed_rows.chain_number,
                            keyed_rows.sharing_level
                    )
            when 1
                then
                    min(keyed_rows.line_number) over (
                        partition by keyed_rows.subscription_id, keyed_rows.period_number
                    )
        end as sharing_key,
        {%- else %}
        keyed_rows.part_key as allowance_key,
        cast(null as {{ type_count() }}) as place_in_allowance,
        cast(null as {{ type_count() }}) as sharing_key,
        {%- endif %}
        {{ rated_line_id(
            'keyed_rows', 'own_period_number', "'usage'", 'keyed_rows.dimension_values'
        ) }} as rated_line_id
    from keyed_rows
    {%- endif %}
{%- endmacro %}

{# What a line has, but for the keys of what it shares. #}
{% macro credited_line_columns() -%}
    {{ return([
        ("line_number", type_count()),
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
        ("is_asked", "boolean"),
        ("allowance_id", type_text()),
        ("part_from", type_timestamp()),
        ("is_pooled", "boolean"),
        ("has_allowance_by_day", "boolean"),
    ]) }}
{%- endmacro %}
