-- depends_on: {{ ref('build_window') }}
with

discount_stacks as (

    select * from {{ ref('int_rating__charge_discount_stacks') }}

),

{{ spread_discounts(ref('int_rating__charge_discount_stacks'), 'charge_id') }}
