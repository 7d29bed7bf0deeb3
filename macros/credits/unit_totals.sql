{#
    What grants in units of credit pay of documents that the run makes, and of earlier ones of their
    lines (int_credits__unit_totals).
#}
{% macro unit_totals() -%}
    {%- if not has_grants() or not has_units() -%}
    {{ no_rows([
        ("invoice_id", type_text()),
        ("grant_id", type_text()),
        ("unit", type_text()),
        ("currency", type_text()),
        ("unit_total", type_total()),
        ("credit_total", type_total()),
    ]) }}
    {%- else -%}
    with

    billed_lines as (

        select
            billed_lines.*,
            coalesce(billed_lines.adjusts_rated_line_id, billed_lines.rated_line_id)
                as own_rated_line_id
        from {{ ref("int_invoicing__billed_lines") }} as billed_lines

    ),

    posted_lines as (

        select
            posted_lines.*,
            coalesce(posted_lines.adjusts_rated_line_id, posted_lines.rated_line_id)
                as own_rated_line_id
        from {{ source("ledger", "lines") }} as posted_lines
        where posted_lines.cutoff_at <= {{ sealed_until() }}

    ),

    new_entries as (

        select entries.*
        from {{ ref("int_credits__entries") }} as entries
        where
            entries.entry_kind in ('draw', 'give_back', 'to_balance')
            and entries.currency in (select unit from {{ ref("stg_catalog__credit_units") }})

    ),

    unit_documents as (

        select
            billed_lines.invoice_id,
            billed_lines.subscription_id,
            min(billed_lines.currency) as currency,
            max(billed_lines.cutoff_at) as cutoff_at,
            max(invoice_actions.recorded_at) as acted_at,
            max(billed_lines.action_id) as action_id
        from billed_lines
        left join {{ ref("int_invoicing__invoice_actions") }} as invoice_actions
            on billed_lines.action_id = invoice_actions.action_id
        group by
            billed_lines.invoice_id,
            billed_lines.subscription_id

        union all

        select
            invoice_id,
            subscription_id,
            currency,
            cutoff_at,
            acted_at,
            action_id
        from {{ source("ledger", "documents") }}
        where cutoff_at <= {{ sealed_until() }}

    ),

    moved_lines as (

        select own_rated_line_id
        from billed_lines
        where unit_total is not null

        union

        select rated_line_id as own_rated_line_id
        from new_entries

    ),

    unit_lines as (

        select
            invoice_id,
            own_rated_line_id,
            unit_total
        from billed_lines
        where unit_total is not null

        union all

        select
            invoice_id,
            own_rated_line_id,
            unit_total
        from posted_lines
        where
            unit_total is not null
            and own_rated_line_id in (select own_rated_line_id from moved_lines)

    ),

    unit_entries as (

        select
            invoice_id,
            rated_line_id,
            grant_id,
            currency,
            amount
        from new_entries

        union all

        select
            invoice_id,
            rated_line_id,
            grant_id,
            currency,
            amount
        from {{ source("ledger", "credit_entries") }}
        where
            entry_kind in ('draw', 'give_back', 'to_balance')
            and posted_date < {{ first_posting_date() }}
            and currency in (select unit from {{ ref("stg_catalog__credit_units") }})
            and rated_line_id in (select own_rated_line_id from moved_lines)

    ),

    {{ unit_credits() }}

    select
        invoice_id,
        grant_id,
        unit,
        currency,
        unit_total,
        credit_total
    from unit_credits
    {%- endif %}
{%- endmacro %}
