with

time_zone_transitions as (

    select * from {{ ref('time_zone_transitions') }}

)

select
    zone as time_zone,
    utc_from,
    coalesce(
        lead(utc_from) over (partition by zone order by utc_from),
        cast('9999-12-31' as {{ type_timestamp() }})
    ) as utc_to,
    offset_seconds
from time_zone_transitions
