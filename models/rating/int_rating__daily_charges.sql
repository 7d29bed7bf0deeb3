-- What the usage of each alerted period's charges costs, and takes of its allowance, through each
-- day: the quantity through the day, rated as the line is. What has no quantity from day to day,
-- and what is due without usage, comes at the end of the period.
with

daily_quantities as (

    select * from {{ ref('int_rating__daily_quantities') }}

),

alerted_periods as (

    select
        periods.subscription_id,
        periods.period_number,
        periods.period_to,
        {{ local_date(
            "(periods.period_to - interval '1 microsecond')", 'zone_segments.offset_seconds'
        ) }} as last_date
    from {{ ref('int_rating__alerted_periods') }} as alerted
    inner join {{ ref('int_subscriptions__periods') }} as periods
        on
            alerted.subscription_id = periods.subscription_id
            and alerted.period_number = periods.period_number
    inner join {{ ref('int_subscriptions__zone_segments') }} as zone_segments
        on
            periods.time_zone = zone_segments.time_zone
            and periods.period_to > zone_segments.utc_from
            and periods.period_to <= zone_segments.utc_to

),

charge_parts as (

    select
        charge_parts.*,
        alerted_periods.last_date,
        alerted_periods.period_to <= {{ as_of_at() }} as has_ended
    from {{ ref('int_rating__charge_parts') }} as charge_parts
    inner join alerted_periods
        on
            charge_parts.subscription_id = alerted_periods.subscription_id
            and charge_parts.period_number = alerted_periods.period_number

),

allowance_charges as (

    select * from {{ ref('int_rating__allowance_charges') }}

),

allowance_steps as (

    select * from {{ ref('int_rating__allowance_steps') }}

),

allowance_draws as (

    select * from {{ ref('int_rating__allowance_draws') }}

),

price_rows as (

    select * from {{ ref('int_rating__price_rows') }}

),

price_bands as (

    select * from {{ ref('int_rating__price_bands') }}

),

rated_quantities as (

    select * from {{ ref('int_rating__rated_quantities') }}

),

row_amounts as (

    select * from {{ ref('int_rating__row_amounts') }}

),

pools as (

    select
        customer_id,
        allowance_id,
        cycle_from_date,
        sum(own_quantity) as pool_quantity
    from allowance_steps
    where is_pooled
    group by
        customer_id,
        allowance_id,
        cycle_from_date

),

-- Charges that draw on one allowance are looked at together, a pool's over its subscriptions.
sharing as (

    select
        charge_parts.*,
        allowance_steps.starts_at,
        case
            when allowance_steps.is_pooled then 'pool'
            when allowance_steps.allowance_id is not null then 'shared'
            else 'own'
        end as sharing_kind,
        case
            when allowance_steps.is_pooled then charge_parts.customer_id
            else charge_parts.subscription_id
        end as sharing_owner,
        coalesce(allowance_steps.allowance_id, charge_parts.charge_id) as sharing_name,
        case
            when allowance_steps.is_pooled
                then cast(allowance_steps.cycle_from_date as {{ type_timestamp() }})
            else charge_parts.part_from
        end as sharing_from,
        case
            when allowance_steps.is_pooled then pools.pool_quantity
            when allowance_steps.allowance_id is not null
                then allowance_draws.available_quantity
            else charge_parts.allowance
        end as available_quantity
    from charge_parts
    left join allowance_charges
        on
            charge_parts.plan_id = allowance_charges.plan_id
            and charge_parts.charge_id = allowance_charges.charge_id
    left join allowance_steps
        on
            charge_parts.subscription_id = allowance_steps.subscription_id
            and charge_parts.period_number = allowance_steps.period_number
            and charge_parts.part_from = allowance_steps.part_from
            and allowance_charges.allowance_id = allowance_steps.allowance_id
    left join allowance_draws
        on
            allowance_steps.subscription_id = allowance_draws.subscription_id
            and allowance_steps.period_number = allowance_draws.period_number
            and allowance_steps.part_from = allowance_draws.part_from
            and allowance_steps.allowance_id = allowance_draws.allowance_id
    left join pools
        on
            allowance_steps.customer_id = pools.customer_id
            and allowance_steps.allowance_id = pools.allowance_id
            and allowance_steps.cycle_from_date = pools.cycle_from_date

),

parts as (

    select
        sharing.*,
        dense_rank() over (
            order by
                {{ binary_order('sharing.sharing_kind') }},
                {{ binary_order('sharing.sharing_owner') }},
                {{ binary_order('sharing.sharing_name') }},
                sharing.sharing_from
        ) as sharing_id
    from sharing

),

-- Every price row with usage on every day on which the allowance's usage moves.
used_rows as (

    select
        parts.sharing_id,
        daily_quantities.subscription_id,
        daily_quantities.period_number,
        daily_quantities.charge_id,
        daily_quantities.part_number,
        daily_quantities.price_row_id
    from daily_quantities
    inner join parts
        on
            daily_quantities.subscription_id = parts.subscription_id
            and daily_quantities.period_number = parts.period_number
            and daily_quantities.charge_id = parts.charge_id
            and daily_quantities.part_number = parts.part_number
    group by
        parts.sharing_id,
        daily_quantities.subscription_id,
        daily_quantities.period_number,
        daily_quantities.charge_id,
        daily_quantities.part_number,
        daily_quantities.price_row_id

),

sharing_days as (

    select
        used_rows.sharing_id,
        daily_quantities.usage_date
    from daily_quantities
    inner join used_rows
        on
            daily_quantities.subscription_id = used_rows.subscription_id
            and daily_quantities.period_number = used_rows.period_number
            and daily_quantities.charge_id = used_rows.charge_id
            and daily_quantities.part_number = used_rows.part_number
            and daily_quantities.price_row_id = used_rows.price_row_id
    group by
        used_rows.sharing_id,
        daily_quantities.usage_date

),

row_days as (

    select
        used_rows.*,
        sharing_days.usage_date,
        daily_quantities.quantity as own_quantity,
        daily_quantities.event_count as own_events,
        daily_quantities.usage_amount as own_amount,
        count(daily_quantities.usage_date) over (
            partition by
                used_rows.subscription_id,
                used_rows.period_number,
                used_rows.charge_id,
                used_rows.part_number,
                used_rows.price_row_id
            order by sharing_days.usage_date
            rows between unbounded preceding and current row
        ) as days_used
    from used_rows
    inner join sharing_days
        on used_rows.sharing_id = sharing_days.sharing_id
    left join daily_quantities
        on
            used_rows.subscription_id = daily_quantities.subscription_id
            and used_rows.period_number = daily_quantities.period_number
            and used_rows.charge_id = daily_quantities.charge_id
            and used_rows.part_number = daily_quantities.part_number
            and used_rows.price_row_id = daily_quantities.price_row_id
            and sharing_days.usage_date = daily_quantities.usage_date

),

filled as (

    select
        sharing_id,
        subscription_id,
        period_number,
        charge_id,
        part_number,
        price_row_id,
        usage_date,
        days_used,
        max(own_quantity) over row_day as quantity,
        max(own_events) over row_day as event_count,
        max(own_amount) over row_day as usage_amount
    from row_days
    window
        row_day as (
            partition by
                subscription_id,
                period_number,
                charge_id,
                part_number,
                price_row_id,
                days_used
        )

),

ranged as (

    select
        filled.*,
        {{ is_in_range('filled.quantity', 'filled.usage_amount') }} as is_in_range
    from filled
    where filled.days_used > 0

),

billable as (

    select
        ranged.*,
        {{ billable_quantity('ranged.quantity', 'ranged.is_in_range') }} as billable_quantity
    from ranged

),

running as (

    select
        billable.*,
        parts.available_quantity,
        parts.exponent,
        parts.part_from,
        price_rows.pricing_model,
        price_rows.flat_fee_at_zero,
        price_rows.share_numerator,
        price_rows.share_denominator,
        price_rows.is_rated_in_full,
        sum(billable.billable_quantity) over (
            partition by
                billable.sharing_id,
                billable.usage_date
            order by
                parts.starts_at,
                {{ binary_order('billable.subscription_id') }},
                billable.period_number,
                parts.part_from,
                price_rows.charge_position,
                {{ binary_order('billable.charge_id') }},
                price_rows.price_position,
                {{ binary_order('price_rows.dimension_values') }}
            rows between unbounded preceding and current row
        ) as running_quantity
    from billable
    inner join parts
        on
            billable.subscription_id = parts.subscription_id
            and billable.period_number = parts.period_number
            and billable.charge_id = parts.charge_id
            and billable.part_number = parts.part_number
    inner join price_rows
        on
            billable.subscription_id = price_rows.subscription_id
            and billable.period_number = price_rows.period_number
            and billable.charge_id = price_rows.charge_id
            and billable.part_number = price_rows.part_number
            and billable.price_row_id = price_rows.price_row_id

),

uncovered as (

    select
        running.*,
        cast(
            running.billable_quantity
            - least(running.running_quantity, running.available_quantity)
            + least(
                running.running_quantity - running.billable_quantity, running.available_quantity
            ) as {{ type_quantity() }}
        ) as rated_quantity,
        case when running.is_rated_in_full then 1 else running.share_numerator end
            as free_numerator,
        case when running.is_rated_in_full then 1 else running.share_denominator end
            as free_denominator
    from running

),

applied_bands as (

    select
        uncovered.subscription_id,
        uncovered.period_number,
        uncovered.charge_id,
        uncovered.part_number,
        uncovered.price_row_id,
        uncovered.usage_date,
        uncovered.exponent,
        uncovered.share_numerator,
        uncovered.share_denominator,
        uncovered.is_rated_in_full,
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
        subscription_id,
        period_number,
        charge_id,
        part_number,
        price_row_id,
        usage_date,
        exponent,
        share_numerator,
        share_denominator,
        is_rated_in_full,
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
        subscription_id,
        period_number,
        charge_id,
        part_number,
        price_row_id,
        usage_date,
        exponent,
        share_numerator,
        share_denominator,
        is_rated_in_full,
        count(*) - count(amount) as uncomputed_count,
        cast(sum(amount) as {{ type_amount() }}) as cycle_amount,
        cast(
            sum(case when fixed_is_a_fee then fixed_amount else 0 end) as {{ type_amount() }}
        ) as fee_amount
    from priced
    group by
        subscription_id,
        period_number,
        charge_id,
        part_number,
        price_row_id,
        usage_date,
        exponent,
        share_numerator,
        share_denominator,
        is_rated_in_full

),

exact_totals as (

    select
        row_totals.*,
        price_rows.unit,
        price_rows.unit_rate,
        price_rows.priced_exponent,
        {{ amount_in_share('row_totals') }} as exact_amount
    from row_totals
    inner join price_rows
        on
            row_totals.subscription_id = price_rows.subscription_id
            and row_totals.period_number = price_rows.period_number
            and row_totals.charge_id = price_rows.charge_id
            and row_totals.part_number = price_rows.part_number
            and row_totals.price_row_id = price_rows.price_row_id
    where
        row_totals.uncomputed_count = 0
        and {{ fits_amount('row_totals.cycle_amount') }}

),

rounded as (

    select
        subscription_id,
        period_number,
        charge_id,
        part_number,
        usage_date,
        sum(
            case
                when unit is null then {{ round_money('exact_amount', 'exponent') }}
                else {{ round_money(
                    worth_of_units(round_money('exact_amount', 'priced_exponent'), 'unit_rate'),
                    'exponent'
                ) }}
            end
        ) as rounded_total
    from exact_totals
    group by
        subscription_id,
        period_number,
        charge_id,
        part_number,
        usage_date

),

used_days as (

    select
        sharing_id,
        usage_date,
        sum(billable_quantity) as billable_quantity
    from billable
    group by
        sharing_id,
        usage_date

),

-- What the lines of the period say, once it is over.
line_totals as (

    select
        subscription_id,
        period_number,
        charge_id,
        part_number,
        sum(rounded_total) as rounded_total
    from row_amounts
    where outcome = 'line'
    group by
        subscription_id,
        period_number,
        charge_id,
        part_number

),

line_quantities as (

    select
        parts.sharing_id,
        sum(rated_quantities.covered_quantity + rated_quantities.rated_quantity)
            as billable_quantity
    from rated_quantities
    inner join parts
        on
            rated_quantities.subscription_id = parts.subscription_id
            and rated_quantities.period_number = parts.period_number
            and rated_quantities.charge_id = parts.charge_id
            and rated_quantities.part_number = parts.part_number
    group by parts.sharing_id

),

charge_days as (

    select
        parts.subscription_id,
        parts.period_number,
        parts.charge_id,
        parts.part_number,
        used_days.usage_date,
        parts.currency,
        parts.maximum,
        coalesce(rounded.rounded_total, 0) as rounded_total,
        used_days.billable_quantity,
        parts.available_quantity
    from parts
    inner join used_days
        on parts.sharing_id = used_days.sharing_id
    left join rounded
        on
            parts.subscription_id = rounded.subscription_id
            and parts.period_number = rounded.period_number
            and parts.charge_id = rounded.charge_id
            and parts.part_number = rounded.part_number
            and used_days.usage_date = rounded.usage_date
    where not parts.has_ended or used_days.usage_date < parts.last_date

    union all

    select
        parts.subscription_id,
        parts.period_number,
        parts.charge_id,
        parts.part_number,
        parts.last_date as usage_date,
        parts.currency,
        parts.maximum,
        coalesce(line_totals.rounded_total, 0) as rounded_total,
        coalesce(line_quantities.billable_quantity, 0) as billable_quantity,
        parts.available_quantity
    from parts
    left join line_totals
        on
            parts.subscription_id = line_totals.subscription_id
            and parts.period_number = line_totals.period_number
            and parts.charge_id = line_totals.charge_id
            and parts.part_number = line_totals.part_number
    left join line_quantities
        on parts.sharing_id = line_quantities.sharing_id
    where parts.has_ended

),

capped as (

    select
        subscription_id,
        period_number,
        charge_id,
        part_number,
        usage_date,
        currency,
        cast(
            case
                when maximum is null then rounded_total
                else least(rounded_total, maximum)
            end as {{ type_total() }}
        ) as spent_through,
        billable_quantity,
        available_quantity
    from charge_days

)

select
    capped.subscription_id,
    capped.period_number,
    capped.charge_id,
    capped.part_number,
    capped.usage_date,
    capped.currency,
    cast(
        capped.spent_through - coalesce(
            lag(capped.spent_through) over (
                partition by
                    capped.subscription_id,
                    capped.period_number,
                    capped.charge_id,
                    capped.part_number
                order by capped.usage_date
            ), 0
        ) as {{ type_total() }}
    ) as spent_total,
    cast(capped.billable_quantity as {{ type_integral() }}) as billable_quantity,
    cast(capped.available_quantity as {{ type_integral() }}) as available_quantity
from capped
