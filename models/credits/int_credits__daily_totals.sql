{{ config(materialized='view') }}
-- What each customer has in each currency at the end of a day, and what that is a share of: the
-- amounts of the grants that are live, with what was moved into and out of them. A grant that was
-- used up on an earlier day has no balance row and counts no more.
with

balances as (

    select * from {{ ref('credit_balances_daily') }}

),

grants as (

    select * from {{ ref('int_credits__grants') }}

),

transfers as (

    select
        grant_id,
        posted_date,
        sum(amount) as day_total
    from {{ ref('credit_ledger_entries') }}
    where entry_kind = 'transfer'
    group by
        grant_id,
        posted_date

),

moved as (

    select
        grant_id,
        posted_date as from_date,
        lead(posted_date) over (
            partition by grant_id
            order by posted_date
        ) as to_date,
        sum(day_total) over (
            partition by grant_id
            order by posted_date
            rows between unbounded preceding and current row
        ) as moved_total
    from transfers

)

select
    balances.customer_id,
    balances.currency,
    balances.balance_date,
    cast(sum(balances.balance_total) as {{ type_total() }}) as balance_total,
    cast(
        sum(
            case
                when grants.posted_to_date > balances.balance_date
                    then grants.amount + coalesce(moved.moved_total, 0)
                else 0
            end
        ) as {{ type_total() }}
    ) as granted_total,
    max(case when balances.is_provisional then 1 else 0 end) = 1 as is_provisional
from balances
inner join grants
    on balances.grant_id = grants.grant_id
left join moved
    on
        balances.grant_id = moved.grant_id
        and balances.balance_date >= moved.from_date
        and balances.balance_date < coalesce(moved.to_date, cast('9999-12-31' as date))
group by
    balances.customer_id,
    balances.currency,
    balances.balance_date
