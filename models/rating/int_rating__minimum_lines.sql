with

build_window as (

    select * from {{ ref('build_window') }}

),

periods as (

    select * from {{ ref('int_subscriptions__periods') }}

),

limits as (

    select * from {{ ref('int_rating__limits') }}

),

usage_lines as (

    select * from {{ ref('int_rating__usage_lines') }}

),

charge_totals as (

    select
        usage_lines.subscription_id,
        usage_lines.period_number,
        usage_lines.charge_id,
        sum(usage_lines.line_total) as charge_total
    from usage_lines
    inner join build_window
        on usage_lines.cutoff_at > build_window.open_from
    group by
        usage_lines.subscription_id,
        usage_lines.period_number,
        usage_lines.charge_id

),

-- Due also at zero usage, once the period has begun.
shortfalls as (

    select
        limits.subscription_id,
        periods.customer_id,
        limits.period_number,
        periods.plan_id,
        periods.period_from,
        periods.period_to,
        limits.charge_id,
        limits.currency,
        limits.cutoff_at,
        limits.minimum,
        cast(
            limits.minimum - coalesce(charge_totals.charge_total, 0)
            as {{ type_total() }}
        ) as line_total
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

)

select
    subscription_id,
    customer_id,
    period_number,
    plan_id,
    period_from,
    period_to,
    charge_id,
    currency,
    minimum,
    line_total,
    cutoff_at
from shortfalls
where line_total > 0
