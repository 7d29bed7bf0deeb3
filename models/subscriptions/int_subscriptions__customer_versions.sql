with

build_window as (

    select * from {{ ref('build_window') }}

),

customers as (

    select * from {{ ref('stg_catalog__customers') }}

),

zone_segments as (

    select * from {{ ref('int_subscriptions__zone_segments') }}

),

known as (

    select customers.*
    from customers
    inner join build_window
        on customers.recorded_at < build_window.as_of_at

),

days as (

    select
        time_zone,
        valid_from_date as local_date
    from known
    where valid_from_instant is null
    group by
        time_zone,
        valid_from_date

),

midnights as (

    {{ local_midnights('days', 'zone_segments') }}

),

-- A date is midnight in the row's own zone; a blank one is no date of any zone, but always.
dated as (

    select
        known.customer_id,
        known.currency,
        known.time_zone,
        known.billing_entity,
        case
            when known.valid_from_instant is not null then known.valid_from_instant
            when known.valid_from_date = cast('1970-01-01' as date)
                then cast('1970-01-01' as {{ type_timestamp() }})
            else midnights.midnight_at
        end as valid_from_at,
        known.recorded_at
    from known
    left join midnights
        on
            known.time_zone = midnights.time_zone
            and known.valid_from_date = midnights.local_date

)

select
    customer_id,
    row_number() over (
        partition by customer_id
        order by valid_from_at, recorded_at
    ) as version_number,
    count(*) over (partition by customer_id) as version_count,
    min(recorded_at) over (partition by customer_id) as customer_recorded_at,
    currency,
    time_zone,
    billing_entity,
    valid_from_at,
    recorded_at
from dated
where valid_from_at is not null
