with

credit_grants as (

    select * from {{ catalog_table('credit_grants') }}

)

select
    grant_id,
    name,
    customer_id,
    coalesce(wallet, 'main') as wallet,
    kind,
    currency,
    cast(amount as {{ type_total() }}) as amount,
    cast(cost_basis as {{ type_total() }}) as cost_basis,
    cast(coalesce(priority, '100') as integer) as priority,
    coalesce(scope, 'all') as scope,
    scope_id,
    {{ utc_timestamp('effective_at') }} as effective_at,
    {{ utc_timestamp('expires_at') }} as expires_at,
    every,
    {{ utc_timestamp('recurs_until') }} as recurs_until,
    cast(rollover_cap as {{ type_total() }}) as rollover_cap,
    coalesce(covers_true_up, 'false') = 'true' as covers_true_up,
    {{ recorded_at('recorded_at') }} as recorded_at
from credit_grants
