with

entitlements as (

    select * from {{ catalog_table('entitlements') }}

)

select
    product_id,
    plan_id,
    feature,
    name,
    kind,
    meter,
    case
        when meter is not null then cast(coalesce(meter_version, '1') as integer)
    end as meter_version,
    meter || '@' || cast(
        cast(coalesce(meter_version, '1') as integer) as {{ type_text() }}
    ) as meter_profile,
    cast(limit_quantity as {{ type_quantity() }}) as limit_quantity,
    {{ recorded_at('recorded_at') }} as recorded_at
from entitlements
