{{ config(group="subscriptions") }}
-- Each period starts where the one before ended, the first at the start, and has some time in it;
-- the last one ends where the subscription ends. Returns what does not.
with

periods as (

    select * from {{ ref('int_subscriptions__periods') }}

),

terms as (

    select * from {{ ref('int_subscriptions__terms') }}

),

followed as (

    select
        periods.*,
        terms.starts_at,
        terms.ends_at,
        lag(periods.period_to) over (
            partition by periods.subscription_id
            order by periods.period_number
        ) as earlier_to,
        lag(periods.period_to_date) over (
            partition by periods.subscription_id
            order by periods.period_number
        ) as earlier_to_date,
        row_number() over (
            partition by periods.subscription_id
            order by periods.period_number
        ) as place
    from periods
    inner join terms
        on periods.subscription_id = terms.subscription_id

)

select
    subscription_id,
    period_number,
    period_from,
    period_to
from followed
where
    period_number <> place
    or period_from >= period_to
    or period_from <> coalesce(earlier_to, starts_at)
    or period_from_date <> coalesce(earlier_to_date, period_from_date)
    or (is_last and period_to <> ends_at)
    or period_to > ends_at
