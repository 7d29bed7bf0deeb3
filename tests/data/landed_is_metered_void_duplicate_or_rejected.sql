-- By load day, what was landed (counted in raw) is there again: as an event that each profile of
-- its name counted, as a void, as a duplicate or as a reject. Accepted events are counted in the
-- rollups, not taken from the counts of loads; one that is voided counts on the day from which
-- it is.
{{ config(group="staging") }}
with

load_counts as (

    select
        load_day,
        sum(landed_count) as landed_count,
        sum(accepted_count) as accepted_count,
        sum(duplicate_count) as duplicate_count,
        sum(rejected_count) as rejected_count
    from {{ ref('stg_raw__load_counts') }}
    where {{ in_tested_window('load_day') }}
    group by load_day

),

raw_counts as (

    select
        cast(loaded_at as date) as load_day,
        count(*) as raw_count
    from {{ source('raw', 'usage_events') }}
    {% if not var('full', false) -%}
        where {{ loaded_in_window('loaded_at') }}
    {% endif -%}
    group by cast(loaded_at as date)

),

reject_counts as (

    select
        load_day,
        count(*) as reject_count
    from {{ ref('rejected_events') }}
    where {{ in_tested_window('load_day') }}
    group by load_day

),

void_counts as (

    select
        load_day,
        count(*) as void_count
    from {{ ref('stg_raw__voids') }}
    where {{ in_tested_window('load_day') }}
    group by load_day

),

voided_counts as (

    select
        load_day,
        count(*) as voided_count
    from {{ ref('stg_raw__voided_events') }}
    where {{ in_tested_window('load_day') }}
    group by load_day

),

profile_sums as (

    select
        load_day,
        event_name,
        meter_profile,
        sum(event_count) as event_count
    from {{ ref('int_metering__rollups') }}
    where {{ in_tested_window('load_day') }}
    group by
        load_day,
        event_name,
        meter_profile

),

-- Every profile of an event's name has it, with whatever outcome.
name_sums as (

    select
        load_day,
        event_name,
        min(event_count) as least_count,
        max(event_count) as event_count
    from profile_sums
    group by
        load_day,
        event_name

),

metered_counts as (

    select
        load_day,
        sum(least_count) as least_count,
        sum(event_count) as metered_count
    from name_sums
    group by load_day

)

select
    load_counts.load_day,
    load_counts.landed_count,
    raw_counts.raw_count,
    load_counts.accepted_count,
    metered_counts.metered_count,
    voided_counts.voided_count,
    void_counts.void_count,
    load_counts.duplicate_count,
    load_counts.rejected_count,
    reject_counts.reject_count
from load_counts
left join raw_counts
    on load_counts.load_day = raw_counts.load_day
left join reject_counts
    on load_counts.load_day = reject_counts.load_day
left join void_counts
    on load_counts.load_day = void_counts.load_day
left join voided_counts
    on load_counts.load_day = voided_counts.load_day
left join metered_counts
    on load_counts.load_day = metered_counts.load_day
where
    load_counts.landed_count <> coalesce(raw_counts.raw_count, 0)
    or load_counts.rejected_count <> coalesce(reject_counts.reject_count, 0)
    or metered_counts.least_count <> metered_counts.metered_count
    or coalesce(raw_counts.raw_count, 0)
    <> coalesce(metered_counts.metered_count, 0)
    + coalesce(voided_counts.voided_count, 0)
    + coalesce(void_counts.void_count, 0)
    + load_counts.duplicate_count
    + coalesce(reject_counts.reject_count, 0)
