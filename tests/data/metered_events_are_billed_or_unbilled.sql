-- By event name: no event is billed and unbilled, and none is neither. An event that several
-- charges bill counts once for each, so that the billed ones are known within bounds (exact
-- where one charge reads the name). Usage after the as-of midnight may belong to a period that
-- has not begun, and a closed period keeps what was voided since. Looks at all periods, so only
-- when the run computed all of them anew (or var full).
{{ config(group="rating") }}
with

profile_sums as (

    select
        event_name,
        meter_profile,
        sum(event_count) as event_count,
        sum(case when bucket_from >= {{ as_of_at() }} then event_count else 0 end) as future_count
    from {{ ref('int_metering__rollups') }}
    where {{ 'true' if var('full', false) or everything_is_open() else 'false' }}
    group by
        event_name,
        meter_profile

),

event_names as (

    select
        event_name,
        max(event_count) as event_count,
        max(future_count) as future_count
    from profile_sums
    group by event_name

),

voided as (

    select count(*) as voided_count
    from {{ ref('stg_raw__voided_events') }}
    where load_day > event_load_day

),

charge_sums as (

    select
        quantities.subscription_id,
        quantities.period_number,
        quantities.charge_id,
        price_rows.meter_profile,
        sum(quantities.event_count) as event_count
    from (
        -- A period that was rated again as it was known last.
        select
            quantities.*,
            max(quantities.period_number) over (
                partition by
                    quantities.subscription_id,
                    {{ own_number('quantities.period_number') }}
            ) as last_number
        from {{ ref('int_rating__quantities') }} as quantities
    ) as quantities
    inner join {{ ref('int_rating__price_rows') }} as price_rows
        on
            quantities.subscription_id = price_rows.subscription_id
            and quantities.period_number = price_rows.period_number
            and quantities.charge_id = price_rows.charge_id
            and quantities.part_number = price_rows.part_number
            and quantities.price_row_id = price_rows.price_row_id
    left join {{ ref('int_rating__out_of_range') }} as out_of_range
        on
            quantities.subscription_id = out_of_range.subscription_id
            and quantities.period_number = out_of_range.period_number
            and quantities.charge_id = out_of_range.charge_id
            and quantities.part_number = out_of_range.part_number
            and quantities.price_row_id = out_of_range.price_row_id
    where
        out_of_range.price_row_id is null
        and quantities.period_number = quantities.last_number
    group by
        quantities.subscription_id,
        quantities.period_number,
        quantities.charge_id,
        price_rows.meter_profile

),

billed as (

    select
        period_sums.event_name,
        sum(period_sums.most_by_a_charge) as least_billed,
        sum(period_sums.by_all_charges) as most_billed
    from (
        select
            charge_sums.subscription_id,
            charge_sums.period_number,
            meters.event_name,
            max(charge_sums.event_count) as most_by_a_charge,
            sum(charge_sums.event_count) as by_all_charges
        from charge_sums
        inner join {{ ref('stg_catalog__meters') }} as meters
            on charge_sums.meter_profile = meters.meter_profile
        group by
            charge_sums.subscription_id,
            charge_sums.period_number,
            meters.event_name
    ) as period_sums
    group by period_sums.event_name

),

unbilled as (

    select
        event_name,
        count(*) as unbilled_count
    from {{ ref('unbilled_usage') }}
    group by event_name

)

select
    event_names.event_name,
    event_names.event_count,
    event_names.future_count,
    unbilled.unbilled_count,
    billed.least_billed,
    billed.most_billed,
    voided.voided_count
from event_names
cross join voided
left join billed
    on event_names.event_name = billed.event_name
left join unbilled
    on event_names.event_name = unbilled.event_name
where
    coalesce(billed.least_billed, 0) + coalesce(unbilled.unbilled_count, 0)
    > event_names.event_count + voided.voided_count
    or coalesce(billed.most_billed, 0) + coalesce(unbilled.unbilled_count, 0)
    < event_names.event_count - event_names.future_count
