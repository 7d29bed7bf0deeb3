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
        steps.price_row_id,
        count(*) - count(steps.amount) as uncomputed_count,
        cast(sum(steps.amount) as {{ type_amount() }}) as amount
    from steps
    inner join build_window
        on steps.cutoff_at > build_window.open_from
    group by
        steps.subscription_id,
        steps.period_number,
        steps.charge_id,
        steps.price_row_id

)

select
    open_quantities.subscription_id,
    open_quantities.customer_id,
    open_quantities.period_number,
    open_quantities.period_from,
    open_quantities.period_to,
    open_quantities.charge_id,
    open_quantities.charge_position,
    open_quantities.price_row_id,
    open_quantities.price_position,
    open_quantities.dimension_values,
    open_quantities.currency,
    open_quantities.exponent,
    open_quantities.pricing_model,
    open_quantities.event_count,
    open_quantities.quantity,
    open_quantities.covered_quantity,
    open_quantities.rated_quantity,
    case
        when not open_quantities.is_in_range then 'out_of_range'
        when step_totals.uncomputed_count > 0 then 'out_of_range'
        when not {{ fits_amount('step_totals.amount') }} then 'out_of_range'
        when open_quantities.event_count > 0 or step_totals.amount <> 0 then 'line'
        -- A level or a reading carried over is a quantity, though nothing happened.
        when open_quantities.aggregation not in ('count', 'sum', 'count_unique')
            then 'line'
        else 'nothing'
    end as outcome,
    step_totals.amount,
    open_quantities.cutoff_at
from open_quantities
left join step_totals
    on
        open_quantities.subscription_id = step_totals.subscription_id
        and open_quantities.period_number = step_totals.period_number
        and open_quantities.charge_id = step_totals.charge_id
        and open_quantities.price_row_id = step_totals.price_row_id
