{#
    The CTEs `stretches` and `routes`: the routes of usage to charges, cut where the customer's offset
    from UTC changes, so that a bucket's local day is one addition. Reads the CTE `periods`
    (subscription_id, period_number as the routes have it, time_zone, period_from_date) and takes the
    routes of those periods and these profiles.
#}
{% macro usage_stretches(profiles) -%}
    stretches as (

        select
            usage_routes.*,
            periods.period_from_date,
            zone_segments.offset_seconds,
            zone_segments.utc_from,
            zone_segments.utc_to,
            greatest(usage_routes.full_from, zone_segments.utc_from) as stretch_from,
            least(usage_routes.full_to, zone_segments.utc_to) as stretch_to
        from {{ ref("int_rating__usage_routes") }} as usage_routes
        inner join periods
            on
                usage_routes.subscription_id = periods.subscription_id
                and usage_routes.period_number = periods.period_number
        inner join {{ ref("int_subscriptions__zone_segments") }} as zone_segments
            on
                periods.time_zone = zone_segments.time_zone
                and usage_routes.route_from < zone_segments.utc_to
                and usage_routes.route_to > zone_segments.utc_from
        where usage_routes.meter_profile in ({{ profile_literals(profiles) }})

    ),

    routes as (

        select
            stretches.*,
            {{ month_numbers("stretches.stretch_from", "stretches.stretch_to") }} as bucket_month
        from stretches
        where stretches.stretch_from < stretches.stretch_to

    )
{%- endmacro %}
