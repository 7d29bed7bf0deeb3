"""Shared, carried and pooled allowances, and alerts on spend and allowances, worked by hand.

One house an engine, built in several runs over four months; one run must make the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

ENGINES = pytest.mark.parametrize("engine", ["duckdb", "postgres"])
RUNS = ("2026-02-05", "2026-03-08", "2026-04-10")
TABLES = (
    "marts.allowance_balances",
    "marts.usage_alerts",
    "marts.invoice_lines",
    "rating.int_rating__allowance_lots",
)

# plan, charge: meter, model, columns of its price rows
CHARGES = {
    ("roll", "tokens"): ("tokens", "per_unit", [{"unit_price": "1"}]),
    ("roll", "images"): ("images", "per_unit", [{"unit_price": "2"}]),
    ("roll", "calls"): (
        "calls",
        "tiered",
        [{"up_to": "3", "unit_price": "1"}, {"unit_price": "0.5"}],
    ),
    ("roll", "peak"): ("peak", "per_unit", [{"unit_price": "10"}]),
    ("roll", "mean"): ("mean", "per_unit", [{"unit_price": "7"}]),
    ("pool", "tokens"): ("tokens", "per_unit", [{"unit_price": "1"}]),
    ("before", "tokens"): ("tokens", "per_unit", [{"unit_price": "1"}]),
    ("after", "tokens"): ("tokens", "per_unit", [{"unit_price": "2"}]),
}
METERS = {
    "tokens": "sum",
    "images": "sum",
    "calls": "count",
    "peak": "max",
    "mean": "average",
}
HOMES = {"solo": "America/New_York", "duo": "UTC", "move": "UTC"}
# subscription, meter, local time, value; loaded at the end of the UTC day, or of the day given
USES = [
    ("solo-1", "tokens", "01-05T23:30", 30, "01-06"),
    ("solo-1", "tokens", "02-03T10:00", 90),
    ("solo-1", "images", "02-10T10:00", 40),
    ("solo-1", "images", "03-02T10:00", 100),
    *[("solo-1", "calls", f"03-05T1{number}:00", 1) for number in range(4)],
    ("solo-1", "peak", "03-08T10:00", 2),
    ("solo-1", "peak", "03-09T10:00", 9),
    ("solo-1", "tokens", "03-20T10:00", 50, "03-30"),
    ("solo-1", "mean", "03-21T10:00", 1),
    ("solo-1", "mean", "03-22T10:00", 2),
    ("duo-1", "tokens", "01-20T10:00", 120),
    ("duo-2", "tokens", "01-22T10:00", 40),
    ("move-1", "tokens", "01-05T10:00", 4),
    ("move-1", "tokens", "01-20T10:00", 30),
]
ALLOWANCES = [
    {
        "plan_id": "roll",
        "charge_ids": "images|tokens",
        "quantity": "100",
        "rollover_periods": "1",
        "rollover_cap": "50",
    },
    {"plan_id": "pool", "quantity": "100", "proration": "days", "pooled": "true"},
    {"plan_id": "before", "quantity": "31", "rollover_periods": "1"},
    {"plan_id": "after", "quantity": "31", "rollover_periods": "1"},
]
ALERTS = [
    {"alert_id": "spent_20", "customer_id": "solo", "kind": "spend", "threshold": "20"},
    {"alert_id": "spent_999", "customer_id": "solo", "kind": "spend", "threshold": "999"},
    {
        "alert_id": "calls",
        "plan_id": "roll",
        "kind": "spend",
        "charge_id": "calls",
        "threshold": "3.5",
    },
    {"alert_id": "mean", "kind": "spend", "charge_id": "mean", "threshold": "10.5"},
    {
        "alert_id": "most",
        "customer_id": "solo",
        "kind": "allowance",
        "charge_id": "tokens",
        "threshold": "0.8",
    },
    {"alert_id": "all", "kind": "allowance", "charge_id": "images", "threshold": "1"},
    {
        "alert_id": "pool",
        "subscription_id": "duo-2",
        "kind": "allowance",
        "charge_id": "tokens",
        "threshold": "0.9",
    },
    {
        "alert_id": "part",
        "customer_id": "move",
        "kind": "allowance",
        "charge_id": "tokens",
        "threshold": "1",
    },
]
CATALOG = {
    "customers": [
        {
            "customer_id": customer,
            "name": customer,
            "currency": "USD",
            "time_zone": zone,
            "billing_entity": "US",
        }
        for customer, zone in HOMES.items()
    ],
    "products": [{"product_id": "api", "name": "API", "product_type": "api"}],
    "plans": [
        {
            "plan_id": plan,
            "product_id": "api",
            "name": plan,
            "cycle": "month",
            "alignment": "calendar",
        }
        for plan in ("roll", "pool", "before", "after")
    ],
    "charges": [
        {
            "plan_id": plan,
            "charge_id": charge,
            "position": position,
            "name": charge,
            "charge_type": "usage",
            "meter": meter,
            "meter_version": "1",
            "pricing_model": model,
        }
        for position, ((plan, charge), (meter, model, _)) in enumerate(CHARGES.items(), start=1)
    ],
    "prices": [
        {"plan_id": plan, "charge_id": charge, "currency": "USD", **band}
        for (plan, charge), (*_, bands) in CHARGES.items()
        for band in bands
    ],
    "charge_limits": [{"plan_id": "roll", "charge_id": "peak", "currency": "USD", "maximum": "25"}],
    "allowances": [
        {"allowance_id": "included", "charge_ids": "tokens", **allowance}
        for allowance in ALLOWANCES
    ],
    "meters": [
        {
            "meter": meter,
            "version": "1",
            "event_name": meter,
            "aggregation": aggregation,
            "property": "" if aggregation == "count" else "n",
        }
        for meter, aggregation in METERS.items()
    ],
    "subscriptions": [
        {
            "subscription_id": f"{customer}-{number}",
            "customer_id": customer,
            "plan_id": plan,
            "starts_at": f"2026-{start}",
            "ends_at": end and f"2026-{end}",
        }
        for customer, number, plan, start, end in [
            ("solo", 1, "roll", "01-01", "04-01"),
            ("duo", 1, "pool", "01-01", "02-01"),
            ("duo", 2, "pool", "01-16", "02-01"),
            ("move", 1, "before", "01-01", "02-01"),
        ]
    ],
    "subscription_changes": [
        {
            "subscription_id": "move-1",
            "changes_at": "2026-01-11",
            "change": "plan",
            "plan_id": "after",
        }
    ],
    "alerts": [{"name": alert["alert_id"], **alert} for alert in ALERTS],
}


def _rows() -> list[dict]:
    rows = []
    for number, (subscription, meter, local, n, *loaded) in enumerate(USES):
        customer = subscription.split("-")[0]
        offset = {"solo": "-05:00"}.get(customer, "Z")
        if customer == "solo" and local >= "03-08T02":
            offset = "-04:00"
        day = datetime.fromisoformat(f"2026-{(loaded or [local])[0][:5]}")
        rows.append(
            {
                "load_id": hashlib.sha256(str(number).encode()).hexdigest()[:32],
                "line_number": 1,
                "loaded_at": day + timedelta(hours=23, minutes=59),
                "customer_id": customer,
                "event_name": meter,
                "occurred_at": f"2026-{local}:00{offset}",
                "event_key": f"key{number}",
                "subscription_id": subscription,
                "properties": json.dumps({"n": n}),
            }
        )
    return rows


@pytest.fixture(scope="module")
def stepped_twins(twins):
    return twins(CATALOG, _rows(), lambda each: each.build_days(*RUNS))


def _plain(value) -> str | None:
    if isinstance(value, Decimal):
        text = format(value, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    return value


BALANCES = {
    # own, carried in, used, expired, carried out: of 70 left 50 may be carried over
    "solo-1": [
        ("2026-01-01 05:00", "100", "0", "30", "20", "50"),
        # 50 of January and 80 of its own are used
        ("2026-02-01 05:00", "100", "50", "130", "0", "20"),
        ("2026-03-01 05:00", "100", "20", "120", "0", "0"),
    ],
    # 100 and 100 x 16 / 31; the first takes 120, and leaves 31.6129032258
    "duo-1": [("2026-01-01 00:00", "100", "0", "120", None, "0")],
    "duo-2": [("2026-01-16 00:00", "51.6129032258", "0", "31.6129032258", None, "0")],
    # 31 x 10 / 31 less 4 are left to the second part
    "move-1": [
        ("2026-01-01 00:00", "10", "0", "4", "0", "6"),
        ("2026-01-11 00:00", "21", "6", "27", "0", "0"),
    ],
}


@ENGINES
def test_balances_say_what_was_brought_used_lost_and_left(stepped_twins, engine):
    rows = stepped_twins[engine].query(
        "select subscription_id, part_from, own_quantity, carried_in, used_quantity, "
        "expired_quantity, carried_out from marts.allowance_balances "
        "order by subscription_id, part_from"
    )
    found: dict[str, list[tuple]] = {}
    for subscription, part_from, *quantities in rows:
        found.setdefault(subscription, []).append(
            (f"{part_from:%Y-%m-%d %H:%M}", *(_plain(quantity) for quantity in quantities))
        )
    assert found == BALANCES


@ENGINES
def test_what_is_not_covered_is_billed(stepped_twins, engine):
    rows = stepped_twins[engine].query(
        "select subscription_id, charge_id, covered_quantity, rated_quantity, line_total "
        "from marts.rated_lines where charge_id in ('tokens', 'images') and rated_quantity > 0 "
        "order by subscription_id, charge_id"
    )
    assert [(*row[:2], *(_plain(value) for value in row[2:])) for row in rows] == [
        ("duo-2", "tokens", "31.6129032258", "8.3870967742", "8.39"),
        ("move-1", "tokens", "27", "3", "6"),
        # tokens come first in the catalogue: 50 of 120 are theirs
        ("solo-1", "images", "70", "30", "60"),
    ]


@ENGINES
def test_alerts_on_spend_and_allowance_say_the_day(stepped_twins, engine):
    """In March: 3.5 for calls on the 5th, 20 for a peak on the 8th, 25 at most from the 9th."""
    rows = stepped_twins[engine].query(
        "select alert_id, subscription_id, period_number, crossed_on, value_then, currency "
        "from marts.usage_alerts order by alert_id, subscription_id, period_number"
    )
    assert [(*row[:3], str(row[3]), _plain(row[4]), row[5]) for row in rows] == [
        # 150 of 120; what came on the 2nd was 100
        ("all", "solo-1", 3, "2026-03-20", "1.25", None),
        ("calls", "solo-1", 3, "2026-03-05", "3.5", "USD"),
        # an average is one of the whole period: 1.5 x 7 at its end
        ("mean", "solo-1", 3, "2026-03-31", "10.5", "USD"),
        ("most", "solo-1", 2, "2026-02-10", "0.8666666667", None),
        ("most", "solo-1", 3, "2026-03-02", "0.8333333333", None),
        # 30 of 27 in the second part
        ("part", "move-1", 1, "2026-01-20", "1.1111111111", None),
        # 160 of the pool's 151.6129032258
        ("pool", "duo-2", 1, "2026-01-22", "1.0553191489", None),
        ("spent_20", "solo-1", 3, "2026-03-08", "23.5", "USD"),
    ]


def test_runs_and_one_run_are_the_same_bytes(stepped_twins, house):
    at_once = house("duckdb", CATALOG, _rows())
    at_once.build_untested("--through", RUNS[-1])
    for table in TABLES:
        exported = [
            each.export(table)
            for each in (at_once, stepped_twins["duckdb"], stepped_twins["postgres"])
        ]
        assert exported[0] == exported[1] == exported[2], table
        assert exported[0]
