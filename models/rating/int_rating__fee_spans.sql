-- A fee period by the plans that bill it, each with its price: one row per fee period and plan
-- phase whose plan has the charge and a price for it.
with

fee_periods as (

    select
        fee_periods.*,
        lives.start_date
    from {{ ref('int_subscriptions__fee_periods') }} as fee_periods
    inner join {{ ref('int_subscriptions__lives') }} as lives
        on fee_periods.subscription_id = lives.subscription_id

),

plan_phases as (

    select * from {{ ref('int_subscriptions__plan_phases') }}

),

charges as (

    select * from {{ ref('stg_catalog__charges') }}
    where recorded_at < {{ as_of_at() }}

),

price_lists as (

    select * from {{ ref('int_rating__price_lists') }}
    where dimension_values = ''

),

zone_segments as (

    select * from {{ ref('int_subscriptions__zone_segments') }}

),

-- What changed late is posted on a later invoice, so that fees of changed subscriptions are looked
-- at again after their own periods have closed.
changed_subscriptions as (

    select subscription_id
    from plan_phases
    where phase_number > 1

    union

    select subscription_id
    from {{ ref('int_subscriptions__charge_quantities') }}

    union

    select subscription_id
    from {{ ref('int_subscriptions__pauses') }}

    union

    select subscription_id
    from {{ ref('int_subscriptions__lives') }}
    where end_recorded_at is not null

    union

    -- What is rated again is compared with all that was billed.
    select subscription_id
    from {{ ref('int_rating__reopened_periods') }}

),

open_fees as (

    select fee_periods.*
    from fee_periods
    left join changed_subscriptions
        on fee_periods.subscription_id = changed_subscriptions.subscription_id
    where
        fee_periods.last_cutoff_at > {{ open_from() }}
        or changed_subscriptions.subscription_id is not null

),

spans as (

    select
        open_fees.*,
        plan_phases.phase_number,
        plan_phases.plan_id,
        plan_phases.prices_as_of_date,
        charges.proration,
        -- A pin takes the price list of another day, in the contract month of the span's start.
        case
            when plan_phases.prices_as_of_date is null then charges.price_at
            else 'start'
        end as price_at,
        charges.recorded_at as charge_recorded_at,
        plan_phases.recorded_at as phase_recorded_at,
        greatest(open_fees.fee_from, plan_phases.phase_from) as span_from,
        least(open_fees.fee_to, plan_phases.phase_to) as span_to
    from open_fees
    inner join plan_phases
        on
            open_fees.subscription_id = plan_phases.subscription_id
            and open_fees.fee_to > plan_phases.phase_from
            and (plan_phases.phase_to is null or open_fees.fee_from < plan_phases.phase_to)
    inner join charges
        on
            plan_phases.plan_id = charges.plan_id
            and open_fees.charge_id = charges.charge_id
            and open_fees.charge_type = charges.charge_type
            and open_fees.timing = charges.timing
            and (
                open_fees.charge_type = 'one_time'
                or open_fees.every_cycles = charges.every_cycles
            )
    where open_fees.charge_type = 'recurring' or plan_phases.phase_number = 1

),

-- Only where the price is not asked for on the fee's own first day is there another local date.
inner_dates as (

    select
        spans.subscription_id,
        spans.term_id,
        spans.charge_id,
        spans.timing,
        spans.every_cycles,
        spans.fee_index,
        spans.phase_number,
        {{ local_date(
            "(case when spans.price_at = 'close' then spans.span_to - interval '1 microsecond'"
            ~ " else spans.span_from end)",
            'zone_segments.offset_seconds'
        ) }} as price_date
    from spans
    inner join zone_segments
        on
            spans.time_zone = zone_segments.time_zone
            and case
                when spans.price_at = 'close' then spans.span_to - interval '1 microsecond'
                else spans.span_from
            end >= zone_segments.utc_from
            and case
                when spans.price_at = 'close' then spans.span_to - interval '1 microsecond'
                else spans.span_from
            end < zone_segments.utc_to
    where spans.span_from > spans.fee_from or spans.price_at = 'close'

),

dated as (

    select
        spans.*,
        spans.prices_as_of_date is not null as is_pinned,
        case
            when spans.price_at = 'close' then spans.span_to
            else spans.span_from
        end as price_at_instant,
        coalesce(inner_dates.price_date, spans.fee_from_date) as started_day
    from spans
    left join inner_dates
        on
            spans.subscription_id = inner_dates.subscription_id
            and spans.term_id = inner_dates.term_id
            and spans.charge_id = inner_dates.charge_id
            and spans.timing = inner_dates.timing
            and spans.every_cycles = inner_dates.every_cycles
            and spans.fee_index = inner_dates.fee_index
            and spans.phase_number = inner_dates.phase_number
    where
        spans.prices_as_of_date is not null
        or spans.span_from >= spans.charge_recorded_at

),

priced as (

    select
        dated.*,
        coalesce(dated.prices_as_of_date, dated.started_day) as price_day,
        {{ contract_month('dated.start_date', 'dated.started_day') }} as contract_month
    from dated

),

candidates as (

    select
        priced.*,
        price_lists.price_row_id,
        price_lists.unit_price,
        row_number() over (
            partition by
                priced.subscription_id,
                priced.term_id,
                priced.charge_id,
                priced.timing,
                priced.every_cycles,
                priced.fee_index,
                priced.phase_number
            order by {{ binding_order('price_lists') }}
        ) as recency
    from priced
    inner join price_lists
        on
            {{ binds('priced', 'price_lists') }}
            -- What is billed ahead, of a plan that was known to follow in mid-period too, is billed
            -- at the prices that had been told by then.
            and (
                priced.timing = 'arrears'
                or priced.is_pinned
                or priced.price_at_instant <= priced.fee_from
                or priced.phase_recorded_at >= priced.cutoff_at
                or priced.cutoff_at > price_lists.recorded_at
                or price_lists.applies_to = 'closed'
            )

)

select
    subscription_id,
    customer_id,
    currency,
    term_id,
    charge_id,
    charge_type,
    timing,
    every_cycles,
    fee_index,
    phase_number,
    plan_id,
    proration,
    price_row_id,
    unit_price,
    span_from,
    span_to
from candidates
where recency = 1
