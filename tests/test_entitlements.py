"""entitlement_usage, current_entitlements and usage_alerts: by hand, and beside plain Python.

One house an engine, built in two runs; the same days in one run must be the same bytes.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

ENGINES = pytest.mark.parametrize("engine", ["duckdb", "postgres"])
TABLES = ("marts.entitlement_usage", "marts.usage_alerts")
FIRST_RUN, LAST_DAY = "2026-01-28", date(2026, 2, 5)
AS_OF = datetime(2026, 2, 6)
UTC = ZoneInfo("UTC")

METERS = {
    "calls": "count",
    "tokens": "sum",
    "peak": "max",
    "low": "min",
    "last": "latest",
    "kept": "latest",
    "users": "count_unique",
}
# feature: kind, limit of the product's plans, limit of the plan pro
FEATURES = {
    "sso": ("boolean", None, None),
    "calls": ("soft", 4, 100),
    "tokens": ("hard", 10, 8),
    "peak": ("hard", 4, None),
    "low": ("soft", 2, None),
    "last": ("soft", 5, None),
    "kept": ("soft", 5, None),
    "users": ("hard", 2, 0),
}
# customer: zone, plan, start, end
HOMES = {
    "acme": ("America/New_York", "starter", "2026-01-01", ""),
    "duo": ("UTC", "starter", "2026-01-01", ""),
    "beta": ("Asia/Kolkata", "pro", "2026-01-10T10:07:00Z", "2026-01-20T10:07:00Z"),
    "apia": ("Pacific/Apia", "starter", "2011-12-28", "2012-01-02"),
}
# customer, key, occurred_at, loaded_at, n, user, subscription
STORY = [
    ("acme", "a1", "2026-01-05T04:59:00Z", "2026-01-20", 2, "u1", ""),  # 4 January, 23:59
    ("acme", "a2", "2026-01-05T05:00:00Z", "2026-01-20", 4, "u1", ""),
    ("acme", "a3", "2026-01-05T12:00:00Z", "2026-01-20", 7, "u2", ""),  # voided later
    ("acme", "a4", "2026-01-10T12:00:00Z", "2026-01-20", 1, "u3", "acme-1"),
    ("acme", "a5", "2026-01-31T12:00:00Z", "2026-02-02", 3, "u4", ""),
    ("acme", "a6", "2026-01-31T13:00:00Z", "2026-02-03", 50, "u5", ""),  # after the cutoff
    ("acme", "a7", "2026-02-04T12:00:00Z", "2026-02-04", 9, "u9", ""),
    ("duo", "d1", "2026-01-07T00:00:00Z", "2026-01-20", 1, "u1", ""),
    ("duo", "d2", "2026-01-08T00:00:00Z", "2026-01-20", 1, "u1", "duo-2"),
    ("beta", "b1", "2026-01-10T10:06:59Z", "2026-01-20", 1, "u1", ""),  # before the start
    ("beta", "b2", "2026-01-10T10:07:00Z", "2026-01-20", 2, "u2", ""),
    ("beta", "b3", "2026-01-20T10:06:59Z", "2026-01-20", 4, "u3", ""),
    ("beta", "b4", "2026-01-20T10:07:00Z", "2026-01-20", 8, "u4", ""),  # after the end
]
VOIDS = [("acme", "a3", "2026-01-25"), ("acme", "a7", "2026-02-05")]
ALERTS = [
    {"alert_id": "three_calls", "kind": "usage", "meter": "calls", "threshold": "3"},
    {
        "alert_id": "acme_tokens",
        "customer_id": "acme",
        "kind": "usage",
        "meter": "tokens",
        "threshold": "6.5",
    },
    {
        "alert_id": "pro_tokens",
        "plan_id": "pro",
        "kind": "usage",
        "meter": "tokens",
        "threshold": "6",
    },
    {
        "alert_id": "second",
        "subscription_id": "duo-2",
        "kind": "usage",
        "meter": "calls",
        "threshold": "2",
    },
    {
        "alert_id": "known_too_late",
        "customer_id": "acme",
        "kind": "usage",
        "meter": "calls",
        "threshold": "1",
        "recorded_at": "2026-02-04T00:00:00Z",
    },
]
RANDOM_ZONES = ["America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Kiritimati"]
RANDOM_CUSTOMERS = 12


def _random_homes() -> dict[str, tuple]:
    chance = random.Random(31)
    homes = {}
    for number in range(RANDOM_CUSTOMERS):
        start = date(2025, 11, 1) + timedelta(days=chance.randrange(60))
        end = "" if chance.random() < 0.6 else str(start + timedelta(days=chance.randrange(5, 70)))
        homes[f"r{number}"] = (
            chance.choice(RANDOM_ZONES),
            chance.choice(["starter", "pro"]),
            str(start),
            end,
        )
    return homes


def _random_story() -> tuple[list[tuple], list[tuple]]:
    """Events at random instants, many at the edge of a day, loaded late, some voided later."""
    chance = random.Random(32)
    events, voids = [], []
    for customer, (zone, *_) in _random_homes().items():
        for number in range(60):
            local = datetime(2025, 11, 1, tzinfo=ZoneInfo(zone)) + timedelta(
                days=chance.randrange(96),
                minutes=chance.choice([0, -1, 1, chance.randrange(1440)]),
            )
            occurred = local.astimezone(UTC).replace(tzinfo=None)
            loaded = min(
                occurred + timedelta(days=chance.choice([0, 0, 1, 3, 20])), AS_OF - timedelta(1)
            )
            if loaded < occurred:
                continue
            events.append(
                (
                    customer,
                    f"{customer}-{number}",
                    f"{occurred.isoformat()}Z",
                    str(loaded.date()),
                    chance.randrange(-2, 9),
                    f"u{chance.randrange(5)}",
                    chance.choice(["", f"{customer}-1"]),
                )
            )
            if chance.random() < 0.15:
                void_day = min(loaded.date() + timedelta(chance.randrange(20)), LAST_DAY)
                voids.append((customer, f"{customer}-{number}", str(void_day)))
    return events, voids


HOMES_OF_ALL = {**HOMES, **_random_homes()}
EVENTS = [*STORY, *_random_story()[0]]
ALL_VOIDS = [*VOIDS, *_random_story()[1]]


def _subscriptions() -> list[dict]:
    rows = [
        {
            "subscription_id": f"{customer}-1",
            "customer_id": customer,
            "plan_id": plan,
            "starts_at": start,
            "ends_at": end,
        }
        for customer, (_, plan, start, end) in HOMES_OF_ALL.items()
    ]
    return [*rows, {**rows[1], "subscription_id": "duo-2"}]


def _entitlements() -> list[dict]:
    rows = []
    for feature, (kind, limit, pro_limit) in FEATURES.items():
        row = {"product_id": "api", "feature": feature, "name": feature.title(), "kind": kind}
        if kind != "boolean":
            row |= {"meter": feature, "meter_version": "1", "limit_quantity": limit}
        rows.append(row)
        if pro_limit is not None:
            rows.append({**row, "plan_id": "pro", "limit_quantity": pro_limit})
    audit = {"feature": "audit", "name": "Audit", "kind": "boolean"}
    later = {"product_id": "api", "recorded_at": "2026-02-03T12:00:00Z"}
    return [*rows, {**audit, **later}, {**audit, "product_id": "other"}]


CATALOG = {
    "customers": [
        {
            "customer_id": customer,
            "name": customer,
            "currency": "USD",
            "time_zone": zone,
            "billing_entity": "US",
        }
        for customer, (zone, *_) in HOMES_OF_ALL.items()
    ],
    "products": [
        {"product_id": product, "name": product, "product_type": "api"}
        for product in ("api", "other")
    ],
    "plans": [
        {
            "plan_id": plan,
            "product_id": "api",
            "name": plan,
            "cycle": "month",
            "alignment": "calendar",
        }
        for plan in ("starter", "pro")
    ],
    "charges": [
        {
            "plan_id": plan,
            "charge_id": charge,
            "position": position,
            "name": charge,
            "charge_type": "usage",
            "meter": charge,
            "meter_version": "1",
            "pricing_model": "per_unit",
        }
        for plan in ("starter", "pro")
        for position, charge in enumerate(("calls", "tokens", "peak"), start=1)
    ],
    "prices": [
        {"plan_id": plan, "charge_id": charge, "currency": "USD", "unit_price": "1.5"}
        for plan in ("starter", "pro")
        for charge in ("calls", "tokens", "peak")
    ],
    "meters": [
        {
            "meter": meter,
            "version": "1",
            "event_name": "use",
            "aggregation": aggregation,
            "property": {"count": "", "count_unique": "user"}.get(aggregation, "n"),
            "carry_over": "true" if meter == "kept" else "",
        }
        for meter, aggregation in METERS.items()
    ],
    "subscriptions": _subscriptions(),
    "entitlements": _entitlements(),
    "alerts": [{"name": alert["alert_id"], "meter_version": "1", **alert} for alert in ALERTS],
}


def _rows() -> list[dict]:
    loads = defaultdict(list)
    for customer, key, occurred_at, loaded, n, user, subscription in EVENTS:
        loads[loaded].append(
            {
                "customer_id": customer,
                "event_name": "use",
                "occurred_at": occurred_at,
                "event_key": key,
                "subscription_id": subscription or None,
                "properties": json.dumps({"n": n, "user": user}),
            }
        )
    for customer, key, loaded in ALL_VOIDS:
        loads[loaded].append(
            {"customer_id": customer, "voids_key": key, "event_key": f"void {key}"}
        )
    return [
        {
            "load_id": f"load{loaded}",
            "line_number": line,
            "loaded_at": datetime.fromisoformat(loaded) + timedelta(hours=23, minutes=30),
            **record,
        }
        for loaded, records in loads.items()
        for line, record in enumerate(records, start=1)
    ]


@pytest.fixture(scope="module")
def entitled_twins(twins):
    """Built through 28 January, and then to the last day."""

    days = (FIRST_RUN, str(LAST_DAY))
    return twins(CATALOG, _rows(), lambda each: each.build_days(*days))


def _plain(value) -> str | None:
    if isinstance(value, Decimal):
        text = format(value, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    return value


def _days(house, subscription: str, feature: str, period: int = 1) -> dict[str, tuple]:
    """(used, left, share, state, is_blocked) of the days on which one of them changes."""
    rows = house.query(
        "select usage_date, used_quantity, left_quantity, share, state, is_blocked "
        "from marts.entitlement_usage "
        f"where subscription_id = '{subscription}' and feature = '{feature}' "
        f"and period_number = {period} order by usage_date"
    )
    found, before = {}, None
    for day, *values in rows:
        values = tuple(_plain(value) for value in values)
        if values != before:
            found[str(day)] = values
        before = values
    return found


@ENGINES
@pytest.mark.parametrize(
    ("feature", "expected"),
    [
        ("sso", {"2026-01-01": (None, None, None, "on", False)}),
        (
            "calls",
            {
                "2026-01-01": ("0", "4", "0", "ok", False),
                "2026-01-04": ("1", "3", "0.25", "ok", False),
                "2026-01-05": ("2", "2", "0.5", "ok", False),
                "2026-01-10": ("3", "1", "0.75", "ok", False),
                "2026-01-31": ("4", "0", "1", "reached", False),
            },
        ),
        (
            "peak",
            {
                "2026-01-01": ("0", "4", "0", "ok", False),
                "2026-01-04": ("2", "2", "0.5", "ok", False),
                "2026-01-05": ("4", "0", "1", "reached", True),
            },
        ),
        (
            "low",
            {
                "2026-01-01": ("0", "2", "0", "ok", False),
                "2026-01-04": ("2", "0", "1", "reached", False),
                "2026-01-10": ("1", "1", "0.5", "ok", False),
            },
        ),
        (
            "last",
            {
                "2026-01-01": ("0", "5", "0", "ok", False),
                "2026-01-04": ("2", "3", "0.4", "ok", False),
                "2026-01-05": ("4", "1", "0.8", "near", False),
                "2026-01-10": ("1", "4", "0.2", "ok", False),
                "2026-01-31": ("3", "2", "0.6", "ok", False),
            },
        ),
        (
            "users",
            {
                "2026-01-01": ("0", "2", "0", "ok", False),
                "2026-01-04": ("1", "1", "0.5", "ok", False),
                "2026-01-10": ("2", "0", "1", "reached", True),
                "2026-01-31": ("3", "0", "1.5", "over", True),
            },
        ),
    ],
)
def test_a_closed_month_says_what_was_used_through_each_day(
    entitled_twins, engine, feature, expected
):
    """As known at its cutoff: a3 is voided, a6 came too late."""
    assert _days(entitled_twins[engine], "acme-1", feature) == expected


@ENGINES
def test_an_open_month_goes_to_the_day_that_holds_the_last_instant_known(entitled_twins, engine):
    """6 February 00:00 UTC is 19:00 of the 5th in New York; a7 is voided."""
    house = entitled_twins[engine]
    assert _days(house, "acme-1", "tokens", 2) == {"2026-02-01": ("0", "10", "0", "ok", False)}
    # A value that is carried over: of January's the newest that is known, a6.
    assert _days(house, "acme-1", "kept", 2) == {"2026-02-01": ("50", "0", "10", "over", False)}
    assert house.query(
        "select min(usage_date), max(usage_date) from marts.entitlement_usage "
        "where subscription_id = 'acme-1' and period_number = 2"
    ) == [(date(2026, 2, 1), date(2026, 2, 5))]


@ENGINES
def test_a_life_cut_within_an_hour_counts_to_the_event(entitled_twins, engine):
    """10:07 to 10:07: b2 and b3; users has a limit of none on the plan pro."""
    house = entitled_twins[engine]
    assert _days(house, "beta-1", "tokens") == {
        "2026-01-10": ("2", "6", "0.25", "ok", False),
        "2026-01-20": ("6", "2", "0.75", "ok", False),
    }
    assert _days(house, "beta-1", "users") == {
        "2026-01-10": ("1", "0", None, "over", True),
        "2026-01-20": ("2", "0", None, "over", True),
    }
    assert house.query(
        "select count(*), min(usage_from), max(usage_to) from marts.entitlement_usage "
        "where subscription_id = 'beta-1' and feature = 'calls'"
    ) == [(11, datetime(2026, 1, 10, 10, 7), datetime(2026, 1, 20, 10, 7))]


@ENGINES
def test_usage_that_names_no_subscription_is_that_of_each(entitled_twins, engine):
    house = entitled_twins[engine]
    assert list(_days(house, "duo-1", "calls")) == ["2026-01-01", "2026-01-07"]
    assert list(_days(house, "duo-2", "calls")) == ["2026-01-01", "2026-01-07", "2026-01-08"]


@ENGINES
def test_a_day_that_a_clock_skips_has_no_row(entitled_twins, engine):
    rows = entitled_twins[engine].query(
        "select usage_date from marts.entitlement_usage "
        "where subscription_id = 'apia-1' and feature = 'sso' order by usage_date"
    )
    assert [str(row[0]) for row in rows] == [
        "2011-12-28",
        "2011-12-29",
        "2011-12-31",
        "2012-01-01",
    ]


@ENGINES
def test_an_entitlement_begins_on_the_day_it_was_recorded(entitled_twins, engine):
    """The product's only, and no other product's."""
    assert entitled_twins[engine].query(
        "select min(usage_date), count(distinct product_id) from marts.entitlement_usage "
        "where customer_id = 'acme' and feature = 'audit'"
    ) == [(date(2026, 2, 3), 1)]


@ENGINES
def test_current_entitlements_are_those_of_the_as_of_day(entitled_twins, engine):
    rows = entitled_twins[engine].query(
        "select subscription_id, usage_date, limit_quantity, state "
        "from marts.current_entitlements where feature = 'calls' "
        "and customer_id in ('acme', 'duo', 'beta', 'apia') order by subscription_id"
    )
    assert [(row[0], str(row[1]), int(row[2]), row[3]) for row in rows] == [
        ("acme-1", "2026-02-05", 4, "ok"),
        ("duo-1", "2026-02-05", 4, "ok"),
        ("duo-2", "2026-02-05", 4, "ok"),
    ]


@ENGINES
def test_an_alert_says_once_when_its_threshold_was_crossed(entitled_twins, engine):
    rows = entitled_twins[engine].query(
        "select alert_id, subscription_id, period_number, crossed_on, value_then "
        "from marts.usage_alerts where customer_id in ('acme', 'duo', 'beta', 'apia') "
        "order by alert_id, subscription_id, period_number"
    )
    assert [(*row[:3], str(row[3]), _plain(row[4])) for row in rows] == [
        ("acme_tokens", "acme-1", 1, "2026-01-10", "7"),
        ("pro_tokens", "beta-1", 1, "2026-01-20", "6"),
        ("second", "duo-2", 1, "2026-01-08", "2"),
        ("three_calls", "acme-1", 1, "2026-01-10", "3"),
    ]


# The same in plain Python, event by event and day by day.


def _midnight(day: date, zone: str) -> datetime:
    local = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone))
    return local.astimezone(UTC).replace(tzinfo=None)


def _next_month(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def _periods(start: date, end: date | None, zone: str):
    """(number, first day, day after the last) of the calendar months of a life by days."""
    number, first = 1, start
    while _midnight(first, zone) < AS_OF and (end is None or first < end):
        after = _next_month(first)
        yield number, first, min(after, end) if end else after
        number, first = number + 1, after


def _used(meter: str, usages: list[tuple]) -> int:
    values = [usage[4] for usage in usages]
    if not values:
        return 0
    # Of several at one instant the one loaded last; in one load, the later line.
    newest = max(enumerate(usages), key=lambda place: (place[1][2], place[1][3], place[0]))[1]
    return {
        "calls": len(values),
        "tokens": sum(values),
        "peak": max(values),
        "low": min(values),
        "last": newest[4],
        "kept": newest[4],
        "users": len({usage[5] for usage in usages}),
    }[meter]


def _expected_days() -> set[tuple]:
    """(subscription, feature, period, day, limit, used) of the random customers."""
    void_days = {(customer, key): day for customer, key, day in ALL_VOIDS}
    expected = set()
    for customer, (zone, plan, start, end) in _random_homes().items():
        life = (date.fromisoformat(start), date.fromisoformat(end) if end else None)
        for number, first, after in _periods(*life, zone):
            due = _midnight(after, zone) + timedelta(days=1)
            cutoff = due if due.time() == datetime.min.time() else due + timedelta(days=1)
            known_until = str(min(cutoff, AS_OF).date())
            known = [
                event
                for event in EVENTS
                if event[0] == customer
                and event[3] < known_until
                and void_days.get(event[:2], known_until) >= known_until
            ]
            first_instant = _midnight(first, zone).isoformat()
            day = first
            while day < after and _midnight(day, zone) < AS_OF:
                day_end = _midnight(day + timedelta(days=1), zone).isoformat()
                so_far = [event for event in known if event[2].removesuffix("Z") < day_end]
                usages = [event for event in so_far if event[2] >= first_instant]
                for feature, (kind, limit, pro_limit) in FEATURES.items():
                    if kind == "boolean":
                        continue
                    if plan == "pro" and pro_limit is not None:
                        limit = pro_limit
                    used = _used(feature, so_far if feature == "kept" else usages)
                    expected.add((f"{customer}-1", feature, number, str(day), limit, used))
                day += timedelta(days=1)
    return expected


@ENGINES
def test_every_day_is_the_plain_sum(entitled_twins, engine):
    rows = entitled_twins[engine].query(
        "select subscription_id, feature, period_number, usage_date, limit_quantity, "
        "used_quantity from marts.entitlement_usage "
        "where customer_id like 'r%' and kind <> 'boolean'"
    )
    found = {(*row[:3], str(row[3]), int(row[4]), int(row[5])) for row in rows}
    expected = _expected_days()
    assert len(rows) == len(expected) > 2000
    assert sorted(found - expected)[:5] == sorted(expected - found)[:5] == []


@ENGINES
def test_every_crossing_is_the_first_day_that_reaches_it(entitled_twins, engine):
    expected = {}
    for subscription, feature, number, day, _, used in sorted(_expected_days()):
        if feature == "calls" and used >= 3:
            expected.setdefault((subscription, number), (day, used))
    rows = entitled_twins[engine].query(
        "select subscription_id, period_number, crossed_on, value_then from marts.usage_alerts "
        "where alert_id = 'three_calls' and customer_id like 'r%'"
    )
    assert {row[:2]: (str(row[2]), int(row[3])) for row in rows} == expected


def test_days_one_by_one_and_in_one_run_are_the_same_bytes(entitled_twins, house):
    at_once = house("duckdb", CATALOG, _rows())
    at_once.build_untested("--through", str(LAST_DAY))
    for table in TABLES:
        exported = [
            each.export(table)
            for each in (at_once, entitled_twins["duckdb"], entitled_twins["postgres"])
        ]
        assert exported[0] == exported[1] == exported[2]
        assert exported[0]
