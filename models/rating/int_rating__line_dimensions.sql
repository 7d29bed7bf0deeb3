{{
    config(
        materialized='incremental',
        incremental_strategy='replace_window',
        meta={'replaces': 'open_periods'},
        indexes=postgres_indexes([{'columns': ['subscription_id']}]),
    )
}}
-- Which price row of a charge's part took which dimension values, kept as the routes are.
with

slices as (

    select * from {{ ref('int_rating__slices') }}
    where cutoff_at > {{ open_from() }}

),

matched_rows as (

    select * from {{ ref('int_rating__matched_rows') }}

)

select
    matched_rows.subscription_id,
    matched_rows.period_number,
    matched_rows.charge_id,
    matched_rows.part_number,
    matched_rows.price_row_id,
    matched_rows.dimensions,
    slices.cutoff_at
from matched_rows
inner join slices
    on matched_rows.slice_id = slices.slice_id
-- A part that pauses cut in several slices has the same prices in each.
group by
    matched_rows.subscription_id,
    matched_rows.period_number,
    matched_rows.charge_id,
    matched_rows.part_number,
    matched_rows.price_row_id,
    matched_rows.dimensions,
    slices.cutoff_at
