with

build_window as (

    select * from {{ ref('build_window') }}

),

rated_quantities as (

    select * from {{ ref('int_rating__rated_quantities') }}

),

steps as (

    select * from {{ ref('int_rating__steps') }}

),

charge_parts as (

    select * from {{ ref('int_rating__charge_parts') }}

),

open_quantities as (

    select rated_quantities.*
    from rated_quantities
    inner join build_window
        on rated_quantities.cutoff_at > build_window.open_from

),

step_totals as (

    select
        steps.subscription_id,
        steps.period_number,
        steps.charge_id,
        steps.part_number,
        steps.price_row_id,
        count(*) - count(steps.amount) as uncomputed_count,
        cast(sum(steps.amount) as {{ type_amount() }}) as amount,
        cast(
            sum(case when steps.fixed_is_a_fee then steps.fixed_amount else 0 end)
            as {{ type_amount() }}
        ) as fee_amount
    from steps
    inner join build_window
        on steps.cutoff_at > build_window.open_from
    group by
        steps.subscription_id,
        steps.period_number,
        steps.charge_id,
        steps.part_number,
        steps.price_row_id

),

judged as (

    select
        open_quantities.*,
        step_totals.amount as cycle_amount,
        step_totals.fee_amount,
        not open_quantities.is_in_range
        or coalesce(step_totals.uncomputed_count, 0) > 0
        or not {{ fits_amount('coalesce(step_totals.amount, 0)') }}
        or not {{ fits_worth('coalesce(step_totals.amount, 0)', 'open_quantities.unit_rate') }}
            as is_out_of_range
    from open_quantities
    left join step_totals
        on
            open_quantities.subscription_id = step_totals.subscription_id
            and open_quantities.period_number = step_totals.period_number
            and open_quantities.charge_id = step_totals.charge_id
            and open_quantities.part_number = step_totals.part_number
            and open_quantities.price_row_id = step_totals.price_row_id

),

shared as (

    select
        judged.*,
        case
            when not judged.is_out_of_range then {{ amount_in_share('judged') }}
        end as priced_amount
    from judged

),

-- What is priced in a unit of credit is so many of it, rounded, and money once.
worth as (

    select
        shared.*,
        case
            when shared.unit is not null
                then {{ round_money('shared.priced_amount', 'shared.priced_exponent') }}
        end as unit_total,
        case
            when shared.unit is null then shared.priced_amount
            -- Of the type of the other: in one that holds both, its last digit would be rounded.
            else cast(
                {{ worth_of_units(
                    round_money('shared.priced_amount', 'shared.priced_exponent'),
                    'shared.unit_rate'
                ) }} as decimal(38, 23)
            )
        end as exact_amount
    from shared

)

select
    worth.subscription_id,
    worth.customer_id,
    worth.period_number,
    worth.plan_id,
    worth.charge_id,
    worth.part_number,
    worth.period_from,
    worth.period_to,
    charge_parts.part_from_date as from_date,
    worth.charge_position,
    worth.price_row_id,
    worth.price_position,
    worth.dimension_values,
    worth.currency,
    worth.exponent,
    worth.pricing_model,
    worth.event_count,
    worth.quantity,
    worth.covered_quantity,
    worth.rated_quantity,
    worth.share_numerator,
    worth.share_denominator,
    case
        when worth.is_out_of_range then 'out_of_range'
        when worth.event_count > 0 or worth.exact_amount <> 0 then 'line'
        -- A level or a reading carried over is a quantity, though nothing happened.
        when worth.aggregation not in ('count', 'sum', 'count_unique')
            then 'line'
        else 'nothing'
    end as outcome,
    cast(worth.exact_amount as {{ type_amount() }}) as amount,
    {{ round_money('worth.exact_amount', 'worth.exponent') }} as rounded_total,
    worth.unit,
    worth.unit_rate,
    worth.unit_total,
    worth.cutoff_at
from worth
inner join charge_parts
    on
        worth.subscription_id = charge_parts.subscription_id
        and worth.period_number = charge_parts.period_number
        and worth.charge_id = charge_parts.charge_id
        and worth.part_number = charge_parts.part_number
