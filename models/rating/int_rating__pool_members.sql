{{ config(materialized='view') }}
-- Subscriptions that share an allowance with others of their customer.
select distinct
    lives.customer_id,
    plan_phases.subscription_id
from {{ ref('int_subscriptions__plan_phases') }} as plan_phases
inner join {{ ref('stg_catalog__allowances') }} as allowances
    on plan_phases.plan_id = allowances.plan_id
inner join {{ ref('int_subscriptions__lives') }} as lives
    on plan_phases.subscription_id = lives.subscription_id
where allowances.is_pooled
