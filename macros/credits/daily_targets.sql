{#
    What credits may have paid of a usage line per local day of usage, as known at each load day that
    moved it (int_credits__daily_targets): the usage through the day, rated as the line is, less line
    discounts and capped by the maximum, less that through the day before; nothing where that is below
    zero. A state is the line's part, its whole charge where that is discounted, or all that a shared
    allowance ties together, as known at one load day (known_date); only days from the first that the
    load day touched are rated again, all of them where an allowance that is carried over is another.

    Usage that comes in on its day or the next follows all that came before, so its running sum in
    the order of (known_date, usage_date) is the quantity through the day. A load day that reaches
    further back (is_late) is summed by a join, of those states alone.

    Reads no clock and nothing that was posted: what was known before the run's first posting day is
    rated as of the day before it, to be compared with.
#}
{% macro daily_targets() -%}
    {%- if not has_grants() -%}
    {{ no_rows([
        ("line_number", type_count()),
        ("known_date", "date"),
        ("usage_date", "date"),
        ("has_late_usage", "boolean"),
        ("target_total", type_total()),
    ]) }}
    {%- else -%}
    {%- set pass_count = daily_discount_passes() -%}
    {%- set is_shared = has_allowances() -%}
    {#- Of no event there is no greatest value: not one of zero. #}
    {%- set greatest_of = greatest_profiles(meter_profiles()) -%}
    {%- set charged = "discounted" if pass_count else "rounded" -%}
    {%- set rounded_columns = [
        "line_number", "group_key", "known_date", "usage_date", "is_late", "is_before",
        "rows_in_part", "maximum", "exponent",
    ] -%}
    with

    usage as (

        select * from {{ ref("int_credits__usage") }}

    ),

    price_bands as (

        select * from {{ ref("int_rating__price_bands") }}

    ),

    band_counts as (

        select
            price_row_id,
            count(*) as band_count
        from price_bands
        group by price_row_id

    ),

    {%- if pass_count %}

    line_stacks as (

        select
            line_number,
            place_number,
            {%- for pass in range(1, pass_count + 1) %}
            max(case when pass_number = {{ pass }} then discount_id end) as discount_{{ pass }},
            max(case when pass_number = {{ pass }} then percent_units end)
                as percent_units_{{ pass }},
            max(case when pass_number = {{ pass }} then amount_units end)
                as amount_units_{{ pass }}{{ "," if not loop.last }}
            {%- endfor %}
        from {{ ref("int_credits__line_discounts") }}
        group by
            line_number,
            place_number

    ),
    {%- endif %}

    used_lines as (

        select line_number
        from usage
        group by line_number

    ),

    -- Price rows that move together: those of a part, of the whole charge where it is discounted, or
    -- of all that an allowance ties together.
    grouped_lines as (

        {%- if pass_count %}
        select
            lines.*,
            coalesce(
                lines.sharing_key,
                case
                    when
                        max(case when line_stacks.line_number is null then 0 else 1 end) over whole = 1
                        then min(lines.line_number) over whole
                end,
                lines.part_key
            ) as group_key,
            min(lines.line_number) over whole as discount_key
        from {{ ref("int_credits__lines") }} as lines
        left join line_stacks
            on lines.line_number = line_stacks.line_number
        window
            whole as (
                partition by lines.subscription_id, lines.period_number, lines.charge_id
            )
        {%- else %}
        select
            lines.*,
            coalesce(lines.sharing_key, lines.part_key) as group_key
        from {{ ref("int_credits__lines") }} as lines
        {%- endif %}

    ),

    priced_rows as (

        select
            lines.*,
            count(*) over (partition by lines.part_key) as rows_in_part,
            {%- if is_shared %}
            count(*) over (partition by lines.allowance_key) as rows_in_allowance,
            -- All rows of a group are rated on the same days, or none.
            min(case when lines.is_kept then 1 else 0 end) over (
                partition by lines.group_key
            ) = 1 as is_group_kept,
            {%- endif %}
            count(*) over (partition by lines.group_key) as rows_in_group
        from grouped_lines as lines
        inner join used_lines
            on lines.line_number = used_lines.line_number

    ),

    moved_days as (

        select
            priced_rows.line_number,
            priced_rows.group_key,
            priced_rows.rows_in_group,
            usage.known_date,
            usage.usage_date,
            usage.event_count,
            usage.quantity,
            usage.usage_amount
        from usage
        inner join priced_rows
            on usage.line_number = priced_rows.line_number

    ),

    {%- if is_shared %}

    daily_allowances as (

        select * from {{ ref("int_credits__allowances") }}

    ),

    first_days as (

        select
            group_key,
            min(usage_date) as usage_date
        from moved_days
        group by group_key

    ),

    -- Where an allowance is another from a load day on, all days are rated again.
    allowance_changes as (

        select distinct
            first_days.group_key,
            daily_allowances.known_date,
            first_days.usage_date
        from daily_allowances
        inner join priced_rows
            on daily_allowances.allowance_key = priced_rows.allowance_key
        inner join first_days
            on priced_rows.group_key = first_days.group_key
        where
            daily_allowances.is_change
            and daily_allowances.known_date >= {{ first_posting_date() }}

    ),
    {%- endif %}

    -- A day that moved one price row of a part moves what the part's others have left of its
    -- allowance and its maximum, and their shares of what a discount takes off the charge.
    moved_groups as (

        select
            group_key,
            known_date,
            usage_date
        from moved_days
        where rows_in_group > 1
        group by
            group_key,
            known_date,
            usage_date
        {%- if is_shared %}

        union

        select
            group_key,
            known_date,
            usage_date
        from allowance_changes
        {%- endif %}

    ),

    grid as (

        select
            line_number,
            group_key,
            known_date,
            usage_date,
            1 as own_days,
            event_count,
            quantity,
            usage_amount
        from moved_days

        union all

        select
            priced_rows.line_number,
            moved_groups.group_key,
            moved_groups.known_date,
            moved_groups.usage_date,
            0 as own_days,
            0 as event_count,
            0 as quantity,
            0 as usage_amount
        from moved_groups
        inner join priced_rows
            on moved_groups.group_key = priced_rows.group_key
        left join moved_days
            on
                priced_rows.line_number = moved_days.line_number
                and moved_groups.known_date = moved_days.known_date
                and moved_groups.usage_date = moved_days.usage_date
        where moved_days.line_number is null

    ),

    -- A row that others move has nothing until it is used, not even a fee at zero.
    running as (

        select
            line_number,
            group_key,
            known_date,
            usage_date,
            sum(own_days) over through_day > 0 as is_used,
            sum(event_count) over through_day as event_count,
            sum(quantity) over through_day as quantity,
            {{ "sum(usage_amount) over through_day" if has_event_amounts() else "0" }} as usage_amount,
            usage_date <= lag(usage_date) over (
                partition by line_number
                order by known_date, usage_date
            ) as goes_back
        from grid
        window
            through_day as (
                partition by line_number
                order by known_date, usage_date
                rows between unbounded preceding and current row
            )

    ),

    -- Only a line with a day that goes back behind the one before it has others that reach back.
    reaching_back as (

        select
            group_key,
            known_date,
            usage_date,
            coalesce(
                usage_date <= max(usage_date) over (
                    partition by line_number
                    order by known_date, usage_date
                    rows between unbounded preceding and 1 preceding
                ), false
            ) as reaches_back
        from running
        where line_number in (select back.line_number from running as back where back.goes_back)

    ),

    late_loads as (

        select
            group_key,
            known_date,
            min(usage_date) as first_date
        from reaching_back
        where
            reaches_back
            and known_date >= {{ first_posting_date() }}
        group by
            group_key,
            known_date

    ),

    first_open_days as (

        select
            group_key,
            min(usage_date) as first_open_date
        from {{ "grid" if is_shared else "moved_days" }}
        where known_date >= {{ first_posting_date() }}
        group by group_key

    ),

    known_days as (

        select
            group_key,
            usage_date,
            min(known_date) as known_date
        from moved_days
        where group_key in (select group_key from late_loads)
        group by
            group_key,
            usage_date

    ),

    -- From the day before the first that a late load touched on.
    late_days as (

        select
            late_loads.group_key,
            late_loads.known_date,
            late_loads.first_date,
            known_days.usage_date,
            max(
                case when known_days.usage_date < late_loads.first_date then known_days.usage_date end
            ) over (partition by late_loads.group_key, late_loads.known_date) as date_before
        from late_loads
        inner join known_days
            on
                late_loads.group_key = known_days.group_key
                and late_loads.known_date >= known_days.known_date

    ),

    states as (

        select
            running.line_number,
            running.group_key,
            running.known_date,
            running.usage_date,
            false as is_late,
            false as is_before,
            running.is_used,
            running.event_count,
            running.quantity,
            running.usage_amount
        from running
        left join late_loads
            on
                running.group_key = late_loads.group_key
                and running.known_date = late_loads.known_date
        where late_loads.group_key is null

        union all

        select
            priced_rows.line_number,
            late_days.group_key,
            late_days.known_date,
            late_days.usage_date,
            true as is_late,
            late_days.usage_date < late_days.first_date as is_before,
            count(moved_days.line_number) > 0 as is_used,
            coalesce(sum(moved_days.event_count), 0) as event_count,
            coalesce(sum(moved_days.quantity), 0) as quantity,
            coalesce(sum(moved_days.usage_amount), 0) as usage_amount
        from late_days
        inner join priced_rows
            on late_days.group_key = priced_rows.group_key
        left join moved_days
            on
                priced_rows.line_number = moved_days.line_number
                and late_days.known_date >= moved_days.known_date
                and late_days.usage_date >= moved_days.usage_date
        where
            late_days.usage_date >= late_days.first_date
            or late_days.usage_date = late_days.date_before
        group by
            priced_rows.line_number,
            late_days.group_key,
            late_days.known_date,
            late_days.usage_date,
            late_days.first_date

    ),

    -- What was known before the run is rated where it is compared with: from the first day that
    -- the run touches on, all of it where the period closes or where nothing was kept yet.
    days_before as (

        select
            states.line_number,
            max(states.usage_date) as date_before
        from states
        inner join first_open_days
            on
                states.group_key = first_open_days.group_key
                and states.usage_date < first_open_days.first_open_date
        where states.known_date < {{ first_posting_date() }}
        group by states.line_number

    ),

    -- What is the same on all days of a line is joined where it is needed: carried along it would be
    -- written down with each of them.
    rated_rows as (

        select
            priced_rows.*,
            coalesce(band_counts.band_count, 1) = 1 as has_one_band,
            first_open_days.first_open_date,
            days_before.date_before
        from priced_rows
        left join band_counts
            on priced_rows.price_row_id = band_counts.price_row_id
        left join first_open_days
            on priced_rows.group_key = first_open_days.group_key
        left join days_before
            on priced_rows.line_number = days_before.line_number

    ),

    billable as (

        select
            states.line_number,
            states.group_key,
            states.known_date,
            states.usage_date,
            states.is_late,
            states.is_before,
            states.event_count,
            states.usage_amount,
            rated_rows.{{ "rows_in_allowance" if is_shared else "rows_in_part" }},
            states.is_used
            {%- if greatest_of %}
            and (
                states.event_count > 0
                or rated_rows.meter_profile not in ({{ profile_literals(greatest_of) }})
            )
            {%- endif %}
            and {{ is_in_range('states.quantity', 'states.usage_amount') }} as is_in_range,
            {{ billable_quantity(
                'states.quantity', is_in_range('states.quantity', 'states.usage_amount')
            ) }} as billable_quantity
        from states
        inner join rated_rows
            on states.line_number = rated_rows.line_number
        where
            states.known_date >= {{ first_posting_date() }}
            or rated_rows.is_closing
            or not rated_rows.{{ 'is_group_kept' if is_shared else 'is_kept' }}
            or states.usage_date >= rated_rows.first_open_date
            or states.usage_date = rated_rows.date_before

    ),

    -- An allowance that rows share is used up in their order.
    {%- set rows_sharing = "rows_in_allowance" if is_shared else "rows_in_part" %}
    allowed as (

        select
            billable.*,
            billable.billable_quantity as running_quantity
        from billable
        where billable.{{ rows_sharing }} = 1

        union all

        select
            billable.*,
            sum(billable.billable_quantity) over (
                partition by
                    rated_rows.{{ 'allowance_key' if is_shared else 'part_key' }},
                    billable.known_date,
                    billable.usage_date
                order by
                    {%- if is_shared %}
                    rated_rows.place_in_allowance
                    {%- else %}
                    rated_rows.price_position,
                    {{ binary_order('rated_rows.dimension_values') }}
                    {%- endif %}
                rows between unbounded preceding and current row
            ) as running_quantity
        from billable
        inner join rated_rows
            on billable.line_number = rated_rows.line_number
        where billable.{{ rows_sharing }} > 1

    ),

    uncovered as (

        select
            allowed.line_number,
            allowed.group_key,
            allowed.known_date,
            allowed.usage_date,
            allowed.is_late,
            allowed.is_before,
            allowed.is_in_range,
            allowed.event_count,
            allowed.usage_amount,
            rated_rows.price_row_id,
            rated_rows.has_one_band,
            rated_rows.pricing_model,
            rated_rows.flat_fee_at_zero,
            {%- set available = "rated_rows.available_quantity" %}
            {%- if is_shared %}
            {%- set available -%}
            case
                    when rated_rows.has_allowance_by_day
                        then coalesce(daily_allowances.available_quantity, 0)
                    else rated_rows.available_quantity
                end
            {%- endset %}
            {%- endif %}
            cast(
                allowed.billable_quantity
                - least(allowed.running_quantity, {{ available }})
                + least(
                    allowed.running_quantity - allowed.billable_quantity, {{ available }}
                ) as {{ type_quantity() }}
            ) as rated_quantity,
            case when rated_rows.is_rated_in_full then 1 else rated_rows.share_numerator end
                as free_numerator,
            case when rated_rows.is_rated_in_full then 1 else rated_rows.share_denominator end
                as free_denominator
        from allowed
        inner join rated_rows
            on allowed.line_number = rated_rows.line_number
        {%- if is_shared %}
        left join daily_allowances
            on
                rated_rows.allowance_key = daily_allowances.allowance_key
                and allowed.known_date >= daily_allowances.known_date
                and allowed.known_date < daily_allowances.known_to
        where rated_rows.is_asked
        {%- endif %}
        {{ fence() }}

    ),

    banded as (

        select
            uncovered.line_number,
            uncovered.group_key,
            uncovered.known_date,
            uncovered.usage_date,
            uncovered.is_late,
            uncovered.is_before,
            uncovered.has_one_band,
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
        left join price_bands
            on
                uncovered.price_row_id = price_bands.price_row_id
                and uncovered.is_in_range
                and uncovered.rated_quantity >= price_bands.tier_from

    ),

    applied_bands as (

        select
            banded.*,
            {{ step_applies(pricing_models()) }} as is_applied
        from banded
        {{ fence() }}

    ),

    -- A row that no band applies to stays, with its first, and comes to nothing.
    steps as (

        select
            line_number,
            group_key,
            known_date,
            usage_date,
            is_late,
            is_before,
            has_one_band,
            is_applied,
            case when is_applied then {{ step_units(pricing_models()) }} end as units,
            case when is_applied then {{ step_rate(pricing_models()) }} end as rate,
            case when is_applied then {{ step_fixed_amount(pricing_models()) }} end as fixed_amount,
            is_applied and {{ step_fixed_is_a_fee(pricing_models()) }} as fixed_is_a_fee
        from applied_bands
        where
            is_applied
            or coalesce(band_number, 1) = 1

    ),

    priced as {{ materialized() }} (

        select
            line_number,
            group_key,
            known_date,
            usage_date,
            is_late,
            is_before,
            has_one_band,
            is_applied,
            cast(
                {{ exact_product('steps.units', 'steps.rate') }} + fixed_amount
                as {{ type_amount() }}
            ) as amount,
            case when fixed_is_a_fee then fixed_amount else 0 end as fee_amount
        from steps

    ),

    -- Most prices have one band: nothing is to be added up.
    row_totals as (

        select
            line_number,
            group_key,
            known_date,
            usage_date,
            is_late,
            is_before,
            case when is_applied and amount is null then 1 else 0 end as uncomputed_count,
            amount as cycle_amount,
            cast(fee_amount as {{ type_amount() }}) as fee_amount
        from priced
        where has_one_band

        union all

        select
            line_number,
            group_key,
            known_date,
            usage_date,
            is_late,
            is_before,
            sum(case when is_applied and amount is null then 1 else 0 end) as uncomputed_count,
            cast(sum(amount) as {{ type_amount() }}) as cycle_amount,
            cast(sum(fee_amount) as {{ type_amount() }}) as fee_amount
        from priced
        where not has_one_band
        group by
            line_number,
            group_key,
            known_date,
            usage_date,
            is_late,
            is_before

    ),

    amounts as (

        select
            row_totals.line_number,
            row_totals.group_key,
            row_totals.known_date,
            row_totals.usage_date,
            row_totals.is_late,
            row_totals.is_before,
            row_totals.fee_amount,
            rated_rows.share_numerator,
            rated_rows.share_denominator,
            rated_rows.is_rated_in_full,
            rated_rows.exponent,
            rated_rows.rows_in_part,
            rated_rows.maximum,
            case
                when
                    row_totals.uncomputed_count = 0
                    and {{ fits_amount('row_totals.cycle_amount') }}
                    then row_totals.cycle_amount
                else 0
            end as cycle_amount
        from row_totals
        inner join rated_rows
            on row_totals.line_number = rated_rows.line_number

    ),

    exact as (

        select
            amounts.*,
            {{ amount_in_share('amounts') }} as exact_amount
        from amounts

    ),

    rounded as (

        select
            line_number,
            group_key,
            known_date,
            usage_date,
            is_late,
            is_before,
            rows_in_part,
            maximum,
            exponent,
            {{ round_money('exact.exact_amount', 'exact.exponent') }} as rounded_total
        from exact

    ),

    {%- if pass_count %}

    pass_0 as (

        select
            rounded.*,
            line_stacks.place_number,
            {%- for pass in range(1, pass_count + 1) %}
            line_stacks.discount_{{ pass }},
            line_stacks.percent_units_{{ pass }},
            line_stacks.amount_units_{{ pass }},
            {%- endfor %}
            rated_rows.discount_key,
            {{ minor_units("rounded.rounded_total", "rounded.exponent") }} as left_0
        from rounded
        inner join line_stacks
            on rounded.line_number = line_stacks.line_number
        inner join rated_rows
            on rounded.line_number = rated_rows.line_number
        where rounded.rounded_total > 0

    ),
    {{ discount_passes(pass_count, "discount_key, known_date, usage_date", "place_number") }}

    discounted as (

        select
            {{ rounded_columns | join(",\n            ") }},
            rounded_total
        from rounded
        where
            rounded_total <= 0
            or line_number not in (select line_number from line_stacks)

        union all

        select
            {{ rounded_columns | join(",\n            ") }},
            {{ total_of_minor_units("left_" ~ pass_count, "exponent") }} as rounded_total
        from pass_{{ pass_count }}

    ),
    {%- endif %}

    -- So is a maximum, of what discounts leave.
    summed as (

        select
            charged.*,
            charged.rounded_total as running_total
        from {{ charged }} as charged
        where charged.rows_in_part = 1

        union all

        select
            charged.*,
            sum(charged.rounded_total) over (
                partition by
                    rated_rows.part_key,
                    charged.known_date,
                    charged.usage_date
                order by
                    rated_rows.price_position,
                    {{ binary_order('rated_rows.dimension_values') }}
                rows between unbounded preceding and current row
            ) as running_total
        from {{ charged }} as charged
        inner join rated_rows
            on charged.line_number = rated_rows.line_number
        where charged.rows_in_part > 1

    ),

    through_days as (

        select
            line_number,
            known_date,
            usage_date,
            is_late,
            is_before,
            case
                when maximum is null then rounded_total
                else
                    least(running_total, maximum)
                    - least(running_total - rounded_total, maximum)
            end as total_through
        from summed

    ),

    neighbours as (

        select
            through_days.*,
            lag(known_date) over states_so_far as known_date_before,
            lag(total_through) over states_so_far as total_before
        from through_days
        window
            states_so_far as (
                partition by line_number
                order by known_date, usage_date
            )

    ),

    -- What follows all that came before goes on from the last state; a late one stands by itself.
    days as (

        select
            neighbours.line_number,
            neighbours.known_date,
            neighbours.usage_date,
            case
                when neighbours.is_late and neighbours.known_date_before <> neighbours.known_date
                    then neighbours.total_through
                else neighbours.total_through - coalesce(neighbours.total_before, 0)
            end as target_total
        from neighbours
        inner join rated_rows
            on neighbours.line_number = rated_rows.line_number
        where
            not neighbours.is_before
            and (
                neighbours.known_date >= {{ first_posting_date() }}
                or rated_rows.is_closing
                or not rated_rows.{{ 'is_group_kept' if is_shared else 'is_kept' }}
                or neighbours.usage_date >= rated_rows.first_open_date
            )

    ),

    late_lines as (

        select priced_rows.line_number
        from priced_rows
        where priced_rows.group_key in (select group_key from late_loads)

    )

    select
        days.line_number,
        days.known_date,
        days.usage_date,
        late_lines.line_number is not null as has_late_usage,
        cast(greatest(days.target_total, 0) as {{ type_total() }}) as target_total
    from days
    left join late_lines
        on days.line_number = late_lines.line_number
    {%- endif %}
{%- endmacro %}

{# Whether events of some meter bring their own price: else no amounts are added up. #}
{% macro has_event_amounts() -%}
    {{ return(has_rows(ref("stg_catalog__meters"), "amount_property is not null")) }}
{%- endmacro %}

{# How many passes of discounts the lines of the run take: 0 where none is discounted by the day. #}
{% macro daily_discount_passes() -%}
    {{ return(
        discount_pass_count(ref("int_credits__line_discounts")) if has_daily_discounts() else 0
    ) }}
{%- endmacro %}
