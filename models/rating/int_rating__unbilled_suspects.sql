-- Usage that perhaps nothing bills, event by event and meter profile, for the load days whose
-- unbilled usage the run finds again. Rollups tell which quarters of an hour may hold such usage;
-- only the events of those are looked at one by one. A table, so that the engine knows how many.
{% set profiles = meter_profiles() %}
with

rollups as (

    select
        rollups.*,
        rollups.bucket_from + interval '15 minutes' as bucket_to
    from {{ ref('int_metering__rollups') }} as rollups
    where {{ in_unbilled_window('rollups.load_day') }}

),

usage_events as (

    select * from {{ ref('stg_raw__usage_events') }}
    where {{ in_unbilled_window('load_day') }}

),

voided_events as (

    select * from {{ ref('stg_raw__voided_events') }}

),

lives as (

    select * from {{ ref('int_rating__billable_lives') }}

),

periods as (

    select * from {{ ref('int_subscriptions__periods') }}

),

routes as (

    select * from {{ ref('int_rating__usage_routes') }}

),

period_usage as (

    select * from {{ ref('int_rating__period_usage') }}

),

matched_rows as (

    select * from {{ ref('int_rating__matched_rows') }}

),

out_of_range as (

    select * from {{ ref('int_rating__out_of_range') }}

),

profile_counts as (

    {%- for name in profiles | map(attribute="event_name") | unique %}
    select
        {{ text_literal(name) }} as event_name,
        {{ profiles | selectattr("event_name", "equalto", name) | list | length }} as profile_count
    {{ "union all" if not loop.last }}
    {%- else %}
        select
            '' as event_name,
            0 as profile_count
    {%- endfor %}

),

profile_names as (

    select
        cast(null as integer) as profile_number,
        cast(null as {{ type_text() }}) as meter_profile
    {%- for profile in profiles %}
    union all
    select
        {{ profile["number"] }},
        {{ text_literal(profile["meter_profile"]) }}
    {%- endfor %}

),

-- Where one profile took every event of a bucket, the others' refusals matter to nobody.
refused_buckets as (

    select
        rollups.customer_id,
        rollups.event_name,
        rollups.bucket_from,
        rollups.load_day
    from rollups
    left join profile_counts
        on rollups.event_name = profile_counts.event_name
    where rollups.outcome <> 'metered'
    group by
        rollups.customer_id,
        rollups.event_name,
        rollups.bucket_from,
        rollups.load_day
    having count(distinct rollups.meter_profile) >= coalesce(max(profile_counts.profile_count), 0)

),

metered as (

    select * from rollups
    where outcome = 'metered'

),

homeless_buckets as (

    select
        metered.customer_id,
        metered.event_name,
        metered.bucket_from,
        metered.load_day
    from metered
    where
        not exists (
            select 1
            from lives
            where
                lives.customer_id = metered.customer_id
                and lives.meter_profile = metered.meter_profile
                and lives.item_ref = metered.subscription_item_id
                and lives.subscription_ref = metered.subscription_id
                and lives.life_from <= metered.bucket_from
                and lives.life_to >= metered.bucket_to
        )

),

contested_buckets as (

    select
        metered.customer_id,
        metered.event_name,
        metered.bucket_from,
        metered.load_day
    from metered
    inner join lives
        on
            metered.customer_id = lives.customer_id
            and metered.meter_profile = lives.meter_profile
            and metered.subscription_item_id = lives.item_ref
            and metered.subscription_id = lives.subscription_ref
            and metered.bucket_from < lives.contested_to
            and metered.bucket_to > lives.contested_from
    where metered.subscription_id = ''

),

late_buckets as (

    select
        metered.customer_id,
        metered.event_name,
        metered.bucket_from,
        metered.load_day
    from metered
    inner join periods
        on
            metered.customer_id = periods.customer_id
            and metered.bucket_from < periods.period_to
            and metered.bucket_to > periods.period_from
            and metered.load_day >= cast(periods.cutoff_at as date)
    where metered.load_day > cast(metered.bucket_from as date)

),

unrated_sets as (

    select distinct
        period_usage.slice_id,
        period_usage.subscription_ref,
        period_usage.item_ref,
        period_usage.dimensions
    from period_usage
    left join matched_rows
        on
            period_usage.slice_id = matched_rows.slice_id
            and period_usage.dimensions = matched_rows.dimensions
    left join out_of_range
        on
            matched_rows.subscription_id = out_of_range.subscription_id
            and matched_rows.period_number = out_of_range.period_number
            and matched_rows.charge_id = out_of_range.charge_id
            and matched_rows.part_number = out_of_range.part_number
            and matched_rows.price_row_id = out_of_range.price_row_id
    where
        matched_rows.price_row_id is null
        or out_of_range.price_row_id is not null

),

unrated_buckets as (

    select
        metered.customer_id,
        metered.event_name,
        metered.bucket_from,
        metered.load_day
    from metered
    inner join routes
        on
            metered.customer_id = routes.customer_id
            and metered.meter_profile = routes.meter_profile
            and metered.subscription_id = routes.subscription_ref
            and metered.subscription_item_id = routes.item_ref
            and metered.bucket_from < routes.route_to
            and metered.bucket_to > routes.route_from
    inner join unrated_sets
        on
            routes.slice_id = unrated_sets.slice_id
            and routes.subscription_ref = unrated_sets.subscription_ref
            and routes.item_ref = unrated_sets.item_ref
            and metered.dimensions = unrated_sets.dimensions

),

suspected_buckets as (

    select * from refused_buckets
    union
    select * from homeless_buckets
    union
    select * from contested_buckets
    union
    select * from late_buckets
    union
    select * from unrated_buckets

),

events_to_measure as (

    select
        {{ measured_columns('usage_events', 'usage_events.load_day') }}
    from usage_events
    inner join suspected_buckets
        on
            usage_events.customer_id = suspected_buckets.customer_id
            and usage_events.event_name = suspected_buckets.event_name
            and usage_events.load_day = suspected_buckets.load_day
            and {{ quarter_hour('usage_events.occurred_at') }}
            = {{ quarter_hour('suspected_buckets.bucket_from') }}
    where
        not exists (
            select 1
            from voided_events
            where
                voided_events.loaded_at = usage_events.loaded_at
                and voided_events.load_id = usage_events.load_id
                and voided_events.line_number = usage_events.line_number
        )

),

{{ measured_events(profiles) }}

select
    valued.load_day,
    valued.loaded_at,
    valued.load_id,
    valued.line_number,
    valued.customer_id,
    valued.event_name,
    valued.occurred_at,
    valued.subscription_id,
    valued.subscription_item_id,
    valued.outcome,
    profile_names.meter_profile,
    {{ dimensions_text(profiles, 'valued') }} as dimensions
from valued
left join profile_names
    on valued.profile_number = profile_names.profile_number
