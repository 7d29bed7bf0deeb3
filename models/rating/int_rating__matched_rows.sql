-- Which price row of a charge takes the usage with some dimension values: the one naming most
-- values that are all the usage's; then catalogue order.
with

period_usage as (

    select * from {{ ref('int_rating__period_usage') }}

),

carried_usage as (

    select * from {{ ref('int_rating__carried_usage') }}

),

slices as (

    select * from {{ ref('int_rating__slices') }}

),

price_rows as (

    select * from {{ ref('int_rating__price_rows') }}

),

price_pairs as (

    select * from {{ ref('int_rating__price_pairs') }}

),

dimension_sets as (

    select
        slice_id,
        dimensions
    from period_usage
    group by
        slice_id,
        dimensions

    union

    select
        slice_id,
        dimensions
    from carried_usage
    group by
        slice_id,
        dimensions

),

matching_rows as (

    select
        dimension_sets.slice_id,
        dimension_sets.dimensions,
        price_rows.charge_id,
        price_rows.part_number,
        price_rows.price_row_id,
        price_rows.price_position,
        price_rows.dimension_values,
        count(price_pairs.pair) as pair_count
    from dimension_sets
    inner join slices
        on dimension_sets.slice_id = slices.slice_id
    inner join price_rows
        on
            slices.subscription_id = price_rows.subscription_id
            and slices.period_number = price_rows.period_number
            and slices.charge_id = price_rows.charge_id
            and slices.part_number = price_rows.part_number
    left join price_pairs
        on
            price_rows.price_row_id = price_pairs.price_row_id
            and strpos('|' || dimension_sets.dimensions || '|', '|' || price_pairs.pair || '|') > 0
    group by
        dimension_sets.slice_id,
        dimension_sets.dimensions,
        price_rows.charge_id,
        price_rows.part_number,
        price_rows.price_row_id,
        price_rows.price_position,
        price_rows.dimension_values
    having
        count(price_pairs.pair) = {{ named_value_count('price_rows.dimension_values') }}

),

best_rows as (

    select
        matching_rows.*,
        row_number() over (
            partition by
                matching_rows.slice_id,
                matching_rows.dimensions
            order by
                matching_rows.pair_count desc,
                matching_rows.price_position asc,
                {{ binary_order('dimension_values') }} asc
        ) as preference
    from matching_rows

)

select
    best_rows.slice_id,
    best_rows.dimensions,
    slices.subscription_id,
    slices.period_number,
    best_rows.charge_id,
    best_rows.part_number,
    best_rows.price_row_id
from best_rows
inner join slices
    on best_rows.slice_id = slices.slice_id
where best_rows.preference = 1
