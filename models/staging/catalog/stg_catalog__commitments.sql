with

commitments as (

    select * from {{ catalog_table('commitments') }}

)

select
    commitment_id,
    name,
    plan_id,
    subscription_id,
    currency,
    cast(amount as {{ type_total() }}) as amount,
    cast(quantity as {{ type_quantity() }}) as quantity,
    cast(unit_price as {{ type_price() }}) as unit_price,
    charge_ids,
    cast(coalesce(window_cycles, '1') as integer) as window_cycles,
    cast(overage_factor as {{ type_price() }}) as overage_factor,
    tax_code,
    {{ recorded_at('recorded_at') }} as recorded_at
from commitments
