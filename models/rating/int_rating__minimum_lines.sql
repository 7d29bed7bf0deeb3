with

build_window as (

    select * from {{ ref('build_window') }}

),

periods as (

    select * from {{ ref('int_rating__rated_periods') }}

),

limits as (

    select * from {{ ref('int_rating__limits') }}

),

usage_lines as (

    select * from {{ ref('int_rating__usage_lines') }}

),

charge_totals as (

    select
        subscription_id,
        period_number,
        charge_id,
        part_number,
        sum(charged_total) as charge_total
    from usage_lines
    group by
        subscription_id,
        period_number,
        charge_id,
        part_number

),

-- Due also at zero usage, once the period has begun.
shortfalls as (

    select
        limits.subscription_id,
        periods.customer_id,
        limits.period_number,
        limits.part_number,
        limits.plan_id,
        limits.part_from as period_from,
        limits.part_to as period_to,
        limits.from_date,
        limits.charge_id,
        limits.currency,
        limits.exponent,
        limits.minimum,
        cast(
            limits.minimum - coalesce(charge_totals.charge_total, 0)
            as {{ type_total() }}
        ) as charged_total,
        limits.cutoff_at
    from limits
    inner join build_window
        on limits.cutoff_at > build_window.open_from
    inner join periods
        on
            limits.subscription_id = periods.subscription_id
            and limits.period_number = periods.period_number
            and build_window.as_of_at > periods.period_from
    left join charge_totals
        on
            limits.subscription_id = charge_totals.subscription_id
            and limits.period_number = charge_totals.period_number
            and limits.charge_id = charge_totals.charge_id
            and limits.part_number = charge_totals.part_number

)

select
    {{ rated_line_id('shortfalls', 'period_number', "'minimum'", "''") }} as rated_line_id,
    shortfalls.subscription_id,
    shortfalls.customer_id,
    shortfalls.period_number,
    shortfalls.part_number,
    shortfalls.plan_id,
    shortfalls.period_from,
    shortfalls.period_to,
    shortfalls.from_date,
    shortfalls.charge_id,
    shortfalls.currency,
    shortfalls.exponent,
    shortfalls.minimum,
    shortfalls.charged_total,
    shortfalls.cutoff_at
from shortfalls
where shortfalls.charged_total > 0
