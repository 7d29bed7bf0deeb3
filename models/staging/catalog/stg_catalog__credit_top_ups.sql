with

credit_top_ups as (

    select * from {{ catalog_table('credit_top_ups') }}

)

select
    top_up_id,
    customer_id,
    currency,
    cast(threshold as {{ type_total() }}) as threshold,
    cast(amount as {{ type_total() }}) as amount,
    {{ recorded_at('recorded_at') }} as recorded_at
from credit_top_ups
