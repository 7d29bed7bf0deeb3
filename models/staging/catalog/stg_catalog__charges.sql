with

charges as (

    select * from {{ catalog_table('charges') }}

)

select
    plan_id,
    charge_id,
    cast(position as integer) as position,
    name,
    charge_type,
    case when charge_type = 'usage' then 'arrears' else timing end as timing,
    coalesce(cast(every_cycles as integer), 1) as every_cycles,
    meter,
    case
        when meter is not null then coalesce(cast(meter_version as integer), 1)
    end as meter_version,
    -- A leading zero in the CSV (01) still names version 1.
    meter || '@' || cast(coalesce(cast(meter_version as integer), 1) as {{ type_text() }})
        as meter_profile,
    pricing_model,
    coalesce(cast(allowance as {{ type_quantity() }}), 0) as allowance,
    coalesce(flat_fee_at_zero, 'false') = 'true' as flat_fee_at_zero,
    tax_code,
    {{ recorded_at('recorded_at') }} as recorded_at
from charges
