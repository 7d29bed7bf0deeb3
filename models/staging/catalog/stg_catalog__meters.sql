with

meters as (

    select * from {{ catalog_table('meters') }}

)

select
    meter || '@' || cast(
        cast(version as integer) as {{ type_text() }}
    ) as meter_profile,
    meter,
    cast(version as integer) as version,
    event_name,
    aggregation,
    property,
    dimensions,
    cast(coalesce(multiplier, '1') as {{ type_price() }}) as multiplier,
    coalesce(rounding, 'none') as rounding,
    cast(coalesce(rounding_digits, '0') as integer) as rounding_digits,
    cast(percentile as {{ type_price() }}) as percentile,
    weighted_mode,
    coalesce(carry_over, 'false') = 'true' as carry_over,
    amount_property,
    {{ recorded_at('recorded_at') }} as recorded_at
from meters
