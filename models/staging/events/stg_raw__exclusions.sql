{{
    config(
        materialized="incremental",
        incremental_strategy="replace_window",
        meta={"replaces": "load_days"},
    )
}}
-- Which delivery of a key is the first is decided against all of raw: the few keys that are seen
-- twice are listed by hash, and only among them are the keys themselves compared and rows ranked.
{% set contents = [
    'event_name', 'occurred_at', 'voids_key', 'subscription_id', 'subscription_item_id', 'properties'
] %}
with

-- One delivery a load of each shape of JSON keys tells whether the shape repeats one.
shape_samples as (

    select
        key_shape,
        load_id,
        min(line_number) as line_number
    from {{ ref('stg_raw__deliveries') }}
    where
        key_shape is not null
        and {{ in_load_window('load_day') }}
    group by
        key_shape,
        load_id

),

-- Grouped, so that no engine looks into a JSON text before the few samples are chosen (measured: a
-- filter went through a materialized CTE, into every text of raw).
sampled as (

    select
        shape_samples.key_shape,
        min(coalesce(usage_events.unread_record, usage_events.properties)) as json_text
    from shape_samples
    inner join {{ source('raw', 'usage_events') }} as usage_events
        on
            shape_samples.load_id = usage_events.load_id
            and shape_samples.line_number = usage_events.line_number
    where {{ loaded_in_window('usage_events.loaded_at') }}
    group by shape_samples.key_shape

),

repeating_shapes as (

    select key_shape
    from sampled
    where {{ repeats_json_key('json_text') }}

),

rejected as (

    select
        window_deliveries.load_day,
        window_deliveries.loaded_at,
        window_deliveries.load_id,
        window_deliveries.line_number,
        case
            when
                window_deliveries.malformed_field is not null
                and (
                    window_deliveries.malformed_field <> 'unread_record'
                    or repeating_shapes.key_shape is null
                )
                then 'malformed'
            when repeating_shapes.key_shape is not null then 'duplicate_json_key'
            else 'in_future'
        end as reason,
        case
            when repeating_shapes.key_shape is null
                then coalesce(window_deliveries.malformed_field, 'occurred_at')
            else coalesce(window_deliveries.malformed_field, 'properties')
        end as field
    from {{ ref('stg_raw__deliveries') }} as window_deliveries
    left join repeating_shapes
        on window_deliveries.key_shape = repeating_shapes.key_shape
    where
        {{ in_load_window('window_deliveries.load_day') }}
        and (
            window_deliveries.malformed_field is not null
            or window_deliveries.is_in_future
            or repeating_shapes.key_shape is not null
        )

),

repeated_hashes as (

    select key_hash
    from {{ ref('stg_raw__deliveries') }}
    where
        malformed_field is null
        and not is_in_future
        and load_day <= cast('{{ build_window()["through_day"] }}' as date)
        {% if is_incremental() %}
            and key_hash in (
                select window_deliveries.key_hash
                from {{ ref('stg_raw__deliveries') }} as window_deliveries
                where {{ in_load_window('window_deliveries.load_day') }}
            )
        {% endif %}
    group by key_hash
    having count(*) > 1

),

suspects as (

    select
        deliveries.load_day,
        deliveries.loaded_at,
        deliveries.load_id,
        deliveries.line_number,
        deliveries.key_shape
    from {{ ref('stg_raw__deliveries') }} as deliveries
    inner join repeated_hashes
        on deliveries.key_hash = repeated_hashes.key_hash
    where
        deliveries.malformed_field is null
        and not deliveries.is_in_future
        and deliveries.load_day <= cast('{{ build_window()["through_day"] }}' as date)

),

suspect_events as {{ materialized() }} (

    select
        suspects.load_day,
        suspects.loaded_at,
        suspects.load_id,
        suspects.line_number,
        suspects.key_shape,
        usage_events.customer_id,
        {{ delivery_key('usage_events') }} as event_key,
        coalesce(usage_events.event_name, '') as event_name,
        coalesce(usage_events.occurred_at, '') as occurred_at,
        coalesce(usage_events.voids_key, '') as voids_key,
        coalesce(usage_events.subscription_id, '') as subscription_id,
        coalesce(usage_events.subscription_item_id, '') as subscription_item_id,
        coalesce(nullif(usage_events.properties, ''), '{}') as properties
    from suspects
    inner join {{ source('raw', 'usage_events') }} as usage_events
        on
            suspects.loaded_at = usage_events.loaded_at
            and suspects.load_id = usage_events.load_id
            and suspects.line_number = usage_events.line_number
),

suspect_samples as (

    select
        key_shape,
        min(properties) as properties
    from suspect_events
    where key_shape is not null
    group by key_shape

),

repeating_suspect_shapes as (

    select key_shape
    from suspect_samples
    where {{ repeats_json_key('properties') }}

),

acceptable as (

    select suspect_events.*
    from suspect_events
    left join repeating_suspect_shapes
        on suspect_events.key_shape = repeating_suspect_shapes.key_shape
    where repeating_suspect_shapes.key_shape is null

),

-- In windows, not by a join with the first ones: a planner without statistics of a CTE would
-- compare every suspect with every other.
ranked as (

    select
        load_day,
        loaded_at,
        load_id,
        line_number,
        {%- for column in contents %}
            {{ column }},
            first_value({{ column }}) over deliveries_of_key as first_{{ column }},
        {%- endfor %}
        row_number() over deliveries_of_key as delivery_number
    from acceptable
    window deliveries_of_key as (
        partition by customer_id, event_key
        order by loaded_at, {{ binary_order('load_id') }}, line_number
    )

),

-- Several copies of the first content are duplicates of it; anything else under its key conflicts.
repeated as (

    select
        load_day,
        loaded_at,
        load_id,
        line_number,
        case
            when {{ same_content(contents) }} then 'duplicate'
            else 'conflict'
        end as reason
    from ranked
    where
        delivery_number > 1
        and {{ in_load_window('load_day') }}

)

select
    load_day,
    loaded_at,
    load_id,
    line_number,
    'rejected' as outcome,
    reason,
    field
from rejected

union all

select
    load_day,
    loaded_at,
    load_id,
    line_number,
    case when reason = 'duplicate' then 'duplicate' else 'rejected' end as outcome,
    reason,
    case when reason = 'conflict' then 'event_key' end as field
from repeated
