-- Periods of voided invoices that an action bills again: they are rated on all that is known when
-- it closes. Whether the invoice was void is seen later, where it is posted.
with

build_window as (

    select * from {{ ref('build_window') }}

),

reissues as (

    select invoice_actions.*
    from {{ ref('stg_catalog__invoice_actions') }} as invoice_actions
    inner join build_window
        on
            invoice_actions.recorded_at < build_window.as_of_at
            and invoice_actions.cutoff_at > build_window.open_from
    where invoice_actions.action = 'reissue'

),

periods as (

    select * from {{ ref('int_subscriptions__periods') }}

),

-- What was posted is known by its own id, also where its period would have another one today.
named_periods as (

    select
        invoice_id,
        subscription_id,
        period_number
    from {{ source('ledger', 'documents') }}
    where period_number is not null

    union

    select
        invoice_id,
        subscription_id,
        invoice_number_in_subscription as period_number
    from {{ ref('int_invoicing__invoice_periods') }}

),

reissued as (

    select distinct
        periods.subscription_id,
        periods.period_number,
        reissues.cutoff_at
    from reissues
    inner join named_periods
        on reissues.invoice_id = named_periods.invoice_id
    inner join periods
        on
            named_periods.subscription_id = periods.subscription_id
            and named_periods.period_number = periods.period_number
    where periods.cutoff_at < reissues.cutoff_at

),

pool_members as (

    select * from {{ ref('int_rating__pool_members') }}

)

select
    subscription_id,
    period_number,
    cutoff_at
from reissued

union

-- Who shares an allowance with one of them, without a period here.
select
    members.subscription_id,
    cast(null as {{ type_count() }}) as period_number,
    reissued.cutoff_at
from reissued
inner join pool_members
    on reissued.subscription_id = pool_members.subscription_id
inner join pool_members as members
    on
        pool_members.customer_id = members.customer_id
        and pool_members.subscription_id <> members.subscription_id
