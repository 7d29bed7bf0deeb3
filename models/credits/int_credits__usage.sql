{{ config(pre_hook="{{ more_memory() }}") }}
-- depends_on: {{ ref('stg_raw__voided_events') }}
-- depends_on: {{ ref('build_window') }}
-- depends_on: {{ ref('stg_catalog__meters') }}
-- depends_on: {{ ref('stg_catalog__meter_filters') }}
-- depends_on: {{ ref('stg_catalog__credit_grants') }}
-- depends_on: {{ ref('int_metering__rollups') }}
-- depends_on: {{ ref('int_subscriptions__zone_segments') }}
-- depends_on: {{ ref('int_credits__periods') }}
-- depends_on: {{ ref('int_credits__lines') }}
-- depends_on: {{ ref('int_rating__usage_routes') }}
-- depends_on: {{ ref('int_rating__edge_usage') }}
-- depends_on: {{ ref('int_rating__matched_rows') }}
{{ credited_usage() }}
