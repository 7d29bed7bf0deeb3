{{ config(group="subscriptions") }}
-- Each period starts where the one before ended, the first at the start, and has some time in it;
-- the last one ends where the subscription does (or its last period that had closed before the end
-- became known), or past the horizon. So it is in each term: its
-- first period starts with it, its last one ends with it. Returns what does not.
with

periods as (

    select * from {{ ref('int_subscriptions__periods') }}

),

terms as (

    select * from {{ ref('int_subscriptions__terms') }}

),

lives as (

    select * from {{ ref('int_subscriptions__lives') }}

),

followed as (

    select
        periods.*,
        row_number() over (
            partition by periods.subscription_id
            order by periods.period_number
        ) as place,
        lag(periods.term_number) over (
            partition by periods.subscription_id
            order by periods.period_number
        ) as earlier_term_number,
        lag(periods.period_to) over (
            partition by periods.subscription_id
            order by periods.period_number
        ) as earlier_to,
        lag(periods.period_to_date) over (
            partition by periods.subscription_id
            order by periods.period_number
        ) as earlier_to_date,
        lead(periods.term_number) over (
            partition by periods.subscription_id
            order by periods.period_number
        ) as later_term_number
    from periods

)

select
    lives.subscription_id,
    followed.period_number,
    followed.period_from,
    followed.period_to
from lives
left join followed
    on lives.subscription_id = followed.subscription_id
left join terms
    on
        followed.subscription_id = terms.subscription_id
        and followed.term_number = terms.term_number
where
    (
        followed.subscription_id is null
        and lives.starts_at < {{ as_of_at() }} + interval '2 days'
    )
    or followed.period_number <> followed.place
    or (followed.subscription_id is not null and terms.subscription_id is null)
    or followed.period_from >= followed.period_to
    or followed.period_from <> coalesce(followed.earlier_to, lives.starts_at)
    or (
        followed.term_number = followed.earlier_term_number
        and followed.period_from_date <> followed.earlier_to_date
    )
    -- The first of its term.
    or (
        followed.term_number <> coalesce(followed.earlier_term_number, 0)
        and (
            followed.term_number <> coalesce(followed.earlier_term_number, 0) + 1
            or followed.period_from <> terms.starts_at
            or followed.period_from_date <> terms.start_date
        )
    )
    or followed.period_to > terms.ends_at
    or followed.is_last <> coalesce(followed.period_to = terms.ends_at, false)
    or (followed.is_last and followed.later_term_number = followed.term_number)
    -- The last one that is there.
    or (
        followed.later_term_number is null
        and followed.period_to < {{ as_of_at() }} + interval '2 days'
        and followed.period_to is distinct from terms.ends_at
    )
