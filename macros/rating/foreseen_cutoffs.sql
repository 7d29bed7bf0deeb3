{#
    How the next invoice stood in the plans of a day on which corrections may be collected: one row
    per row of the CTE `awaited` (subscription_id, collected_at, and period_number of the period
    that the next invoice after that day turned out to close), with foreseen_at: its cutoff by what
    was recorded before that day (where that is to come, by what is known now).

    A period ends with its cycle, or where something cuts it. What cut it in the end may have been
    told later than that day; what was to cut it then may have been called off, put off or overtaken
    since. So it is looked for among the rows themselves: an end, or a plan of another grid of
    cycles (one of a like grid keeps the running period; see int_subscriptions__terms). An end of a
    member of a pool moves no cutoff.
    Source: DESIGN, What is known when; Closing, Adjustments.
#}
{% macro foreseen_cutoffs(awaited) -%}
    with

    grids as (

        select
            plan_id,
            cycle_unit,
            cycle_length,
            alignment,
            recorded_at
        from {{ ref("stg_catalog__plans") }}

    ),

    pooled_plans as (

        select
            plan_id,
            min(recorded_at) as recorded_at
        from {{ ref("stg_catalog__allowances") }}
        where is_pooled
        group by plan_id

    ),

    zone_segments as (

        select * from {{ ref("int_subscriptions__zone_segments") }}

    ),

    running as (

        select
            {{ awaited }}.subscription_id,
            {{ awaited }}.collected_at,
            running_periods.plan_id,
            running_periods.time_zone,
            running_periods.period_from,
            running_periods.cycle_to,
            plans.grace_days,
            plans.cycle_unit,
            plans.cycle_length,
            plans.alignment,
            running_terms.anchor_date,
            pooled_plans.plan_id is not null as is_pooled,
            case
                when
                    running_periods.is_last
                    and running_terms.end_recorded_at < {{ awaited }}.collected_at
                    then running_periods.period_to
            end as cut_at
        from {{ awaited }}
        inner join {{ ref("int_subscriptions__periods") }} as running_periods
            on
                {{ awaited }}.subscription_id = running_periods.subscription_id
                and {{ awaited }}.period_number = running_periods.period_number
        inner join {{ ref("int_subscriptions__terms") }} as running_terms
            on
                running_periods.subscription_id = running_terms.subscription_id
                and running_periods.term_number = running_terms.term_number
        inner join {{ ref("stg_catalog__plans") }} as plans
            on running_periods.plan_id = plans.plan_id
        left join pooled_plans
            on
                running_periods.plan_id = pooled_plans.plan_id
                and {{ awaited }}.collected_at > pooled_plans.recorded_at
                and pooled_plans.recorded_at < {{ as_of_at() }}

    ),

    -- A change as it stood then: the last row of its key.
    told_changes as (

        select
            running.subscription_id,
            running.collected_at,
            subscription_changes.change,
            subscription_changes.plan_id,
            subscription_changes.anchor_date,
            subscription_changes.changes_on_date,
            subscription_changes.changes_at_instant,
            subscription_changes.is_withdrawn,
            row_number() over (
                partition by
                    running.subscription_id,
                    running.collected_at,
                    subscription_changes.change,
                    subscription_changes.changes_on_date,
                    subscription_changes.changes_at_instant
                order by subscription_changes.recorded_at desc
            ) as recency
        from running
        inner join {{ ref("stg_catalog__subscription_changes") }} as subscription_changes
            on
                running.subscription_id = subscription_changes.subscription_id
                and running.collected_at > subscription_changes.recorded_at
                and subscription_changes.recorded_at < {{ as_of_at() }}
        where subscription_changes.change in ('end', 'plan')

    ),

    told_ends as (

        select
            subscription_id,
            collected_at,
            plan_id,
            anchor_date,
            changes_on_date as ends_on_date,
            changes_at_instant as ends_at_instant
        from told_changes
        where
            recency = 1
            and not is_withdrawn

        union all

        select
            running.subscription_id,
            running.collected_at,
            plan_migrations.to_plan_id as plan_id,
            cast(null as date) as anchor_date,
            plan_migrations.migrates_on_date as ends_on_date,
            plan_migrations.migrates_at_instant as ends_at_instant
        from running
        inner join {{ ref("stg_catalog__plan_migrations") }} as plan_migrations
            on
                running.plan_id = plan_migrations.from_plan_id
                and running.collected_at > plan_migrations.recorded_at
                and plan_migrations.recorded_at < {{ as_of_at() }}

        union all

        select
            running.subscription_id,
            running.collected_at,
            cast(null as {{ type_text() }}) as plan_id,
            cast(null as date) as anchor_date,
            subscriptions.ends_on_date,
            subscriptions.ends_at_instant
        from running
        inner join {{ ref("stg_catalog__subscriptions") }} as subscriptions
            on
                running.subscription_id = subscriptions.subscription_id
                and running.collected_at > subscriptions.recorded_at
                and subscriptions.recorded_at < {{ as_of_at() }}

    ),

    days as (

        select distinct
            running.time_zone,
            told_ends.ends_on_date as local_date
        from running
        inner join told_ends
            on
                running.subscription_id = told_ends.subscription_id
                and running.collected_at = told_ends.collected_at
        where told_ends.ends_on_date is not null

    ),

    midnights as (

        {{ local_midnights("days", "zone_segments") }}

    ),

    -- Without a plan it is the end itself.
    first_cuts as (

        select
            running.subscription_id,
            running.collected_at,
            min(coalesce(told_ends.ends_at_instant, midnights.midnight_at)) as cut_at
        from running
        inner join told_ends
            on
                running.subscription_id = told_ends.subscription_id
                and running.collected_at = told_ends.collected_at
        left join midnights
            on
                running.time_zone = midnights.time_zone
                and told_ends.ends_on_date = midnights.local_date
        left join grids
            on
                told_ends.plan_id = grids.plan_id
                and running.collected_at > grids.recorded_at
                and grids.recorded_at < {{ as_of_at() }}
        where
            coalesce(told_ends.ends_at_instant, midnights.midnight_at) > running.period_from
            and (
                told_ends.plan_id is null
                or grids.cycle_unit <> running.cycle_unit
                or grids.cycle_length <> running.cycle_length
                or grids.alignment <> running.alignment
                or (
                    grids.alignment = 'anniversary'
                    and told_ends.anchor_date <> running.anchor_date
                )
            )
        group by
            running.subscription_id,
            running.collected_at

    )

    select
        running.subscription_id,
        running.collected_at,
        {{ first_utc_midnight_at_or_after(
            "case when running.is_pooled then running.cycle_to"
            ~ " else least(running.cycle_to, running.cut_at, first_cuts.cut_at) end"
            ~ " + running.grace_days * interval '1 day'"
        ) }} as foreseen_at
    from running
    left join first_cuts
        on
            running.subscription_id = first_cuts.subscription_id
            and running.collected_at = first_cuts.collected_at
{%- endmacro %}
