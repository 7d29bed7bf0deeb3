-- depends_on: {{ ref('build_window') }}
-- depends_on: {{ ref('stg_catalog__credit_grants') }}
-- depends_on: {{ ref('stg_catalog__credit_units') }}
-- depends_on: {{ ref('int_credits__entries') }}
-- depends_on: {{ ref('int_credits__grants') }}
-- depends_on: {{ ref('int_rating__unit_rates') }}
-- depends_on: {{ ref('int_invoicing__billed_lines') }}
-- depends_on: {{ ref('int_invoicing__invoice_actions') }}
-- depends_on: {{ ref('currencies') }}
{{ unit_totals() }}
