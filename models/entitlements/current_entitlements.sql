{{ config(materialized="view") }}
with

entitlement_usage as (

    select * from {{ ref('entitlement_usage') }}

),

build_window as (

    select * from {{ ref('build_window') }}

)

-- The local day that holds the last instant known.
select
    entitlement_usage.subscription_id,
    entitlement_usage.customer_id,
    entitlement_usage.plan_id,
    entitlement_usage.product_id,
    entitlement_usage.feature,
    entitlement_usage.name,
    entitlement_usage.kind,
    entitlement_usage.meter_profile,
    entitlement_usage.usage_date,
    entitlement_usage.usage_from,
    entitlement_usage.limit_quantity,
    entitlement_usage.used_quantity,
    entitlement_usage.left_quantity,
    entitlement_usage.share,
    entitlement_usage.state,
    entitlement_usage.is_blocked
from entitlement_usage
inner join build_window
    on entitlement_usage.usage_to >= build_window.as_of_at
