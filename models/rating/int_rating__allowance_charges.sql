with

allowances as (

    select * from {{ ref('stg_catalog__allowances') }}
    where recorded_at < {{ as_of_at() }}

)

-- Each charge of a shared allowance.
select
    plan_id,
    allowance_id,
    {{ split_rows('charge_ids', '|') }} as charge_id,
    charge_ids,
    quantity,
    proration,
    rollover_periods,
    rollover_cap,
    is_pooled,
    recorded_at
from allowances
