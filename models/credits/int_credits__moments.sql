-- depends_on: {{ ref('build_window') }}
-- depends_on: {{ ref('stg_catalog__credit_grants') }}
-- depends_on: {{ ref('rated_lines') }}
-- depends_on: {{ ref('int_rating__due_credits') }}
-- depends_on: {{ ref('int_invoicing__invoice_actions') }}
-- depends_on: {{ ref('int_invoicing__billed_lines') }}
{{ credited_moments() }}
