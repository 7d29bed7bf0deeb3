{{
    config(
        materialized="incremental",
        incremental_strategy="replace_window",
        meta={"replaces": "unbilled"},
    )
}}
with

suspects as (

    select * from {{ ref('int_rating__unbilled_suspects') }}

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

    select * from {{ ref('int_subscriptions__lives') }}

),

pauses as (

    select * from {{ ref('int_subscriptions__pauses') }}

),

periods as (

    select * from {{ ref('int_subscriptions__periods') }}

),

routes as (

    select * from {{ ref('int_rating__usage_routes') }}

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

reopened_periods as (

    select distinct
        subscription_id,
        own_period_number
    from {{ ref('int_rating__reopened_periods') }}

),

earlier_verdicts as (

    {{ earlier_unbilled() }}

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
            routes.slice_id = matched_rows.slice_id
            and suspects.dimensions = matched_rows.dimensions
    left join out_of_range
        on
            matched_rows.subscription_id = out_of_range.subscription_id
            and matched_rows.period_number = out_of_range.period_number
            and matched_rows.charge_id = out_of_range.charge_id
            and matched_rows.part_number = out_of_range.part_number
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
                    unbilled.occurred_at >= subscription_lives.starts_at
                    and (
                        subscription_lives.ends_at is null
                        or unbilled.occurred_at < subscription_lives.ends_at
                    )
                    then 1
                else 0
            end
        ) as active_count,
        count(pauses.subscription_id) as paused_count
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
    left join pauses
        on
            subscription_lives.subscription_id = pauses.subscription_id
            and unbilled.occurred_at >= pauses.pause_from
            and (pauses.pause_to is null or unbilled.occurred_at < pauses.pause_to)
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

ever_out_of_range as (

    select distinct
        subscription_id,
        {{ own_number('period_number') }} as own_period_number,
        charge_id,
        part_number,
        price_row_id
    from out_of_range

),

-- Price rows that would take the usage, and what became of them.
priced as (

    select
        unbilled.load_id,
        unbilled.line_number,
        unbilled.meter_profile,
        periods.period_number,
        price_rows.charge_id,
        price_rows.part_number,
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
            and unbilled.occurred_at >= price_rows.part_from
            and unbilled.occurred_at < price_rows.part_to
            and unbilled.subscription_item_id in ('', price_rows.charge_id)
    left join price_pairs
        on
            price_rows.price_row_id = price_pairs.price_row_id
            and strpos('|' || unbilled.dimensions || '|', '|' || price_pairs.pair || '|') > 0
    left join ever_out_of_range as out_of_range
        on
            price_rows.subscription_id = out_of_range.subscription_id
            and price_rows.period_number = out_of_range.own_period_number
            and price_rows.charge_id = out_of_range.charge_id
            and price_rows.part_number = out_of_range.part_number
            and price_rows.price_row_id = out_of_range.price_row_id
    group by
        unbilled.load_id,
        unbilled.line_number,
        unbilled.meter_profile,
        periods.period_number,
        price_rows.charge_id,
        price_rows.part_number,
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
            when own_subscriptions.paused_count >= own_subscriptions.active_count then 'paused'
            when billable_subscriptions.billable_count is null then 'no_charge'
            when billable_subscriptions.billable_count > 1 then 'ambiguous_subscription'
            when periods.period_from is null or periods.period_from >= {{ as_of_at() }} then null
            when prices_of_usage.price_row_count is null then 'no_charge'
            when prices_of_usage.out_of_range_count > 0 then 'out_of_range'
            when
                unbilled.load_day >= cast(periods.cutoff_at as date)
                and unbilled.load_day
                >= cast(periods.cutoff_at + own_plans.correction_days * interval '1 day' as date)
                then 'too_late'
            -- A correction of its period bills it.
            when unbilled.load_day >= cast(periods.cutoff_at as date) then null
            else 'ambiguous_subscription'
        end as reason,
        unbilled.outcome = 'metered' as is_metered,
        -- What had come in for what has closed, and is not rated again, was judged then: when it
        -- closed, or when an earlier run corrected it.
        coalesce(
            periods.cutoff_at <= {{ open_from() }}
            and unbilled.load_day < cast({{ open_from() }} as date)
            and reopened_periods.subscription_id is null,
            false
        ) as is_judged,
        earlier_verdicts.reason as earlier_reason
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
    left join {{ ref('stg_catalog__plans') }} as own_plans
        on periods.plan_id = own_plans.plan_id
    left join reopened_periods
        on
            periods.subscription_id = reopened_periods.subscription_id
            and periods.period_number = reopened_periods.own_period_number
    left join earlier_verdicts
        on
            unbilled.load_id = earlier_verdicts.load_id
            and unbilled.line_number = earlier_verdicts.line_number
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
        max(case when reasoned.is_judged then 1 else 0 end) over (
            partition by reasoned.load_id, reasoned.line_number
        ) as judged_count,
        row_number() over (
            partition by reasoned.load_id, reasoned.line_number
            order by
                case when reasoned.is_metered then 0 else 1 end,
                case reasoned.reason
                    when 'out_of_range' then 0
                    when 'too_late' then 1
                    when 'ambiguous_subscription' then 2
                    when 'no_charge' then 3
                    when 'paused' then 4
                    when 'no_subscription' then 5
                    when 'unknown_subscription' then 6
                    when 'unknown_customer' then 7
                    when 'not_a_number' then 8
                    when 'no_value' then 9
                    when 'filtered' then 10
                    else 11
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
    case when judged_count > 0 then earlier_reason else reason end as reason
from ranked
where
    nearness = 1
    and case when judged_count > 0 then earlier_reason else reason end is not null
