with

build_window as (

    select * from {{ ref('build_window') }}

),

row_amounts as (

    select * from {{ ref('int_rating__row_amounts') }}

),

limits as (

    select * from {{ ref('int_rating__limits') }}

),

rounded as (

    select
        row_amounts.*,
        limits.maximum,
        {{ round_money('row_amounts.amount', 'row_amounts.exponent') }} as rounded_total
    from row_amounts
    inner join build_window
        on row_amounts.cutoff_at > build_window.open_from
    left join limits
        on
            row_amounts.subscription_id = limits.subscription_id
            and row_amounts.period_number = limits.period_number
            and row_amounts.charge_id = limits.charge_id
    where row_amounts.outcome = 'line'

),

running as (

    select
        rounded.*,
        sum(rounded.rounded_total) over (
            partition by
                rounded.subscription_id,
                rounded.period_number,
                rounded.charge_id
            order by
                rounded.price_position,
                {{ binary_order('rounded.dimension_values') }}
            rows between unbounded preceding and current row
        ) as running_total
    from rounded

)

-- The maximum caps the running sum of rounded rows: an invoice meets it to the cent.
select
    subscription_id,
    customer_id,
    period_number,
    period_from,
    period_to,
    charge_id,
    charge_position,
    price_row_id,
    price_position,
    dimension_values,
    currency,
    pricing_model,
    event_count,
    quantity,
    covered_quantity,
    rated_quantity,
    amount,
    cast(rounded_total as {{ type_total() }}) as rounded_total,
    cast(
        case
            when maximum is null then rounded_total
            else
                least(running_total, maximum)
                - least(running_total - rounded_total, maximum)
        end as {{ type_total() }}
    ) as line_total,
    cutoff_at
from running
