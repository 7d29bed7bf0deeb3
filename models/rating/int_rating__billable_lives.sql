-- Who could bill which usage, and when: the life of each subscription, by profile and the
-- references that usage may carry. contested_from and contested_to bound the time in which
-- another subscription could bill the same usage.
with

periods as (

    select * from {{ ref('int_subscriptions__periods') }}

),

subscriptions as (

    select * from {{ ref('stg_catalog__subscriptions') }}

),

charges as (

    select * from {{ ref('stg_catalog__charges') }}
    where
        charge_type = 'usage'
        and recorded_at < {{ as_of_at() }}

),

-- An item names a charge; usage without an item is every charge's on the profile.
billable_items as (

    select
        plan_id,
        meter_profile,
        '' as item_ref
    from charges

    union

    select
        plan_id,
        meter_profile,
        charge_id as item_ref
    from charges

),

lives as (

    select
        subscription_id,
        customer_id,
        plan_id,
        min(period_from) as life_from,
        max(period_to) as life_to
    from periods
    group by
        subscription_id,
        customer_id,
        plan_id

),

eligible as (

    select
        lives.subscription_id,
        lives.customer_id,
        lives.life_from,
        lives.life_to,
        subscriptions.recorded_at,
        billable_items.meter_profile,
        billable_items.item_ref
    from lives
    inner join subscriptions
        on lives.subscription_id = subscriptions.subscription_id
    inner join billable_items
        on lives.plan_id = billable_items.plan_id

),

contests as (

    select
        eligible.subscription_id,
        eligible.meter_profile,
        eligible.item_ref,
        min(greatest(eligible.life_from, rivals.life_from)) as contested_from,
        max(least(eligible.life_to, rivals.life_to)) as contested_to
    from eligible
    inner join eligible as rivals
        on
            eligible.customer_id = rivals.customer_id
            and eligible.meter_profile = rivals.meter_profile
            and eligible.item_ref = rivals.item_ref
            and eligible.subscription_id <> rivals.subscription_id
            and eligible.life_from < rivals.life_to
            and eligible.life_to > rivals.life_from
    group by
        eligible.subscription_id,
        eligible.meter_profile,
        eligible.item_ref

)

select
    eligible.subscription_id,
    eligible.customer_id,
    eligible.meter_profile,
    eligible.item_ref,
    '' as subscription_ref,
    eligible.life_from,
    eligible.life_to,
    eligible.recorded_at,
    contests.contested_from,
    contests.contested_to
from eligible
left join contests
    on
        eligible.subscription_id = contests.subscription_id
        and eligible.meter_profile = contests.meter_profile
        and eligible.item_ref = contests.item_ref

union all

select
    subscription_id,
    customer_id,
    meter_profile,
    item_ref,
    subscription_id as subscription_ref,
    life_from,
    life_to,
    recorded_at,
    cast(null as {{ type_timestamp() }}) as contested_from,
    cast(null as {{ type_timestamp() }}) as contested_to
from eligible
