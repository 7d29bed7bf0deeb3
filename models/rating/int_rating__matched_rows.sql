-- Which price row of a charge takes the usage with some dimension values: the one naming most
-- values that are all the usage's; then catalogue order.
with

period_usage as (

    select * from {{ ref('int_rating__period_usage') }}

),

carried_usage as (

    select * from {{ ref('int_rating__carried_usage') }}

),

price_rows as (

    select * from {{ ref('int_rating__price_rows') }}

),

price_pairs as (

    select * from {{ ref('int_rating__price_pairs') }}

),

dimension_sets as (

    select distinct
        subscription_id,
        period_number,
        meter_profile,
        item_ref,
        dimensions
    from period_usage

    union

    select distinct
        subscription_id,
        period_number,
        meter_profile,
        item_ref,
        dimensions
    from carried_usage

),

matching_rows as (

    select
        dimension_sets.subscription_id,
        dimension_sets.period_number,
        dimension_sets.meter_profile,
        dimension_sets.item_ref,
        dimension_sets.dimensions,
        price_rows.charge_id,
        price_rows.price_row_id,
        price_rows.price_position,
        price_rows.dimension_values,
        count(price_pairs.pair) as pair_count
    from dimension_sets
    inner join price_rows
        on
            dimension_sets.subscription_id = price_rows.subscription_id
            and dimension_sets.period_number = price_rows.period_number
            and dimension_sets.meter_profile = price_rows.meter_profile
            and (dimension_sets.item_ref = '' or dimension_sets.item_ref = price_rows.charge_id)
    left join price_pairs
        on
            price_rows.price_row_id = price_pairs.price_row_id
            and strpos('|' || dimension_sets.dimensions || '|', '|' || price_pairs.pair || '|') > 0
    group by
        dimension_sets.subscription_id,
        dimension_sets.period_number,
        dimension_sets.meter_profile,
        dimension_sets.item_ref,
        dimension_sets.dimensions,
        price_rows.charge_id,
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
                matching_rows.subscription_id,
                matching_rows.period_number,
                matching_rows.meter_profile,
                matching_rows.item_ref,
                matching_rows.dimensions,
                matching_rows.charge_id
            order by
                matching_rows.pair_count desc,
                matching_rows.price_position asc,
                {{ binary_order('dimension_values') }} asc
        ) as preference
    from matching_rows

)

select
    subscription_id,
    period_number,
    meter_profile,
    item_ref,
    dimensions,
    charge_id,
    price_row_id
from best_rows
where preference = 1
