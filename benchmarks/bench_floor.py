"""The floor of the benchmark: hand-written queries that do no more than the totals need.

No rejects, voids, late periods, filters or rounding rules; and no drafts apart from closed
periods. The offset of a customer's zone is looked up once, as none changes in the bench's months.
"""

from __future__ import annotations

_OFFSETS = """
create table bench_offsets as
select
    customers.customer_id,
    max(transitions.offset_seconds) * interval '1 second' as zone_offset
from {catalog}.customers as customers
inner join (
    select
        zone,
        cast(offset_seconds as integer) as offset_seconds,
        row_number() over (partition by zone order by utc_from desc) as recency
    from {reference}.time_zone_transitions
    where cast(utc_from as timestamp) < timestamp '2026-02-01'
) as transitions
    on customers.time_zone = transitions.zone
    and transitions.recency = 1
group by customers.customer_id
"""

# One row per customer, local month, meter and dimensions; usage of a null dimension has none.
_SPREAD = """
select
    customer_id,
    period_from_date,
    meter,
    dimensions,
    cast(sum(event_count) as bigint) as event_count,
    cast(sum(quantity) as decimal(38, 10)) as quantity
from (
    select customer_id, period_from_date, 'api_calls' as meter, '' as dimensions,
        event_count, event_count as quantity
    from sums where event_name = 'api_call'
    union all
    select customer_id, period_from_date, 'input_tokens',
        'model=' || model || '|region=' || region, event_count, input_tokens
    from sums where event_name = 'completion'
    union all
    select customer_id, period_from_date, 'output_tokens',
        'model=' || model || '|region=' || region, event_count, output_tokens
    from sums where event_name = 'completion'
    union all
    select customer_id, period_from_date, 'storage', '', event_count, gb_hours
    from sums where event_name = 'storage_read'
) as totals
group by customer_id, period_from_date, meter, dimensions
"""

# Keys seen twice are listed by hash; only among them are the keys compared and rows ranked.
_DUCKDB = f"""
create table bench_floor as
with repeated_hashes as materialized (
    select hash(customer_id, event_key) as key_hash
    from raw.usage_events
    group by key_hash
    having count(*) > 1
),
marked as (
    select
        customer_id, event_name, occurred_at, properties, event_key, loaded_at, load_id,
        line_number,
        hash(customer_id, event_key) in (from repeated_hashes) as is_suspect
    from raw.usage_events
),
first_of_suspects as (
    select customer_id, event_name, occurred_at, properties
    from marked
    where is_suspect
    qualify row_number() over (
        partition by customer_id, event_key order by loaded_at, load_id, line_number
    ) = 1
),
firsts as (
    select customer_id, event_name, occurred_at, properties from marked where not is_suspect
    union all
    select customer_id, event_name, occurred_at, properties from first_of_suspects
),
read_events as (
    select
        customer_id,
        event_name,
        cast(occurred_at as timestamp) as occurred_at,
        json_extract_string(
            properties, ['$.model', '$.region', '$.input_tokens', '$.output_tokens', '$.gb_hours']
        ) as found
    from firsts
),
sums as (
    select
        read_events.customer_id,
        cast(date_trunc('month', occurred_at + zone_offset) as date) as period_from_date,
        event_name,
        case when event_name = 'completion' then found[1] end as model,
        case when event_name = 'completion' then found[2] end as region,
        count(*) as event_count,
        sum(cast(found[3] as decimal(28, 10))) as input_tokens,
        sum(cast(found[4] as decimal(28, 10))) as output_tokens,
        sum(cast(found[5] as decimal(28, 10))) as gb_hours
    from read_events
    inner join bench_offsets on read_events.customer_id = bench_offsets.customer_id
    group by all
)
{_SPREAD}
"""

_POSTGRES = f"""
create table bench_floor as
with repeated_hashes as materialized (
    select hashtextextended(customer_id || event_key, 0) as key_hash
    from raw.usage_events
    group by 1
    having count(*) > 1
),
later as materialized (
    select load_id, line_number
    from (
        select
            load_id,
            line_number,
            row_number() over (
                partition by customer_id, event_key
                order by loaded_at, load_id collate "C", line_number
            ) as delivery_number
        from raw.usage_events
        where hashtextextended(customer_id || event_key, 0) in (
            select key_hash from repeated_hashes
        )
    ) as ranked
    where delivery_number > 1
),
read_events as (
    select
        customer_id,
        event_name,
        cast(occurred_at as timestamptz) at time zone 'UTC' as occurred_at,
        cast(properties as json) as found
    from raw.usage_events
    where not exists (
        select 1 from later
        where later.load_id = usage_events.load_id
            and later.line_number = usage_events.line_number
    )
),
sums as materialized (
    select
        read_events.customer_id,
        cast(date_trunc('month', occurred_at + zone_offset) as date) as period_from_date,
        event_name,
        case when event_name = 'completion' then found ->> 'model' end as model,
        case when event_name = 'completion' then found ->> 'region' end as region,
        count(*) as event_count,
        sum(case when event_name = 'completion'
            then cast(found ->> 'input_tokens' as numeric) end) as input_tokens,
        sum(case when event_name = 'completion'
            then cast(found ->> 'output_tokens' as numeric) end) as output_tokens,
        sum(case when event_name = 'storage_read'
            then cast(found ->> 'gb_hours' as numeric) end) as gb_hours
    from read_events
    inner join bench_offsets on read_events.customer_id = bench_offsets.customer_id
    group by 1, 2, 3, 4, 5
)
{_SPREAD}
"""

FLOORS = {"duckdb": _DUCKDB, "postgres": _POSTGRES}


def floor_setup(target: str) -> list[str]:
    """What stands before the query and is not timed: the zone offsets, and statistics of raw."""
    statements = [
        "drop table if exists bench_floor",
        "drop table if exists bench_offsets",
        _OFFSETS.format(catalog="catalog", reference="reference"),
    ]
    if target == "postgres":
        # Without statistics of its CTEs the planner would compare every row with every later one.
        statements += [
            "analyze raw.usage_events",
            "analyze bench_offsets",
            "set enable_nestloop = off",
            "set work_mem = '256MB'",
        ]
    return statements


HOUSE_TOTALS = """
select
    periods.customer_id,
    periods.period_from_date,
    split_part(period_usage.meter_profile, '@', 1) as meter,
    period_usage.dimensions,
    cast(sum(period_usage.event_count) as bigint) as event_count,
    cast(sum(
        case
            when period_usage.meter_profile = 'api_calls@1' then period_usage.event_count
            else period_usage.value_sum
        end
    ) as decimal(38, 10)) as quantity
from rating.int_rating__period_usage as period_usage
inner join rating.int_rating__slices as slices
    on period_usage.slice_id = slices.slice_id
inner join subscriptions.int_subscriptions__periods as periods
    on slices.subscription_id = periods.subscription_id
    and slices.period_number = periods.period_number
group by 1, 2, 3, 4
"""

# Lines have no dimensions but their price row's: compared by meter.
LINE_TOTALS = """
select
    invoice_lines.customer_id,
    periods.period_from_date,
    invoice_lines.charge_id as meter,
    '' as dimensions,
    cast(sum(invoice_lines.event_count) as bigint) as event_count,
    cast(sum(invoice_lines.quantity) as decimal(38, 10)) as quantity
from marts.invoice_lines as invoice_lines
inner join subscriptions.int_subscriptions__periods as periods
    on invoice_lines.subscription_id = periods.subscription_id
    and invoice_lines.period_number = periods.period_number
where invoice_lines.charge_id <> 'base_fee'
group by 1, 2, 3
"""


def differences(house: str) -> str:
    """Rows of the floor that are not the house's, and the other way round."""
    floor = "select * from bench_floor"
    if house == LINE_TOTALS:
        floor = (
            "select customer_id, period_from_date, meter, '' as dimensions,"
            " cast(sum(event_count) as bigint), cast(sum(quantity) as decimal(38, 10))"
            " from bench_floor group by 1, 2, 3"
        )
    return f"""
    with floor as ({floor}), house as ({house})
    select 'floor' as side, rows.* from (select * from floor except select * from house) as rows
    union all
    select 'house' as side, rows.* from (select * from house except select * from floor) as rows
    """
