{{
    config(
        materialized='incremental',
        incremental_strategy='replace_window',
        meta={'replaces': 'open_periods'},
    )
}}

with

build_window as (

    select * from {{ ref('build_window') }}

),

rated_lines as (

    select * from {{ ref('rated_lines') }}

),

discounts as (

    select * from {{ ref('stg_catalog__discounts') }}

),

taken as (

    select
        rated_line_id,
        discount_id,
        discount_total
    from {{ ref('int_rating__charge_discounts') }}

    union all

    select
        rated_line_id,
        discount_id,
        discount_total
    from {{ ref('int_rating__invoice_discounts') }}

)

select
    taken.rated_line_id || '/' || taken.discount_id as line_discount_id,
    taken.rated_line_id,
    rated_lines.subscription_id,
    rated_lines.customer_id,
    rated_lines.invoice_number_in_subscription,
    rated_lines.charge_id,
    taken.discount_id,
    cast(
        row_number() over (
            partition by taken.rated_line_id
            order by {{ discount_order('discounts') }}
        ) as integer
    ) as discount_number,
    discounts.name,
    discounts.level,
    discounts.percent_fraction,
    taken.discount_total,
    rated_lines.currency,
    rated_lines.rules_version,
    rated_lines.cutoff_at
from taken
inner join discounts
    on taken.discount_id = discounts.discount_id
inner join rated_lines
    on taken.rated_line_id = rated_lines.rated_line_id
inner join build_window
    on rated_lines.cutoff_at > build_window.open_from
