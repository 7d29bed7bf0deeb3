{{
    config(
        materialized='incremental',
        incremental_strategy='replace_window',
        meta={'replaces': 'open_periods'},
    )
}}
-- depends_on: {{ ref('build_window') }}
with

draws as (

    select * from {{ ref('int_rating__allowance_draws') }}

)

select
    subscription_id,
    customer_id,
    plan_id,
    allowance_id,
    cast(period_number as {{ type_count() }}) as period_number,
    part_from,
    part_to,
    is_pooled,
    own_quantity,
    carried_in,
    available_quantity,
    used_quantity,
    cast(
        case
            when not is_pooled
                then own_quantity + carried_in - used_quantity - carried_out
        end as {{ type_integral() }}
    ) as expired_quantity,
    carried_out,
    cutoff_at
from draws
where {{ is_first_rating('period_number') }}
