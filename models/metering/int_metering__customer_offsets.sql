-- Which offset a customer's clock has, and when: the zone of its newest row valid by then. By year,
-- so that usage is looked up among a handful of stretches. Before its first row that one's holds.
with

customer_versions as (

    select * from {{ ref('int_subscriptions__customer_versions') }}

),

zone_segments as (

    select * from {{ ref('int_subscriptions__zone_segments') }}

),

-- Of two rows valid from one instant the later recorded one holds.
newest_versions as (

    select
        customer_id,
        time_zone,
        valid_from_at,
        row_number() over (
            partition by customer_id, valid_from_at
            order by recorded_at desc, version_number desc
        ) as place
    from customer_versions

),

stretches as (

    select
        customer_id,
        time_zone,
        row_number() over (
            partition by customer_id
            order by valid_from_at
        ) as time_zone_number,
        case
            when
                row_number() over (
                    partition by customer_id
                    order by valid_from_at
                ) = 1
                then cast('1970-01-01' as {{ type_timestamp() }})
            else valid_from_at
        end as stretch_from,
        coalesce(
            lead(valid_from_at) over (
                partition by customer_id
                order by valid_from_at
            ),
            cast('9999-12-31' as {{ type_timestamp() }})
        ) as stretch_to
    from newest_versions
    where place = 1

),

customer_segments as (

    select
        stretches.customer_id,
        stretches.time_zone,
        stretches.time_zone_number,
        zone_segments.offset_seconds,
        greatest(stretches.stretch_from, zone_segments.utc_from) as utc_from,
        least(stretches.stretch_to, zone_segments.utc_to) as utc_to
    from stretches
    inner join zone_segments
        on
            stretches.time_zone = zone_segments.time_zone
            and stretches.stretch_from < zone_segments.utc_to
            and stretches.stretch_to > zone_segments.utc_from

)

select
    customer_id,
    time_zone,
    lpad(cast(time_zone_number as {{ type_text() }}), 6, '0')
    || ' '
    || time_zone as time_zone_order,
    offset_seconds,
    utc_from,
    utc_to,
    {{ whole_numbers(
        "cast(extract(year from utc_from) as integer)",
        "cast(least(extract(year from utc_to), extract(year from "
        ~ as_of_at() ~ ") + 1) as integer)"
    ) }} as utc_year
from customer_segments
