{{ config(pre_hook="{{ more_memory() }}") }}
-- depends_on: {{ ref('build_window') }}
-- depends_on: {{ ref('stg_catalog__charges') }}
-- depends_on: {{ ref('stg_catalog__meters') }}
-- depends_on: {{ ref('stg_catalog__meter_filters') }}
-- depends_on: {{ ref('stg_catalog__allowances') }}
-- depends_on: {{ ref('stg_catalog__credit_grants') }}
-- depends_on: {{ ref('stg_catalog__discounts') }}
-- depends_on: {{ ref('int_credits__usage') }}
-- depends_on: {{ ref('int_credits__lines') }}
-- depends_on: {{ ref('int_credits__line_discounts') }}
-- depends_on: {{ ref('int_credits__allowances') }}
-- depends_on: {{ ref('int_rating__price_bands') }}
{{ daily_targets() }}
