-- What a period holds of each plan's usage charges: one row per subscription, period, charge and
-- plan phase, with the day and the instant that choose its prices and limits.
with

periods as (

    select
        billing_periods.*,
        lives.start_date
    from {{ ref('int_rating__rated_periods') }} as billing_periods
    inner join {{ ref('int_subscriptions__lives') }} as lives
        on billing_periods.subscription_id = lives.subscription_id
    where billing_periods.cutoff_at > {{ open_from() }}

),

plan_phases as (

    select * from {{ ref('int_subscriptions__plan_phases') }}

),

zone_segments as (

    select * from {{ ref('int_subscriptions__zone_segments') }}

),

charges as (

    select * from {{ ref('stg_catalog__charges') }}
    where
        charge_type = 'usage'
        and recorded_at < {{ as_of_at() }}

),

charge_limits as (

    select * from {{ ref('stg_catalog__charge_limits') }}

),

-- Only a plan that begins in mid-period begins on a local date that is not the period's.
begun_dates as (

    select
        periods.subscription_id,
        periods.period_number,
        plan_phases.phase_number,
        greatest(
            {{ local_date('plan_phases.phase_from', 'zone_segments.offset_seconds') }},
            periods.period_from_date
        ) as phase_date
    from periods
    inner join plan_phases
        on
            periods.subscription_id = plan_phases.subscription_id
            and periods.period_from < plan_phases.phase_from
            and periods.period_to > plan_phases.phase_from
    inner join zone_segments
        on
            periods.time_zone = zone_segments.time_zone
            and plan_phases.phase_from >= zone_segments.utc_from
            and plan_phases.phase_from < zone_segments.utc_to

),

-- So does a subscription that ended in mid-period, which became known when that had closed.
ended_dates as (

    select
        periods.subscription_id,
        periods.period_number,
        greatest(
            {{ local_date('lives.ends_at', 'zone_segments.offset_seconds') }},
            periods.period_from_date
        ) as end_date,
        lives.ends_at
    from periods
    inner join {{ ref('int_subscriptions__lives') }} as lives
        on
            periods.subscription_id = lives.subscription_id
            and periods.period_from < lives.ends_at
            and periods.period_to > lives.ends_at
    inner join zone_segments
        on
            periods.time_zone = zone_segments.time_zone
            and lives.ends_at >= zone_segments.utc_from
            and lives.ends_at < zone_segments.utc_to

),

phase_spans as (

    select
        periods.subscription_id,
        periods.customer_id,
        periods.currency,
        periods.time_zone,
        periods.start_date,
        periods.period_number,
        periods.period_from,
        periods.period_to,
        periods.cycle_from,
        periods.cycle_to,
        periods.cycle_from_date,
        periods.cycle_to_date,
        periods.closed_at,
        periods.cutoff_at,
        plan_phases.phase_number,
        plan_phases.plan_id,
        plan_phases.prices_as_of_date,
        greatest(periods.period_from, plan_phases.phase_from) as span_from,
        least(periods.period_to, plan_phases.phase_to) as span_to,
        coalesce(begun_dates.phase_date, periods.period_from_date) as span_from_date,
        coalesce(
            lead(begun_dates.phase_date) over (
                partition by periods.subscription_id, periods.period_number
                order by plan_phases.phase_number
            ),
            ended_dates.end_date,
            periods.period_to_date
        ) as span_to_date,
        coalesce(ended_dates.ends_at, periods.period_to) as runs_to
    from periods
    inner join plan_phases
        on
            periods.subscription_id = plan_phases.subscription_id
            and periods.period_to > plan_phases.phase_from
            and (plan_phases.phase_to is null or periods.period_from < plan_phases.phase_to)
    left join begun_dates
        on
            periods.subscription_id = begun_dates.subscription_id
            and periods.period_number = begun_dates.period_number
            and plan_phases.phase_number = begun_dates.phase_number
    left join ended_dates
        on
            periods.subscription_id = ended_dates.subscription_id
            and periods.period_number = ended_dates.period_number

),

close_dates as (

    select distinct
        phase_spans.subscription_id,
        phase_spans.period_number,
        phase_spans.phase_number,
        {{ local_date(
            "(phase_spans.span_to - interval '1 microsecond')", 'zone_segments.offset_seconds'
        ) }} as close_date
    from phase_spans
    inner join charges
        on
            phase_spans.plan_id = charges.plan_id
            and charges.price_at = 'close'
    inner join zone_segments
        on
            phase_spans.time_zone = zone_segments.time_zone
            and phase_spans.span_to > zone_segments.utc_from
            and phase_spans.span_to <= zone_segments.utc_to

),

charged as (

    select
        phase_spans.*,
        charges.charge_id,
        charges.position as charge_position,
        charges.meter_profile,
        charges.pricing_model,
        charges.allowance,
        charges.flat_fee_at_zero,
        charges.proration,
        charges.split,
        charges.recorded_at as charge_recorded_at,
        phase_spans.prices_as_of_date is not null as is_pinned,
        case
            when charges.price_at = 'close' then phase_spans.span_to
            else phase_spans.span_from
        end as price_at_instant,
        case
            when charges.price_at = 'close' then close_dates.close_date
            else phase_spans.span_from_date
        end as started_day
    from phase_spans
    inner join charges
        on phase_spans.plan_id = charges.plan_id
    left join close_dates
        on
            phase_spans.subscription_id = close_dates.subscription_id
            and phase_spans.period_number = close_dates.period_number
            and phase_spans.phase_number = close_dates.phase_number
    where
        phase_spans.prices_as_of_date is not null
        or phase_spans.span_from >= charges.recorded_at

),

priced as (

    select
        charged.*,
        coalesce(charged.prices_as_of_date, charged.started_day) as price_day,
        -- A pin takes the price list of another day, in the contract month of the span's start.
        {{ contract_month(
            'charged.start_date',
            '(case when charged.is_pinned then charged.span_from_date else charged.started_day end)'
        ) }} as contract_month
    from charged

),

-- A limit is chosen as a price is, the later recorded of two.
limit_candidates as (

    select
        priced.subscription_id,
        priced.period_number,
        priced.charge_id,
        priced.phase_number,
        charge_limits.minimum,
        charge_limits.maximum,
        row_number() over (
            partition by
                priced.subscription_id,
                priced.period_number,
                priced.charge_id,
                priced.phase_number
            order by charge_limits.valid_from_date desc, charge_limits.recorded_at desc
        ) as recency
    from priced
    inner join charge_limits
        on
            priced.plan_id = charge_limits.plan_id
            and priced.charge_id = charge_limits.charge_id
            and priced.currency = charge_limits.currency
            and priced.price_day >= charge_limits.valid_from_date
            and (
                priced.price_at_instant >= charge_limits.recorded_at
                or (priced.is_pinned and charge_limits.recorded_at < {{ as_of_at() }})
            )

)

select
    priced.subscription_id,
    priced.customer_id,
    priced.period_number,
    priced.charge_id,
    priced.phase_number,
    priced.plan_id,
    priced.currency,
    priced.charge_position,
    priced.meter_profile,
    priced.pricing_model,
    priced.allowance,
    priced.flat_fee_at_zero,
    priced.proration,
    priced.split,
    priced.span_from,
    priced.span_to,
    priced.span_from_date,
    priced.span_to_date,
    priced.is_pinned,
    priced.price_day,
    priced.price_at_instant,
    priced.contract_month,
    limit_candidates.minimum,
    limit_candidates.maximum,
    priced.period_from,
    priced.period_to,
    priced.runs_to,
    priced.cycle_from,
    priced.cycle_to,
    priced.cycle_from_date,
    priced.cycle_to_date,
    priced.closed_at,
    priced.cutoff_at
from priced
left join limit_candidates
    on
        priced.subscription_id = limit_candidates.subscription_id
        and priced.period_number = limit_candidates.period_number
        and priced.charge_id = limit_candidates.charge_id
        and priced.phase_number = limit_candidates.phase_number
        and limit_candidates.recency = 1
