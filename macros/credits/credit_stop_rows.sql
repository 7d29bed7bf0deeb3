{#
    Rows of the catalogue that may move what an open period of a customer with grants comes to so far:
    what draws on a day is what was known on that day, so that a run ends before the day on which
    such a row was recorded. Changes and back-dated rows of those customers and their subscriptions,
    and what of charges, prices, limits, line discounts, meters, allowances and plans was in force
    when it was recorded. Gives recorded_at.
    Source: DESIGN, Credits ("as known at L").
#}
{% macro credit_stop_rows() -%}
    {%- if not has_grants() -%}
    {{ no_rows([("recorded_at", type_timestamp())]) }}
    {%- else -%}
    with

    granted as (

        select distinct customer_id from {{ ref("stg_catalog__credit_grants") }}

    ),

    granted_subscriptions as (

        select subscriptions.*
        from {{ ref("stg_catalog__subscriptions") }} as subscriptions
        inner join granted
            on subscriptions.customer_id = granted.customer_id

    )

    select recorded_at
    from granted_subscriptions
    where
        coalesce(starts_on_date, cast(starts_at_instant as date)) < cast(recorded_at as date)

    union

    select subscription_changes.recorded_at
    from {{ ref("stg_catalog__subscription_changes") }} as subscription_changes
    where
        subscription_changes.subscription_id in (
            select subscription_id from granted_subscriptions
        )

    union

    select customers.recorded_at
    from {{ ref("stg_catalog__customers") }} as customers
    inner join granted
        on customers.customer_id = granted.customer_id
    where customers.valid_from_date < cast(customers.recorded_at as date)

    union

    select recorded_at
    from {{ ref("stg_catalog__prices") }}
    where
        valid_from_date <= cast(recorded_at as date)
        and (customer_id is null or customer_id in (select customer_id from granted))

    union

    select recorded_at
    from {{ ref("stg_catalog__charge_limits") }}
    where valid_from_date <= cast(recorded_at as date)

    union

    select recorded_at
    from {{ ref("stg_catalog__discounts") }}
    where
        {{ is_taken_off_by_day() }}
        and valid_from_date <= cast(recorded_at as date)
        and (customer_id is null or customer_id in (select customer_id from granted))
    {%- for name in ["plans", "charges", "meters", "meter_filters", "allowances"] %}

    union

    select recorded_at
    from {{ ref("stg_catalog__" ~ name) }}
    {%- endfor %}
    {%- endif %}
{%- endmacro %}
