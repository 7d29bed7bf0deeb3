with

plan_migrations as (

    select * from {{ catalog_table('plan_migrations') }}

)

-- A local date is a midnight in the zone of each customer who is moved.
select
    from_plan_id,
    to_plan_id,
    migrates_at as migrates_at_text,
    case when length(migrates_at) = 10 then cast(migrates_at as date) end as migrates_on_date,
    case when length(migrates_at) > 10 then {{ utc_timestamp('migrates_at') }} end
        as migrates_at_instant,
    {{ recorded_at('recorded_at') }} as recorded_at
from plan_migrations
