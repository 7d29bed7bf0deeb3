with

credit_actions as (

    select * from {{ catalog_table('credit_actions') }}

)

select
    action_id,
    action,
    grant_id,
    to_grant_id,
    cast(amount as {{ type_total() }}) as amount,
    {{ utc_timestamp('acts_at') }} as acts_at,
    reason,
    {{ recorded_at('recorded_at') }} as recorded_at
from credit_actions
