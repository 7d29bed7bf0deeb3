with

alerts as (

    select * from {{ catalog_table('alerts') }}

)

select
    alert_id,
    name,
    customer_id,
    subscription_id,
    plan_id,
    kind,
    charge_id,
    meter,
    case
        when meter is not null then cast(coalesce(meter_version, '1') as integer)
    end as meter_version,
    meter || '@' || cast(
        cast(coalesce(meter_version, '1') as integer) as {{ type_text() }}
    ) as meter_profile,
    cast(threshold as {{ type_quantity() }}) as threshold,
    {{ recorded_at('recorded_at') }} as recorded_at
from alerts
