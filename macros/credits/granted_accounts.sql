{#
    Customers with prepaid credits, by the currency or unit in which they have them, and the day on
    which their first grant was recorded: what lines ask for is kept from then on. A recurring grant
    counts from its record and not from its first occurrence: else what is kept would hang on the day
    up to which a build goes.
#}
{% macro granted_accounts() -%}
    select
        customer_id,
        currency,
        min(cast(recorded_at as date)) as granted_from_date
    from {{ ref("stg_catalog__credit_grants") }}
    where recorded_at < {{ as_of_at() }}
    group by
        customer_id,
        currency
{%- endmacro %}
