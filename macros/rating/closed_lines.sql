{#
    Lines of closed invoices, as earlier runs left them in the mart rated_lines, of which a run
    computes only the open ones: what it needs from before is read here, above the mart, where no
    ref() can point. A run never changes what it finds. `condition` says which.
#}
{% macro closed_lines(condition) -%}
    {%- set relation = earlier_relation("marts", "rated_lines") -%}
    select
        {%- if relation is none or everything_is_open() %}
        cast(null as {{ type_text() }}) as subscription_id,
        cast(null as {{ type_count() }}) as invoice_number_in_subscription,
        cast(null as {{ type_count() }}) as service_period_number,
        cast(null as {{ type_text() }}) as charge_id,
        cast(null as {{ type_text() }}) as line_kind,
        cast(null as {{ type_timestamp() }}) as period_from,
        cast(null as {{ type_quantity() }}) as quantity,
        cast(null as {{ type_total() }}) as rounded_total,
        cast(null as {{ type_total() }}) as line_total
    where false
        {%- else %}
        subscription_id,
        invoice_number_in_subscription,
        service_period_number,
        charge_id,
        line_kind,
        period_from,
        quantity,
        rounded_total,
        line_total
    from {{ relation }}
    where
        cutoff_at <= {{ open_from() }}
        and {{ is_first_rating('invoice_number_in_subscription') }}
        and {{ condition }}
        {%- endif %}
{%- endmacro %}

{# Fees on closed invoices, likewise: as int_rating__fee_lines had them. #}
{% macro closed_fees() -%}
    {%- set relation = earlier_relation("marts", "rated_lines") -%}
    {%- if relation is none or everything_is_open() -%}
    {{ no_rows([
        ("subscription_id", type_text()),
        ("customer_id", type_text()),
        ("plan_id", type_text()),
        ("invoice_number_in_subscription", type_count()),
        ("period_number", type_count()),
        ("charge_id", type_text()),
        ("line_kind", type_text()),
        ("fee_from", type_timestamp()),
        ("fee_to", type_timestamp()),
        ("fee_from_date", "date"),
        ("date_rank", type_count()),
        ("billed_units", type_count()),
        ("full_units", type_count()),
        ("proration", type_text()),
        ("price_row_id", type_text()),
        ("rounded_total", type_total()),
        ("currency", type_text()),
        ("closed_at", type_timestamp()),
    ]) }}
    {%- else -%}
    select
        subscription_id,
        customer_id,
        plan_id,
        invoice_number_in_subscription,
        service_period_number as period_number,
        charge_id,
        line_kind,
        period_from as fee_from,
        period_to as fee_to,
        -- The id of a fee ends with its first day.
        cast(right(rated_line_id, 10) as date) as fee_from_date,
        row_number() over (
            partition by
                subscription_id,
                invoice_number_in_subscription,
                charge_id,
                right(rated_line_id, 10)
            order by period_from
        ) as date_rank,
        billed_days as billed_units,
        full_days as full_units,
        proration,
        price_row_id,
        rounded_total,
        currency,
        cutoff_at as closed_at
    from {{ relation }}
    where
        cutoff_at <= {{ open_from() }}
        and line_kind in ('recurring', 'one_time')
        and {{ is_first_rating('invoice_number_in_subscription') }}
    {%- endif -%}
{%- endmacro %}
