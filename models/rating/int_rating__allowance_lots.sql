{{
    config(
        materialized='incremental',
        incremental_strategy='replace_window',
        meta={'replaces': 'open_periods'},
    )
}}
-- depends_on: {{ ref('build_window') }}
-- depends_on: {{ ref('stg_catalog__allowances') }}
-- depends_on: {{ ref('int_rating__allowance_draws') }}
{{ allowance_lots() }}
