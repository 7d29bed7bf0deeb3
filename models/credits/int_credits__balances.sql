-- depends_on: {{ ref('build_window') }}
-- What each grant has left at the end of each day of the run on which it has something or moved.
with

entries as (

    select * from {{ ref('int_credits__entries') }}

),

moved as (

    select
        grant_id,
        posted_date,
        sum(amount) as amount
    from entries
    group by
        grant_id,
        posted_date

    union all

    select
        grant_id,
        balance_date as posted_date,
        balance_total as amount
    from {{ source('ledger', 'credit_balances') }}
    where
        balance_date = {{ first_posting_date() }} - cast(1 as integer)
        and balance_total <> 0

),

balances as (

    select
        grant_id,
        posted_date,
        cast(
            sum(amount) over (partition by grant_id order by posted_date) as {{ type_total() }}
        ) as balance_total,
        coalesce(
            lead(posted_date) over (partition by grant_id order by posted_date),
            cast({{ as_of_at() }} as date)
        ) as next_date
    from moved

),

days as (

    select
        grant_id,
        posted_date,
        balance_total,
        {{ whole_numbers(
            '0',
            'case when balance_total <> 0 then cast(next_date - posted_date as integer) - 1 else 0 end'
        ) }} as day_number
    from balances

)

select
    posted_date + day_number as balance_date,
    grant_id,
    balance_total
from days
where posted_date + day_number >= {{ first_posting_date() }}
