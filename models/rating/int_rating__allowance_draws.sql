-- depends_on: {{ ref('build_window') }}
-- depends_on: {{ ref('stg_catalog__allowances') }}
-- depends_on: {{ ref('int_rating__allowance_steps') }}
{{ allowance_draws() }}
