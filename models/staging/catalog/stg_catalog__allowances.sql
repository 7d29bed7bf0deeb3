with

allowances as (

    select * from {{ catalog_table('allowances') }}

)

select
    plan_id,
    allowance_id,
    charge_ids,
    cast(quantity as {{ type_quantity() }}) as quantity,
    coalesce(proration, 'none') as proration,
    cast(coalesce(rollover_periods, '0') as integer) as rollover_periods,
    cast(rollover_cap as {{ type_quantity() }}) as rollover_cap,
    coalesce(pooled, 'false') = 'true' as is_pooled,
    {{ recorded_at('recorded_at') }} as recorded_at
from allowances
