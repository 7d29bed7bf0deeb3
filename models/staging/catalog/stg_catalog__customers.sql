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
    -- Where an instant is written it decides: the date is only its first part.
    {{ valid_from_date('substr(valid_from, 1, 10)') }} as valid_from_date,
    case when length(valid_from) > 10 then {{ utc_timestamp('valid_from') }} end
        as valid_from_instant,
    {{ recorded_at('recorded_at') }} as recorded_at
from customers
