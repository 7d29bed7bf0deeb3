{#
    Order in which rows of a customer (`versions`) are asked for what holds at an instant: the
    newest one valid and recorded by then; else the first recorded of those valid, else the first.
#}
{% macro customer_state_order(versions, instant) -%}
    {%- set known -%}
    {{ versions }}.valid_from_at <= {{ instant }} and {{ versions }}.recorded_at <= {{ instant }}
    {%- endset -%}
    case
        when {{ known }} then 1
        when {{ versions }}.valid_from_at <= {{ instant }} then 2
        else 3
    end,
    case when {{ known }} then {{ versions }}.valid_from_at end desc,
    case when {{ known }} then {{ versions }}.recorded_at end desc,
    case when {{ versions }}.valid_from_at <= {{ instant }} then {{ versions }}.recorded_at end,
    {{ versions }}.valid_from_at,
    {{ versions }}.recorded_at
{%- endmacro %}
