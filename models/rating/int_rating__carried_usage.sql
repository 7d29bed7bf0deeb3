-- What a slice begins with.
-- depends_on: {{ ref('int_metering__levels_daily') }}
-- depends_on: {{ ref('int_metering__rollups') }}
-- depends_on: {{ ref('int_rating__usage_routes') }}
-- depends_on: {{ ref('int_rating__edge_usage') }}
{{ carried_usage(
    ref('int_rating__usage_routes'), ref('int_rating__edge_usage'), carrying_definitions()
) }}
