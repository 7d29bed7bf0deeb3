with

lives as (

    select * from {{ ref('int_subscriptions__lives') }}

),

moments as (

    select * from {{ ref('int_subscriptions__moments') }}

),

-- What was said before the start holds from the start; of one instant the later recorded counts.
ranked as (

    select
        moments.subscription_id,
        moments.charge_id,
        moments.quantity,
        greatest(moments.moment_at, lives.starts_at) as quantity_from,
        moments.recorded_at,
        row_number() over (
            partition by
                moments.subscription_id,
                moments.charge_id,
                greatest(moments.moment_at, lives.starts_at)
            order by moments.moment_at desc, moments.recorded_at desc
        ) as recency
    from moments
    inner join lives
        on
            moments.subscription_id = lives.subscription_id
            and (lives.ends_at is null or moments.moment_at < lives.ends_at)
    where moments.moment = 'quantity'

)

select
    subscription_id,
    charge_id,
    quantity,
    quantity_from,
    lead(quantity_from) over (
        partition by subscription_id, charge_id
        order by quantity_from
    ) as quantity_to,
    recorded_at
from ranked
where recency = 1
