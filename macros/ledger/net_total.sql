{# What a document comes to after prepaid credits: due, or, below zero, customer balance. #}
{% macro net_total(documents) -%}
    ({{ documents }}.invoice_total - coalesce({{ documents }}.credits_total, 0))
{%- endmacro %}
