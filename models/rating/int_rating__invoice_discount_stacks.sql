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

discounted_plans as (

    select * from {{ ref('int_rating__discounted_plans') }}

),

lines as (

    select
        charge_lines.*,
        charge_lines.charged_total as left_total
    from charge_lines

),

{{ discount_stack('lines', ['product', 'invoice'], "cast('' as text)") }}
