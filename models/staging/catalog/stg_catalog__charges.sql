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
    case
        when charge_type = 'usage' then 'arrears'
        else timing
    end as timing, -- noqa: RF04
    cast(coalesce(every_cycles, '1') as integer) as every_cycles,
    meter,
    case
        when meter is not null then cast(coalesce(meter_version, '1') as integer)
    end as meter_version,
    -- A leading zero in the CSV (01) still names version 1.
    meter || '@' || cast(
        cast(coalesce(meter_version, '1') as integer) as {{ type_text() }}
    ) as meter_profile,
    pricing_model,
    cast(coalesce(allowance, '0') as {{ type_quantity() }}) as allowance,
    coalesce(flat_fee_at_zero, 'false') = 'true' as flat_fee_at_zero,
    -- A one-time charge is billed in full, whatever the days.
    coalesce(proration, case when charge_type = 'recurring' then 'days' else 'none' end)
        as proration,
    case when charge_type = 'usage' then coalesce(split, 'share') end as split,
    coalesce(price_at, 'start') as price_at,
    tax_code,
    {{ recorded_at('recorded_at') }} as recorded_at
from charges
