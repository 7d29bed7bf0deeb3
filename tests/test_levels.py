"""What a period begins with: the level kept at a day's end, and what became known of it since.

Levels are those of one February, for a customer whose month begins at 05:00 UTC and one whose
month begins within a UTC hour: 18:30 UTC of the day before.
"""

import hashlib
import json
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

THROUGH = "2026-02-20"
KEPT = ("metering.int_metering__levels_daily", "rating.int_rating__quantities")
METERS = {
    "change": {"aggregation": "weighted_sum", "weighted_mode": "change"},
    "reading": {"aggregation": "weighted_sum", "weighted_mode": "reading"},
    "latest": {"aggregation": "latest"},
}
# subscription reference, or the customer's other one; (loaded, occurred, value or key to void)
STORIES = {
    "plain": [("01-10", "01-10 10:00", 10), ("01-20", "01-20 10:00", 20)],
    # the newest value before the period is voided after the day whose level was kept
    "voided": [
        ("01-10", "01-10 10:00", 10),
        ("01-28", "01-28 10:00", 20),
        ("02-10", None, "1"),
    ],
    # two of one bucket, the newer one voided
    "voided_in_bucket": [
        ("01-10", "01-10 10:00", 10),
        ("01-28", "01-28 10:00", 20),
        ("01-28", "01-28 10:05", 30),
        ("02-10", None, "2"),
    ],
    "voided_all": [("01-10", "01-10 10:00", 10), ("02-10", None, "0")],
    # usage of before the period, loaded after it began
    "late": [("01-10", "01-10 10:00", 10), ("02-12", "01-30 10:00", 20)],
    "late_and_older": [("01-20", "01-20 10:00", 10), ("02-12", "01-15 10:00", 20)],
    "late_and_voided": [
        ("01-20", "01-20 10:00", 10),
        ("02-12", "01-25 10:00", 20),
        ("02-14", None, "1"),
    ],
    # of the day in which the period begins, before it and in the quarter of an hour before it
    "of_the_day": [("01-20", "01-20 10:00", 10), ("02-02", "01-31 18:10", 20)],
    # loaded before midnight, for the day after
    "ahead": [("01-20", "01-20 10:00", 10), ("01-31 23:50", "02-01 00:20", 20)],
}
# change, reading, latest; None: the period begins with nothing
EXPECTED = {
    "plain": (30, 20, 20),
    "voided": (10, 10, 10),
    "voided_in_bucket": (30, 20, 20),
    "voided_all": (None, None, None),
    "late": (30, 20, 20),
    "late_and_older": (30, 10, 10),
    "late_and_voided": (10, 10, 10),
    "of_the_day": (30, 20, 20),
    "ahead": {"New_York": (30, 20, 20), "Kolkata": (10, 10, 10)},
}
ZONES = {"New_York": "America/New_York", "Kolkata": "Asia/Kolkata"}


def _catalog():
    customers = [f"{story}-{zone}" for story in STORIES for zone in ZONES]
    return {
        "customers": [
            {
                "customer_id": customer,
                "name": customer,
                "currency": "USD",
                "time_zone": ZONES[customer.split("-")[1]],
                "billing_entity": "US",
            }
            for customer in customers
        ],
        "products": [{"product_id": "p", "name": "P", "product_type": "api"}],
        "plans": [
            {
                "plan_id": "p",
                "product_id": "p",
                "name": "P",
                "cycle": "month",
                "alignment": "calendar",
            }
        ],
        "charges": [
            {
                "plan_id": "p",
                "charge_id": name,
                "position": position,
                "name": name,
                "charge_type": "usage",
                "meter": name,
                "meter_version": "1",
                "pricing_model": "per_unit",
            }
            for position, name in enumerate(METERS, start=1)
        ],
        "prices": [
            {"plan_id": "p", "charge_id": name, "currency": "USD", "unit_price": "1"}
            for name in METERS
        ],
        "meters": [
            {
                "meter": name,
                "version": "1",
                "event_name": "e",
                "property": "v",
                "carry_over": "true",
                **meter,
            }
            for name, meter in METERS.items()
        ],
        "subscriptions": [
            {
                "subscription_id": f"sub-{customer}",
                "customer_id": customer,
                "plan_id": "p",
                "starts_at": "2026-01-01",
            }
            for customer in customers
        ],
    }


def _rows(first="01-01", last="02-28"):
    """Raw deliveries of all stories that were loaded on these days."""
    rows = []
    for story, steps in STORIES.items():
        for zone in ZONES:
            for number, (loaded, occurred, what) in enumerate(steps):
                if not first <= loaded[:5] <= last:
                    continue
                time = loaded if " " in loaded else f"{loaded} 22:00"
                row = {
                    "load_id": hashlib.sha256(f"{story}{zone}{number}".encode()).hexdigest()[:32],
                    "line_number": 1,
                    "loaded_at": datetime.fromisoformat(f"2026-{time}"),
                    "customer_id": f"{story}-{zone}",
                }
                if occurred is None:
                    row |= {"voids_key": what, "event_key": f"void{number}"}
                else:
                    row |= {
                        "event_name": "e",
                        "event_key": str(number),
                        "occurred_at": f"2026-{occurred}:00Z",
                        "properties": json.dumps({"v": what}),
                    }
                rows.append(row)
    return rows


@pytest.fixture(scope="module")
def levels(twins):
    return twins(_catalog(), _rows(), lambda each: each.build("--through", THROUGH))


@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
@pytest.mark.parametrize("story", STORIES)
def test_a_period_begins_with(levels, engine, story):
    expected = EXPECTED[story]
    for zone in ZONES:
        begun = dict(
            levels[engine].query(
                "select slices.meter_profile, coalesce(carried_level, carried_latest) "
                "from rating.int_rating__carried_usage as carried "
                "inner join rating.int_rating__slices as slices "
                "on carried.slice_id = slices.slice_id where period_number = 2 "
                f"and subscription_ref = '' and subscription_id = 'sub-{story}-{zone}'"
            )
        )
        wanted = expected[zone] if isinstance(expected, dict) else expected
        assert begun == {
            f"{name}@1": Decimal(value)
            for name, value in zip(METERS, wanted, strict=True)
            if value is not None
        }, zone


@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
def test_every_day_has_its_level_as_then_known(levels, engine):
    """`voided`, day by day: 10, then 20, then the void takes it away again."""
    found = levels[engine].query(
        "select level_day, level_value from metering.int_metering__levels_daily "
        "where customer_id = 'voided-Kolkata' and meter_profile = 'reading@1' order by level_day"
    )
    first = datetime(2026, 1, 10).date()
    values = [10] * 18 + [20] * 13 + [10] * 11
    assert found == [
        (first + timedelta(days=number), Decimal(value)) for number, value in enumerate(values)
    ]


def test_a_lone_day_first_then_the_days_before_is_the_same(levels, house):
    """The voids are built before what they void; then the rest, in two pieces."""
    built = house("duckdb", _catalog(), _rows())
    built.build_untested("--from", "2026-02-10", "--through", "2026-02-10")
    built.build_untested("--from", "2026-01-01", "--through", "2026-01-28")
    built.build_untested("--through", THROUGH)
    for table in KEPT:
        assert built.export(table) == levels["duckdb"].export(table)
