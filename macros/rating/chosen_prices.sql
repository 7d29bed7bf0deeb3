{#
    Which price rows bind a stretch of time, one per dimension values. The conditions of a join of
    `spans` with int_rating__price_lists, and the order in which of several the first one wins.

    spans: plan_id, charge_id, currency, customer_id, price_day (local date), price_at_instant,
    is_pinned, contract_month, and `closed_at`, the column with the cutoff that it was first closed at
    (a closed period that is rated again has a later one). Source: DESIGN, Plans; a price recorded after the stretch
    began binds it only by its applies_to.
#}
{% macro binds(spans, price_lists, closed_at="cutoff_at") -%}
    {{ spans }}.plan_id = {{ price_lists }}.plan_id
    and {{ spans }}.charge_id = {{ price_lists }}.charge_id
    and {{ spans }}.currency = {{ price_lists }}.currency
    and {{ spans }}.price_day >= {{ price_lists }}.valid_from_date
    and {{ spans }}.contract_month >= {{ price_lists }}.contract_month
    and coalesce({{ price_lists }}.customer_id, {{ spans }}.customer_id) = {{ spans }}.customer_id
    and (
        {{ spans }}.is_pinned
        or {{ spans }}.price_at_instant >= {{ price_lists }}.recorded_at
        or (
            {{ price_lists }}.applies_to = 'open'
            and {{ spans }}.{{ closed_at }} > {{ price_lists }}.recorded_at
        )
        or {{ price_lists }}.applies_to = 'closed'
    )
{%- endmacro %}

{% macro binding_order(price_lists) -%}
    case when {{ price_lists }}.customer_id is null then 2 else 1 end,
    {{ price_lists }}.contract_month desc,
    {{ price_lists }}.valid_from_date desc,
    {{ price_lists }}.recorded_at desc
{%- endmacro %}
