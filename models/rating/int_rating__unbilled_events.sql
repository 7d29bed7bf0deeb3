{{
    config(
        materialized="incremental",
        incremental_strategy="replace_window",
        meta={"replaces": "unbilled"},
    )
}}
-- Rollups tell which quarters of an hour may hold usage that nothing bills; only the events of
-- those are looked at one by one.
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

customers as (

    select distinct customer_id
    from {{ ref('stg_catalog__customers') }}
    where recorded_at < {{ as_of_at() }}

),

lives as (

    select * from {{ ref('int_rating__billable_lives') }}

),

subscription_lives as (

    select distinct
        subscription_id,
        customer_id,
        life_from,
        life_to
    from lives

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

price_rows as (

    select * from {{ ref('int_rating__price_rows') }}

),

price_pairs as (

    select * from {{ ref('int_rating__price_pairs') }}

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
        period_usage.subscription_id,
        period_usage.period_number,
        period_usage.meter_profile,
        period_usage.subscription_ref,
        period_usage.item_ref,
        period_usage.dimensions
    from period_usage
    left join matched_rows
        on
            period_usage.subscription_id = matched_rows.subscription_id
            and period_usage.period_number = matched_rows.period_number
            and period_usage.meter_profile = matched_rows.meter_profile
            and period_usage.item_ref = matched_rows.item_ref
            and period_usage.dimensions = matched_rows.dimensions
    left join out_of_range
        on
            matched_rows.subscription_id = out_of_range.subscription_id
            and matched_rows.period_number = out_of_range.period_number
            and matched_rows.charge_id = out_of_range.charge_id
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
            routes.subscription_id = unrated_sets.subscription_id
            and routes.period_number = unrated_sets.period_number
            and routes.meter_profile = unrated_sets.meter_profile
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

{{ measured_events(profiles) }},

suspects as {{ materialized() }} (

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

),

billed as (

    select distinct
        suspects.load_id,
        suspects.line_number
    from suspects
    inner join routes
        on
            suspects.customer_id = routes.customer_id
            and suspects.meter_profile = routes.meter_profile
            and suspects.subscription_id = routes.subscription_ref
            and suspects.subscription_item_id = routes.item_ref
            and suspects.occurred_at >= routes.route_from
            and suspects.occurred_at < routes.route_to
            and suspects.load_day < routes.cutoff_date
    inner join matched_rows
        on
            routes.subscription_id = matched_rows.subscription_id
            and routes.period_number = matched_rows.period_number
            and routes.meter_profile = matched_rows.meter_profile
            and routes.item_ref = matched_rows.item_ref
            and suspects.dimensions = matched_rows.dimensions
    left join out_of_range
        on
            matched_rows.subscription_id = out_of_range.subscription_id
            and matched_rows.period_number = out_of_range.period_number
            and matched_rows.charge_id = out_of_range.charge_id
            and matched_rows.price_row_id = out_of_range.price_row_id
    where
        suspects.outcome = 'metered'
        and out_of_range.price_row_id is null

),

unbilled as (

    select suspects.*
    from suspects
    left join billed
        on
            suspects.load_id = billed.load_id
            and suspects.line_number = billed.line_number
    where billed.load_id is null

),

own_subscriptions as (

    select
        unbilled.load_id,
        unbilled.line_number,
        count(*) as own_count,
        sum(
            case
                when
                    unbilled.occurred_at >= subscription_lives.life_from
                    and unbilled.occurred_at < subscription_lives.life_to
                    then 1
                else 0
            end
        ) as active_count
    from (
        select distinct
            load_id,
            line_number,
            customer_id,
            subscription_id,
            occurred_at
        from unbilled
    ) as unbilled
    inner join subscription_lives
        on
            unbilled.customer_id = subscription_lives.customer_id
            and unbilled.subscription_id in ('', subscription_lives.subscription_id)
    group by
        unbilled.load_id,
        unbilled.line_number

),

billable_subscriptions as (

    select
        unbilled.load_id,
        unbilled.line_number,
        unbilled.meter_profile,
        count(*) as billable_count,
        min({{ binary_order('lives.subscription_id') }}) as owner_id
    from unbilled
    inner join lives
        on
            unbilled.customer_id = lives.customer_id
            and unbilled.meter_profile = lives.meter_profile
            and unbilled.subscription_item_id = lives.item_ref
            and unbilled.subscription_id = lives.subscription_ref
            and unbilled.occurred_at >= lives.life_from
            and unbilled.occurred_at < lives.life_to
    group by
        unbilled.load_id,
        unbilled.line_number,
        unbilled.meter_profile

),

-- Price rows that would take the usage, and what became of them.
priced as (

    select
        unbilled.load_id,
        unbilled.line_number,
        unbilled.meter_profile,
        periods.period_number,
        price_rows.charge_id,
        price_rows.price_row_id,
        out_of_range.price_row_id as out_of_range_row_id,
        price_rows.dimension_values,
        count(price_pairs.pair) as matched_count
    from unbilled
    inner join billable_subscriptions
        on
            unbilled.load_id = billable_subscriptions.load_id
            and unbilled.line_number = billable_subscriptions.line_number
            and unbilled.meter_profile = billable_subscriptions.meter_profile
            and billable_subscriptions.billable_count = 1
    inner join periods
        on
            billable_subscriptions.owner_id = periods.subscription_id
            and unbilled.occurred_at >= periods.period_from
            and unbilled.occurred_at < periods.period_to
    inner join price_rows
        on
            periods.subscription_id = price_rows.subscription_id
            and periods.period_number = price_rows.period_number
            and unbilled.meter_profile = price_rows.meter_profile
            and unbilled.subscription_item_id in ('', price_rows.charge_id)
    left join price_pairs
        on
            price_rows.price_row_id = price_pairs.price_row_id
            and strpos('|' || unbilled.dimensions || '|', '|' || price_pairs.pair || '|') > 0
    left join out_of_range
        on
            price_rows.subscription_id = out_of_range.subscription_id
            and price_rows.period_number = out_of_range.period_number
            and price_rows.charge_id = out_of_range.charge_id
            and price_rows.price_row_id = out_of_range.price_row_id
    group by
        unbilled.load_id,
        unbilled.line_number,
        unbilled.meter_profile,
        periods.period_number,
        price_rows.charge_id,
        price_rows.price_row_id,
        out_of_range.price_row_id,
        price_rows.dimension_values
    having count(price_pairs.pair) = {{ named_value_count('price_rows.dimension_values') }}

),

prices_of_usage as (

    select
        load_id,
        line_number,
        meter_profile,
        count(*) as price_row_count,
        count(out_of_range_row_id) as out_of_range_count
    from priced
    group by
        load_id,
        line_number,
        meter_profile

),

reasoned as (

    select
        unbilled.load_day,
        unbilled.loaded_at,
        unbilled.load_id,
        unbilled.line_number,
        unbilled.customer_id,
        unbilled.event_name,
        unbilled.occurred_at,
        unbilled.subscription_id,
        unbilled.subscription_item_id,
        case
            when unbilled.outcome <> 'metered' then unbilled.outcome
            when customers.customer_id is null then 'unknown_customer'
            when unbilled.subscription_id <> '' and own_subscriptions.own_count is null
                then 'unknown_subscription'
            when coalesce(own_subscriptions.active_count, 0) = 0 then 'no_subscription'
            when billable_subscriptions.billable_count is null then 'no_charge'
            when billable_subscriptions.billable_count > 1 then 'ambiguous_subscription'
            when periods.period_from is null or periods.period_from >= {{ as_of_at() }} then null
            when prices_of_usage.price_row_count is null then 'no_charge'
            when unbilled.load_day >= cast(periods.cutoff_at as date) then 'too_late'
            when prices_of_usage.out_of_range_count > 0 then 'out_of_range'
            else 'ambiguous_subscription'
        end as reason,
        unbilled.outcome = 'metered' as is_metered
    from unbilled
    left join customers
        on unbilled.customer_id = customers.customer_id
    left join own_subscriptions
        on
            unbilled.load_id = own_subscriptions.load_id
            and unbilled.line_number = own_subscriptions.line_number
    left join billable_subscriptions
        on
            unbilled.load_id = billable_subscriptions.load_id
            and unbilled.line_number = billable_subscriptions.line_number
            and unbilled.meter_profile = billable_subscriptions.meter_profile
    left join periods
        on
            billable_subscriptions.owner_id = periods.subscription_id
            and billable_subscriptions.billable_count = 1
            and unbilled.occurred_at >= periods.period_from
            and unbilled.occurred_at < periods.period_to
    left join prices_of_usage
        on
            unbilled.load_id = prices_of_usage.load_id
            and unbilled.line_number = prices_of_usage.line_number
            and unbilled.meter_profile = prices_of_usage.meter_profile

),

-- Of several profiles the reason nearest to a bill.
ranked as (

    select
        reasoned.*,
        row_number() over (
            partition by reasoned.load_id, reasoned.line_number
            order by
                case when reasoned.is_metered then 0 else 1 end,
                case reasoned.reason
                    when 'out_of_range' then 0
                    when 'too_late' then 1
                    when 'ambiguous_subscription' then 2
                    when 'no_charge' then 3
                    when 'no_subscription' then 4
                    when 'unknown_subscription' then 5
                    when 'unknown_customer' then 6
                    when 'not_a_number' then 7
                    when 'no_value' then 8
                    when 'filtered' then 9
                    else 10
                end
        ) as nearness
    from reasoned

)

select
    load_day,
    loaded_at,
    load_id,
    line_number,
    customer_id,
    event_name,
    occurred_at,
    subscription_id,
    subscription_item_id,
    reason
from ranked
where
    nearness = 1
    and reason is not null
