{{ config(pre_hook="{{ more_memory() }}") }}
-- depends_on: {{ ref('build_window') }}
-- depends_on: {{ ref('stg_catalog__credit_grants') }}
-- depends_on: {{ ref('int_credits__moments') }}
-- depends_on: {{ ref('int_credits__lines') }}
-- depends_on: {{ ref('int_credits__daily_targets') }}
{{ credited_ratings() }}
