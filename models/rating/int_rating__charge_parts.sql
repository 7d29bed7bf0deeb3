-- A charge of a period, in one part, or in several where a change of plan changed its own price,
-- tiers, limits or allowance.
with

charge_spans as (

    select * from {{ ref('int_rating__charge_spans') }}

),

span_prices as (

    select * from {{ ref('int_rating__span_prices') }}

),

allowance_charges as (

    select * from {{ ref('int_rating__allowance_charges') }}

),

pauses as (

    select * from {{ ref('int_subscriptions__pauses') }}

),

currencies as (

    select * from {{ ref('currencies') }}

),

meters as (

    select * from {{ ref('stg_catalog__meters') }}

),

counted as (

    select
        charge_spans.*,
        count(*) over (
            partition by
                charge_spans.subscription_id, charge_spans.period_number, charge_spans.charge_id
        ) as span_count
    from charge_spans

),

-- Whether plans agree on a charge matters only where a period has several of them.
several as (

    select * from counted
    where span_count > 1

),

price_terms as (

    select
        several.subscription_id,
        several.period_number,
        several.charge_id,
        several.phase_number,
        {{ joined_text(
            "span_prices.dimension_values || ' ' || cast(span_prices.price_position as "
            ~ type_text() ~ ") || ' ' || span_prices.bands_text",
            '; ',
            binary_order('span_prices.dimension_values')
        ) }} as price_text
    from several
    inner join span_prices
        on
            several.subscription_id = span_prices.subscription_id
            and several.period_number = span_prices.period_number
            and several.charge_id = span_prices.charge_id
            and several.phase_number = span_prices.phase_number
    group by
        several.subscription_id,
        several.period_number,
        several.charge_id,
        several.phase_number

),

own_terms as (

    select
        several.*,
        allowance_charges.allowance_id,
        coalesce(
            allowance_charges.allowance_id || ' ' || allowance_charges.charge_ids
            || ' ' || cast(allowance_charges.quantity as {{ type_text() }})
            || ' ' || allowance_charges.proration
            || ' ' || cast(allowance_charges.rollover_periods as {{ type_text() }})
            || ' ' || coalesce(
                cast(allowance_charges.rollover_cap as {{ type_text() }}), ''
            )
            || ' ' || cast(allowance_charges.is_pooled as {{ type_text() }}), ''
        ) as allowance_text,
        several.meter_profile
        || ' ' || several.pricing_model
        || ' ' || cast(several.allowance as {{ type_text() }})
        || ' ' || cast(several.flat_fee_at_zero as {{ type_text() }})
        || ' ' || several.proration
        || ' ' || several.split
        || ' ' || coalesce(cast(several.minimum as {{ type_text() }}), '')
        || ' ' || coalesce(cast(several.maximum as {{ type_text() }}), '')
        || ' ' || coalesce(price_terms.price_text, '') as terms_text
    from several
    left join price_terms
        on
            several.subscription_id = price_terms.subscription_id
            and several.period_number = price_terms.period_number
            and several.charge_id = price_terms.charge_id
            and several.phase_number = price_terms.phase_number
    left join allowance_charges
        on
            several.plan_id = allowance_charges.plan_id
            and several.charge_id = allowance_charges.charge_id

),

-- Charges that share an allowance are split together: its quantity is the part's.
shared_terms as (

    select
        subscription_id,
        period_number,
        phase_number,
        allowance_id,
        {{ joined_text("charge_id || ' ' || terms_text", '; ', binary_order('charge_id')) }}
            as shared_text
    from own_terms
    where allowance_id is not null
    group by
        subscription_id,
        period_number,
        phase_number,
        allowance_id

),

worded as (

    select
        own_terms.*,
        own_terms.allowance_text || own_terms.terms_text
        || coalesce(shared_terms.shared_text, '') as all_terms
    from own_terms
    left join shared_terms
        on
            own_terms.subscription_id = shared_terms.subscription_id
            and own_terms.period_number = shared_terms.period_number
            and own_terms.phase_number = shared_terms.phase_number
            and own_terms.allowance_id = shared_terms.allowance_id

),

compared as (

    select
        worded.*,
        lag(worded.all_terms) over (
            partition by worded.subscription_id, worded.period_number, worded.charge_id
            order by worded.phase_number
        ) as terms_before,
        lag(worded.span_to) over (
            partition by worded.subscription_id, worded.period_number, worded.charge_id
            order by worded.phase_number
        ) as ended_before
    from worded

),

numbered as (

    select
        subscription_id,
        period_number,
        charge_id,
        phase_number,
        span_to,
        span_to_date,
        sum(
            case
                when all_terms = terms_before and span_from = ended_before then 0
                else 1
            end
        ) over (
            partition by subscription_id, period_number, charge_id
            order by phase_number
            rows between unbounded preceding and current row
        ) as part_number
    from compared

),

merged as (

    select
        subscription_id,
        period_number,
        charge_id,
        cast(part_number as integer) as part_number,
        min(phase_number) as phase_number,
        max(span_to) as part_to,
        max(span_to_date) as part_to_date
    from numbered
    group by
        subscription_id,
        period_number,
        charge_id,
        part_number

),

parts as (

    select
        counted.*,
        coalesce(merged.part_number, 1) as part_number,
        counted.span_from as part_from,
        coalesce(merged.part_to, counted.span_to) as part_to,
        counted.span_from_date as part_from_date,
        coalesce(merged.part_to_date, counted.span_to_date) as part_to_date,
        currencies.exponent,
        meters.aggregation
    from counted
    inner join currencies
        on counted.currency = currencies.currency
    inner join meters
        on counted.meter_profile = meters.meter_profile
    left join merged
        on
            counted.subscription_id = merged.subscription_id
            and counted.period_number = merged.period_number
            and counted.charge_id = merged.charge_id
            and counted.phase_number = merged.phase_number
    where counted.span_count = 1 or merged.phase_number is not null

),

measured as (

    select
        parts.*,
        -- An end is none: a period that ends early is whole, also where that was known too late.
        parts.part_from > parts.period_from or parts.part_to < parts.runs_to as is_split,
        case
            when parts.proration = 'seconds'
                then {{ microseconds('parts.part_to') }} - {{ microseconds('parts.part_from') }}
            else parts.part_to_date - parts.part_from_date
        end as part_units,
        case
            when parts.proration = 'seconds'
                then
                    {{ microseconds('parts.cycle_to') }}
                    - {{ microseconds('parts.cycle_from') }}
            else parts.cycle_to_date - parts.cycle_from_date
        end as cycle_units
    from parts

),

shared as (

    select
        measured.*,
        case
            when
                (measured.is_split or measured.proration <> 'none')
                and measured.part_units < measured.cycle_units
                then cast(measured.part_units as {{ type_count() }})
            else 1
        end as part_numerator,
        case
            when
                (measured.is_split or measured.proration <> 'none')
                and measured.part_units < measured.cycle_units
                then cast(measured.cycle_units as {{ type_count() }})
            else 1
        end as part_denominator,
        measured.pricing_model <> 'dynamic'
        and measured.aggregation not in ('sum', 'count', 'weighted_sum') as is_rated_in_full
    from measured

)

-- A part in which the subscription never runs bills nothing, not even a minimum. The share of the
-- limits is the part's own; of the rating, it is none where a charge is billed in full (split).
select
    subscription_id,
    customer_id,
    period_number,
    charge_id,
    part_number,
    phase_number,
    plan_id,
    charge_position,
    currency,
    exponent,
    meter_profile,
    aggregation,
    pricing_model,
    flat_fee_at_zero,
    case
        when is_rated_in_full then allowance
        else cast(
            {{ multiply_divide_round('allowance', 'part_numerator', 'part_denominator', '10') }}
            as {{ type_quantity() }}
        )
    end as allowance,
    cast(
        {{ multiply_divide_round('minimum', 'part_numerator', 'part_denominator', 'exponent') }}
        as {{ type_total() }}
    ) as minimum,
    cast(
        {{ multiply_divide_round('maximum', 'part_numerator', 'part_denominator', 'exponent') }}
        as {{ type_total() }}
    ) as maximum,
    proration,
    part_from,
    part_to,
    part_from_date,
    part_to_date,
    period_from,
    period_to,
    cycle_from_date,
    part_numerator,
    part_denominator,
    case
        when is_rated_in_full and split = 'full' then 1
        else part_numerator
    end as share_numerator,
    case
        when is_rated_in_full and split = 'full' then 1
        else part_denominator
    end as share_denominator,
    is_rated_in_full,
    is_split,
    closed_at,
    cutoff_at
from shared
where
    not exists (
        select 1
        from pauses
        where
            pauses.subscription_id = shared.subscription_id
            and pauses.pause_from <= shared.part_from
            and (pauses.pause_to is null or pauses.pause_to >= shared.part_to)
    )
