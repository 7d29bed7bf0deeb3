with

meters as (

    select * from {{ catalog_table('meters') }}

)

select
    meter || '@' || cast(cast(version as integer) as {{ type_text() }}) as meter_profile,
    meter,
    cast(version as integer) as version,
    event_name,
    aggregation,
    property,
    dimensions,
    coalesce(cast(multiplier as {{ type_price() }}), 1) as multiplier,
    coalesce(rounding, 'none') as rounding,
    coalesce(cast(rounding_digits as integer), 0) as rounding_digits,
    cast(percentile as {{ type_price() }}) as percentile,
    weighted_mode,
    coalesce(carry_over, 'false') = 'true' as carry_over,
    amount_property,
    {{ recorded_at('recorded_at') }} as recorded_at
from meters
