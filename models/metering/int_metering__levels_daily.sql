{{
    config(
        materialized="incremental",
        incremental_strategy="replace_window",
        meta={"replaces": "levels"},
        indexes=postgres_indexes([{"columns": ["level_day", "customer_id"]}]),
    )
}}
-- depends_on: {{ ref('build_window') }}
-- depends_on: {{ ref('int_metering__rollups') }}
-- depends_on: {{ ref('stg_catalog__meters') }}
-- depends_on: {{ ref('stg_catalog__meter_filters') }}
{{ daily_levels() }}
