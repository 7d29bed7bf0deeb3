-- depends_on: {{ ref('build_window') }}
-- depends_on: {{ ref('stg_catalog__credit_grants') }}
-- depends_on: {{ ref('stg_catalog__discounts') }}
-- depends_on: {{ ref('int_subscriptions__periods') }}
-- depends_on: {{ ref('int_rating__rated_periods') }}
-- depends_on: {{ ref('int_rating__discounted_plans') }}
-- depends_on: {{ ref('int_rating__charge_parts') }}
-- depends_on: {{ ref('int_credits__lines') }}
{{ credited_discounts() }}
