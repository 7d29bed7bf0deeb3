{{ config(pre_hook=["{{ hash_joins_only() }}", "{{ more_memory() }}"]) }}
-- depends_on: {{ ref('build_window') }}
-- depends_on: {{ ref('stg_catalog__credit_grants') }}
-- depends_on: {{ ref('stg_catalog__plans') }}
-- depends_on: {{ ref('stg_catalog__charges') }}
-- depends_on: {{ ref('int_credits__moments') }}
-- depends_on: {{ ref('int_credits__periods') }}
-- depends_on: {{ ref('int_credits__lines') }}
-- depends_on: {{ ref('rated_lines') }}
-- depends_on: {{ ref('int_invoicing__invoice_periods') }}
{{ credited_step_lines() }}
