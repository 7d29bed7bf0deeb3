-- One row: what this run builds. Made first; every other model takes its window from here.
{% set last_built_day = last_built_day() %}
{{ stop_at_what_was_sealed() }}
with

seals as (

    select max(sealed_until) as sealed_until from {{ source('ledger', 'seals') }}

),

usage_events as (

    select loaded_at from {{ source('raw', 'usage_events') }}

),

built_days as (

    {{ earlier_built_days() }}

),

late_rows as (

    select recorded_at
    from (
        {{ late_catalog_rows() }}
    ) as late_catalog_rows

    union

    select recorded_at
    from (
        {{ credit_stop_rows() }}
    ) as credit_stop_rows

),

earlier_state as (

    {{ earlier_state() }}

),

-- From the last built day on, raw itself is counted; before it the loads' own counts tell whether
-- something was landed into a past day (who fills raw without loads rows says from_day).
landed_days as (

    select
        cast(loaded_at as date) as load_day,
        count(*) as landed_count
    from usage_events
    {% if last_built_day %}
    where loaded_at >= cast('{{ last_built_day }}' as {{ type_timestamp() }})
    {% endif %}
    group by cast(loaded_at as date)

    {% if last_built_day %}
    union all

    select
        cast(loads.loaded_at as date) as load_day,
        sum(loads.row_count) as landed_count
    from {{ source('raw', 'loads') }} as loads
    where loads.loaded_at < cast('{{ last_built_day }}' as {{ type_timestamp() }})
    group by cast(loads.loaded_at as date)
    {% endif %}

),

asked as (

    select
        {{ day_var('from_day') }} as from_day,
        {{ day_var('through_day') }} as through_day

),

through as (

    select
        coalesce(
            asked.through_day,
            greatest(
                (select max(landed_days.load_day) from landed_days),
                (select max(earlier_state.as_of_day) from earlier_state),
                (
                    select cast(max(seals.sealed_until) - interval '1 day' as date)
                    from seals
                )
            ),
            asked.from_day,
            cast('1970-01-01' as date)
        ) as through_day,
        asked.from_day as asked_from_day
    from asked

),

stale_days as (

    select landed_days.load_day
    from landed_days
    left join built_days
        on landed_days.load_day = built_days.load_day
    where
        built_days.load_day is null
        or built_days.landed_count < landed_days.landed_count

),

asked_days as (

    select
        coalesce(
            through.asked_from_day,
            (
                select min(stale_days.load_day)
                from stale_days
                where stale_days.load_day <= through.through_day
            ),
            through.through_day
        ) as from_day,
        through.through_day,
        -- Nothing that was known is forgotten, least of all what was sealed.
        greatest(
            through.through_day,
            (select max(earlier_state.as_of_day) from earlier_state),
            (select cast(max(seals.sealed_until) - interval '1 day' as date) from seals)
        ) as as_of_day
    from through

),

-- A close knows the catalogue as it was then. Where a row was recorded after it took effect, the
-- run ends before that day, and closes what is due until then; the next run goes on from there.
-- What was recorded before the first usage was landed was known from the beginning.
stops as (

    select min(cast(late_rows.recorded_at as date)) as stop_day
    from late_rows
    cross join asked_days
    cross join seals
    where
        cast(cast(late_rows.recorded_at as date) as {{ type_timestamp() }}) > greatest(
            coalesce(seals.sealed_until, cast('1900-01-01' as {{ type_timestamp() }})),
            coalesce(
                (select min(earlier_state.close_at) from earlier_state),
                cast('1900-01-01' as {{ type_timestamp() }})
            )
        )
        and cast(late_rows.recorded_at as date) <= asked_days.as_of_day
        and cast(late_rows.recorded_at as date) > least(
            (select min(landed_days.load_day) from landed_days),
            (select min(built_days.load_day) from built_days)
        )
        -- Where nothing closes from then on, drafts may know it.
        and cast(late_rows.recorded_at as date) < least(
            cast('9999-12-31' as date),
            {{ day_var('open_day') }},
            (
                select min(stale_days.load_day)
                from stale_days
                where
                    stale_days.load_day not between asked_days.from_day and asked_days.through_day
                    and stale_days.load_day <= asked_days.as_of_day
            )
        )

),

days as (

    select
        least(
            asked_days.from_day,
            coalesce(
                cast(stops.stop_day - interval '1 day' as date), asked_days.through_day
            )
        ) as from_day,
        least(
            asked_days.through_day,
            cast(stops.stop_day - interval '1 day' as date)
        ) as through_day,
        least(
            asked_days.as_of_day,
            cast(stops.stop_day - interval '1 day' as date)
        ) as as_of_day,
        stops.stop_day
    from asked_days
    cross join stops

),

-- Whether a delivery is the first of its key is decided against all of raw, so the deliveries of
-- days that were skipped are read too.
unread_days as (

    select min(stale_days.load_day) as load_day
    from stale_days
    inner join days on stale_days.load_day <= days.through_day

),

-- Nothing closes at or after a day whose usage is landed and not built: a lone day makes drafts.
missing_days as (

    select min(stale_days.load_day) as load_day
    from stale_days
    inner join days
        on
            stale_days.load_day not between days.from_day and days.through_day
            and stale_days.load_day <= days.as_of_day

),

-- A row of the catalogue counts from when it was recorded: one that becomes known is a change.
hashed as (

    select
        md5(
            {%- for name in billing_tables() %}
            {{ relation_hash(
                ref('stg_catalog__' ~ name),
                'recorded_at < cast((select days.as_of_day from days) as '
                ~ type_timestamp() ~ ") + interval '1 day'"
            ) }} ||
            {%- endfor %}
            {{ relation_hash(ref('time_zone_transitions')) }}
            || {{ relation_hash(ref('currencies')) }}
            || '{{ var("rules_version") | int }} {{ var("future_tolerance_minutes") | int }}'
        ) as inputs_hash

),

window_row as (

    select
        days.from_day,
        days.through_day,
        least(days.from_day, unread_days.load_day) as deliveries_from_day,
        days.as_of_day,
        days.stop_day,
        cast(days.as_of_day as {{ type_timestamp() }}) + interval '1 day' as as_of_at,
        greatest(
            least(
                cast(days.as_of_day as {{ type_timestamp() }}) + interval '1 day',
                cast(missing_days.load_day as {{ type_timestamp() }}),
                cast({{ day_var('open_day') }} as {{ type_timestamp() }})
            ),
            seals.sealed_until
        ) as close_at,
        -- What is sealed is closed for good; what is not is computed again where usage or the
        -- catalogue changed.
        case
            when not exists (select 1 from earlier_state)
                then cast('1900-01-01' as {{ type_timestamp() }})
            when (select min(earlier_state.inputs_hash) from earlier_state) <> hashed.inputs_hash
                then coalesce(
                    seals.sealed_until, cast('1900-01-01' as {{ type_timestamp() }})
                )
            else greatest(
                seals.sealed_until,
                least(
                    cast(days.from_day as {{ type_timestamp() }}),
                    (select min(earlier_state.close_at) from earlier_state)
                )
            )
        end as open_from,
        coalesce(seals.sealed_until, cast('1900-01-01' as {{ type_timestamp() }}))
            as sealed_until,
        coalesce(
            (select min(earlier_state.inputs_hash) from earlier_state) <> hashed.inputs_hash,
            true
        ) as has_new_inputs,
        hashed.inputs_hash
    from days
    cross join seals
    cross join unread_days
    cross join missing_days
    cross join hashed

)

select
    from_day,
    through_day,
    deliveries_from_day,
    as_of_day,
    as_of_at,
    close_at,
    open_from,
    sealed_until,
    has_new_inputs,
    inputs_hash,
    stop_day
from window_row
