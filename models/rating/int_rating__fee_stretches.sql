-- What is due for a recurring fee, and since when: one row per fee period and stretch of one price
-- and quantity, with the invoice that it is posted on.
with

fee_periods as (

    select * from {{ ref('int_subscriptions__fee_periods') }}
    where charge_type = 'recurring'

),

fee_spans as (

    select * from {{ ref('int_rating__fee_spans') }}
    where charge_type = 'recurring'

),

billed_cycles as (

    select * from {{ ref('int_subscriptions__billed_cycles') }}

),

lives as (

    select * from {{ ref('int_subscriptions__lives') }}

),

charge_quantities as (

    select * from {{ ref('int_subscriptions__charge_quantities') }}

),

pauses as (

    select * from {{ ref('int_subscriptions__pauses') }}

),

plan_phases as (

    select * from {{ ref('int_subscriptions__plan_phases') }}

),

zone_segments as (

    select * from {{ ref('int_subscriptions__zone_segments') }}

),

-- Fee periods that the run looks at: those with a price, whole ones with all their plans.
priced_fees as (

    select distinct
        subscription_id,
        term_id,
        charge_id,
        timing,
        every_cycles,
        fee_index
    from fee_spans

),

fees as (

    select fee_periods.*
    from fee_periods
    inner join priced_fees
        on
            fee_periods.subscription_id = priced_fees.subscription_id
            and fee_periods.term_id = priced_fees.term_id
            and fee_periods.charge_id = priced_fees.charge_id
            and fee_periods.timing = priced_fees.timing
            and fee_periods.every_cycles = priced_fees.every_cycles
            and fee_periods.fee_index = priced_fees.fee_index

),

-- Every instant at which something may change, and when that was recorded.
changes as (

    select
        fees.subscription_id,
        fees.term_id,
        fees.charge_id,
        fees.timing,
        fees.every_cycles,
        fees.fee_index,
        fees.fee_from as changes_at,
        'start' as reason,
        cast(null as {{ type_timestamp() }}) as recorded_at
    from fees

    union all

    select
        fees.subscription_id,
        fees.term_id,
        fees.charge_id,
        fees.timing,
        fees.every_cycles,
        fees.fee_index,
        plan_phases.phase_from as changes_at,
        'plan' as reason,
        plan_phases.recorded_at
    from fees
    inner join plan_phases
        on
            fees.subscription_id = plan_phases.subscription_id
            and fees.fee_from < plan_phases.phase_from
            and fees.fee_to > plan_phases.phase_from

    union all

    select
        fees.subscription_id,
        fees.term_id,
        fees.charge_id,
        fees.timing,
        fees.every_cycles,
        fees.fee_index,
        charge_quantities.quantity_from as changes_at,
        'quantity' as reason,
        charge_quantities.recorded_at
    from fees
    inner join charge_quantities
        on
            fees.subscription_id = charge_quantities.subscription_id
            and fees.charge_id = charge_quantities.charge_id
            and fees.fee_from < charge_quantities.quantity_from
            and fees.fee_to > charge_quantities.quantity_from

    union all

    select
        fees.subscription_id,
        fees.term_id,
        fees.charge_id,
        fees.timing,
        fees.every_cycles,
        fees.fee_index,
        pauses.pause_from as changes_at,
        'pause' as reason,
        pauses.from_recorded_at as recorded_at
    from fees
    inner join pauses
        on
            fees.subscription_id = pauses.subscription_id
            and fees.fee_from < pauses.pause_from
            and fees.fee_to > pauses.pause_from

    union all

    select
        fees.subscription_id,
        fees.term_id,
        fees.charge_id,
        fees.timing,
        fees.every_cycles,
        fees.fee_index,
        pauses.pause_to as changes_at,
        'pause' as reason,
        pauses.to_recorded_at as recorded_at
    from fees
    inner join pauses
        on
            fees.subscription_id = pauses.subscription_id
            and fees.fee_from < pauses.pause_to
            and fees.fee_to > pauses.pause_to

    union all

    select
        fees.subscription_id,
        fees.term_id,
        fees.charge_id,
        fees.timing,
        fees.every_cycles,
        fees.fee_index,
        lives.trial_ends_at as changes_at,
        'trial' as reason,
        cast(null as {{ type_timestamp() }}) as recorded_at
    from fees
    inner join lives
        on
            fees.subscription_id = lives.subscription_id
            and fees.fee_from < lives.trial_ends_at
            and fees.fee_to > lives.trial_ends_at

    union all

    -- An end that became known when the fee's period had closed.
    select
        fees.subscription_id,
        fees.term_id,
        fees.charge_id,
        fees.timing,
        fees.every_cycles,
        fees.fee_index,
        lives.ends_at as changes_at,
        'end' as reason,
        lives.end_recorded_at as recorded_at
    from fees
    inner join lives
        on
            fees.subscription_id = lives.subscription_id
            and fees.fee_from < lives.ends_at
            and fees.fee_to > lives.ends_at

    union all

    select
        subscription_id,
        term_id,
        charge_id,
        timing,
        every_cycles,
        fee_index,
        fee_to as changes_at,
        'term end' as reason,
        end_recorded_at as recorded_at
    from fees
    where is_cut

),

-- A fee that is not prorated sees neither quantities nor pauses before its next period.
seen as (

    select
        changes.*,
        fee_spans.phase_number,
        fee_spans.plan_id,
        fee_spans.proration,
        fee_spans.price_row_id,
        fee_spans.unit_price,
        case
            when fee_spans.proration = 'none' then fee_spans.span_from
            else changes.changes_at
        end as state_at
    from changes
    left join fee_spans
        on
            changes.subscription_id = fee_spans.subscription_id
            and changes.term_id = fee_spans.term_id
            and changes.charge_id = fee_spans.charge_id
            and changes.timing = fee_spans.timing
            and changes.every_cycles = fee_spans.every_cycles
            and changes.fee_index = fee_spans.fee_index
            and changes.changes_at >= fee_spans.span_from
            and changes.changes_at < fee_spans.span_to
            and changes.reason not in ('end', 'term end')
    where
        changes.reason not in ('quantity', 'pause')
        or coalesce(fee_spans.proration, 'days') <> 'none'

),

states as (

    select
        seen.subscription_id,
        seen.term_id,
        seen.charge_id,
        seen.timing,
        seen.every_cycles,
        seen.fee_index,
        seen.changes_at,
        max(seen.recorded_at) as recorded_at,
        max(case when seen.reason = 'start' then 1 else 0 end) as is_start,
        max(case when seen.reason = 'trial' then 1 else 0 end) as is_trial_end,
        max(case when seen.reason = 'term end' then 1 else 0 end) as is_term_end,
        max(seen.plan_id) as plan_id,
        max(seen.proration) as proration,
        max(seen.price_row_id) as price_row_id,
        max(seen.unit_price) as unit_price,
        max(coalesce(charge_quantities.quantity, 1)) as quantity,
        max(
            case
                when seen.price_row_id is null or pauses.subscription_id is not null then 0
                when seen.changes_at < lives.trial_ends_at then 0
                else 1
            end
        ) as is_billed
    from seen
    inner join lives
        on seen.subscription_id = lives.subscription_id
    left join charge_quantities
        on
            seen.subscription_id = charge_quantities.subscription_id
            and seen.charge_id = charge_quantities.charge_id
            and seen.state_at >= charge_quantities.quantity_from
            and (
                charge_quantities.quantity_to is null
                or seen.state_at < charge_quantities.quantity_to
            )
    left join pauses
        on
            seen.subscription_id = pauses.subscription_id
            and seen.state_at >= pauses.pause_from
            and (pauses.pause_to is null or seen.state_at < pauses.pause_to)
    group by
        seen.subscription_id,
        seen.term_id,
        seen.charge_id,
        seen.timing,
        seen.every_cycles,
        seen.fee_index,
        seen.changes_at

),

worded as (

    select
        states.*,
        case
            when states.is_billed = 0 then 'nothing'
            else
                states.proration || ' ' || cast(states.unit_price as {{ type_text() }})
                || ' ' || cast(
                    cast(states.quantity as {{ type_quantity() }}) as {{ type_text() }}
                )
        end as state_text
    from states

),

compared as (

    select
        worded.*,
        lag(worded.state_text) over (
            partition by
                worded.subscription_id, worded.term_id, worded.charge_id, worded.timing,
                worded.every_cycles, worded.fee_index
            order by worded.changes_at
        ) as text_before
    from worded

),

-- What is the same after a change as before it is no change; but to its term's end a fee may have
-- been billed before it was told that nothing is due already.
boundaries as (

    select
        compared.subscription_id,
        compared.term_id,
        compared.charge_id,
        compared.timing,
        compared.every_cycles,
        compared.fee_index,
        compared.changes_at,
        compared.recorded_at,
        compared.is_start,
        compared.is_trial_end,
        compared.plan_id,
        compared.proration,
        compared.price_row_id,
        compared.unit_price,
        compared.quantity,
        compared.is_billed,
        fees.invoice_number_in_subscription,
        fees.cutoff_at,
        fees.fee_to,
        fees.fee_from_date,
        fees.fee_to_date,
        fees.first_period_number
    from compared
    inner join fees
        on
            compared.subscription_id = fees.subscription_id
            and compared.term_id = fees.term_id
            and compared.charge_id = fees.charge_id
            and compared.timing = fees.timing
            and compared.every_cycles = fees.every_cycles
            and compared.fee_index = fees.fee_index
    where
        compared.text_before is null
        or compared.text_before <> compared.state_text
        or compared.is_term_end = 1

),

-- Where a change lies: the period that it ends or cuts, the period that it begins, its local date.
inner_boundaries as (

    select
        boundaries.subscription_id,
        boundaries.changes_at,
        boundaries.recorded_at,
        min(cut_cycles.period_number) as cut_period_number,
        min(begun_cycles.period_number) as begun_period_number,
        min(
            case
                when begun_cycles.period_from = boundaries.changes_at
                    then begun_cycles.period_from_date
                else {{ local_date('boundaries.changes_at', 'zone_segments.offset_seconds') }}
            end
        ) as changes_date,
        min(cut_cycles.period_from_date) as cut_from_date
    from boundaries
    inner join billed_cycles as cut_cycles
        on
            boundaries.subscription_id = cut_cycles.subscription_id
            and boundaries.changes_at > cut_cycles.period_from
            and boundaries.changes_at <= cut_cycles.period_to
    left join billed_cycles as begun_cycles
        on
            boundaries.subscription_id = begun_cycles.subscription_id
            and boundaries.changes_at >= begun_cycles.period_from
            and boundaries.changes_at < begun_cycles.period_to
    left join zone_segments
        on
            begun_cycles.time_zone = zone_segments.time_zone
            and boundaries.changes_at >= zone_segments.utc_from
            and boundaries.changes_at < zone_segments.utc_to
    where boundaries.is_start = 0
    group by
        boundaries.subscription_id,
        boundaries.changes_at,
        boundaries.recorded_at

),

-- The first invoice that was still open when a change was recorded; of an ended subscription whose
-- invoices all were closed, the last.
open_invoices as (

    select
        inner_boundaries.subscription_id,
        inner_boundaries.changes_at,
        inner_boundaries.recorded_at,
        coalesce(
            min(
                case
                    when billed_cycles.cutoff_at > inner_boundaries.recorded_at
                        then billed_cycles.period_number
                end
            ),
            max(billed_cycles.period_number)
        ) as open_period_number
    from inner_boundaries
    inner join billed_cycles
        on inner_boundaries.subscription_id = billed_cycles.subscription_id
    where inner_boundaries.recorded_at is not null
    group by
        inner_boundaries.subscription_id,
        inner_boundaries.changes_at,
        inner_boundaries.recorded_at

),

postable as (

    select
        boundaries.*,
        inner_boundaries.cut_period_number,
        coalesce(
            inner_boundaries.begun_period_number,
            inner_boundaries.cut_period_number,
            boundaries.first_period_number
        ) as period_number,
        case
            when boundaries.is_start = 1 then boundaries.fee_from_date
            when boundaries.changes_at = boundaries.fee_to then boundaries.fee_to_date
            else greatest(
                inner_boundaries.changes_date,
                inner_boundaries.cut_from_date,
                boundaries.fee_from_date
            )
        end as changes_date,
        case
            when boundaries.timing = 'arrears' or boundaries.is_start = 1
                then boundaries.invoice_number_in_subscription
            when boundaries.is_trial_end = 1 and boundaries.recorded_at is null
                then greatest(
                    boundaries.invoice_number_in_subscription,
                    inner_boundaries.cut_period_number
                )
            when boundaries.recorded_at < boundaries.cutoff_at and boundaries.is_trial_end = 0
                then boundaries.invoice_number_in_subscription
            else greatest(
                boundaries.invoice_number_in_subscription,
                inner_boundaries.cut_period_number,
                case
                    when boundaries.recorded_at >= boundaries.cutoff_at
                        then open_invoices.open_period_number
                end
            )
        end as known_invoice_number
    from boundaries
    left join inner_boundaries
        on
            boundaries.subscription_id = inner_boundaries.subscription_id
            and boundaries.changes_at = inner_boundaries.changes_at
            and coalesce(boundaries.recorded_at, cast('0001-01-01' as {{ type_timestamp() }}))
            = coalesce(inner_boundaries.recorded_at, cast('0001-01-01' as {{ type_timestamp() }}))
            and boundaries.is_start = 0
    left join open_invoices
        on
            boundaries.subscription_id = open_invoices.subscription_id
            and boundaries.changes_at = open_invoices.changes_at
            and boundaries.recorded_at = open_invoices.recorded_at

),

posted as (

    select
        postable.*,
        max(postable.known_invoice_number) over (
            partition by
                postable.subscription_id, postable.term_id, postable.charge_id, postable.timing,
                postable.every_cycles, postable.fee_index
            order by postable.changes_at
            rows between unbounded preceding and current row
        ) as posted_invoice_number
    from postable

),

followed as (

    select
        posted.*,
        lead(posted.changes_at) over (
            partition by
                posted.subscription_id, posted.term_id, posted.charge_id, posted.timing,
                posted.every_cycles, posted.fee_index
            order by posted.changes_at
        ) as next_from,
        lead(posted.changes_date) over (
            partition by
                posted.subscription_id, posted.term_id, posted.charge_id, posted.timing,
                posted.every_cycles, posted.fee_index
            order by posted.changes_at
        ) as next_from_date,
        lead(posted.posted_invoice_number) over (
            partition by
                posted.subscription_id, posted.term_id, posted.charge_id, posted.timing,
                posted.every_cycles, posted.fee_index
            order by posted.changes_at
        ) as next_invoice_number,
        lead(posted.cut_period_number) over (
            partition by
                posted.subscription_id, posted.term_id, posted.charge_id, posted.timing,
                posted.every_cycles, posted.fee_index
            order by posted.changes_at
        ) as next_cut_period_number
    from posted

),

-- Boundaries that were known before an earlier one was: an end that a fee was billed to, and then
-- a change before it. There are few: a change that nothing overtook is met as the next one.
overtaken as (

    select
        subscription_id,
        term_id,
        charge_id,
        timing,
        every_cycles,
        fee_index,
        changes_at,
        changes_date,
        known_invoice_number
    from posted
    where known_invoice_number < posted_invoice_number

),

known_ends as (

    select
        followed.subscription_id,
        followed.term_id,
        followed.charge_id,
        followed.timing,
        followed.every_cycles,
        followed.fee_index,
        followed.changes_at,
        min(overtaken.changes_at) as known_to,
        min(overtaken.changes_date) as known_to_date
    from followed
    inner join overtaken
        on
            followed.subscription_id = overtaken.subscription_id
            and followed.term_id = overtaken.term_id
            and followed.charge_id = overtaken.charge_id
            and followed.timing = overtaken.timing
            and followed.every_cycles = overtaken.every_cycles
            and followed.fee_index = overtaken.fee_index
            and followed.changes_at < overtaken.changes_at
            and followed.posted_invoice_number >= overtaken.known_invoice_number
    where followed.next_invoice_number > followed.posted_invoice_number
    group by
        followed.subscription_id,
        followed.term_id,
        followed.charge_id,
        followed.timing,
        followed.every_cycles,
        followed.fee_index,
        followed.changes_at

)

select
    followed.subscription_id,
    followed.term_id,
    followed.charge_id,
    followed.timing,
    followed.every_cycles,
    followed.fee_index,
    followed.plan_id,
    followed.proration,
    followed.price_row_id,
    followed.unit_price,
    cast(followed.quantity as {{ type_quantity() }}) as quantity,
    followed.is_billed,
    followed.period_number,
    followed.changes_at as stretch_from,
    followed.changes_date as stretch_from_date,
    followed.posted_invoice_number,
    followed.next_from,
    followed.next_from_date,
    followed.next_invoice_number,
    followed.next_cut_period_number,
    case
        when followed.next_invoice_number <= followed.posted_invoice_number
            then followed.next_from
        else known_ends.known_to
    end as known_to,
    case
        when followed.next_invoice_number <= followed.posted_invoice_number
            then followed.next_from_date
        else known_ends.known_to_date
    end as known_to_date
from followed
left join known_ends
    on
        followed.subscription_id = known_ends.subscription_id
        and followed.term_id = known_ends.term_id
        and followed.charge_id = known_ends.charge_id
        and followed.timing = known_ends.timing
        and followed.every_cycles = known_ends.every_cycles
        and followed.fee_index = known_ends.fee_index
        and followed.changes_at = known_ends.changes_at
