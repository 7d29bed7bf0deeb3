{#
    What a stretch of time begins with: the level, or the latest value, of profiles that carry it
    over (`carrying`, of carrying_definitions). One row per route of `routes` at its slice's start
    and dimension values. The level at the end of the day before, and what is known of the time
    since: usage of the slice's first day that lies before its start, and late usage of earlier days.

    routes       columns slice_id, customer_id, meter_profile, subscription_ref, item_ref, slice_from,
                 route_from, cutoff_date
    edge_usage   the events of the quarters of an hour that a route's bound cuts
#}
{% macro carried_usage(routes, edge_usage, carrying) -%}
    {%- set ordered = ordered_profiles(carrying) -%}
    {%- set readings = profiles_where(carrying, "keeps", "readings") -%}
    {%- set first_level_day = first_carried_day(routes, carrying) -%}
    {% if not first_level_day -%}
        select
            slice_id,
            meter_profile,
            subscription_ref,
            item_ref,
            cast(null as {{ type_text() }}) as dimensions,
            cast(null as {{ type_quantity() }}) as carried_level,
            cast(null as {{ type_quantity() }}) as carried_latest,
            cast(null as {{ type_text() }}) as latest_order
        from {{ routes }}
        where false
    {%- else -%}
    with

    levels as (

        select * from {{ ref('int_metering__levels_daily') }}
        where level_day >= cast('{{ first_level_day }}' as date)

    ),

    rollups as (

        select
            rollups.*,
            cast(rollups.bucket_from as date) as bucket_day
        from {{ ref('int_metering__rollups') }} as rollups
        where
            rollups.outcome = 'metered'
            and rollups.meter_profile in ({{ profile_literals(carrying) }})

    ),

    routes as (

        select
            *,
            cast(route_from as date) as route_day,
            {{ day_before('route_from') }} as level_day,
            {{ quarter_hour_start(quarter_hour('route_from')) }} as quarters_to
        from {{ routes }}
        where
            route_from = slice_from
            and slice_from < {{ as_of_at() }}
            and meter_profile in ({{ profile_literals(carrying) }})

    ),

    edge_usage as (

        select * from {{ edge_usage }}

    ),

    -- Two joins, each on a narrow condition: the first day's own quarters of an hour, and what was
    -- loaded after the quarter's day (most usage is not).
    later as (

        {% for condition in [
            'rollups.bucket_day = routes.route_day and rollups.bucket_from < routes.quarters_to',
            'rollups.load_day > rollups.bucket_day and rollups.bucket_day < routes.route_day'
            ~ ' and rollups.load_day >= routes.route_day',
        ] -%}
        select
            routes.slice_id,
            routes.meter_profile,
            routes.subscription_ref,
            routes.item_ref,
            rollups.dimensions,
            rollups.load_day,
            rollups.bucket_from,
            rollups.value_key,
            rollups.event_count,
            rollups.value_sum,
            {{ rollup_level_value('rollups') }} as level_value,
            {{ rollup_level_order('rollups') }} as level_order,
            {{ takes_away('rollups') }} as takes_away
        from rollups
        inner join routes
            on
                rollups.customer_id = routes.customer_id
                and rollups.meter_profile = routes.meter_profile
                and rollups.subscription_id = routes.subscription_ref
                and rollups.subscription_item_id = routes.item_ref
                and rollups.load_day < routes.cutoff_date
                and {{ condition }}
        where
            rollups.load_day
            >= {{ days_before("cast('" ~ first_level_day ~ "' as date)", days_ahead()) }}
        {{ 'union all' if not loop.last }}
        {% endfor %}

    ),

    levels_before as (

        select
            routes.slice_id,
            routes.customer_id,
            routes.meter_profile,
            routes.subscription_ref,
            routes.item_ref,
            routes.route_day,
            levels.dimensions,
            levels.event_count,
            levels.level_value,
            levels.level_order
        from levels
        inner join routes
            on
                levels.customer_id = routes.customer_id
                and levels.meter_profile = routes.meter_profile
                and levels.subscription_id = routes.subscription_ref
                and levels.subscription_item_id = routes.item_ref
                and levels.level_day = routes.level_day

    ),

    taken_away as (

        select
            slice_id,
            meter_profile,
            subscription_ref,
            item_ref,
            dimensions,
            bucket_from,
            coalesce(value_key, '') as taken_key,
            max(load_day) as load_day
        from later
        where takes_away
        group by
            slice_id,
            meter_profile,
            subscription_ref,
            item_ref,
            dimensions,
            bucket_from,
            coalesce(value_key, '')

    ),

    -- Where the very value that the day ended with was taken away since, the history before is read.
    lost_levels as (

        select distinct
            levels_before.slice_id,
            levels_before.customer_id,
            levels_before.meter_profile,
            levels_before.subscription_ref,
            levels_before.item_ref,
            levels_before.route_day,
            levels_before.dimensions
        from levels_before
        inner join taken_away
            on
                levels_before.slice_id = taken_away.slice_id
                and levels_before.meter_profile = taken_away.meter_profile
                and levels_before.subscription_ref = taken_away.subscription_ref
                and levels_before.item_ref = taken_away.item_ref
                and levels_before.dimensions = taken_away.dimensions
                and {{ level_quarter_hour('levels_before.level_order') }}
                = {{ quarter_hour('taken_away.bucket_from') }}

    ),

    history as (

        select
            lost_levels.slice_id,
            lost_levels.meter_profile,
            lost_levels.subscription_ref,
            lost_levels.item_ref,
            rollups.dimensions,
            rollups.load_day,
            rollups.bucket_from,
            rollups.value_key,
            rollups.event_count,
            rollups.value_sum,
            {{ rollup_level_value('rollups') }} as level_value,
            {{ rollup_level_order('rollups') }} as level_order,
            {{ takes_away('rollups') }} as takes_away
        from rollups
        inner join lost_levels
            on
                rollups.customer_id = lost_levels.customer_id
                and rollups.meter_profile = lost_levels.meter_profile
                and rollups.subscription_id = lost_levels.subscription_ref
                and rollups.subscription_item_id = lost_levels.item_ref
                and rollups.dimensions = lost_levels.dimensions
                and rollups.bucket_day < lost_levels.route_day
                and rollups.load_day < lost_levels.route_day

    ),

    rows_known as (

        select * from later

        union all

        select * from history

    ),

    taken_from_rows as (

        select
            slice_id,
            meter_profile,
            subscription_ref,
            item_ref,
            dimensions,
            bucket_from,
            coalesce(value_key, '') as taken_key,
            max(load_day) as load_day
        from rows_known
        where takes_away
        group by
            slice_id,
            meter_profile,
            subscription_ref,
            item_ref,
            dimensions,
            bucket_from,
            coalesce(value_key, '')

    ),

    parts as (

        select
            rows_known.slice_id,
            rows_known.meter_profile,
            rows_known.subscription_ref,
            rows_known.item_ref,
            rows_known.dimensions,
            rows_known.event_count,
            rows_known.value_sum,
            rows_known.level_value,
            case when taken_from_rows.load_day is null then rows_known.level_order end as level_order
        from rows_known
        left join taken_from_rows
            on
                rows_known.slice_id = taken_from_rows.slice_id
                and rows_known.meter_profile = taken_from_rows.meter_profile
                and rows_known.subscription_ref = taken_from_rows.subscription_ref
                and rows_known.item_ref = taken_from_rows.item_ref
                and rows_known.dimensions = taken_from_rows.dimensions
                and rows_known.bucket_from = taken_from_rows.bucket_from
                and coalesce(rows_known.value_key, '') = taken_from_rows.taken_key
                and rows_known.load_day < taken_from_rows.load_day

        union all

        select
            routes.slice_id,
            routes.meter_profile,
            routes.subscription_ref,
            routes.item_ref,
            edge_usage.dimensions,
            1 as event_count,
            edge_usage.number_value as value_sum,
            edge_usage.number_value as level_value,
            edge_usage.event_order as level_order
        from edge_usage
        inner join routes
            on
                edge_usage.customer_id = routes.customer_id
                and edge_usage.meter_profile = routes.meter_profile
                and edge_usage.subscription_ref = routes.subscription_ref
                and edge_usage.item_ref = routes.item_ref
                and edge_usage.occurred_at < routes.route_from
                and edge_usage.occurred_at >= routes.quarters_to
                and edge_usage.load_day < routes.cutoff_date
                and coalesce(edge_usage.void_day, routes.cutoff_date) >= routes.cutoff_date

        union all

        select
            levels_before.slice_id,
            levels_before.meter_profile,
            levels_before.subscription_ref,
            levels_before.item_ref,
            levels_before.dimensions,
            levels_before.event_count,
            levels_before.level_value as value_sum,
            cast(levels_before.level_value as {{ type_quantity() }}) as level_value,
            levels_before.level_order
        from levels_before
        where
            not exists (
                select 1
                from lost_levels
                where
                    lost_levels.slice_id = levels_before.slice_id
                    and lost_levels.meter_profile = levels_before.meter_profile
                    and lost_levels.subscription_ref = levels_before.subscription_ref
                    and lost_levels.item_ref = levels_before.item_ref
                    and lost_levels.dimensions = levels_before.dimensions
            )

    ),

    carried as (

        select
            slice_id,
            meter_profile,
            subscription_ref,
            item_ref,
            dimensions,
            sum(event_count) as event_count,
            sum(value_sum) as value_sum,
            {{ value_at_greatest('level_value', 'level_order') }} as level_value,
            max({{ binary_order('level_order') }}) as level_order
        from parts
        group by
            slice_id,
            meter_profile,
            subscription_ref,
            item_ref,
            dimensions

    )

    -- A reading that was voided is no reading; changes and latest values that all were carry nothing.
    select
        slice_id,
        meter_profile,
        subscription_ref,
        item_ref,
        dimensions,
        cast(
            case
                when meter_profile in ({{ profile_literals(readings) }}) then level_value
                when meter_profile not in ({{ profile_literals(ordered) }}) then value_sum
            end as {{ type_quantity() }}
        ) as carried_level,
        case
            when meter_profile not in ({{ profile_literals(readings) }})
                and meter_profile in ({{ profile_literals(ordered) }})
                then level_value
        end as carried_latest,
        case
            when meter_profile not in ({{ profile_literals(readings) }})
                and meter_profile in ({{ profile_literals(ordered) }})
                then level_order
        end as latest_order
    from carried
    where
        case
            when meter_profile in ({{ profile_literals(readings) }}) then level_order is not null
            else event_count > 0
        end
    {%- endif %}
{%- endmacro %}
