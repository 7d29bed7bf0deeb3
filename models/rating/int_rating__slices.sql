-- The stretches of time in which a charge part takes usage: the part without the subscription's
-- pauses. A level or latest value starts anew with each, as it does with a period.
with

charge_parts as (

    select * from {{ ref('int_rating__charge_parts') }}
    where period_from < {{ as_of_at() }}

),

pauses as (

    select * from {{ ref('int_subscriptions__pauses') }}

),

paused_parts as (

    select
        charge_parts.subscription_id,
        charge_parts.period_number,
        charge_parts.charge_id,
        charge_parts.part_number,
        charge_parts.part_to,
        pauses.pause_from,
        pauses.pause_to
    from charge_parts
    inner join pauses
        on
            charge_parts.subscription_id = pauses.subscription_id
            and charge_parts.part_to > pauses.pause_from
            and (pauses.pause_to is null or charge_parts.part_from < pauses.pause_to)

),

-- A stretch runs from the part's start, or from a resumption, to the next pause or the part's end.
starts as (

    select
        subscription_id,
        period_number,
        charge_id,
        part_number,
        part_from as slice_from,
        part_to
    from charge_parts

    union all

    select
        subscription_id,
        period_number,
        charge_id,
        part_number,
        pause_to as slice_from,
        part_to
    from paused_parts
    where pause_to < part_to

),

bounded as (

    select
        starts.subscription_id,
        starts.period_number,
        starts.charge_id,
        starts.part_number,
        starts.slice_from,
        least(starts.part_to, min(paused_parts.pause_from)) as slice_to,
        -- Where the part begins in a pause, its own start begins nothing.
        coalesce(min(paused_parts.pause_from) <= starts.slice_from, false) as is_paused
    from starts
    left join paused_parts
        on
            starts.subscription_id = paused_parts.subscription_id
            and starts.period_number = paused_parts.period_number
            and starts.charge_id = paused_parts.charge_id
            and starts.part_number = paused_parts.part_number
            and (paused_parts.pause_to is null or starts.slice_from < paused_parts.pause_to)
    group by
        starts.subscription_id,
        starts.period_number,
        starts.charge_id,
        starts.part_number,
        starts.slice_from,
        starts.part_to

)

-- slice_id is good for one run. until_at is how far a level is known to have lasted: a draft's
-- lasts until the as-of day.
select
    row_number() over () as slice_id,
    charge_parts.subscription_id,
    charge_parts.customer_id,
    charge_parts.period_number,
    charge_parts.charge_id,
    charge_parts.part_number,
    charge_parts.meter_profile,
    bounded.slice_from,
    bounded.slice_to,
    case
        when charge_parts.closed_at <= {{ close_at() }} then bounded.slice_to
        else greatest(bounded.slice_from, least(bounded.slice_to, {{ as_of_at() }}))
    end as until_at,
    charge_parts.cutoff_at
from bounded
inner join charge_parts
    on
        bounded.subscription_id = charge_parts.subscription_id
        and bounded.period_number = charge_parts.period_number
        and bounded.charge_id = charge_parts.charge_id
        and bounded.part_number = charge_parts.part_number
where
    not bounded.is_paused
    -- Usage may come from a little ahead of the as-of day.
    and bounded.slice_from < {{ as_of_at() }} + interval '1 day'
