"""usage_hourly, _daily, _monthly and _annual beside a plain Python sum over the same events."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import date, datetime, timedelta
from fractions import Fraction

import pytest

from tests import scenario
from tests.oracle.amounts import fixed, half_away
from tests.oracle.catalog import read_catalog
from tests.oracle.clock import local_time
from tests.oracle.metering import meter
from tests.oracle.staging import stage
from tests.worlds import random_world

ENGINES = pytest.mark.parametrize("engine", ["duckdb", "postgres"])
VIEWS = {
    "hour": ("usage_hourly", "usage_hour"),
    "day": ("usage_daily", "usage_date"),
    "month": ("usage_monthly", "usage_month"),
    "year": ("usage_annual", "usage_year"),
}
STARTS = {
    "hour": lambda local: local.replace(minute=0, second=0, microsecond=0),
    "day": lambda local: local.date(),
    "month": lambda local: local.date().replace(day=1),
    "year": lambda local: local.date().replace(month=1, day=1),
}
BUCKET = timedelta(minutes=15)


def _zone(states, instant: datetime) -> str:
    """Zone of the newest row valid at an instant; before the first row that one's."""
    states = sorted(states, key=lambda state: (state.valid_from, state.recorded_at))
    valid = [state for state in states if state.valid_from <= instant]
    return (valid[-1] if valid else states[0]).time_zone


def _dimensions(usage) -> str:
    parts = [
        f"{path}={value.replace('%', '%25').replace('|', '%7C')}"
        for path, value in usage.dimensions
        if value is not None
    ]
    return "|".join(parts)


def _quantity(profile, usages) -> Fraction | None:
    """What the aggregation makes of a row's usages alone; nothing of levels."""
    values = [usage.value for usage in usages]
    kind = profile.aggregation
    if kind == "percentile":
        rank = -((-profile.percentile * len(values)) // 100)
        return sorted(values)[int(rank) - 1]
    if kind == "latest":
        return max(usages, key=lambda one: (one.event.occurred_at, one.event.load_order)).value
    quantities = {
        "count": lambda: Fraction(len(usages)),
        "sum": lambda: sum(values),
        "average": lambda: half_away(Fraction(sum(values)) / len(values), 10),
        "max": lambda: max(values),
        "min": lambda: min(values),
        "count_unique": lambda: Fraction(len({usage.text for usage in usages})),
        "weighted_sum": lambda: None,
    }
    return quantities[kind]()


def expected_usage(catalog_rows, raw_rows, as_of_day: date, unit: str) -> list[tuple]:
    """Rows of a view: the key, time zone, events, quantity. Events are placed by their bucket.

    The zone is that of the last bucket with usage, what a later load voided included.
    """
    as_of_at = datetime.combine(as_of_day, datetime.min.time()) + timedelta(days=1)
    catalog = read_catalog(catalog_rows, as_of_at)
    profiles = list(catalog.profiles.values())
    groups = defaultdict(list)
    for event in stage(raw_rows, as_of_at).events:
        is_void = event.voided_at is not None
        if is_void and event.voided_at.date() <= event.loaded_at.date():
            continue
        bucket = event.occurred_at - (event.occurred_at - datetime.min) % BUCKET
        states = catalog.customers.get(event.customer_id)
        zone = _zone(states, bucket) if states else "UTC"
        start = STARTS[unit](local_time(bucket, zone))
        for usage in meter(event, profiles)[0]:
            key = (
                event.customer_id,
                event.subscription_id,
                event.item_id,
                usage.profile.profile_id,
                _dimensions(usage),
                str(start),
            )
            groups[key].append((bucket, zone, None if is_void else usage))
    rows = []
    for key, placed in groups.items():
        usages = [usage for *_, usage in placed if usage is not None]
        if not usages:
            continue
        quantity = _quantity(usages[0].profile, usages)
        zone = max(placed, key=lambda one: one[0])[1]
        rows.append((*key, zone, len(usages), None if quantity is None else fixed(quantity, 10)))
    return sorted(rows, key=repr)


def found_usage(house, unit: str, where: str = "true") -> list[tuple]:
    view, start = VIEWS[unit]
    rows = house.query(
        "select customer_id, subscription_id, subscription_item_id, meter_profile, dimensions, "
        f"{start}, time_zone, event_count, quantity from marts.{view} where {where}"
    )
    return sorted(
        [
            (*row[:5], str(row[5]), *row[6:8], None if row[8] is None else format(row[8], "f"))
            for row in rows
        ],
        key=repr,
    )


def _same(found, expected):
    lacking, extra = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
    assert not lacking and not extra, (
        f"{len(lacking)} lacking, {len(extra)} extra of {len(expected)}\n"
        f"expected {lacking[:6]}\nfound {extra[:6]}"
    )
    assert len(found) == len(expected) > 0


@ENGINES
@pytest.mark.parametrize("unit", list(VIEWS))
def test_usage_of_the_scenario_is_the_plain_sum(scenario_twins, engine, unit):
    expected = expected_usage(
        scenario.catalog(), scenario.rows(), date.fromisoformat(scenario.THROUGH), unit
    )
    _same(found_usage(scenario_twins[engine], unit), expected)


@ENGINES
@pytest.mark.parametrize("unit", list(VIEWS))
def test_usage_of_a_random_world_is_the_plain_sum(world_twins, engine, unit):
    _same(found_usage(world_twins[engine], unit), expected_usage(*random_world(), unit))


# By hand: clock changes, a moved customer, and voids that come a day later.


def _customer(customer_id: str, time_zone: str, valid_from: str = "") -> dict[str, str]:
    return {
        "customer_id": customer_id,
        "name": customer_id,
        "currency": "EUR",
        "time_zone": time_zone,
        "billing_entity": "house",
        "valid_from": valid_from,
    }


def _meter(aggregation: str, **more: str) -> dict[str, str]:
    name = more.pop("meter", aggregation)
    return {
        "meter": name,
        "version": "1",
        "event_name": "use",
        "aggregation": aggregation,
        "property": "" if aggregation == "count" else "n",
        **more,
    }


CATALOG = {
    **{name: [] for name in ("products", "plans", "charges", "prices", "subscriptions")},
    "customers": [
        _customer("berlin", "Europe/Berlin"),
        _customer("kolkata", "Asia/Kolkata"),
        _customer("mover", "Europe/Berlin"),
        _customer("mover", "America/New_York", "2026-04-10T12:00:00Z"),
    ],
    "meters": [
        *map(_meter, ("count", "sum", "max", "min", "latest", "average", "count_unique")),
        _meter("percentile", percentile="50"),
        _meter("weighted_sum", weighted_mode="reading", carry_over="true", meter="level"),
        _meter("weighted_sum", weighted_mode="change", meter="change"),
    ],
}
USES = [
    # customer, instant (UTC), key, n
    ("berlin", "2025-10-26T00:30:00Z", "b1", 2),  # 02:30, and again an hour later
    ("berlin", "2025-10-26T01:30:00Z", "b2", 3),
    ("berlin", "2025-10-26T22:59:59Z", "b3", 5),  # the last second of 25 hours
    ("berlin", "2025-10-26T23:00:00Z", "b4", 7),
    ("berlin", "2026-03-29T00:59:59Z", "b5", 11),  # 01:59:59, then 03:00
    ("berlin", "2026-03-29T01:00:00Z", "b6", 13),
    ("kolkata", "2026-01-31T18:29:59Z", "k1", 1),  # midnight is 18:30
    ("kolkata", "2026-01-31T18:30:00Z", "k2", 2),
    ("nobody", "2025-12-31T23:59:59Z", "n1", 1),  # not in the catalogue: UTC
    ("nobody", "2026-01-01T00:00:00Z", "n2", 1),
    ("mover", "2026-04-10T11:59:00Z", "m1", 9),  # 13:59 in Berlin, then 08:00 in New York
    ("mover", "2026-04-10T12:00:00Z", "m2", 4),
    ("mover", "2026-04-10T12:05:00Z", "m3", 8),
    ("mover", "2026-04-10T12:06:00Z", "m4", 8),
    ("mover", "2026-04-11T03:59:00Z", "m5", 1),  # still 10 April in New York
]
#: m3 is in a bucket with others, n1 is all that its bucket has.
VOIDS = [("mover", "m3"), ("nobody", "n1")]


def _deliveries(day: int, records: list[dict]) -> list[dict]:
    loaded_at = datetime(2026, 4, 10 + day, 23, 0)
    return [
        {"load_id": f"load{day}", "line_number": line, "loaded_at": loaded_at, **record}
        for line, record in enumerate(records, start=1)
    ]


def _events() -> list[dict]:
    return _deliveries(
        1,
        [
            {
                "customer_id": customer,
                "event_name": "use",
                "occurred_at": occurred_at,
                "event_key": key,
                "properties": json.dumps({"n": n}),
            }
            for customer, occurred_at, key, n in USES
        ],
    )


def _voids() -> list[dict]:
    return _deliveries(
        2,
        [
            {"customer_id": customer, "voids_key": key, "event_key": f"void {key}"}
            for customer, key in VOIDS
        ]
        + [
            {
                "customer_id": "mover",
                "event_name": "use",
                "occurred_at": "2026-04-10T12:07:00Z",
                "event_key": "m6",
                "properties": '{"n": 5}',
            }
        ],
    )


@pytest.fixture(scope="module")
def clock_twins(twins):
    """Built in two runs, so that the voids are deltas of a later load day."""

    def build(house):
        house.build_untested()
        house.insert(_voids())
        house.build()

    return twins(CATALOG, _events(), build)


def _daily(house, customer: str, profile: str) -> dict[str, str | None]:
    rows = found_usage(
        house, "day", f"customer_id = '{customer}' and meter_profile = '{profile}@1'"
    )
    return {row[5]: row[8] and row[8].rstrip("0").rstrip(".") for row in rows}


@ENGINES
def test_days_of_23_and_25_hours_are_whole(clock_twins, engine):
    assert _daily(clock_twins[engine], "berlin", "sum") == {
        "2025-10-26": "10",
        "2025-10-27": "7",
        "2026-03-29": "24",
    }


@ENGINES
def test_an_hour_that_comes_twice_is_one_row(clock_twins, engine):
    rows = found_usage(
        clock_twins[engine], "hour", "customer_id = 'berlin' and meter_profile = 'sum@1'"
    )
    assert [(row[5], row[7], row[8]) for row in rows] == [
        ("2025-10-26 02:00:00", 2, "5.0000000000"),
        ("2025-10-26 23:00:00", 1, "5.0000000000"),
        ("2025-10-27 00:00:00", 1, "7.0000000000"),
        ("2026-03-29 01:00:00", 1, "11.0000000000"),
        ("2026-03-29 03:00:00", 1, "13.0000000000"),
    ]


@ENGINES
def test_midnight_at_half_past_is_a_boundary_of_days_and_months(clock_twins, engine):
    house = clock_twins[engine]
    assert _daily(house, "kolkata", "sum") == {"2026-01-31": "1", "2026-02-01": "2"}
    rows = found_usage(house, "month", "customer_id = 'kolkata' and meter_profile = 'sum@1'")
    assert [row[5] for row in rows] == ["2026-01-01", "2026-02-01"]


@ENGINES
def test_a_voided_row_is_gone_and_a_moved_customer_has_the_new_day(clock_twins, engine):
    """Of the mover: 8 (m3) is voided, 8 (m4) stays, 5 (m6) came with the voids."""
    house = clock_twins[engine]
    assert _daily(house, "nobody", "count") == {"2026-01-01": "1"}
    expected = {
        "count": "5",
        "sum": "27",
        "max": "9",
        "min": "1",
        "latest": "1",
        "average": "5.4",
        "count_unique": "5",
        "percentile": "5",
        "level": None,
        "change": None,
    }
    found = {profile: _daily(house, "mover", profile) for profile in expected}
    assert found == {profile: {"2026-04-10": value} for profile, value in expected.items()}
    rows = found_usage(house, "day", "customer_id = 'mover'")
    assert {row[6] for row in rows} == {"America/New_York"}


@ENGINES
def test_levels_show_their_last_reading_and_net_change(clock_twins, engine):
    rows = clock_twins[engine].query(
        "select meter, value_sum, value_latest from marts.usage_hourly "
        "where customer_id = 'mover' and usage_hour = '2026-04-10 08:00:00' "
        "and meter in ('level', 'change') order by meter"
    )
    assert [tuple(value and int(value) for value in row[1:]) for row in rows] == [
        (17, None),
        (None, 5),
    ]


@ENGINES
@pytest.mark.parametrize("unit", list(VIEWS))
def test_all_of_it_is_the_plain_sum(clock_twins, engine, unit):
    expected = expected_usage(CATALOG, [*_events(), *_voids()], date(2026, 4, 12), unit)
    _same(found_usage(clock_twins[engine], unit), expected)
