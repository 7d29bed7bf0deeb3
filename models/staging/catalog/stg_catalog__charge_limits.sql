with

charge_limits as (

    select * from {{ catalog_table('charge_limits') }}

)

select
    plan_id,
    charge_id,
    currency,
    cast(minimum as {{ type_total() }}) as minimum,
    cast(maximum as {{ type_total() }}) as maximum,
    {{ valid_from_date('valid_from') }} as valid_from_date,
    {{ recorded_at('recorded_at') }} as recorded_at
from charge_limits
