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

row_amounts as (

    select * from {{ ref('int_rating__row_amounts') }}

)

select
    row_amounts.subscription_id,
    row_amounts.period_number,
    row_amounts.charge_id,
    row_amounts.part_number,
    row_amounts.price_row_id,
    row_amounts.cutoff_at
from row_amounts
inner join build_window
    on row_amounts.cutoff_at > build_window.open_from
where row_amounts.outcome = 'out_of_range'
