{#
    What credits may have paid of a usage line per local day of usage, as known at each load day that
    moved it (int_credits__daily_targets): the usage through the day, rated as the line is, less that
    through the day before; nothing where that is below zero. A state is the line's part as known at one load day (known_date); only
    days from the first that the load day touched are rated again.

    Usage that comes in on its day or the next follows all that came before, so its running sum in
    the order of (known_date, usage_date) is the quantity through the day. A load day that reaches
    further back (is_late) is summed by a join, of those states alone.

    Reads no clock and nothing that was posted: what was known before the run's first posting day is
    rated as of the day before it, to be compared with.
#}
{% macro daily_targets() -%}
    {%- set part = ["subscription_id", "period_number", "charge_id", "part_number"] -%}
    {%- set row = part + ["price_row_id"] -%}
    {%- if not has_grants() -%}
    {{ no_rows([
        ("rated_line_id", type_text()),
        ("subscription_id", type_text()),
        ("period_number", type_count()),
        ("known_date", "date"),
        ("usage_date", "date"),
        ("currency", type_text()),
        ("plan_id", type_text()),
        ("charge_id", type_text()),
        ("part_number", "integer"),
        ("charge_position", "integer"),
        ("price_position", "integer"),
        ("dimension_values", type_text()),
        ("target_total", type_total()),
    ]) }}
    {%- else -%}
    with

    usage as (

        select * from {{ ref("int_credits__usage") }}

    ),

    periods as (

        select distinct
            subscription_id,
            period_number,
            own_period_number,
            is_closing
        from {{ ref("int_credits__periods") }}

    ),

    price_rows as (

        select * from {{ ref("int_rating__price_rows") }}

    ),

    price_bands as (

        select * from {{ ref("int_rating__price_bands") }}

    ),

    limits as (

        select * from {{ ref("int_rating__limits") }}

    ),

    part_rows as (

        select
            {{ row | join(",\n            ") }}
        from usage
        group by
            {{ row | join(",\n            ") }}

    ),

    touched_days as (

        select
            {{ part | join(",\n            ") }},
            known_date,
            usage_date
        from usage
        group by
            {{ part | join(",\n            ") }},
            known_date,
            usage_date

    ),

    loads as (

        select
            {{ part | join(",\n            ") }},
            known_date,
            min(usage_date) as first_date,
            max(usage_date) as last_date
        from touched_days
        group by
            {{ part | join(",\n            ") }},
            known_date

    ),

    placed_loads as (

        select
            loads.*,
            coalesce(
                loads.first_date <= max(loads.last_date) over (
                    partition by {{ part | join(", ") }}
                    order by loads.known_date
                    rows between unbounded preceding and 1 preceding
                ), false
            ) as is_late,
            min(
                case when loads.known_date >= {{ first_posting_date() }} then loads.first_date end
            ) over (partition by {{ part | join(", ") }}) as first_open_date
        from loads

    ),

    known_days as (

        select
            {{ part | join(",\n            ") }},
            usage_date,
            min(known_date) as known_date
        from touched_days
        group by
            {{ part | join(",\n            ") }},
            usage_date

    ),

    -- From the day before the first that a late load touched on.
    late_days as (

        select
            {%- for key in part %}
            placed_loads.{{ key }},
            {%- endfor %}
            placed_loads.known_date,
            placed_loads.first_date,
            known_days.usage_date,
            max(
                case when known_days.usage_date < placed_loads.first_date then known_days.usage_date end
            ) over (
                partition by
                    {%- for key in part %}
                    placed_loads.{{ key }},
                    {%- endfor %}
                    placed_loads.known_date
            ) as date_before
        from placed_loads
        inner join known_days
            on
                {%- for key in part %}
                placed_loads.{{ key }} = known_days.{{ key }} and
                {%- endfor %}
                placed_loads.known_date >= known_days.known_date
        where
            placed_loads.is_late
            and placed_loads.known_date >= {{ first_posting_date() }}

    ),

    grid as (

        select
            {%- for key in part %}
            touched_days.{{ key }},
            {%- endfor %}
            part_rows.price_row_id,
            touched_days.known_date,
            touched_days.usage_date,
            coalesce(usage.event_count, 0) as event_count,
            coalesce(usage.quantity, 0) as quantity,
            coalesce(usage.usage_amount, 0) as usage_amount
        from touched_days
        inner join part_rows
            on
                {%- for key in part %}
                touched_days.{{ key }} = part_rows.{{ key }}{{ " and" if not loop.last }}
                {%- endfor %}
        left join usage
            on
                {%- for key in part %}
                touched_days.{{ key }} = usage.{{ key }} and
                {%- endfor %}
                part_rows.price_row_id = usage.price_row_id
                and touched_days.known_date = usage.known_date
                and touched_days.usage_date = usage.usage_date

    ),

    running as (

        select
            {{ row | join(",\n            ") }},
            known_date,
            usage_date,
            sum(event_count) over through_day as event_count,
            sum(quantity) over through_day as quantity,
            sum(usage_amount) over through_day as usage_amount
        from grid
        window
            through_day as (
                partition by {{ row | join(", ") }}
                order by known_date, usage_date
                rows between unbounded preceding and current row
            )

    ),

    states as (

        select
            {%- for key in row %}
            running.{{ key }},
            {%- endfor %}
            running.known_date,
            running.usage_date,
            false as is_late,
            false as is_before,
            running.event_count,
            running.quantity,
            running.usage_amount
        from running
        inner join placed_loads
            on
                {%- for key in part %}
                running.{{ key }} = placed_loads.{{ key }} and
                {%- endfor %}
                running.known_date = placed_loads.known_date
        where not placed_loads.is_late or placed_loads.known_date < {{ first_posting_date() }}

        union all

        select
            {%- for key in part %}
            late_days.{{ key }},
            {%- endfor %}
            part_rows.price_row_id,
            late_days.known_date,
            late_days.usage_date,
            true as is_late,
            late_days.usage_date < late_days.first_date as is_before,
            coalesce(sum(usage.event_count), 0) as event_count,
            coalesce(sum(usage.quantity), 0) as quantity,
            coalesce(sum(usage.usage_amount), 0) as usage_amount
        from late_days
        inner join part_rows
            on
                {%- for key in part %}
                late_days.{{ key }} = part_rows.{{ key }}{{ " and" if not loop.last }}
                {%- endfor %}
        left join usage
            on
                {%- for key in part %}
                late_days.{{ key }} = usage.{{ key }} and
                {%- endfor %}
                part_rows.price_row_id = usage.price_row_id
                and late_days.known_date >= usage.known_date
                and late_days.usage_date >= usage.usage_date
        where
            late_days.usage_date >= late_days.first_date
            or late_days.usage_date = late_days.date_before
        group by
            {%- for key in part %}
            late_days.{{ key }},
            {%- endfor %}
            part_rows.price_row_id,
            late_days.known_date,
            late_days.usage_date,
            late_days.first_date

    ),

    -- What was known before the run is rated where it is compared with: from the first day that
    -- the run touches on, all of it where the period closes.
    compared as (

        select
            states.*,
            periods.own_period_number,
            placed_loads.first_open_date,
            periods.is_closing,
            max(
                case
                    when
                        states.known_date < {{ first_posting_date() }}
                        and states.usage_date < placed_loads.first_open_date
                        then states.usage_date
                end
            ) over (
                partition by
                    {%- for key in part %}
                    states.{{ key }}{{ "," if not loop.last }}
                    {%- endfor %}
            ) as date_before
        from states
        inner join periods
            on
                states.subscription_id = periods.subscription_id
                and states.period_number = periods.period_number
        inner join placed_loads
            on
                {%- for key in part %}
                states.{{ key }} = placed_loads.{{ key }} and
                {%- endfor %}
                states.known_date = placed_loads.known_date

    ),

    quantities as (

        select
            compared.*,
            price_rows.plan_id,
            price_rows.part_from,
            price_rows.charge_position,
            price_rows.price_position,
            price_rows.dimension_values,
            price_rows.priced_in as currency,
            price_rows.priced_exponent as exponent,
            price_rows.pricing_model,
            price_rows.allowance as available_quantity,
            price_rows.flat_fee_at_zero,
            price_rows.share_numerator,
            price_rows.share_denominator,
            price_rows.is_rated_in_full,
            {{ is_in_range('compared.quantity', 'compared.usage_amount') }} as is_in_range
        from compared
        inner join price_rows
            on
                {%- for key in row %}
                compared.{{ key }} = price_rows.{{ key }}{{ " and" if not loop.last }}
                {%- endfor %}
        where
            compared.known_date >= {{ first_posting_date() }}
            or compared.is_closing
            or compared.usage_date >= compared.first_open_date
            or compared.usage_date = compared.date_before

    ),

    billable as (

        select
            quantities.*,
            {{ billable_quantity('quantities.quantity', 'quantities.is_in_range') }}
                as billable_quantity
        from quantities

    ),

    allowed as (

        select
            billable.*,
            sum(billable.billable_quantity) over (
                partition by
                    {%- for key in part %}
                    billable.{{ key }},
                    {%- endfor %}
                    billable.known_date,
                    billable.usage_date
                order by
                    billable.price_position,
                    {{ binary_order('billable.dimension_values') }}
                rows between unbounded preceding and current row
            ) as running_quantity
        from billable

    ),

    uncovered as (

        select
            allowed.*,
            cast(
                allowed.billable_quantity
                - least(allowed.running_quantity, allowed.available_quantity)
                + least(
                    allowed.running_quantity - allowed.billable_quantity,
                    allowed.available_quantity
                ) as {{ type_quantity() }}
            ) as rated_quantity,
            case when allowed.is_rated_in_full then 1 else allowed.share_numerator end
                as free_numerator,
            case when allowed.is_rated_in_full then 1 else allowed.share_denominator end
                as free_denominator
        from allowed

    ),

    applied_bands as (

        select
            {%- for key in row %}
            uncovered.{{ key }},
            {%- endfor %}
            uncovered.known_date,
            uncovered.usage_date,
            uncovered.pricing_model,
            uncovered.flat_fee_at_zero,
            uncovered.rated_quantity,
            uncovered.event_count,
            uncovered.usage_amount,
            price_bands.band_number,
            price_bands.tier_from,
            price_bands.tier_to,
            price_bands.unit_price,
            price_bands.flat_fee,
            price_bands.package_size,
            price_bands.percent_fraction,
            price_bands.event_fee,
            cast(
                {{ multiply_divide_round(
                    'price_bands.free_amount',
                    'uncovered.free_numerator',
                    'uncovered.free_denominator',
                    '10'
                ) }} as {{ type_quantity() }}
            ) as free_amount,
            cast(
                {{ multiply_divide_round(
                    'cast(price_bands.free_events as ' ~ type_quantity() ~ ')',
                    'uncovered.free_numerator',
                    'uncovered.free_denominator',
                    '10'
                ) }} as {{ type_quantity() }}
            ) as free_events
        from uncovered
        inner join price_bands
            on uncovered.price_row_id = price_bands.price_row_id
        where
            uncovered.is_in_range
            and price_bands.tier_from <= uncovered.rated_quantity

    ),

    steps as (

        select
            {{ row | join(",\n            ") }},
            known_date,
            usage_date,
            {{ step_units(pricing_models()) }} as units,
            {{ step_rate(pricing_models()) }} as rate,
            {{ step_fixed_amount(pricing_models()) }} as fixed_amount,
            {{ step_fixed_is_a_fee(pricing_models()) }} as fixed_is_a_fee
        from applied_bands
        where {{ step_applies(pricing_models()) }}

    ),

    priced as (

        select
            steps.*,
            cast(
                {{ exact_product('steps.units', 'steps.rate') }} + steps.fixed_amount
                as {{ type_amount() }}
            ) as amount
        from steps

    ),

    row_totals as (

        select
            {{ row | join(",\n            ") }},
            known_date,
            usage_date,
            count(*) - count(amount) as uncomputed_count,
            cast(sum(amount) as {{ type_amount() }}) as cycle_amount,
            cast(
                sum(case when fixed_is_a_fee then fixed_amount else 0 end) as {{ type_amount() }}
            ) as fee_amount
        from priced
        group by
            {{ row | join(",\n            ") }},
            known_date,
            usage_date

    ),

    amounts as (

        select
            uncovered.*,
            case
                when
                    row_totals.uncomputed_count = 0
                    and {{ fits_amount('row_totals.cycle_amount') }}
                    then row_totals.cycle_amount
                else 0
            end as cycle_amount,
            coalesce(row_totals.fee_amount, 0) as fee_amount
        from uncovered
        left join row_totals
            on
                {%- for key in row %}
                uncovered.{{ key }} = row_totals.{{ key }} and
                {%- endfor %}
                uncovered.known_date = row_totals.known_date
                and uncovered.usage_date = row_totals.usage_date

    ),

    exact as (

        select
            amounts.*,
            {{ amount_in_share('amounts') }} as exact_amount
        from amounts

    ),

    rounded as (

        select
            exact.*,
            {{ round_money('exact.exact_amount', 'exact.exponent') }} as rounded_total
        from exact

    ),

    summed as (

        select
            rounded.*,
            limits.maximum,
            sum(rounded.rounded_total) over (
                partition by
                    {%- for key in part %}
                    rounded.{{ key }},
                    {%- endfor %}
                    rounded.known_date,
                    rounded.usage_date
                order by
                    rounded.price_position,
                    {{ binary_order('rounded.dimension_values') }}
                rows between unbounded preceding and current row
            ) as running_total
        from rounded
        left join limits
            on
                {%- for key in part %}
                rounded.{{ key }} = limits.{{ key }}{{ " and" if not loop.last }}
                {%- endfor %}

    ),

    through_days as (

        select
            summed.*,
            case
                when summed.maximum is null then summed.rounded_total
                else
                    least(summed.running_total, summed.maximum)
                    - least(summed.running_total - summed.rounded_total, summed.maximum)
            end as total_through
        from summed

    ),

    -- What follows all that came before goes on from the last state; a late one stands by itself.
    days as (

        select
            through_days.*,
            total_through - coalesce(
                case
                    when is_late
                        then lag(total_through) over (
                            partition by {{ row | join(", ") }}, known_date
                            order by usage_date
                        )
                    else lag(total_through) over (
                        partition by {{ row | join(", ") }}
                        order by known_date, usage_date
                    )
                end, 0
            ) as target_total
        from through_days

    )

    select
        {{ rated_line_id(
            'days', 'own_period_number', "'usage'", 'days.dimension_values'
        ) }} as rated_line_id,
        days.subscription_id,
        days.period_number,
        days.known_date,
        days.usage_date,
        days.currency,
        days.plan_id,
        days.charge_id,
        days.part_number,
        days.charge_position,
        days.price_position,
        days.dimension_values,
        cast(greatest(days.target_total, 0) as {{ type_total() }}) as target_total
    from days
    where
        not days.is_before
        and (
            days.known_date >= {{ first_posting_date() }}
            or days.is_closing
            or days.usage_date >= days.first_open_date
        )
    {%- endif %}
{%- endmacro %}
