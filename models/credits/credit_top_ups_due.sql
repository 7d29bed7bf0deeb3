-- depends_on: {{ ref('build_window') }}
{{ config(materialized='view', schema='marts') }}
with

top_ups as (

    select * from {{ ref('stg_catalog__credit_top_ups') }}

),

grants as (

    select * from {{ ref('int_credits__grants') }}

),

daily_totals as (

    select * from {{ ref('int_credits__daily_totals') }}

),

first_days as (

    select
        customer_id,
        currency,
        min(posted_from_date) as first_date
    from grants
    group by
        customer_id,
        currency

),

-- A rule begins when it is known and its customer has had credits in its currency.
rules as (

    select
        top_ups.*,
        greatest(cast(top_ups.recorded_at as date), first_days.first_date) as begins_on
    from top_ups
    inner join first_days
        on
            top_ups.customer_id = first_days.customer_id
            and top_ups.currency = first_days.currency

),

watched_days as (

    select
        rules.top_up_id,
        daily_totals.balance_date,
        daily_totals.balance_total,
        daily_totals.is_provisional
    from rules
    inner join daily_totals
        on
            rules.customer_id = daily_totals.customer_id
            and rules.currency = daily_totals.currency
            and rules.begins_on <= daily_totals.balance_date

    union all

    -- A day without a row ends with nothing.
    select
        rules.top_up_id,
        rules.begins_on as balance_date,
        cast(0 as {{ type_total() }}) as balance_total,
        cast(rules.begins_on as {{ type_timestamp() }}) >= {{ close_at() }}
            as is_provisional
    from rules
    left join daily_totals
        on
            rules.customer_id = daily_totals.customer_id
            and rules.currency = daily_totals.currency
            and rules.begins_on = daily_totals.balance_date
    where
        daily_totals.balance_date is null
        and rules.begins_on < cast({{ as_of_at() }} as date)

),

with_day_before as (

    select
        *,
        lag(balance_date) over (
            partition by top_up_id
            order by balance_date
        ) as earlier_date,
        lag(balance_total) over (
            partition by top_up_id
            order by balance_date
        ) as earlier_total
    from watched_days

)

select
    rules.top_up_id,
    rules.customer_id,
    rules.currency,
    with_day_before.balance_date as due_date,
    with_day_before.balance_total,
    rules.threshold,
    rules.amount,
    with_day_before.is_provisional
from with_day_before
inner join rules
    on with_day_before.top_up_id = rules.top_up_id
where
    with_day_before.balance_total < rules.threshold
    and (
        with_day_before.earlier_date is null
        or (
            with_day_before.earlier_date = with_day_before.balance_date - 1
            and with_day_before.earlier_total >= rules.threshold
        )
    )
