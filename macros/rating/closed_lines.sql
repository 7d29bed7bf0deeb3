{#
    Lines of closed invoices, as earlier runs left them in the mart rated_lines, of which a run
    computes only the open ones: what it needs from before is read here, above the mart, where no
    ref() can point. A run never changes what it finds. `condition` says which; `states`: with those
    of periods that were rated again.
#}
{% macro closed_lines(condition, states=false) -%}
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
        {%- if not states %}
        and {{ is_first_rating('invoice_number_in_subscription') }}
        {%- endif %}
        and {{ condition }}
        {%- endif %}
{%- endmacro %}
