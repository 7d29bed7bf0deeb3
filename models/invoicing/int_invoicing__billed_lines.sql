-- Lines of what is not in the ledger, but for refunds: a posted document is read from there, never
-- made again.
with

own_lines as (

    select
        own_lines.*,
        own_lines.invoice_id
        || '#' || cast(own_lines.line_number as {{ type_text() }}) as line_id
    from {{ ref('int_invoicing__own_lines') }} as own_lines

),

adjustments as (

    select * from {{ ref('int_invoicing__adjustments') }}

),

invoice_actions as (

    select * from {{ ref('int_invoicing__invoice_actions') }}

),

credits as (

    select * from {{ ref('int_invoicing__credits') }}
    where is_granted

),

invoice_periods as (

    select * from {{ ref('int_invoicing__invoice_periods') }}

),

build_window as (

    select * from {{ ref('build_window') }}

),

posted_lines as (

    select * from {{ source('ledger', 'lines') }}
    where adjusts_invoice_id is null

),

own_counts as (

    select
        invoice_id,
        max(line_number) as line_count
    from own_lines
    group by invoice_id

),

-- On the action's own document, or on the subscription's next invoice; where that is far, on a
-- document of their own.
addressed as (

    select
        adjustments.*,
        coalesce(
            invoice_actions.document_id,
            invoice_periods.invoice_id,
            adjustments.subscription_id
            || '@' || cast(cast(adjustments.cutoff_at as date) as {{ type_text() }})
            || '.adjustments'
        ) as invoice_id,
        coalesce(invoice_actions.invoice_id, adjusted_periods.invoice_id)
            as adjusts_invoice_id
    from adjustments
    inner join invoice_periods as adjusted_periods
        on
            adjustments.subscription_id = adjusted_periods.subscription_id
            and adjustments.own_period_number = adjusted_periods.invoice_number_in_subscription
    left join invoice_periods
        on
            adjustments.subscription_id = invoice_periods.subscription_id
            and adjustments.period_number = invoice_periods.invoice_number_in_subscription
    left join invoice_actions
        on adjustments.action_id = invoice_actions.action_id

),

numbered_adjustments as (

    select
        addressed.*,
        coalesce(posted_lines.line_id, own_lines.line_id) as adjusts_line_id,
        -- Corrections follow the invoice's own lines, those of an action the lines it is about.
        coalesce(own_counts.line_count, 0) + row_number() over (
            partition by addressed.invoice_id
            order by
                addressed.own_period_number,
                case
                    when addressed.action_id is not null
                        then coalesce(posted_lines.line_number, own_lines.line_number, 1000000000)
                end,
                {{ binary_order('addressed.own_rated_line_id') }}
        ) as line_number
    from addressed
    left join own_counts
        on addressed.invoice_id = own_counts.invoice_id
    left join own_lines
        on addressed.own_rated_line_id = own_lines.rated_line_id
    left join posted_lines
        on addressed.own_rated_line_id = posted_lines.rated_line_id

),

-- A credit takes its amount off; a dispute and its end move nothing.
marks as (

    select
        invoice_actions.*,
        case invoice_actions.action
            when 'credit' then 'credited'
            when 'dispute' then 'disputed'
            else 'resolved'
        end as line_kind,
        case
            when invoice_actions.action = 'credit' then -invoice_actions.amount
            else 0
        end as marked_total
    from invoice_actions
    inner join build_window
        on invoice_actions.cutoff_at > build_window.sealed_until
    left join credits
        on invoice_actions.action_id = credits.action_id
    where
        invoice_actions.refused_because is null
        and (
            invoice_actions.action in ('dispute', 'resolve')
            or credits.action_id is not null
        )

),

marked_lines as (

    select
        line_id,
        rated_line_id,
        unit_description,
        {{ line_descriptions() | join(", ") }}
    from own_lines

    union all

    select
        line_id,
        rated_line_id,
        unit_description,
        {{ line_descriptions() | join(", ") }}
    from posted_lines

),

lines as (

    select
        invoice_id,
        line_number,
        {{ described_and_measured() }},
        unit_description,
        subscription_id,
        invoice_number_in_subscription as period_number,
        invoice_number_in_subscription as header_number,
        rated_line_id,
        cast(null as {{ type_text() }}) as adjusts_invoice_id,
        cast(null as {{ type_text() }}) as adjusts_line_id,
        cast(null as {{ type_text() }}) as adjusts_rated_line_id,
        cast(null as {{ type_text() }}) as action_id,
        cutoff_at
    from own_lines

    union all

    select
        invoice_id,
        line_number,
        {{ described_and_measured() }},
        unit_description,
        subscription_id,
        period_number,
        coalesce(period_number, own_period_number) as header_number,
        rated_line_id,
        adjusts_invoice_id,
        adjusts_line_id,
        own_rated_line_id as adjusts_rated_line_id,
        action_id,
        cutoff_at
    from numbered_adjustments

    union all

    select
        marks.document_id as invoice_id,
        1 as line_number,
        {{ marking_line('marked_lines', 'marks.line_kind', 'marks.marked_total') }},
        marked_lines.unit_description,
        marks.subscription_id,
        cast(null as {{ type_count() }}) as period_number,
        marks.own_period_number as header_number,
        cast(null as {{ type_text() }}) as rated_line_id,
        marks.invoice_id as adjusts_invoice_id,
        marks.line_id as adjusts_line_id,
        marks.own_rated_line_id as adjusts_rated_line_id,
        marks.action_id,
        marks.cutoff_at
    from marks
    inner join marked_lines
        on marks.line_id = marked_lines.line_id

)

select
    invoice_id || '#' || cast(line_number as {{ type_text() }}) as line_id,
    invoice_id,
    cast(line_number as integer) as line_number,
    line_kind,
    charge_id,
    name,
    unit_description,
    subscription_id,
    customer_id,
    cast(period_number as {{ type_count() }}) as period_number,
    part_number,
    period_from,
    period_to,
    dimension_values,
    pricing_model,
    proration,
    billed_days,
    full_days,
    share_numerator,
    share_denominator,
    event_count,
    quantity,
    covered_quantity,
    rated_quantity,
    amount,
    rounded_total,
    over_maximum_total,
    discount_total,
    line_total,
    currency,
    tax_code,
    rated_line_id,
    rules_version,
    cutoff_at,
    adjusts_invoice_id,
    adjusts_line_id,
    adjusts_rated_line_id,
    unit,
    unit_rate,
    unit_total,
    cast(header_number as {{ type_count() }}) as header_number,
    action_id
from lines
