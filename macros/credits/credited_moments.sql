{#
    The moments at which something is posted for a line of the run's documents (int_credits__moments):
    what it nets from then on, and before. The credit of a fee takes from what the fee's line nets.
#}
{% macro credited_moments() -%}
    {%- if not has_grants() -%}
    {{ no_rows([
        ("own_rated_line_id", type_text()),
        ("rated_line_id", type_text()),
        ("subscription_id", type_text()),
        ("customer_id", type_text()),
        ("currency", type_text()),
        ("posted_date", "date"),
        ("moment_number", type_count()),
        ("action", type_text()),
        ("invoice_id", type_text()),
        ("is_own_close", "boolean"),
        ("granted_from_date", "date"),
        ("closed_date", "date"),
        ("net_total", type_total()),
        ("net_before", type_total()),
    ]) }}
    {%- else -%}
    with

    granted as (

        {{ granted_accounts() }}

    ),

    rated_lines as (

        select * from {{ ref("rated_lines") }}

    ),

    due_credits as (

        select * from {{ ref("int_rating__due_credits") }}

    ),

    invoice_actions as (

        select * from {{ ref("int_invoicing__invoice_actions") }}

    ),

    billed_lines as (

        select billed_lines.*
        from {{ ref("int_invoicing__billed_lines") }} as billed_lines
        inner join granted
            on
                billed_lines.customer_id = granted.customer_id
                and coalesce(billed_lines.unit, billed_lines.currency) = granted.currency
        where billed_lines.cutoff_at <= {{ as_of_at() }}

    ),

    -- Lines of what the run closes, and all that was posted before of their subscriptions: in money,
    -- or in the unit of credit that they are priced in.
    document_lines as (

        select
            subscription_id,
            customer_id,
            coalesce(unit, currency) as currency,
            invoice_id,
            line_kind,
            case when unit is null then line_total else unit_total end as line_total,
            rated_line_id,
            coalesce(adjusts_rated_line_id, rated_line_id) as own_rated_line_id,
            action_id,
            cutoff_at,
            true as is_new
        from billed_lines

        union all

        select
            posted_lines.subscription_id,
            posted_lines.customer_id,
            coalesce(posted_lines.unit, posted_lines.currency) as currency,
            posted_lines.invoice_id,
            posted_lines.line_kind,
            case
                when posted_lines.unit is null then posted_lines.line_total
                else posted_lines.unit_total
            end as line_total,
            posted_lines.rated_line_id,
            coalesce(posted_lines.adjusts_rated_line_id, posted_lines.rated_line_id)
                as own_rated_line_id,
            cast(null as {{ type_text() }}) as action_id,
            posted_lines.cutoff_at,
            false as is_new
        from {{ source("ledger", "lines") }} as posted_lines
        where
            posted_lines.subscription_id in (select subscription_id from billed_lines)
            and posted_lines.cutoff_at <= {{ sealed_until() }}

    ),

    -- The credit of a fee takes from what the fee line asks.
    fee_lines as (

        select
            subscription_id,
            charge_id,
            invoice_number_in_subscription,
            period_from,
            min(rated_line_id) as rated_line_id
        from rated_lines
        where
            line_kind = 'recurring'
            and {{ is_first_rating("invoice_number_in_subscription") }}
        group by
            subscription_id,
            charge_id,
            invoice_number_in_subscription,
            period_from

    ),

    credited_fees as (

        select
            due_credits.rated_line_id,
            fee_lines.rated_line_id as fee_line_id
        from due_credits
        inner join fee_lines
            on
                due_credits.subscription_id = fee_lines.subscription_id
                and due_credits.charge_id = fee_lines.charge_id
                and due_credits.billed_invoice_number = fee_lines.invoice_number_in_subscription
                and due_credits.billed_fee_from = fee_lines.period_from

    ),

    postings as (

        select
            document_lines.subscription_id,
            document_lines.customer_id,
            document_lines.currency,
            document_lines.invoice_id,
            document_lines.line_total,
            document_lines.rated_line_id,
            coalesce(credited_fees.fee_line_id, document_lines.own_rated_line_id)
                as own_rated_line_id,
            document_lines.is_new,
            invoice_actions.action,
            cast(document_lines.cutoff_at as date) - cast(1 as integer) as posted_date,
            1 + coalesce(invoice_actions.action_order, 0) as moment_number
        from document_lines
        left join credited_fees
            on document_lines.own_rated_line_id = credited_fees.rated_line_id
        left join invoice_actions
            on document_lines.action_id = invoice_actions.action_id
        where
            document_lines.line_kind not in ('disputed', 'resolved', 'refunded')
            and (document_lines.line_kind <> 'credit' or credited_fees.fee_line_id is not null)

    ),

    moments as (

        select
            subscription_id,
            customer_id,
            currency,
            own_rated_line_id,
            posted_date,
            moment_number,
            max(invoice_id) as invoice_id,
            max(rated_line_id) as rated_line_id,
            max(action) as action,
            max(case when rated_line_id = own_rated_line_id and action is null then 1 else 0 end)
                as own_close_count,
            sum(line_total) as moved_total
        from postings
        where is_new
        group by
            subscription_id,
            customer_id,
            currency,
            own_rated_line_id,
            posted_date,
            moment_number

    ),

    posted_nets as (

        select
            own_rated_line_id,
            min(posted_date) as closed_date,
            sum(line_total) as net_total
        from postings
        where not is_new
        group by own_rated_line_id

    )

    select
        moments.own_rated_line_id,
        moments.rated_line_id,
        moments.subscription_id,
        moments.customer_id,
        moments.currency,
        moments.posted_date,
        moments.moment_number,
        moments.action,
        moments.invoice_id,
        moments.own_close_count > 0 as is_own_close,
        granted.granted_from_date,
        coalesce(posted_nets.closed_date, min(moments.posted_date) over so_far) as closed_date,
        cast(
            coalesce(posted_nets.net_total, 0) + sum(moments.moved_total) over so_far
            as {{ type_total() }}
        ) as net_total,
        cast(
            coalesce(posted_nets.net_total, 0) + sum(moments.moved_total) over so_far
            - moments.moved_total as {{ type_total() }}
        ) as net_before
    from moments
    inner join granted
        on
            moments.customer_id = granted.customer_id
            and moments.currency = granted.currency
    left join posted_nets
        on moments.own_rated_line_id = posted_nets.own_rated_line_id
    window
        so_far as (
            partition by moments.own_rated_line_id
            order by moments.posted_date, moments.moment_number
        )
    {%- endif %}
{%- endmacro %}
