with

customers as (

    select * from {{ catalog_table('customers') }}

)

select
    customer_id,
    name,
    currency,
    time_zone,
    billing_entity,
    {{ valid_from_date('valid_from') }} as valid_from_date,
    {{ recorded_at('recorded_at') }} as recorded_at
from customers
