with

build_window as (

    select * from {{ ref('build_window') }}

),

charge_lines as (

    select * from {{ ref('int_rating__charge_lines') }}

),

periods as (

    select * from {{ ref('int_subscriptions__periods') }}

),

rated_periods as (

    select * from {{ ref('int_rating__rated_periods') }}

),

-- The opening invoice has no period of its own to say when it was closed.
opening_invoices as (

    select distinct
        subscription_id,
        invoice_number_in_subscription,
        closed_at
    from {{ ref('int_rating__reopened_fees') }}
    where {{ own_number('invoice_number_in_subscription') }} = 0

),

discounted_plans as (

    select * from {{ ref('int_rating__discounted_plans') }}

),

lines as (

    select
        charge_lines.*,
        charge_lines.charged_total as left_total
    from charge_lines
    where charge_lines.unit is null

),

{{ discount_stack('lines', ['product', 'invoice'], "cast('' as text)") }}
