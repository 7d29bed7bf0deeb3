with

prices as (

    select * from {{ ref('stg_catalog__prices') }}

),

price_rows as (

    select
        price_row_id,
        dimension_values
    from prices
    where dimension_values <> ''
    group by
        price_row_id,
        dimension_values

),

written as (

    select
        price_row_id,
        {{ split_rows('dimension_values', '|') }} as written_pair
    from price_rows

),

-- `%` and `|` inside a value are written %25 and %7C: one spelling, as rollups do.
spelled as (

    select
        price_row_id,
        replace(
            replace(
                replace(replace(written_pair, '%7C', '|'), '%25', '%'),
                '%', '%25'
            ), '|', '%7C'
        ) as pair
    from written

)

select
    price_row_id,
    pair,
    count(*) over (partition by price_row_id) as pair_count
from spelled
