{{
    config(
        materialized='incremental',
        incremental_strategy='replace_window',
        meta={'replaces': 'open_periods'},
        indexes=postgres_indexes([
            {'columns': ['subscription_id']}, {'columns': ['customer_id']},
        ]),
    )
}}
-- The routes that brought usage to a part of a charge, kept beside what it was rated to: routes are
-- good for one run, and a line is traced to its events years later.
with

routes as (

    select * from {{ ref('int_rating__usage_routes') }}

),

period_usage as (

    select * from {{ ref('int_rating__period_usage') }}

),

-- Most routes bring nothing: usage seldom names a charge or a subscription.
used as (

    select
        slice_id,
        subscription_ref,
        item_ref
    from period_usage
    group by
        slice_id,
        subscription_ref,
        item_ref

)

select
    routes.subscription_id,
    routes.period_number,
    routes.charge_id,
    routes.part_number,
    routes.customer_id,
    routes.meter_profile,
    routes.subscription_ref,
    routes.item_ref,
    routes.route_from,
    routes.route_to,
    routes.full_from,
    routes.full_to,
    least(routes.cutoff_date, cast({{ as_of_at() }} as date)) as known_until,
    routes.cutoff_at
from used
inner join routes
    on
        used.slice_id = routes.slice_id
        and used.subscription_ref = routes.subscription_ref
        and used.item_ref = routes.item_ref
where routes.cutoff_at > {{ open_from() }}
