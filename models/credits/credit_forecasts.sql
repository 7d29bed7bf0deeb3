-- depends_on: {{ ref('build_window') }}
{{ config(materialized='view', schema='marts') }}
with

grants as (

    select * from {{ ref('int_credits__grants') }}
    where posted_from_date < cast({{ as_of_at() }} as date)

),

ledger_entries as (

    select * from {{ ref('credit_ledger_entries') }}

),

daily_totals as (

    select * from {{ ref('int_credits__daily_totals') }}

),

customers as (

    select
        customer_id,
        currency,
        cast({{ as_of_at() }} as date) - 1 as as_of_date,
        greatest(min(posted_from_date), cast({{ as_of_at() }} as date) - 28)
            as pace_from_date
    from grants
    group by
        customer_id,
        currency

),

net_draws as (

    select
        customers.customer_id,
        customers.currency,
        cast(sum(-ledger_entries.amount) as {{ type_total() }}) as drawn_total
    from customers
    inner join ledger_entries
        on
            customers.customer_id = ledger_entries.customer_id
            and customers.currency = ledger_entries.currency
            and ledger_entries.posted_date
            between customers.pace_from_date and customers.as_of_date
    where ledger_entries.entry_kind in ('draw', 'give_back')
    group by
        customers.customer_id,
        customers.currency

),

paces as (

    select
        customers.customer_id,
        customers.currency,
        customers.as_of_date,
        customers.pace_from_date,
        customers.as_of_date - customers.pace_from_date + 1 as pace_days,
        coalesce(daily_totals.balance_total, 0) as balance_total,
        coalesce(daily_totals.granted_total, 0) as granted_total,
        coalesce(daily_totals.is_provisional, false) as is_provisional,
        coalesce(net_draws.drawn_total, 0) as drawn_total
    from customers
    left join daily_totals
        on
            customers.customer_id = daily_totals.customer_id
            and customers.currency = daily_totals.currency
            and customers.as_of_date = daily_totals.balance_date
    left join net_draws
        on
            customers.customer_id = net_draws.customer_id
            and customers.currency = net_draws.currency

),

forecasts as (

    select
        *,
        cast(
            case
                when drawn_total > 0
                    then {{ whole_quotient(
                        minor_units('balance_total', 4) ~ ' * pace_days',
                        minor_units('drawn_total', 4)
                    ) }}
            end as {{ type_count() }}
        ) as days_left
    from paces

)

select
    customer_id,
    currency,
    as_of_date,
    cast(balance_total as {{ type_total() }}) as balance_total,
    cast(granted_total as {{ type_total() }}) as granted_total,
    cast(
        coalesce({{ quotient('balance_total', 'granted_total') }}, 0) as {{ type_quantity() }}
    ) as share_left,
    pace_from_date,
    cast(pace_days as {{ type_count() }}) as pace_days,
    cast(drawn_total as {{ type_total() }}) as drawn_total,
    days_left,
    -- A hundred years off is no date that anybody plans by.
    case when days_left <= 36500 then as_of_date + cast(days_left as integer) end as runs_out_date,
    is_provisional
from forecasts
