{# Kinds of lines that actions post and that state nothing of what a period comes to. #}
{% macro marking_line_kinds() -%}
    ('credited', 'disputed', 'resolved', 'refunded')
{%- endmacro %}

{# The id of an action's document: of the invoice it acts on, what it does, and which it is. #}
{% macro action_document_id(invoice_id, action, action_id) -%}
    {{ invoice_id }} || '.' || {{ action }} || '.' || {{ action_id }}
{%- endmacro %}

{# Whether the catalogue has actions of these kinds: else what they need is not asked for. #}
{% macro has_actions(actions) -%}
    {{ return(has_rows(
        ref("stg_catalog__invoice_actions"), "action in ('" ~ actions | join("', '") ~ "')"
    )) }}
{%- endmacro %}

{#
    What a line of an action says (described_and_measured): the line that it is about, with the kind
    and total of its own. It counts no usage.
#}
{% macro marking_line(lines, line_kind, total) -%}
    {%- for name in line_descriptions() %}
    {% if name == "line_kind" -%} {{ line_kind }} as line_kind,
    {%- elif name == "rules_version" -%}
        cast({{ var("rules_version") }} as integer) as rules_version,
    {%- else -%} {{ lines }}.{{ name }},
    {%- endif %}
    {%- endfor %}
    {%- for name, type in line_measure_types() %}
    {% if name in ("amount", "rounded_total", "line_total") -%}
        cast({{ total }} as {{ type }}) as {{ name }}
    {%- elif name in ("over_maximum_total", "discount_total") -%}
        cast(0 as {{ type }}) as {{ name }}
    {%- else -%} cast(null as {{ type }}) as {{ name }}
    {%- endif %} {{- "," if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#
    Documents of lines: the CTEs `totals` and `documents`, from CTEs of these names: `document_lines`
    (as int_invoicing__document_lines has them), `build_window`, `invoice_periods`,
    `invoice_actions`, `credit_totals`.
#}
{% macro documents_of_lines() -%}
    totals as (

        select
            invoice_id,
            subscription_id,
            action_id,
            -- One of corrections alone, or of an action, has no period, and the header of the last
            -- that it is about.
            max(period_number) as period_number,
            max(header_number) as header_number,
            count(*) as line_count,
            cast(sum(line_total) as {{ type_total() }}) as invoice_total,
            max(rules_version) as rules_version,
            max(cutoff_at) as cutoff_at
        from document_lines
        group by
            invoice_id,
            subscription_id,
            action_id

    ),

    -- A document is final once its cutoff has passed; only then has it a number.
    documents as (

        select
            totals.invoice_id,
            totals.period_number,
            coalesce(totals.cutoff_at <= build_window.close_at, false) as is_closed,
            case
                when invoice_actions.action is not null then invoice_actions.action
                when totals.invoice_total < 0 then 'credit_note'
                when totals.period_number is null then 'adjustment'
                else 'invoice'
            end as document_kind,
            invoice_periods.billing_entity,
            invoice_periods.customer_id,
            invoice_periods.customer_name,
            invoice_periods.subscription_id,
            invoice_periods.plan_id,
            invoice_periods.currency,
            invoice_periods.period_from,
            invoice_periods.period_to,
            invoice_periods.period_from_date,
            invoice_periods.period_to_date,
            case
                when totals.period_number is null then cast(totals.cutoff_at as date)
                else invoice_periods.invoice_date
            end as invoice_date,
            totals.cutoff_at,
            totals.line_count,
            totals.invoice_total,
            totals.rules_version,
            invoice_actions.invoice_id as adjusts_invoice_id,
            totals.action_id,
            invoice_actions.acted_by,
            invoice_actions.recorded_at as acted_at,
            invoice_actions.reason as action_reason,
            credit_totals.credits_total,
            invoice_actions.action_order
        from totals
        cross join build_window
        inner join invoice_periods
            on
                totals.subscription_id = invoice_periods.subscription_id
                and totals.header_number = invoice_periods.invoice_number_in_subscription
        left join invoice_actions
            on totals.action_id = invoice_actions.action_id
        left join credit_totals
            on totals.invoice_id = credit_totals.invoice_id

    )
{%- endmacro %}

{# The order in which documents of a billing entity are numbered. #}
{% macro document_order(documents) -%}
    {{ documents }}.cutoff_at,
    case {{ documents }}.document_kind
        when 'invoice' then 1
        when 'adjustment' then 2
        when 'credit_note' then 3
        else 4
    end,
    {{ binary_order(documents ~ ".customer_id") }},
    {{ binary_order(documents ~ ".subscription_id") }},
    {{ documents }}.period_from,
    {{ documents }}.period_number,
    {{ documents }}.action_order
{%- endmacro %}

{#
    The line of a refund, in the columns of the ledger: what is paid out stands as due and takes as
    much of the customer balance. It is about no charge.
#}
{% macro refund_line(refunds) -%}
    {%- set values = {
        "line_id": refunds ~ ".document_id || '#1'",
        "invoice_id": refunds ~ ".document_id",
        "line_number": "1",
        "line_kind": "'refunded'",
        "unit_description": "'fee'",
        "amount": refunds ~ ".amount",
        "rounded_total": refunds ~ ".amount",
        "over_maximum_total": "0",
        "discount_total": "0",
        "line_total": refunds ~ ".amount",
        "rules_version": var("rules_version"),
        "adjusts_invoice_id": refunds ~ ".invoice_id",
    } -%}
    {%- set own = [
        "charge_id", "name", "subscription_id", "customer_id", "part_number", "period_from",
        "period_to", "currency", "cutoff_at",
    ] -%}
    {%- for name, type in ledger_line_columns() %}
    cast(
        {%- if name in own %} {{ refunds }}.{{ name }}
        {%- else %} {{ values.get(name, "null") }}
        {%- endif %} as {{ type }}) as {{ name }}{{ "," if not loop.last }}
    {%- endfor %}
{%- endmacro %}
