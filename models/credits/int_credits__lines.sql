-- depends_on: {{ ref('stg_catalog__credit_grants') }}
-- depends_on: {{ ref('int_credits__periods') }}
-- depends_on: {{ ref('int_rating__price_rows') }}
-- depends_on: {{ ref('int_rating__allowance_charges') }}
-- depends_on: {{ ref('int_rating__allowance_draws') }}
-- depends_on: {{ ref('stg_catalog__allowances') }}
-- depends_on: {{ ref('int_subscriptions__lives') }}
-- depends_on: {{ ref('int_rating__limits') }}
-- depends_on: {{ ref('int_rating__matched_rows') }}
{{ credited_lines() }}
