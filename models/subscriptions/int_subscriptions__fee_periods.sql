with

build_window as (

    select * from {{ ref('build_window') }}

),

billed_cycles as (

    select * from {{ ref('int_subscriptions__billed_cycles') }}

),

terms as (

    select * from {{ ref('int_subscriptions__terms') }}

),

charges as (

    select * from {{ ref('stg_catalog__charges') }}

),

fees as (

    select
        charges.plan_id,
        charges.charge_id,
        charges.charge_type,
        charges.timing,
        case
            when charges.charge_type = 'recurring' then charges.every_cycles
            else 1
        end as every_cycles
    from charges
    inner join build_window
        on charges.recorded_at < build_window.as_of_at
    where charges.charge_type in ('recurring', 'one_time')

),

-- A fee's cycles are counted as the invoice cycles are, from the anchor.
grouped as (

    select
        billed_cycles.subscription_id,
        fees.charge_id,
        fees.charge_type,
        fees.timing,
        fees.every_cycles,
        {{ floor_divide('billed_cycles.cycle_index', 'fees.every_cycles') }} as fee_index,
        min(billed_cycles.period_number) as first_period_number,
        max(billed_cycles.period_number) as last_period_number,
        min(billed_cycles.period_from) as fee_from,
        max(billed_cycles.period_to) as fee_to,
        min(billed_cycles.period_from_date) as fee_from_date,
        max(billed_cycles.period_to_date) as fee_to_date
    from billed_cycles
    inner join fees
        on billed_cycles.plan_id = fees.plan_id
    where fees.charge_type = 'recurring' or billed_cycles.period_number = 1
    group by
        billed_cycles.subscription_id,
        fees.charge_id,
        fees.charge_type,
        fees.timing,
        fees.every_cycles,
        {{ floor_divide('billed_cycles.cycle_index', 'fees.every_cycles') }}

),

-- In advance a fee stands on the invoice that begins it, in arrears on the one that ends it.
placed as (

    select
        grouped.*,
        case grouped.timing
            when 'advance' then grouped.first_period_number - 1
            else grouped.last_period_number
        end as invoice_number_in_subscription,
        case grouped.timing
            when 'advance' then grouped.first_period_number
            else grouped.last_period_number
        end as period_number
    from grouped

),

measured as (

    select
        placed.*,
        terms.starts_at,
        terms.known_at,
        {{ add_cycles(
            'terms.anchor_date',
            'terms.cycle_unit',
            'terms.cycle_length',
            '(placed.fee_index + 1) * placed.every_cycles'
        ) }}
        - {{ add_cycles(
            'terms.anchor_date',
            'terms.cycle_unit',
            'terms.cycle_length',
            'placed.fee_index * placed.every_cycles'
        ) }} as full_days
    from placed
    inner join terms
        on placed.subscription_id = terms.subscription_id

)

select
    measured.subscription_id,
    measured.charge_id,
    measured.invoice_number_in_subscription,
    measured.period_number,
    measured.fee_from,
    measured.fee_to,
    measured.fee_from_date,
    measured.fee_to_date,
    -- A one-time fee is not a price for a stretch of time: it is due in full.
    cast(
        case
            when measured.charge_type = 'one_time' then measured.full_days
            else measured.fee_to_date - measured.fee_from_date
        end as {{ type_count() }}
    ) as billed_days,
    cast(measured.full_days as {{ type_count() }}) as full_days,
    coalesce(
        billed_cycles.cutoff_at,
        {{ cutoff('measured.starts_at', 'measured.known_at') }}
    ) as cutoff_at
from measured
left join billed_cycles
    on
        measured.subscription_id = billed_cycles.subscription_id
        and measured.invoice_number_in_subscription = billed_cycles.period_number
inner join build_window
    on
        coalesce(billed_cycles.period_from, measured.starts_at)
        < build_window.as_of_at + interval '2 days'
