with

meter_filters as (

    select * from {{ catalog_table('meter_filters') }}

)

select
    meter || '@' || cast(
        cast(version as integer) as {{ type_text() }}
    ) as meter_profile,
    meter,
    cast(version as integer) as version,
    property,
    operator,
    value,
    {{ recorded_at('recorded_at') }} as recorded_at
from meter_filters
