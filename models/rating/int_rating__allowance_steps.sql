-- What each part brings to a shared allowance, and what its charges use: one row per subscription,
-- period, allowance and start of the part.
-- depends_on: {{ ref('build_window') }}
with

charge_parts as (

    select * from {{ ref('int_rating__charge_parts') }}
    where period_from < {{ as_of_at() }}

),

allowance_charges as (

    select * from {{ ref('int_rating__allowance_charges') }}

),

quantities as (

    select
        quantities.*,
        {{ is_in_range('quantities.quantity', 'quantities.usage_amount') }} as is_in_range
    from {{ ref('int_rating__quantities') }} as quantities
    where quantities.cutoff_at > {{ open_from() }}

),

periods as (

    select * from {{ ref('int_rating__rated_periods') }}

),

lives as (

    select * from {{ ref('int_subscriptions__lives') }}

),

members as (

    select
        charge_parts.subscription_id,
        charge_parts.customer_id,
        charge_parts.plan_id,
        charge_parts.period_number,
        charge_parts.charge_id,
        charge_parts.part_number,
        charge_parts.part_from,
        charge_parts.part_to,
        charge_parts.part_from_date,
        charge_parts.part_to_date,
        charge_parts.is_split,
        charge_parts.cutoff_at,
        allowance_charges.allowance_id,
        allowance_charges.quantity,
        allowance_charges.proration,
        allowance_charges.rollover_periods,
        allowance_charges.rollover_cap,
        allowance_charges.is_pooled
    from charge_parts
    inner join allowance_charges
        on
            charge_parts.plan_id = allowance_charges.plan_id
            and charge_parts.charge_id = allowance_charges.charge_id

),

used as (

    select
        members.subscription_id,
        members.period_number,
        members.allowance_id,
        members.part_from,
        sum({{ billable_quantity('quantities.quantity', 'quantities.is_in_range') }})
            as billable_quantity
    from members
    inner join quantities
        on
            members.subscription_id = quantities.subscription_id
            and members.period_number = quantities.period_number
            and members.charge_id = quantities.charge_id
            and members.part_number = quantities.part_number
    group by
        members.subscription_id,
        members.period_number,
        members.allowance_id,
        members.part_from

),

-- The charges of an allowance are split together.
steps as (

    select
        subscription_id,
        customer_id,
        plan_id,
        period_number,
        allowance_id,
        part_from,
        part_to,
        part_from_date,
        part_to_date,
        is_split,
        cutoff_at,
        quantity,
        proration,
        rollover_periods,
        rollover_cap,
        is_pooled
    from members
    group by
        subscription_id,
        customer_id,
        plan_id,
        period_number,
        allowance_id,
        part_from,
        part_to,
        part_from_date,
        part_to_date,
        is_split,
        cutoff_at,
        quantity,
        proration,
        rollover_periods,
        rollover_cap,
        is_pooled

),

measured as (

    select
        steps.*,
        periods.cycle_from_date,
        periods.own_period_number,
        periods.chain_number,
        lives.starts_at,
        case
            when not steps.is_split and steps.proration = 'none' then 1
            when steps.proration = 'seconds'
                then {{ microseconds('steps.part_to') }} - {{ microseconds('steps.part_from') }}
            else steps.part_to_date - steps.part_from_date
        end as share_numerator,
        case
            when not steps.is_split and steps.proration = 'none' then 1
            when steps.proration = 'seconds'
                then
                    {{ microseconds('periods.cycle_to') }}
                    - {{ microseconds('periods.cycle_from') }}
            else periods.cycle_to_date - periods.cycle_from_date
        end as share_denominator
    from steps
    inner join periods
        on
            steps.subscription_id = periods.subscription_id
            and steps.period_number = periods.period_number
    inner join lives
        on steps.subscription_id = lives.subscription_id

)

select
    measured.subscription_id,
    measured.customer_id,
    measured.plan_id,
    measured.period_number,
    measured.own_period_number,
    measured.chain_number,
    measured.allowance_id,
    measured.part_from,
    measured.part_to,
    measured.cycle_from_date,
    measured.starts_at,
    measured.is_pooled,
    measured.rollover_periods,
    measured.rollover_cap,
    cast(
        {{ multiply_divide_round(
            'measured.quantity', 'measured.share_numerator', 'measured.share_denominator', '10'
        ) }} as {{ type_quantity() }}
    ) as own_quantity,
    cast(coalesce(used.billable_quantity, 0) as {{ type_integral() }}) as billable_quantity,
    measured.cutoff_at
from measured
left join used
    on
        measured.subscription_id = used.subscription_id
        and measured.period_number = used.period_number
        and measured.allowance_id = used.allowance_id
        and measured.part_from = used.part_from
