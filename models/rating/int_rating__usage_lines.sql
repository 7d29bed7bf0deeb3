with

build_window as (

    select * from {{ ref('build_window') }}

),

rated_quantities as (

    select * from {{ ref('int_rating__rated_quantities') }}

),

row_amounts as (

    select * from {{ ref('int_rating__row_amounts') }}

),

limits as (

    select * from {{ ref('int_rating__limits') }}

),

rounded as (

    select
        rated_quantities.subscription_id,
        rated_quantities.customer_id,
        rated_quantities.period_number,
        rated_quantities.period_from,
        rated_quantities.period_to,
        rated_quantities.charge_id,
        rated_quantities.charge_position,
        rated_quantities.price_row_id,
        rated_quantities.price_position,
        rated_quantities.dimension_values,
        rated_quantities.currency,
        rated_quantities.pricing_model,
        rated_quantities.event_count,
        rated_quantities.quantity,
        rated_quantities.covered_quantity,
        rated_quantities.rated_quantity,
        rated_quantities.cutoff_at,
        row_amounts.amount,
        limits.maximum,
        {{ round_money('row_amounts.amount', 'rated_quantities.exponent') }}
            as rounded_total
    from rated_quantities
    inner join build_window
        on rated_quantities.cutoff_at > build_window.open_from
    inner join row_amounts
        on
            rated_quantities.subscription_id = row_amounts.subscription_id
            and rated_quantities.period_number = row_amounts.period_number
            and rated_quantities.charge_id = row_amounts.charge_id
            and rated_quantities.price_row_id = row_amounts.price_row_id
            and row_amounts.outcome = 'line'
    left join limits
        on
            rated_quantities.subscription_id = limits.subscription_id
            and rated_quantities.period_number = limits.period_number
            and rated_quantities.charge_id = limits.charge_id

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
