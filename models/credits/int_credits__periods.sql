-- depends_on: {{ ref('build_window') }}
-- Periods that the run rates, of customers who have grants in the subscription's currency or in a
-- unit of credit, once for each; those that are rated again under their numbers in rating.
with

accounts as (

    {{ granted_accounts() }}

),

granted as (

    select
        accounts.*,
        accounts.currency in (
            select units.unit from {{ ref('stg_catalog__credit_units') }} as units
        ) as is_unit
    from accounts

),

rated_periods as (

    select * from {{ ref('int_rating__rated_periods') }}
    where
        cutoff_at > {{ sealed_until() }}
        and period_from < {{ as_of_at() }}

)

select
    rated_periods.subscription_id,
    rated_periods.period_number,
    rated_periods.own_period_number,
    rated_periods.customer_id,
    granted.currency,
    rated_periods.currency as billed_currency,
    rated_periods.time_zone,
    rated_periods.period_from,
    rated_periods.period_from_date,
    rated_periods.cycle_from_date,
    rated_periods.chain_number,
    rated_periods.cutoff_at,
    granted.granted_from_date,
    -- What was asked before the run was kept from the first grant on.
    granted.granted_from_date < {{ first_posting_date() }} as is_kept,
    {{ is_first_rating('rated_periods.period_number') }} as is_first_rating,
    rated_periods.cutoff_at <= {{ as_of_at() }} as is_closing
from rated_periods
inner join granted
    on
        rated_periods.customer_id = granted.customer_id
        and (rated_periods.currency = granted.currency or granted.is_unit)
