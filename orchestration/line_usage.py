"""The events that an invoice line bills, found again from the view of metered events.

Rating works on rollups; this is the way back for one line: the events of its period, meter and
subscription whose price row is the line's. It repeats the rule of the choice, for a reader.
"""

from __future__ import annotations

from orchestration.marts import Marts, Row

# Parameters: the customer, the subscription, the period's number, charge and part, the price row.
LINE_EVENTS = """
with

line_rows as (

    select
        price_rows.price_row_id,
        price_rows.price_position,
        price_rows.dimension_values,
        price_rows.meter_profile,
        price_rows.charge_id,
        price_rows.cutoff_at,
        periods.subscription_id,
        periods.customer_id,
        price_rows.part_from,
        price_rows.part_to
    from rating.int_rating__price_rows as price_rows
    inner join subscriptions.int_subscriptions__periods as periods
        on
            price_rows.subscription_id = periods.subscription_id
            -- A period that is rated again has a number of its own.
            and mod(price_rows.period_number, 1000000) = periods.period_number
    where
        periods.customer_id = ?
        and periods.subscription_id = ?
        and price_rows.period_number = ?
        and price_rows.charge_id = ?
        and price_rows.part_number = ?

),

line_period as (

    select
        customer_id,
        subscription_id,
        charge_id,
        meter_profile,
        part_from,
        part_to,
        min(cutoff_at) as cutoff_at
    from line_rows
    group by customer_id, subscription_id, charge_id, meter_profile, part_from, part_to

),

known_events as (

    select metered_events.*
    from marts.metered_events as metered_events
    inner join line_period
        on
            metered_events.customer_id = line_period.customer_id
            and metered_events.meter_profile = line_period.meter_profile
            and metered_events.occurred_at >= line_period.part_from
            and metered_events.occurred_at < line_period.part_to
            and metered_events.loaded_at < line_period.cutoff_at
            and (
                metered_events.voided_day is null
                or metered_events.voided_day >= cast(line_period.cutoff_at as date)
            )
            and metered_events.subscription_id in ('', line_period.subscription_id)
            and metered_events.subscription_item_id in ('', line_period.charge_id)
    where
        metered_events.customer_id = ?
        and metered_events.outcome = 'metered'
        and not exists (
            select 1
            from subscriptions.int_subscriptions__pauses as pauses
            where
                pauses.subscription_id = line_period.subscription_id
                and metered_events.occurred_at >= pauses.pause_from
                and (
                    pauses.pause_to is null
                    or metered_events.occurred_at < pauses.pause_to
                )
        )

),

-- An event that names no subscription is billed where only one could.
own_events as (

    select known_events.*
    from known_events
    where
        known_events.subscription_id <> ''
        or (
            select count(distinct lives.subscription_id)
            from rating.int_rating__billable_lives as lives
            inner join line_period
                on lives.recorded_at < line_period.cutoff_at
            where
                lives.customer_id = known_events.customer_id
                and lives.meter_profile = known_events.meter_profile
                and lives.subscription_ref = ''
                and lives.item_ref = known_events.subscription_item_id
                and known_events.occurred_at >= lives.life_from
                and known_events.occurred_at < lives.life_to
        ) = 1

),

row_sizes as (

    select
        price_row_id,
        count(*) as pair_count
    from rating.int_rating__price_pairs
    group by price_row_id

),

matches as (

    select
        own_events.load_id,
        own_events.line_number,
        line_rows.price_row_id,
        row_number() over (
            partition by own_events.load_id, own_events.line_number
            order by
                coalesce(row_sizes.pair_count, 0) desc,
                line_rows.price_position,
                line_rows.dimension_values
        ) as choice
    from own_events
    cross join line_rows
    left join row_sizes
        on line_rows.price_row_id = row_sizes.price_row_id
    where not exists (
        select 1
        from rating.int_rating__price_pairs as price_pairs
        where
            price_pairs.price_row_id = line_rows.price_row_id
            and strpos('|' || own_events.dimensions || '|', '|' || price_pairs.pair || '|') = 0
    )

),

line_events as (

    select own_events.*
    from own_events
    inner join matches
        on
            own_events.load_id = matches.load_id
            and own_events.line_number = matches.line_number
    where
        matches.choice = 1
        and matches.price_row_id = ?

)
"""


def _parameters(marts: Marts, line: Row) -> list[object] | None:
    """None for a line that a correction took back whole: nothing is left that it bills."""
    found = marts.rows(
        "select price_row_id, part_number, invoice_number_in_subscription from marts.rated_lines"
        " where rated_line_id = ?",
        line["rated_line_id"],
    )
    if not found:
        return None
    return [
        line["customer_id"],
        line["subscription_id"],
        found[0]["invoice_number_in_subscription"],
        line["charge_id"],
        found[0]["part_number"],
        line["customer_id"],
        found[0]["price_row_id"],
    ]


def _rows(marts: Marts, line: Row, sql: str) -> list[Row]:
    parameters = _parameters(marts, line)
    return marts.rows(sql, *parameters) if parameters else []


def list_days(marts: Marts, line: Row) -> list[Row]:
    """One row per UTC day with events of the line: their number, and the sum of their values."""
    return _rows(
        marts,
        line,
        LINE_EVENTS
        + """
        select
            cast(occurred_at as date) as usage_date,
            count(*) as event_count,
            cast(sum(quantity) as decimal(38, 10)) as quantity_sum
        from line_events
        group by cast(occurred_at as date)
        order by usage_date
        """,
    )


def count_events(marts: Marts, line: Row) -> int:
    """How many events the line bills."""
    found = _rows(marts, line, LINE_EVENTS + "select count(*) as event_count from line_events")
    return found[0]["event_count"] if found else 0


def list_events(marts: Marts, line: Row, limit: int) -> list[Row]:
    """The first `limit` events of the line in their order, with the file and line they came in."""
    return _rows(
        marts,
        line,
        LINE_EVENTS
        + f"""
        select
            line_events.occurred_at,
            line_events.event_key,
            line_events.event_name,
            line_events.value_text,
            line_events.dimensions,
            line_events.properties,
            loads.file_name,
            line_events.load_id,
            line_events.line_number,
            line_events.loaded_at
        from line_events
        left join raw.loads as loads
            on line_events.load_id = loads.load_id
        order by line_events.occurred_at, line_events.load_id, line_events.line_number
        limit {int(limit)}
        """,
    )
