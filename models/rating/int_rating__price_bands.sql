with

prices as (

    select * from {{ ref('stg_catalog__prices') }}

)

select
    price_row_id,
    row_number() over (
        partition by price_row_id
        order by up_to nulls last
    ) as band_number,
    cast(
        coalesce(
            lag(up_to) over (
                partition by price_row_id
                order by up_to nulls last
            ), 0
        ) as {{ type_quantity() }}
    ) as tier_from,
    up_to as tier_to,
    unit_price,
    flat_fee,
    package_size,
    percent_fraction,
    event_fee,
    free_amount,
    free_events
from prices
