-- depends_on: {{ ref('build_window') }}
-- depends_on: {{ ref('stg_catalog__meters') }}
-- depends_on: {{ ref('stg_catalog__meter_filters') }}
-- depends_on: {{ ref('int_metering__levels_daily') }}
-- depends_on: {{ ref('int_metering__rollups') }}
{{ carried_usage(
    ref('int_entitlements__carrying_routes'),
    ref('int_entitlements__edge_usage'),
    cumulative_profiles(carrying_definitions())
) }}
