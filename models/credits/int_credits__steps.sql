{{ config(pre_hook=["{{ hash_joins_only() }}", "{{ more_memory() }}"]) }}
-- depends_on: {{ ref('build_window') }}
-- depends_on: {{ ref('stg_catalog__credit_grants') }}
-- depends_on: {{ ref('stg_catalog__charges') }}
-- depends_on: {{ ref('int_credits__moments') }}
-- depends_on: {{ ref('int_credits__ratings') }}
-- depends_on: {{ ref('int_credits__periods') }}
-- depends_on: {{ ref('int_credits__step_lines') }}
-- depends_on: {{ ref('int_credits__daily_targets') }}
-- depends_on: {{ ref('int_subscriptions__periods') }}
-- depends_on: {{ ref('int_subscriptions__zone_segments') }}
{{ credited_steps() }}
