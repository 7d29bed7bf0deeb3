with

build_window as (

    select * from {{ ref('build_window') }}

),

commitments as (

    select * from {{ ref('stg_catalog__commitments') }}

),

plan_phases as (

    select * from {{ ref('int_subscriptions__plan_phases') }}

),

terms as (

    select * from {{ ref('int_subscriptions__terms') }}

),

first_cycles as (

    select * from {{ ref('int_subscriptions__billed_cycles') }}

),

reopened_periods as (

    select * from {{ ref('int_rating__reopened_periods') }}

),

-- Those that go on from the others as known at their cutoff count with these.
chained_periods as (

    select
        subscription_id,
        period_number,
        chain_number,
        cutoff_at
    from {{ ref('int_rating__rated_periods') }}
    where
        chain_number > 0
        and {{ is_first_rating('period_number') }}

),

states as (

    select
        subscription_id,
        cutoff_at
    from reopened_periods

    union

    select
        chained_periods.subscription_id,
        chained_periods.cutoff_at
    from chained_periods
    inner join build_window
        on chained_periods.cutoff_at > build_window.open_from

),

-- A subscription that is rated again is so with all its cycles, those that have closed by then.
billed_cycles as (

    select
        first_cycles.subscription_id,
        first_cycles.term_id,
        first_cycles.customer_id,
        first_cycles.plan_id,
        first_cycles.currency,
        first_cycles.period_number,
        first_cycles.cycle_index,
        first_cycles.period_from,
        first_cycles.period_to,
        first_cycles.period_from_date,
        first_cycles.period_to_date,
        first_cycles.cycle_to_date,
        first_cycles.is_last,
        first_cycles.cutoff_at,
        case when chained_periods.subscription_id is null then 1 else 0 end as is_closed
    from first_cycles
    left join chained_periods
        on
            first_cycles.subscription_id = chained_periods.subscription_id
            and first_cycles.period_number = chained_periods.period_number

    union all

    select
        first_cycles.subscription_id,
        first_cycles.term_id,
        first_cycles.customer_id,
        first_cycles.plan_id,
        first_cycles.currency,
        {{ reopened_number('first_cycles.period_number', 'states.cutoff_at') }}
            as period_number,
        first_cycles.cycle_index,
        first_cycles.period_from,
        first_cycles.period_to,
        first_cycles.period_from_date,
        first_cycles.period_to_date,
        first_cycles.cycle_to_date,
        first_cycles.is_last,
        states.cutoff_at,
        case when first_cycles.cutoff_at <= states.cutoff_at then 1 else 0 end as is_closed
    from first_cycles
    inner join states
        on first_cycles.subscription_id = states.subscription_id

),

currencies as (

    select * from {{ ref('currencies') }}

),

charge_lines as (

    select * from {{ ref('int_rating__charge_lines') }}

),

invoice_discounts as (

    select * from {{ ref('int_rating__invoice_discounts') }}

),

credit_lines as (

    select * from {{ ref('int_rating__credit_lines') }}

),

committed_subscriptions as (

    select
        commitments.subscription_id,
        commitments.commitment_id
    from commitments
    where commitments.subscription_id is not null

    union all

    select
        plan_phases.subscription_id,
        commitments.commitment_id
    from plan_phases
    inner join commitments
        on plan_phases.plan_id = commitments.plan_id
    group by
        plan_phases.subscription_id,
        commitments.commitment_id

),

-- So many cycles of a term, counted from the anchor as fees of several cycles are.
window_cycles as (

    select
        billed_cycles.subscription_id,
        billed_cycles.term_id,
        commitments.commitment_id,
        {{ floor_divide('billed_cycles.cycle_index', 'commitments.window_cycles') }}
            as window_index,
        billed_cycles.period_number,
        billed_cycles.period_from_date,
        billed_cycles.period_to_date,
        case
            when
                billed_cycles.is_closed = 1
                and billed_cycles.cutoff_at > build_window.open_from
                and billed_cycles.period_from < build_window.as_of_at
                then 1
            else 0
        end as is_billed
    from committed_subscriptions
    inner join commitments
        on committed_subscriptions.commitment_id = commitments.commitment_id
    inner join billed_cycles
        on
            committed_subscriptions.subscription_id = billed_cycles.subscription_id
            and billed_cycles.currency
            = coalesce(commitments.currency, billed_cycles.currency)
    inner join build_window
        on commitments.recorded_at < build_window.as_of_at
    where {{ has_rows(ref('stg_catalog__commitments')) | lower }}

),

windows as (

    select
        subscription_id,
        term_id,
        commitment_id,
        window_index,
        min(period_number) as first_period_number,
        max(period_number) as last_period_number,
        min(period_from_date) as window_from_date,
        max(period_to_date) as window_to_date
    from window_cycles
    group by
        subscription_id,
        term_id,
        commitment_id,
        window_index,
        {{ state_number('period_number') }}
    having max(is_billed) = 1

),

-- What is committed for a full window is due in proportion of its days.
committed as (

    select
        windows.subscription_id,
        windows.window_index,
        windows.term_id,
        windows.first_period_number,
        windows.last_period_number,
        commitments.commitment_id,
        commitments.name,
        commitments.charge_ids,
        commitments.unit_price,
        commitments.overage_factor,
        commitments.tax_code,
        last_cycles.currency,
        currencies.exponent,
        {{ add_cycles(
            'terms.anchor_date',
            'terms.cycle_unit',
            'terms.cycle_length',
            '(windows.window_index + 1) * commitments.window_cycles'
        ) }} as full_to_date,
        windows.window_to_date - windows.window_from_date as window_days,
        {{ add_cycles(
            'terms.anchor_date',
            'terms.cycle_unit',
            'terms.cycle_length',
            '(windows.window_index + 1) * commitments.window_cycles'
        ) }} - {{ add_cycles(
            'terms.anchor_date',
            'terms.cycle_unit',
            'terms.cycle_length',
            'windows.window_index * commitments.window_cycles'
        ) }} as full_days,
        commitments.amount as full_amount,
        commitments.quantity as full_quantity
    from windows
    inner join commitments
        on windows.commitment_id = commitments.commitment_id
    inner join terms
        on windows.term_id = terms.term_id
    -- A plan's commitment binds who is on it when the window's last period begins.
    inner join billed_cycles as last_cycles
        on
            windows.subscription_id = last_cycles.subscription_id
            and windows.last_period_number = last_cycles.period_number
            and coalesce(commitments.plan_id, last_cycles.plan_id) = last_cycles.plan_id
    inner join currencies
        on last_cycles.currency = currencies.currency

),

prorated as (

    select
        committed.*,
        cast(
            {{ multiply_divide_round(
                'committed.full_amount',
                'committed.window_days',
                'committed.full_days',
                'committed.exponent'
            ) }} as {{ type_total() }}
        ) as committed_total,
        cast(
            {{ multiply_divide_round(
                'committed.full_quantity', 'committed.window_days', 'committed.full_days', '10'
            ) }} as {{ type_quantity() }}
        ) as committed_quantity
    from committed

),

discount_sums as (

    select
        rated_line_id,
        sum(discount_total) as discount_total
    from invoice_discounts
    group by rated_line_id

),

-- A line counts with its own period, one that is invoiced later with the invoice's: what has closed
-- before stays as it was. What is priced in a unit of credit does not count.
net_lines as (

    select
        charge_lines.subscription_id,
        charge_lines.charge_id,
        greatest(
            charge_lines.period_number, charge_lines.invoice_number_in_subscription
        ) + coalesce(chained_periods.chain_number, 0) as counted_period_number,
        charge_lines.quantity,
        charge_lines.charged_total - coalesce(discount_sums.discount_total, 0) as line_total
    from charge_lines
    left join discount_sums
        on charge_lines.rated_line_id = discount_sums.rated_line_id
    left join chained_periods
        on
            charge_lines.subscription_id = chained_periods.subscription_id
            and charge_lines.invoice_number_in_subscription = chained_periods.period_number
    where charge_lines.unit is null

    union all

    select
        credit_lines.subscription_id,
        credit_lines.charge_id,
        greatest(
            credit_lines.period_number, credit_lines.invoice_number_in_subscription
        ) + coalesce(chained_periods.chain_number, 0) as counted_period_number,
        cast(null as {{ type_quantity() }}) as quantity,
        credit_lines.line_total
    from credit_lines
    left join chained_periods
        on
            credit_lines.subscription_id = chained_periods.subscription_id
            and credit_lines.invoice_number_in_subscription = chained_periods.period_number

    union all

    -- Credits on invoices of periods that are rated again, those that came in late among them.
    select
        reopened_credits.subscription_id,
        reopened_credits.charge_id,
        greatest(
            reopened_credits.period_number, reopened_credits.invoice_number_in_subscription
        ) as counted_period_number,
        cast(null as {{ type_quantity() }}) as quantity,
        reopened_credits.line_total
    from {{ ref('int_rating__reopened_credits') }} as reopened_credits

    union all

    select
        closed_lines.subscription_id,
        closed_lines.charge_id,
        greatest(
            closed_lines.service_period_number, closed_lines.invoice_number_in_subscription
        ) as counted_period_number,
        closed_lines.quantity,
        closed_lines.line_total
    from (
        {{ closed_lines("line_kind not in ('true_up', 'overage') and unit is null") }}
    ) as closed_lines

),

counted as (

    select
        prorated.subscription_id,
        prorated.commitment_id,
        prorated.term_id,
        prorated.window_index,
        net_lines.counted_period_number,
        sum(net_lines.line_total) as counted_total,
        sum(net_lines.quantity) as counted_quantity
    from prorated
    inner join net_lines
        on
            prorated.subscription_id = net_lines.subscription_id
            and net_lines.counted_period_number
            between prorated.first_period_number and prorated.last_period_number
            and strpos(
                '|' || coalesce(prorated.charge_ids, net_lines.charge_id) || '|',
                '|' || net_lines.charge_id || '|'
            ) > 0
    group by
        prorated.subscription_id,
        prorated.commitment_id,
        prorated.term_id,
        prorated.window_index,
        net_lines.counted_period_number

),

running as (

    select
        prorated.*,
        billed_cycles.customer_id,
        billed_cycles.plan_id,
        billed_cycles.period_number,
        billed_cycles.period_from,
        billed_cycles.period_to,
        billed_cycles.cutoff_at,
        billed_cycles.is_last or billed_cycles.cycle_to_date >= prorated.full_to_date
            as ends_window,
        sum(coalesce(counted.counted_quantity, 0)) over (
            partition by
                prorated.subscription_id, prorated.commitment_id, billed_cycles.term_id,
                prorated.window_index, {{ state_number('billed_cycles.period_number') }}
            order by billed_cycles.period_number
        ) as running_quantity,
        sum(coalesce(counted.counted_total, 0)) over (
            partition by
                prorated.subscription_id, prorated.commitment_id, billed_cycles.term_id,
                prorated.window_index, {{ state_number('billed_cycles.period_number') }}
            order by billed_cycles.period_number
        ) as running_total,
        coalesce(counted.counted_total, 0) as counted_total
    from prorated
    inner join billed_cycles
        on
            prorated.subscription_id = billed_cycles.subscription_id
            and billed_cycles.is_closed = 1
            and billed_cycles.period_number
            between prorated.first_period_number and prorated.last_period_number
    inner join build_window
        on billed_cycles.period_from < build_window.as_of_at
    left join counted
        on
            prorated.subscription_id = counted.subscription_id
            and prorated.commitment_id = counted.commitment_id
            and prorated.term_id = counted.term_id
            and prorated.window_index = counted.window_index
            and billed_cycles.period_number = counted.counted_period_number

),

-- What goes over the commitment in a period: over it so far, less what already was before.
compared as (

    select
        running.*,
        greatest(running.running_total - running.committed_total, 0)
        - greatest(running.running_total - running.counted_total - running.committed_total, 0)
            as over_total
    from running

),

lines as (

    select
        compared.*,
        'true_up' as line_kind,
        case
            when compared.committed_total is not null
                then cast(
                    compared.committed_total - compared.running_total as {{ type_amount() }}
                )
            else {{ exact_product(
                'compared.committed_quantity - compared.running_quantity', 'compared.unit_price'
            ) }}
        end as amount,
        case
            when compared.committed_total is null
                then compared.committed_quantity - compared.running_quantity
        end as units
    from compared
    where
        compared.ends_window
        and (
            compared.committed_total > compared.running_total
            or compared.committed_quantity > compared.running_quantity
        )

    union all

    select
        compared.*,
        'overage' as line_kind,
        {{ exact_product('compared.over_total', 'compared.overage_factor - 1') }} as amount,
        cast(compared.over_total as {{ type_quantity() }}) as units
    from compared
    where compared.overage_factor is not null

),

rounded as (

    select
        lines.*,
        coalesce(chained_periods.period_number, lines.period_number) as line_period_number,
        {{ round_money('lines.amount', 'lines.exponent') }} as line_total
    from lines
    inner join build_window
        on lines.cutoff_at > build_window.open_from
    left join chained_periods
        on
            lines.subscription_id = chained_periods.subscription_id
            and lines.period_number
            = chained_periods.period_number + chained_periods.chain_number

)

select
    subscription_id
    || '/' || cast(line_period_number as {{ type_text() }})
    || '/' || commitment_id
    || '/' || line_kind as rated_line_id,
    subscription_id,
    customer_id,
    plan_id,
    line_period_number as period_number,
    commitment_id,
    line_kind,
    name,
    tax_code,
    period_from,
    period_to,
    window_days,
    full_days,
    committed_total,
    cast(running_total as {{ type_total() }}) as counted_total,
    cast(units as {{ type_quantity() }}) as units,
    unit_price,
    overage_factor,
    cast(line_total as {{ type_total() }}) as line_total,
    currency,
    exponent,
    cutoff_at
from rounded
where line_total <> 0
