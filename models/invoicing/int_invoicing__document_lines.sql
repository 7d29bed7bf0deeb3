-- Of what is not in the ledger: a posted document is read from there, never made again.
with

build_window as (

    select * from {{ ref('build_window') }}

),

rated_lines as (

    select * from {{ ref('rated_lines') }}

),

adjustments as (

    select * from {{ ref('int_invoicing__adjustments') }}

),

invoice_periods as (

    select * from {{ ref('int_invoicing__invoice_periods') }}

),

posted as (

    select
        subscription_id,
        period_number
    from {{ source('ledger', 'documents') }}

),

posted_lines as (

    select * from {{ source('ledger', 'lines') }}
    where adjusts_rated_line_id is null

),

own_lines as (

    select
        invoice_periods.invoice_id,
        rated_lines.*,
        {{ unit_description('rated_lines') }} as unit_description,
        row_number() over (
            partition by invoice_periods.invoice_id
            order by {{ line_order('rated_lines') }}
        ) as line_number
    from rated_lines
    inner join build_window
        on rated_lines.cutoff_at > build_window.sealed_until
    inner join invoice_periods
        on
            rated_lines.subscription_id = invoice_periods.subscription_id
            and rated_lines.invoice_number_in_subscription
            = invoice_periods.invoice_number_in_subscription
    left join posted
        on
            rated_lines.subscription_id = posted.subscription_id
            and rated_lines.invoice_number_in_subscription = posted.period_number
    where posted.subscription_id is null

),

own_counts as (

    select
        invoice_id,
        max(line_number) as line_count
    from own_lines
    group by invoice_id

),

-- On the subscription's next invoice; where that is far, on a document of their own.
addressed as (

    select
        adjustments.*,
        coalesce(
            invoice_periods.invoice_id,
            adjustments.subscription_id
            || '@' || cast(cast(adjustments.cutoff_at as date) as {{ type_text() }})
            || '.adjustments'
        ) as invoice_id,
        adjusted_periods.invoice_id as adjusts_invoice_id
    from adjustments
    inner join invoice_periods as adjusted_periods
        on
            adjustments.subscription_id = adjusted_periods.subscription_id
            and adjustments.own_period_number = adjusted_periods.invoice_number_in_subscription
    left join invoice_periods
        on
            adjustments.subscription_id = invoice_periods.subscription_id
            and adjustments.period_number = invoice_periods.invoice_number_in_subscription

),

numbered_adjustments as (

    select
        addressed.*,
        coalesce(posted_lines.line_id, own_lines.invoice_id || '#' || cast(
            own_lines.line_number as {{ type_text() }}
        )) as adjusts_line_id,
        coalesce(own_counts.line_count, 0) + row_number() over (
            partition by addressed.invoice_id
            order by
                addressed.own_period_number,
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
        cutoff_at
    from numbered_adjustments

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
    cast(header_number as {{ type_count() }}) as header_number
from lines
