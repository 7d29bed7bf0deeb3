with

subscriptions as (

    select * from {{ catalog_table('subscriptions') }}

)

-- A local date becomes an instant only in the customer's zone: the periods do that.
select
    subscription_id,
    customer_id,
    plan_id,
    currency,
    starts_at as starts_at_text,
    case when length(starts_at) = 10 then cast(starts_at as date) end as starts_on_date,
    case when length(starts_at) > 10 then {{ utc_timestamp('starts_at') }} end
        as starts_at_instant,
    ends_at as ends_at_text,
    case when length(ends_at) = 10 then cast(ends_at as date) end as ends_on_date,
    case when length(ends_at) > 10 then {{ utc_timestamp('ends_at') }} end
        as ends_at_instant,
    cast(anchor_date as date) as anchor_date,
    cast(prices_as_of as date) as prices_as_of_date,
    cast(trial_days as integer) as trial_days,
    {{ recorded_at('recorded_at') }} as recorded_at
from subscriptions
