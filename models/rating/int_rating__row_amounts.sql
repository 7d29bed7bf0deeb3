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
        or not {{ fits_amount('coalesce(step_totals.amount, 0)') }} as is_out_of_range
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
        end as exact_amount
    from judged

)

select
    shared.subscription_id,
    shared.customer_id,
    shared.period_number,
    shared.plan_id,
    shared.charge_id,
    shared.part_number,
    shared.period_from,
    shared.period_to,
    charge_parts.part_from_date as from_date,
    shared.charge_position,
    shared.price_row_id,
    shared.price_position,
    shared.dimension_values,
    shared.currency,
    shared.exponent,
    shared.pricing_model,
    shared.event_count,
    shared.quantity,
    shared.covered_quantity,
    shared.rated_quantity,
    shared.share_numerator,
    shared.share_denominator,
    case
        when shared.is_out_of_range then 'out_of_range'
        when shared.event_count > 0 or shared.exact_amount <> 0 then 'line'
        -- A level or a reading carried over is a quantity, though nothing happened.
        when shared.aggregation not in ('count', 'sum', 'count_unique')
            then 'line'
        else 'nothing'
    end as outcome,
    cast(shared.exact_amount as {{ type_amount() }}) as amount,
    {{ round_money('shared.exact_amount', 'shared.exponent') }} as rounded_total,
    shared.cutoff_at
from shared
inner join charge_parts
    on
        shared.subscription_id = charge_parts.subscription_id
        and shared.period_number = charge_parts.period_number
        and shared.charge_id = charge_parts.charge_id
        and shared.part_number = charge_parts.part_number
