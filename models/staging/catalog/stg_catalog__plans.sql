with

plans as (

    select * from {{ catalog_table('plans') }}

)

select
    plan_id,
    product_id,
    name,
    cycle,
    -- A cycle is a number of days or of months: nothing else is left to the calendar.
    case
        when cycle in ('month', 'quarter', 'year') then 'month'
        else 'day'
    end as cycle_unit,
    case cycle
        when 'week' then 7
        when 'month' then 1
        when 'quarter' then 3
        when 'year' then 12
        else cast(split_part(cycle, ' ', 1) as integer)
    end as cycle_length,
    alignment,
    cast(coalesce(grace_days, '1') as integer) as grace_days,
    cast(coalesce(trial_days, '0') as integer) as trial_days,
    cast(correction_days as integer) as correction_days,
    coalesce(requires_prepaid, 'false') = 'true' as requires_prepaid,
    {{ recorded_at('recorded_at') }} as recorded_at
from plans
