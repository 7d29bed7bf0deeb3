{#
    The quantity of each price row through each local day with usage, of the alerted periods
    (int_rating__daily_quantities): the routes of rating, by the day of their buckets. Profiles
    without a quantity from day to day are left out.
#}
{% macro daily_quantities() -%}
    {%- set keys = [
        "subscription_id", "period_number", "charge_id", "part_number", "price_row_id",
    ] -%}
    {%- if not has_rows(ref("int_rating__alerted_periods")) -%}
    {{ no_rows([
        ("subscription_id", type_text()),
        ("period_number", type_count()),
        ("charge_id", type_text()),
        ("part_number", "integer"),
        ("price_row_id", type_text()),
        ("usage_date", "date"),
        ("event_count", type_count()),
        ("usage_amount", type_integral()),
        ("quantity", type_integral()),
    ]) }}
    {%- else -%}
    {%- set profiles = cumulative_profiles(meter_profiles()) -%}
    {%- set has_restated = has_restated_rollups() -%}
    with

    rollups as (

        select * from {{ ref("int_metering__rollups") }}
        where outcome = 'metered'

    ),

    edge_usage as (

        select * from {{ ref("int_rating__edge_usage") }}

    ),

    carried_usage as (

        select * from {{ ref("int_rating__carried_usage") }}
        where carried_latest is not null

    ),

    matched_rows as (

        select * from {{ ref("int_rating__matched_rows") }}

    ),

    {% if has_restated -%}
    restated as (

        {{ restated_rollups() }}

    ),

    {% endif -%}
    periods as (

        select periods.*
        from {{ ref("int_subscriptions__periods") }} as periods
        inner join {{ ref("int_rating__alerted_periods") }} as alerted_periods
            on
                periods.subscription_id = alerted_periods.subscription_id
                and periods.period_number = alerted_periods.period_number

    ),

    {{ usage_stretches(profiles) }},

    placed as (

        select
            routes.slice_id,
            routes.meter_profile,
            rollups.dimensions,
            greatest(
                {{ local_date("rollups.bucket_from", "routes.offset_seconds") }},
                routes.period_from_date
            ) as usage_date,
            rollups.value_key,
            rollups.event_count,
            rollups.value_sum,
            {{ standing_part("value_min", has_restated) }} as value_min,
            {{ standing_part("value_max", has_restated) }} as value_max,
            {{ standing_part("value_latest", has_restated) }} as value_latest,
            {{ standing_part("latest_order", has_restated) }} as latest_order,
            rollups.amount_sum
        from rollups
        inner join routes
            on
                rollups.customer_id = routes.customer_id
                and rollups.meter_profile = routes.meter_profile
                and rollups.subscription_id = routes.subscription_ref
                and rollups.subscription_item_id = routes.item_ref
                and routes.bucket_month = {{ month_number("rollups.bucket_from") }}
                and rollups.bucket_from >= routes.stretch_from
                and rollups.bucket_from < routes.stretch_to
                and rollups.load_day < routes.cutoff_date

        union all

        select
            stretches.slice_id,
            stretches.meter_profile,
            edge_usage.dimensions,
            greatest(
                {{ local_date("edge_usage.occurred_at", "stretches.offset_seconds") }},
                stretches.period_from_date
            ) as usage_date,
            edge_usage.value_key,
            1 as event_count,
            edge_usage.number_value as value_sum,
            edge_usage.number_value as value_min,
            edge_usage.number_value as value_max,
            edge_usage.number_value as value_latest,
            edge_usage.event_order as latest_order,
            edge_usage.amount_value as amount_sum
        from edge_usage
        inner join stretches
            on
                edge_usage.customer_id = stretches.customer_id
                and edge_usage.meter_profile = stretches.meter_profile
                and edge_usage.subscription_ref = stretches.subscription_ref
                and edge_usage.item_ref = stretches.item_ref
                and edge_usage.occurred_at >= greatest(stretches.route_from, stretches.utc_from)
                and edge_usage.occurred_at < least(stretches.route_to, stretches.utc_to)
                and edge_usage.load_day < stretches.cutoff_date
                and coalesce(edge_usage.void_day, stretches.cutoff_date)
                >= stretches.cutoff_date
                and (
                    edge_usage.occurred_at < stretches.full_from
                    or edge_usage.occurred_at >= stretches.full_to
                )

        union all

        -- A latest value that goes on from before.
        select
            stretches.slice_id,
            stretches.meter_profile,
            carried_usage.dimensions,
            greatest(
                {{ local_date("stretches.route_from", "stretches.offset_seconds") }},
                stretches.period_from_date
            ) as usage_date,
            cast(null as {{ type_text() }}) as value_key,
            0 as event_count,
            cast(null as {{ type_integral() }}) as value_sum,
            cast(null as {{ type_quantity() }}) as value_min,
            cast(null as {{ type_quantity() }}) as value_max,
            carried_usage.carried_latest as value_latest,
            carried_usage.latest_order,
            cast(null as {{ type_integral() }}) as amount_sum
        from carried_usage
        inner join stretches
            on
                carried_usage.slice_id = stretches.slice_id
                and carried_usage.meter_profile = stretches.meter_profile
                and carried_usage.subscription_ref = stretches.subscription_ref
                and carried_usage.item_ref = stretches.item_ref
                and stretches.route_from = stretches.slice_from
                and stretches.route_from >= stretches.utc_from
                and stretches.route_from < stretches.utc_to

    ),

    routed as (

        select
            matched_rows.subscription_id,
            matched_rows.period_number,
            matched_rows.charge_id,
            matched_rows.part_number,
            matched_rows.price_row_id,
            placed.*
        from placed
        inner join matched_rows
            on
                placed.slice_id = matched_rows.slice_id
                and placed.dimensions = matched_rows.dimensions

    ),

    {{ running_usage(keys, profiles) }}

    select
        {{ keys | join(",\n        ") }},
        usage_date,
        event_count,
        amount_sum as usage_amount,
        quantity
    from running_usage
    where quantity is not null
    {%- endif %}
{%- endmacro %}
