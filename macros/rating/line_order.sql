{#
    The order of the lines of an invoice: fees and credits by charge and day, usage by charge and
    part with the top-up to the minimum last, then what commitments add. `lines` names the relation.
    It numbers the lines, and decides who gets the odd cent of a discount.
#}
{% macro line_order(lines) -%}
    case
        when {{ lines }}.line_kind in ('true_up', 'overage') then 3
        when {{ lines }}.line_kind in ('usage', 'minimum') then 2
        else 1
    end,
    {{ lines }}.charge_position,
    {{ binary_order(lines ~ ".charge_id") }},
    case
        when {{ lines }}.line_kind not in ('usage', 'minimum') then {{ lines }}.period_from
    end,
    {{ lines }}.part_number,
    case {{ lines }}.line_kind
        when 'minimum' then 2
        when 'credit' then 2
        when 'true_up' then 2
        else 1
    end,
    {{ lines }}.price_position,
    {{ binary_order(lines ~ ".dimension_values") }}
{%- endmacro %}

{#
    The id of a rated line: subscription/invoice number in it/charge/kind, then what tells lines of
    one kind apart (price row, first day). A second part of a period, or a second stretch of one day,
    has its number behind the kind.
#}
{% macro rated_line_id(lines, invoice_number, line_kind, line_key, part_number="part_number") -%}
    {{ lines }}.subscription_id
    || '/' || cast({{ lines }}.{{ invoice_number }} as {{ type_text() }})
    || '/' || {{ lines }}.charge_id
    || '/' || {{ line_kind }}
    || case
        when {{ lines }}.{{ part_number }} > 1
            then '.' || cast({{ lines }}.{{ part_number }} as {{ type_text() }})
        else ''
    end
    || case when {{ line_key }} = '' then '' else '/' || {{ line_key }} end
{%- endmacro %}
