with

billed_cycles as (

    select * from {{ ref('int_subscriptions__billed_cycles') }}

),

terms as (

    select * from {{ ref('int_subscriptions__terms') }}

),

lives as (

    select * from {{ ref('int_subscriptions__lives') }}

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
        charge_type in ('recurring', 'one_time')
        and recorded_at < {{ as_of_at() }}

),

-- Plans that follow each other in a term bill a fee of one name, timing and cycle as one.
tracks as (

    select
        terms.subscription_id,
        terms.term_id,
        terms.anchor_date,
        terms.cycle_unit,
        terms.cycle_length,
        terms.end_recorded_at,
        charges.charge_id,
        charges.timing,
        charges.every_cycles
    from terms
    inner join plan_phases
        on
            terms.subscription_id = plan_phases.subscription_id
            and (terms.ends_at is null or terms.ends_at > plan_phases.phase_from)
            and (plan_phases.phase_to is null or terms.starts_at < plan_phases.phase_to)
    inner join charges
        on
            plan_phases.plan_id = charges.plan_id
            and charges.charge_type = 'recurring'
    group by
        terms.subscription_id,
        terms.term_id,
        terms.anchor_date,
        terms.cycle_unit,
        terms.cycle_length,
        terms.end_recorded_at,
        charges.charge_id,
        charges.timing,
        charges.every_cycles

),

-- A fee's cycles are counted as the invoice cycles are, from the anchor.
grouped as (

    select
        tracks.subscription_id,
        tracks.term_id,
        tracks.charge_id,
        'recurring' as charge_type,
        tracks.timing,
        tracks.every_cycles,
        {{ floor_divide('billed_cycles.cycle_index', 'tracks.every_cycles') }} as fee_index,
        min(billed_cycles.period_number) as first_period_number,
        max(billed_cycles.period_number) as last_period_number,
        min(billed_cycles.period_from) as fee_from,
        max(billed_cycles.period_to) as fee_to,
        min(billed_cycles.period_from_date) as fee_from_date,
        max(billed_cycles.period_to_date) as fee_to_date
    from tracks
    inner join billed_cycles
        on tracks.term_id = billed_cycles.term_id
    group by
        tracks.subscription_id,
        tracks.term_id,
        tracks.charge_id,
        tracks.timing,
        tracks.every_cycles,
        {{ floor_divide('billed_cycles.cycle_index', 'tracks.every_cycles') }}

    union all

    -- What is due once is due with the first period, by the plan that the subscription began on.
    select
        billed_cycles.subscription_id,
        billed_cycles.term_id,
        charges.charge_id,
        charges.charge_type,
        charges.timing,
        1 as every_cycles,
        billed_cycles.cycle_index as fee_index,
        1 as first_period_number,
        1 as last_period_number,
        billed_cycles.period_from as fee_from,
        billed_cycles.period_to as fee_to,
        billed_cycles.period_from_date as fee_from_date,
        billed_cycles.period_to_date as fee_to_date
    from billed_cycles
    inner join charges
        on
            billed_cycles.plan_id = charges.plan_id
            and charges.charge_type = 'one_time'
    where billed_cycles.period_number = 1

),

-- In advance a fee stands on the invoice that begins it, in arrears on the one that ends it.
placed as (

    select
        grouped.*,
        lives.customer_id,
        lives.currency,
        first_cycles.time_zone,
        last_cycles.time_zone as last_time_zone,
        grouped.fee_from = terms.starts_at as is_begun_with_term,
        terms.end_recorded_at,
        case grouped.timing
            when 'advance' then grouped.first_period_number - 1
            else grouped.last_period_number
        end as invoice_number_in_subscription,
        cutoff_cycles.cutoff_at as cycle_cutoff_at,
        {{ cutoff('lives.starts_at', 'greatest(lives.known_at, first_cycles.begin_known_at)') }}
            as opening_cutoff_at,
        last_cycles.is_last,
        last_cycles.cutoff_at as last_cutoff_at,
        {{ add_cycles(
            'terms.anchor_date',
            'terms.cycle_unit',
            'terms.cycle_length',
            'grouped.fee_index * grouped.every_cycles'
        ) }} as full_from_date,
        {{ add_cycles(
            'terms.anchor_date',
            'terms.cycle_unit',
            'terms.cycle_length',
            '(grouped.fee_index + 1) * grouped.every_cycles'
        ) }} as full_to_date
    from grouped
    inner join lives
        on grouped.subscription_id = lives.subscription_id
    inner join terms
        on grouped.term_id = terms.term_id
    -- Each is there; inner joins are planned as all pairs of a subscription's periods.
    left join billed_cycles as first_cycles
        on
            grouped.subscription_id = first_cycles.subscription_id
            and grouped.first_period_number = first_cycles.period_number
    left join billed_cycles as last_cycles
        on
            grouped.subscription_id = last_cycles.subscription_id
            and grouped.last_period_number = last_cycles.period_number
    left join billed_cycles as cutoff_cycles
        on
            grouped.subscription_id = cutoff_cycles.subscription_id
            and case grouped.timing
                when 'advance' then grouped.first_period_number - 1
                else grouped.last_period_number
            end = cutoff_cycles.period_number
    where
        coalesce(cutoff_cycles.period_from, lives.starts_at)
        < {{ as_of_at() }} + interval '2 days'

),

days as (

    select
        time_zone,
        full_from_date as local_date
    from placed

    union

    select
        last_time_zone as time_zone,
        full_to_date as local_date
    from placed

),

midnights as (

    {{ local_midnights('days', 'zone_segments') }}

)

select
    placed.subscription_id,
    placed.customer_id,
    placed.currency,
    placed.term_id,
    placed.charge_id,
    placed.charge_type,
    placed.timing,
    placed.every_cycles,
    placed.fee_index,
    placed.time_zone,
    placed.first_period_number,
    placed.last_period_number,
    placed.invoice_number_in_subscription,
    placed.fee_from,
    placed.fee_to,
    placed.fee_from_date,
    placed.fee_to_date,
    case
        when placed.is_begun_with_term then least(from_midnights.midnight_at, placed.fee_from)
        else placed.fee_from
    end as full_from,
    case
        when placed.is_last then greatest(to_midnights.midnight_at, placed.fee_to)
        else placed.fee_to
    end as full_to,
    placed.full_from_date,
    placed.full_to_date,
    placed.is_last and placed.fee_to < to_midnights.midnight_at as is_cut,
    placed.end_recorded_at,
    coalesce(placed.cycle_cutoff_at, placed.opening_cutoff_at) as cutoff_at,
    placed.last_cutoff_at
from placed
inner join midnights as from_midnights
    on
        placed.time_zone = from_midnights.time_zone
        and placed.full_from_date = from_midnights.local_date
inner join midnights as to_midnights
    on
        placed.last_time_zone = to_midnights.time_zone
        and placed.full_to_date = to_midnights.local_date
