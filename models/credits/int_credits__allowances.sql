-- depends_on: {{ ref('build_window') }}
-- depends_on: {{ ref('stg_catalog__credit_grants') }}
-- depends_on: {{ ref('stg_catalog__allowances') }}
-- depends_on: {{ ref('int_credits__periods') }}
-- depends_on: {{ ref('int_credits__lines') }}
-- depends_on: {{ ref('int_credits__usage') }}
-- depends_on: {{ ref('int_rating__allowance_steps') }}
-- depends_on: {{ ref('int_rating__allowance_draws') }}
-- depends_on: {{ ref('int_rating__allowance_lots') }}
{{ daily_allowances() }}
