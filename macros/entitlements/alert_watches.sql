{# Whether an alert is known in time and watches a period: all the ids that it gives are its. #}
{% macro alert_watches(alerts, periods) -%}
    {{ periods }}.customer_id = coalesce({{ alerts }}.customer_id, {{ periods }}.customer_id)
    and {{ periods }}.subscription_id
    = coalesce({{ alerts }}.subscription_id, {{ periods }}.subscription_id)
    and {{ periods }}.plan_id = coalesce({{ alerts }}.plan_id, {{ periods }}.plan_id)
    and {{ alerts }}.recorded_at < least({{ periods }}.cutoff_at, {{ as_of_at() }})
{%- endmacro %}
