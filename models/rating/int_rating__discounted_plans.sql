with

plan_phases as (

    select * from {{ ref('int_subscriptions__plan_phases') }}

),

subscriptions as (

    select * from {{ ref('stg_catalog__subscriptions') }}

),

plans as (

    select * from {{ ref('stg_catalog__plans') }}

),

discounts as (

    select * from {{ ref('stg_catalog__discounts') }}

),

subscription_plans as (

    select
        plan_phases.subscription_id,
        plan_phases.plan_id,
        min(subscriptions.customer_id) as customer_id,
        min(plans.product_id) as product_id
    from plan_phases
    inner join subscriptions
        on plan_phases.subscription_id = subscriptions.subscription_id
    inner join plans
        on plan_phases.plan_id = plans.plan_id
    group by
        plan_phases.subscription_id,
        plan_phases.plan_id

),

-- What names neither subscription nor customer, by plan.
plan_discounts as (

    select
        plans.plan_id,
        discounts.discount_id
    from plans
    inner join discounts
        on
            coalesce(discounts.plan_id, plans.plan_id) = plans.plan_id
            and coalesce(discounts.product_id, plans.product_id) = plans.product_id
    where
        discounts.subscription_id is null
        and discounts.customer_id is null

),

-- By the narrowest id that a discount names: joins of equals, not everything with everything.
candidates as (

    select
        subscription_plans.subscription_id,
        subscription_plans.customer_id,
        subscription_plans.plan_id,
        subscription_plans.product_id,
        discounts.discount_id
    from subscription_plans
    inner join discounts
        on subscription_plans.subscription_id = discounts.subscription_id

    union all

    select
        subscription_plans.subscription_id,
        subscription_plans.customer_id,
        subscription_plans.plan_id,
        subscription_plans.product_id,
        discounts.discount_id
    from subscription_plans
    inner join discounts
        on subscription_plans.customer_id = discounts.customer_id
    where discounts.subscription_id is null

    union all

    select
        subscription_plans.subscription_id,
        subscription_plans.customer_id,
        subscription_plans.plan_id,
        subscription_plans.product_id,
        plan_discounts.discount_id
    from subscription_plans
    inner join plan_discounts
        on subscription_plans.plan_id = plan_discounts.plan_id

)

select
    candidates.subscription_id,
    candidates.plan_id,
    discounts.discount_id,
    discounts.name,
    discounts.level,
    discounts.position,
    discounts.charge_id,
    discounts.percent_fraction,
    discounts.amount,
    discounts.total_amount,
    discounts.currency,
    discounts.periods,
    discounts.valid_from_date,
    discounts.valid_to_date,
    discounts.recorded_at
from candidates
inner join discounts
    on candidates.discount_id = discounts.discount_id
where
    {{ has_discounts() }}
    and coalesce(discounts.customer_id, candidates.customer_id) = candidates.customer_id
    and coalesce(discounts.plan_id, candidates.plan_id) = candidates.plan_id
    and coalesce(discounts.product_id, candidates.product_id) = candidates.product_id
