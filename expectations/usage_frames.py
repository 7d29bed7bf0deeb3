"""What comes in: raw events, what meters read of them, and what nothing bills.

Each frame is a small table, read by one query, of the days of the last run; the trailing weeks
are what it is compared with.
"""

from __future__ import annotations

from decimal import Decimal

from expectations.reading import Reader, Row
from expectations.statistics import Kind, by_subject, day_rows, share

#: Fewer events a day than this are too few to say what is usual.
FEW_EVENTS = 20
#: A share of fewer events than this is chance.
MANY_EVENTS = 100


def days_of_usage(reader: Reader) -> list[Row]:
    """One row per day: all of its usage, and what became of it."""
    counted = reader.rows(
        "select load_day, sum(landed_count), sum(duplicate_count), sum(rejected_count)"
        " from {staging}.stg_raw__load_counts where load_day between ? and ? group by load_day",
        reader.span.trailing,
    )
    landed = by_subject((day, count) for day, count, _, _ in counted)
    rows = day_rows(
        landed or {(): {}}, (), reader.span.days, reader.known_days(), "landed_count", FEW_EVENTS
    )
    parts = {day: (count, twice, rejected) for day, count, twice, rejected in counted}
    for row in rows:
        count, twice, rejected = parts.get(row["day"], (0, 0, 0))
        is_much = count >= FEW_EVENTS
        row["duplicate_share"] = share(twice, count) if is_much else None
        row["rejected_share"] = share(rejected, count) if is_much else None
        row["count_where_usual"] = None if row["share_of_usual"] is None else row["landed_count"]
    return rows


def event_names(reader: Reader) -> list[Row]:
    """One row per event name and day."""
    counted = reader.rows(
        "select load_day, event_name, count(*) from {staging}.stg_raw__usage_events"
        " where load_day between ? and ? group by load_day, event_name",
        reader.span.trailing,
    )
    return day_rows(
        by_subject(counted),
        ("event_name",),
        reader.span.days,
        reader.known_days(),
        "event_count",
        FEW_EVENTS,
    )


def customer_events(reader: Reader) -> list[Row]:
    """One row per customer and day."""
    counted = reader.rows(
        "select load_day, customer_id, count(*) from {staging}.stg_raw__usage_events"
        " where load_day between ? and ? group by load_day, customer_id",
        reader.span.trailing,
    )
    return day_rows(
        by_subject(counted),
        ("customer_id",),
        reader.span.days,
        reader.known_days(),
        "event_count",
        FEW_EVENTS,
    )


def delays(reader: Reader) -> list[Row]:
    """One row per event name and day: how many events say that they are of another time than usual.

    Hours of the day that events are of, as the share of a day's events in each quarter of it: a
    zone that was lost moves them all.
    """
    counted = reader.rows(
        "select load_day, event_name,"
        " sum(case when cast(occurred_at as date) = load_day then 0 else 1 end) as other_count,"
        " count(*) from {staging}.stg_raw__usage_events"
        " where load_day between ? and ? group by load_day, event_name",
        reader.span.trailing,
    )
    totals = {(day, name): count for day, name, _, count in counted}
    shares = by_subject(
        (day, name, Decimal(1) + Decimal(other) / Decimal(count))
        for day, name, other, count in counted
        if count >= FEW_EVENTS
    )
    rows = day_rows(
        shares,
        ("event_name",),
        reader.span.days,
        reader.known_days(),
        "one_and_late",
        1,
        Kind.MEASURE,
    )
    for row in rows:
        found, expected = row.pop("one_and_late"), row.pop("usual")
        row.pop("share_of_usual")
        row["event_count"] = totals.get((row["day"], row["event_name"]), 0)
        row["other_day_share"] = None if found is None else round(float(found - 1), 4)
        has_both = found is not None and expected is not None
        row["more_than_usual"] = round(float(found - expected), 4) if has_both else None
    return rows


def meters(reader: Reader) -> list[Row]:
    """One row per meter and day: its events, what they measure each, and the least of it."""
    counted = reader.rows(
        "select load_day, meter_profile,"
        " sum(case when outcome = 'metered' then event_count else 0 end),"
        " sum(event_count),"
        " sum(case when outcome = 'metered' then value_sum end),"
        # A void takes back what an event measured.
        " min(case when outcome = 'metered' and event_count > 0"
        " then coalesce(value_min, value_sum) end)"
        " from {metering}.int_metering__rollups"
        " where load_day between ? and ? and not is_restated"
        " group by load_day, meter_profile",
        reader.span.trailing,
    )
    known = reader.known_days()
    series = by_subject((day, meter, count) for day, meter, count, *_ in counted)
    rows = day_rows(
        series, ("meter_profile",), reader.span.days, known, "metered_count", FEW_EVENTS
    )
    means = by_subject(
        (day, meter, Decimal(total) / Decimal(count))
        for day, meter, count, _, total, _ in counted
        if total is not None and count and count >= FEW_EVENTS
    )
    mean_rows = day_rows(
        means,
        ("meter_profile",),
        reader.span.days,
        known,
        "mean",
        Decimal("0.0000000001"),
        Kind.MEASURE,
    )
    mean_shares = {(row["day"], row["meter_profile"]): row["share_of_usual"] for row in mean_rows}
    signs = {
        profile
        for (profile,) in reader.rows(
            "select meter_profile from {staging}.stg_catalog__meters where weighted_mode = 'change'"
        )
    }
    least = {(day, meter): value for day, meter, *_, value in counted if meter not in signs}
    unread = by_subject(
        (day, meter, Decimal(1) + Decimal(all_ - good) / Decimal(all_))
        for day, meter, good, all_, *_ in counted
        if all_ >= FEW_EVENTS
    )
    unread_rows = day_rows(
        unread, ("meter_profile",), reader.span.days, known, "one_and_unread", 1, Kind.MEASURE
    )
    unread_more = {
        (row["day"], row["meter_profile"]): round(float(row["one_and_unread"] - row["usual"]), 4)
        for row in unread_rows
        if row["one_and_unread"] is not None and row["usual"] is not None
    }
    for row in rows:
        place = (row["day"], row["meter_profile"])
        row["mean_share_of_usual"] = mean_shares.get(place)
        lowest = least.get(place)
        row["least_value"] = None if lowest is None else float(lowest)
        row["unmeasured_more_than_usual"] = unread_more.get(place)
    return rows


def customer_meters(reader: Reader) -> list[Row]:
    """One row per customer, meter and day: the quantity beside what is usual for that customer."""
    counted = reader.rows(
        "select load_day, customer_id, meter_profile, sum(value_sum)"
        " from {metering}.int_metering__rollups"
        " where load_day between ? and ? and outcome = 'metered' and not is_restated"
        " and value_sum is not null"
        " group by load_day, customer_id, meter_profile",
        reader.span.trailing,
    )
    rows = day_rows(
        by_subject(counted),
        ("customer_id", "meter_profile"),
        reader.span.days,
        reader.known_days(),
        "quantity",
        Decimal(1),
        Kind.MEASURE,
    )
    return [row for row in rows if row["share_of_usual"] is not None]


def unbilled(reader: Reader) -> list[Row]:
    """One row per day and reason: the usage that nothing bills, beside all of the day's."""
    counted = reader.rows(
        "select load_day, reason, count(*) from {marts}.unbilled_usage"
        " where load_day between ? and ? group by load_day, reason",
        reader.span.trailing,
    )
    accepted = dict(
        reader.rows(
            "select load_day, sum(accepted_count) from {staging}.stg_raw__load_counts"
            " where load_day between ? and ? group by load_day",
            reader.span.trailing,
        )
    )
    shares = by_subject(
        (day, reason, Decimal(count) / Decimal(accepted[day]))
        for day, reason, count in counted
        if accepted.get(day, 0) >= MANY_EVENTS
    )
    rows = day_rows(
        shares, ("reason",), reader.span.days, reader.known_days(), "share", Decimal(0), Kind.SHARE
    )
    for row in rows:
        found, expected = row.pop("share"), row.pop("usual")
        row.pop("share_of_usual")
        row["unbilled_share"] = round(float(found), 4)
        has_both = expected is not None
        row["more_than_usual"] = round(float(found - expected), 4) if has_both else None
    return rows
