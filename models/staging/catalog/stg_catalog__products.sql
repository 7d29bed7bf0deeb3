with

products as (

    select * from {{ catalog_table('products') }}

)

select
    product_id,
    name,
    product_type,
    allowed_cycles,
    perks,
    {{ recorded_at('recorded_at') }} as recorded_at
from products
