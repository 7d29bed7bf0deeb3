-- Of two entitlements of one feature the plan's own row beats the product's, once it is known.
with

plans as (

    select * from {{ ref('stg_catalog__plans') }}

),

entitlements as (

    select * from {{ ref('stg_catalog__entitlements') }}

),

own_rows as (

    select
        plans.plan_id,
        entitlements.product_id,
        entitlements.feature,
        entitlements.name,
        entitlements.kind,
        entitlements.meter_profile,
        entitlements.limit_quantity,
        entitlements.recorded_at
    from entitlements
    inner join plans
        on
            entitlements.product_id = plans.product_id
            and entitlements.plan_id = plans.plan_id

)

select
    plan_id,
    product_id,
    feature,
    name,
    kind,
    meter_profile,
    limit_quantity,
    recorded_at,
    cast(null as {{ type_timestamp() }}) as replaced_at
from own_rows

union all

select
    plans.plan_id,
    entitlements.product_id,
    entitlements.feature,
    entitlements.name,
    entitlements.kind,
    entitlements.meter_profile,
    entitlements.limit_quantity,
    entitlements.recorded_at,
    own_rows.recorded_at as replaced_at
from entitlements
inner join plans
    on entitlements.product_id = plans.product_id
left join own_rows
    on
        plans.plan_id = own_rows.plan_id
        and entitlements.feature = own_rows.feature
where
    entitlements.plan_id is null
    and coalesce(own_rows.recorded_at > entitlements.recorded_at, true)
