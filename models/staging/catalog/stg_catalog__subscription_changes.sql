with

subscription_changes as (

    select * from {{ catalog_table('subscription_changes') }}

)

-- A local date becomes an instant only in the customer's zone: the phases do that.
select
    subscription_id,
    changes_at as changes_at_text,
    case when length(changes_at) = 10 then cast(changes_at as date) end as changes_on_date,
    case when length(changes_at) > 10 then {{ utc_timestamp('changes_at') }} end
        as changes_at_instant,
    change,
    plan_id,
    charge_id,
    cast(quantity as {{ type_quantity() }}) as quantity,
    cast(anchor_date as date) as anchor_date,
    cast(prices_as_of as date) as prices_as_of_date,
    coalesce(withdrawn, 'false') = 'true' as is_withdrawn,
    {{ recorded_at('recorded_at') }} as recorded_at
from subscription_changes
