{#
    Rows of the catalogue that were recorded on a later day than the one from which they hold, so
    that closes may have gone by without them: changes of subscriptions, migrations of plans, and
    prices that say that they bind what is closed, or that a pin may see. A row that amends or
    withdraws a change is late for the fee that was billed in advance on what it takes back, even
    where the change itself is to come.

    Gives subscription_id or plan_id (with customer_id where a price is for one alone), from_date
    (UTC or local, whichever is earlier is at most a day before), is_everywhere (a price that a pin
    sees whatever its day) and recorded_at.
    Source: DESIGN, What is known when; Closing, Adjustments.
#}
{% macro late_catalog_rows() -%}
    select
        subscription_id,
        cast(null as {{ type_text() }}) as plan_id,
        cast(null as {{ type_text() }}) as customer_id,
        coalesce(changes_on_date, cast(changes_at_instant as date)) as from_date,
        false as is_everywhere,
        recorded_at
    from (
        select
            subscription_id,
            changes_on_date,
            changes_at_instant,
            recorded_at,
            min(recorded_at) over (
                partition by
                    subscription_id,
                    change,
                    charge_id,
                    changes_on_date,
                    changes_at_instant
            ) as first_recorded_at
        from {{ ref("stg_catalog__subscription_changes") }}
    ) as changes
    where
        cast(recorded_at as date) > cast(first_recorded_at as date)
        or coalesce(changes_on_date, cast(changes_at_instant as date)) < cast(recorded_at as date)

    union all

    select
        cast(null as {{ type_text() }}) as subscription_id,
        plans.plan_id,
        cast(null as {{ type_text() }}) as customer_id,
        coalesce(migrations.migrates_on_date, cast(migrations.migrates_at_instant as date))
            as from_date,
        false as is_everywhere,
        migrations.recorded_at
    from {{ ref("stg_catalog__plan_migrations") }} as migrations
    inner join {{ ref("stg_catalog__plans") }} as plans
        on plans.plan_id in (migrations.from_plan_id, migrations.to_plan_id)
    where
        coalesce(migrations.migrates_on_date, cast(migrations.migrates_at_instant as date))
        < cast(migrations.recorded_at as date)

    union all

    select distinct
        cast(null as {{ type_text() }}) as subscription_id,
        prices.plan_id,
        prices.customer_id,
        prices.valid_from_date as from_date,
        pins.is_pinned as is_everywhere,
        prices.recorded_at
    from {{ ref("stg_catalog__prices") }} as prices
    cross join (
        select
            exists (
                select 1 from {{ ref("stg_catalog__subscriptions") }}
                where prices_as_of_date is not null
            )
            or exists (
                select 1 from {{ ref("stg_catalog__subscription_changes") }}
                where prices_as_of_date is not null
            ) as is_pinned
    ) as pins
    where
        (prices.applies_to = 'closed' or pins.is_pinned)
        and prices.valid_from_date < cast(prices.recorded_at as date)
{%- endmacro %}
