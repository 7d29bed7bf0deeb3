"""The usage of an invoice line: its days, the rollups that rating read, the events behind them.

Of a correction it is what the correction added or took back; of any other line what it was rated
from. The events are those of `marts.line_events`; rollups are asked for by the line's own routes.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from orchestration.marts import Marts, Row

# The customer is the line's; said again, it is a constant that every engine filters raw by.
OF_LINE = "from marts.line_events where line_id = ? and customer_id = ?"

QUARTER = timedelta(minutes=15)


def list_days(marts: Marts, line: Row) -> list[Row]:
    """One row per UTC day with events of the line: their number, and the sum of their values.

    Both are net of what a correction took back. `late_count` are events that came in after the
    line had closed: they are none of its own.
    """
    return marts.rows(
        f"""
        select
            cast(occurred_at as date) as usage_date,
            cast(sum(direction) as bigint) as event_count,
            cast(sum(direction * quantity) as decimal(38, 10)) as quantity_sum,
            count(case when direction <> 0 then 1 end) as touched_count,
            count(case when direction = 0 then 1 end) as late_count
        {OF_LINE}
        group by cast(occurred_at as date)
        order by usage_date
        """,
        line["line_id"],
        line["customer_id"],
    )


def list_events(marts: Marts, line: Row, limit: int) -> list[Row]:
    """The first `limit` events of the line in their order, with the file and line they came in."""
    return marts.rows(
        f"""
        select
            occurred_at,
            event_key,
            event_name,
            file_name,
            load_id,
            line_number,
            loaded_at,
            load_day,
            dimensions,
            value_text,
            quantity,
            amount,
            direction,
            voided_day
        {OF_LINE} and direction <> 0
        order by occurred_at, load_id, line_number
        limit {int(limit)}
        """,
        line["line_id"],
        line["customer_id"],
    )


def list_late_events(marts: Marts, line: Row, limit: int) -> list[Row]:
    """The first `limit` events that came in after the line had closed."""
    return marts.rows(
        f"""
        select
            occurred_at,
            event_key,
            event_name,
            file_name,
            load_id,
            line_number,
            loaded_at,
            value_text,
            quantity,
            voided_day
        {OF_LINE} and direction = 0
        order by loaded_at, load_id, line_number
        limit {int(limit)}
        """,
        line["line_id"],
        line["customer_id"],
    )


def list_rollups(
    marts: Marts, rated_line_id: str, days: tuple[date | None, date], until: datetime
) -> list[Row]:
    """What each load day added to each quarter of an hour before `until`, as rating read it.

    `days` bounds the load days, [from, to); from the first one where it is None. Quarters that a
    bound of the line cuts have none: their events are read one by one.
    """
    first, to = days
    return marts.rows(
        """
        select
            rollups.bucket_from,
            rollups.load_day,
            rollups.dimensions,
            rollups.value_key,
            cast(sum(rollups.event_count) as bigint) as event_count,
            cast(sum(rollups.value_sum) as decimal(38, 10)) as quantity_sum
        from marts.rated_lines as rated_lines
        inner join rating.int_rating__line_routes as routes
            on
                rated_lines.subscription_id = routes.subscription_id
                and rated_lines.invoice_number_in_subscription = routes.period_number
                and rated_lines.charge_id = routes.charge_id
                and rated_lines.part_number = routes.part_number
        inner join rating.int_rating__line_dimensions as dimensions
            on
                rated_lines.subscription_id = dimensions.subscription_id
                and rated_lines.invoice_number_in_subscription = dimensions.period_number
                and rated_lines.charge_id = dimensions.charge_id
                and rated_lines.part_number = dimensions.part_number
                and rated_lines.price_row_id = dimensions.price_row_id
        inner join metering.int_metering__rollups as rollups
            on
                routes.customer_id = rollups.customer_id
                and routes.meter_profile = rollups.meter_profile
                and routes.subscription_ref = rollups.subscription_id
                and routes.item_ref = rollups.subscription_item_id
                and dimensions.dimensions = rollups.dimensions
                and rollups.bucket_from >= routes.full_from
                and rollups.bucket_from < routes.full_to
        where
            rated_lines.rated_line_id = ?
            and rollups.outcome = 'metered'
            and rollups.load_day >= ?
            and rollups.load_day < ?
            and rollups.bucket_from < ?
        group by
            rollups.bucket_from,
            rollups.load_day,
            rollups.dimensions,
            rollups.value_key
        order by
            rollups.bucket_from,
            rollups.load_day,
            rollups.dimensions,
            rollups.value_key
        """,
        rated_line_id,
        first or date(1900, 1, 1),
        to,
        until,
    )


def bucket_of(instant: datetime) -> datetime:
    """The quarter of an hour that holds `instant`."""
    return instant - (instant - datetime(1970, 1, 1)) % QUARTER


def usage_tree(days: list[Row], rollups: list[Row], events: list[Row]) -> list[Row]:
    """Days that hold rollups that hold events, each with those of them that are given.

    An event that no rollup holds (a bound of the line cuts its quarter of an hour) stands under its
    day.
    """
    grown = {day["usage_date"]: {**day, "rollups": [], "events": []} for day in days}
    holders: dict[tuple, list[Row]] = {}
    for rollup in rollups:
        node = {**rollup, "events": []}
        # A day without events of the line has rollups only of what was voided in time.
        if rollup["bucket_from"].date() in grown:
            grown[rollup["bucket_from"].date()]["rollups"].append(node)
            key = (rollup["bucket_from"], rollup["load_day"], rollup["dimensions"])
            holders.setdefault(key, []).append(node)
    for event in events:
        # What is taken back stands in the rollup that its void added.
        day = event["load_day"] if event["direction"] > 0 else event["voided_day"]
        found = holders.get((bucket_of(event["occurred_at"]), day, event["dimensions"]), [])
        found = [node for node in found if node["value_key"] == event["value_text"]] or found
        holder = found[0] if found else grown[event["occurred_at"].date()]
        holder["events"].append(event)
    return list(grown.values())
