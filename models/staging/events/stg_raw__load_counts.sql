{{
    config(
        materialized="incremental",
        incremental_strategy="replace_window",
        meta={"replaces": "load_days"},
    )
}}
with

deliveries as (

    select * from {{ ref('stg_raw__deliveries') }}
    where {{ in_load_window('load_day') }}

),

exclusions as (

    select * from {{ ref('stg_raw__exclusions') }}
    where {{ in_load_window('load_day') }}

),

landed as (

    select
        load_day,
        load_id,
        count(*) as landed_count
    from deliveries
    group by
        load_day,
        load_id

),

excluded as (

    select
        load_day,
        load_id,
        sum(case when outcome = 'duplicate' then 1 else 0 end) as duplicate_count,
        sum(case when outcome = 'rejected' then 1 else 0 end) as rejected_count
    from exclusions
    group by
        load_day,
        load_id

)

select
    landed.load_day,
    landed.load_id,
    cast(landed.landed_count as {{ type_count() }}) as landed_count,
    cast(
        landed.landed_count
        - coalesce(excluded.duplicate_count, 0)
        - coalesce(excluded.rejected_count, 0) as {{ type_count() }}
    ) as accepted_count,
    cast(coalesce(excluded.duplicate_count, 0) as {{ type_count() }}) as duplicate_count,
    cast(coalesce(excluded.rejected_count, 0) as {{ type_count() }}) as rejected_count
from landed
left join excluded
    on
        landed.load_day = excluded.load_day
        and landed.load_id = excluded.load_id
