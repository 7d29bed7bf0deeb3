{#
    Rows of the catalogue that closes may have gone by without:
    - changes of subscriptions that were recorded on a later day than the one from which they hold;
    - changes that take back (amend, withdraw) a row of an earlier day, or take effect before
      something of their subscription that was known on an earlier day: a fee that was billed in
      advance was billed to where it was known to be cut (of subscriptions that have such fees; an
      end with the month cuts none that is billed by the calendar month);
    - migrations of plans, for which all that is known of the plan's subscriptions may be such;
    - prices that say that they bind what is closed and hold from before;
    - prices of a plan that hold on a day that a subscription of it has pinned by then: a pin sees
      them whenever they come.

    Gives subscription_id or plan_id (with customer_id where a price is for one alone), from_date
    (UTC or local, whichever is earlier is at most a day before), is_everywhere (of a price for who
    pinned that day or a later one, whatever the period) and recorded_at.
    Source: DESIGN, What is known when; Closing, Adjustments.
#}
{% macro late_catalog_rows() -%}
    with recursive

    -- Days of which a plan's prices were pinned, and since when.
    pins as (

        select
            plan_id,
            prices_as_of_date,
            min(from_date) as from_date
        from (
            select
                plan_id,
                prices_as_of_date,
                coalesce(starts_on_date, cast(starts_at_instant as date)) as from_date
            from {{ ref("stg_catalog__subscriptions") }}

            union all

            select
                plan_id,
                prices_as_of_date,
                coalesce(changes_on_date, cast(changes_at_instant as date)) as from_date
            from {{ ref("stg_catalog__subscription_changes") }}
        ) as pinned
        where prices_as_of_date is not null
        group by
            plan_id,
            prices_as_of_date

    ),

    migration_days as (

        select
            from_plan_id,
            to_plan_id,
            coalesce(migrates_on_date, cast(migrates_at_instant as date)) as from_date,
            recorded_at
        from {{ ref("stg_catalog__plan_migrations") }}

    ),

    change_days as (

        select
            subscription_id,
            plan_id,
            coalesce(changes_on_date, cast(changes_at_instant as date)) as from_date,
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

    ),

    plans_of as (

        select
            subscription_id,
            plan_id
        from {{ ref("stg_catalog__subscriptions") }}

        union

        select
            subscription_id,
            plan_id
        from change_days
        where plan_id is not null

    ),

    -- The plans to which migrations bring a plan's subscriptions, itself among them.
    reached_plans as (

        select
            from_plan_id as plan_id,
            from_plan_id as reached_plan_id
        from migration_days

        union

        select
            reached_plans.plan_id,
            migration_days.to_plan_id as reached_plan_id
        from reached_plans
        inner join migration_days
            on reached_plans.reached_plan_id = migration_days.from_plan_id

    ),

    moves as (

        select distinct
            plans_of.subscription_id,
            migration_days.to_plan_id as plan_id,
            migration_days.from_date,
            migration_days.recorded_at
        from plans_of
        inner join reached_plans
            on plans_of.plan_id = reached_plans.plan_id
        inner join migration_days
            on reached_plans.reached_plan_id = migration_days.from_plan_id

    ),

    billed_ahead as (

        select
            all_plans.subscription_id,
            min(
                case
                    when
                        plans.cycle = 'month'
                        and plans.alignment = 'calendar'
                        and coalesce(charges.every_cycles, 1) = 1
                        then 1
                    else 0
                end
            ) as has_whole_months
        from (
            select
                subscription_id,
                plan_id
            from plans_of

            union

            select
                subscription_id,
                plan_id
            from moves
        ) as all_plans
        inner join {{ ref("stg_catalog__plans") }} as plans
            on all_plans.plan_id = plans.plan_id
        left join {{ ref("stg_catalog__charges") }} as charges
            on
                plans.plan_id = charges.plan_id
                and charges.charge_type = 'recurring'
                and charges.timing = 'advance'
        group by all_plans.subscription_id
        having count(charges.charge_id) > 0

    ),

    -- What may cut a fee of a subscription, by the day: another change, its end, a migration.
    cuts as (

        select
            subscription_id,
            from_date,
            recorded_at,
            true as is_change
        from change_days

        union all

        select
            ends.subscription_id,
            coalesce(ends.ends_on_date, cast(ends.ends_at_instant as date)) as from_date,
            ends.recorded_at,
            false as is_change
        from {{ ref("stg_catalog__subscriptions") }} as ends
        inner join billed_ahead
            on ends.subscription_id = billed_ahead.subscription_id
        where
            ends.ends_at_instant is not null
            or (
                ends.ends_on_date is not null
                and not (
                    billed_ahead.has_whole_months = 1
                    and extract(day from ends.ends_on_date) = 1
                )
            )

        union all

        select
            subscription_id,
            from_date,
            recorded_at,
            false as is_change
        from moves

    ),

    -- Since when something is known that takes effect then or later. Local dates stand as they are:
    -- a day more covers every zone.
    cuts_ahead as (

        select
            subscription_id,
            from_date,
            recorded_at,
            is_change,
            min(cast(recorded_at as date)) over (
                partition by subscription_id
                order by from_date - cast('1970-01-01' as date)
                range between 1 preceding and unbounded following
            ) as first_known_date
        from cuts

    ),

    overtaking as (

        select
            cuts_ahead.subscription_id,
            cuts_ahead.from_date,
            cuts_ahead.recorded_at
        from cuts_ahead
        inner join billed_ahead
            on cuts_ahead.subscription_id = billed_ahead.subscription_id
        where
            cuts_ahead.is_change
            and cuts_ahead.first_known_date < cast(cuts_ahead.recorded_at as date)

    )

    select
        subscription_id,
        cast(null as {{ type_text() }}) as plan_id,
        cast(null as {{ type_text() }}) as customer_id,
        from_date,
        false as is_everywhere,
        recorded_at
    from change_days
    where from_date < cast(recorded_at as date)

    union

    select
        change_days.subscription_id,
        cast(null as {{ type_text() }}) as plan_id,
        cast(null as {{ type_text() }}) as customer_id,
        change_days.from_date,
        false as is_everywhere,
        change_days.recorded_at
    from change_days
    inner join billed_ahead
        on change_days.subscription_id = billed_ahead.subscription_id
    where cast(change_days.first_recorded_at as date) < cast(change_days.recorded_at as date)

    union

    select
        subscription_id,
        cast(null as {{ type_text() }}) as plan_id,
        cast(null as {{ type_text() }}) as customer_id,
        from_date,
        false as is_everywhere,
        recorded_at
    from overtaking

    union

    select
        cast(null as {{ type_text() }}) as subscription_id,
        plans.plan_id,
        cast(null as {{ type_text() }}) as customer_id,
        migration_days.from_date,
        false as is_everywhere,
        migration_days.recorded_at
    from migration_days
    inner join {{ ref("stg_catalog__plans") }} as plans
        on plans.plan_id in (migration_days.from_plan_id, migration_days.to_plan_id)

    union

    select
        cast(null as {{ type_text() }}) as subscription_id,
        plan_id,
        customer_id,
        valid_from_date as from_date,
        false as is_everywhere,
        recorded_at
    from {{ ref("stg_catalog__prices") }}
    where
        applies_to = 'closed'
        and valid_from_date < cast(recorded_at as date)

    union

    select
        cast(null as {{ type_text() }}) as subscription_id,
        prices.plan_id,
        prices.customer_id,
        prices.valid_from_date as from_date,
        true as is_everywhere,
        prices.recorded_at
    from {{ ref("stg_catalog__prices") }} as prices
    where
        exists (
            select 1 from pins
            where
                prices.plan_id = pins.plan_id
                and prices.valid_from_date <= pins.prices_as_of_date
                and cast(prices.recorded_at as date) >= pins.from_date - 1
        )
{%- endmacro %}
