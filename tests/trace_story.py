"""A house whose lines are traced: late usage, voids, a line taken back, and what is no usage."""

from __future__ import annotations

import json
from datetime import datetime

from tests.houses import RAW_COLUMNS
from tests.strategies import catalog_row

#: Builds: January closes, February with corrections, March with corrections of these, in full.
STEPS = (("2026-02-02",), ("2026-03-05",), ("2026-04-05", "--full"))

METERS = {"calls": {"aggregation": "count"}, "data": {"aggregation": "sum", "property": "n"}}
SUBSCRIPTIONS = {
    "acme": "metered",
    "gone": "bare",
    "slow": "bare",
    "team": "seated",
    "steady": "committed",
}


def catalog() -> dict[str, list[dict]]:
    """Rows by file name."""
    rows: dict[str, list[dict]] = {}

    def add(file: str, **values: object) -> None:
        rows.setdefault(file, []).append(catalog_row(file, **values))

    def charge(plan: str, charge_id: str, *bands: dict, **columns: str) -> None:
        position = len(rows.get("charges", [])) + 1
        add(
            "charges",
            **{"plan_id": plan, "charge_id": charge_id, "position": position, "name": charge_id},
            **columns,
        )
        for band in bands:
            add("prices", plan_id=plan, charge_id=charge_id, currency="USD", position=1, **band)

    add("products", product_id="p", name="p", product_type="saas")
    for name, columns in METERS.items():
        dimensions = {"dimensions": "region"} if name == "data" else {}
        add("meters", meter=name, version="1", event_name=name, **columns, **dimensions)
    for plan in dict.fromkeys(SUBSCRIPTIONS.values()):
        add(
            "plans",
            **{"plan_id": plan, "product_id": "p", "name": plan},
            **{"cycle": "month", "alignment": "calendar"},
        )
    fee = {"charge_type": "recurring", "timing": "advance"}
    charge("metered", "fee", {"unit_price": "20"}, **fee)
    charge(
        "metered",
        "calls",
        {"up_to": "10", "unit_price": "2"},
        {"unit_price": "1", "flat_fee": "0.5"},
        **{"charge_type": "usage", "meter": "calls", "pricing_model": "tiered"},
    )
    by_unit = {"charge_type": "usage", "pricing_model": "per_unit"}
    data = by_unit | {"meter": "data"}
    charge(
        "metered",
        "data",
        {"unit_price": "0.3"},
        {"unit_price": "0.25", "dimension_values": "region=eu"},
        **data,
    )
    charge("bare", "data", {"unit_price": "1.5"}, **data)
    charge("seated", "seats", {"unit_price": "31"}, **fee)
    charge("committed", "calls", {"unit_price": "5"}, meter="calls", **by_unit)
    add("charge_limits", plan_id="metered", charge_id="data", currency="USD", minimum="30")
    add(
        "commitments",
        **{"commitment_id": "floor", "name": "Floor", "plan_id": "committed"},
        **{"currency": "USD", "amount": "100", "window_cycles": "2"},
    )
    add(
        "discounts",
        **{"discount_id": "tenth", "name": "A tenth", "level": "line", "plan_id": "metered"},
        **{"charge_id": "calls", "percent": "10"},
    )
    for name, plan in SUBSCRIPTIONS.items():
        add(
            "customers",
            **{"customer_id": name, "name": name.title(), "currency": "USD"},
            **{"time_zone": "UTC", "billing_entity": "house"},
        )
        add("subscriptions", subscription_id=name, customer_id=name, plan_id=plan,
            starts_at="2026-01-01")  # fmt: skip
    for day, quantity, recorded in (
        ("2026-01-01", "3", ""),
        ("2026-01-17", "1", "2026-01-10T00:00:00Z"),
    ):
        add(
            "subscription_changes",
            **{"subscription_id": "team", "changes_at": day, "change": "quantity"},
            **{"charge_id": "seats", "quantity": quantity, "recorded_at": recorded},
        )
    return rows


def rows() -> list[dict]:
    """Raw rows: one file a load day, as they were loaded at noon."""
    made: list[dict] = []

    def deliver(loaded: str, customer: str, **values: str | None) -> None:
        day = datetime.fromisoformat(loaded + "T12:00:00")
        row = dict.fromkeys(RAW_COLUMNS) | {
            "load_id": f"load-{loaded}",
            "line_number": 1 + sum(one["loaded_at"] == day for one in made),
            "loaded_at": day,
            "customer_id": customer,
        }
        made.append(row | values)

    def use(customer: str, meter: str, key: str, at: str, loaded: str = "", **properties) -> None:
        deliver(
            loaded or at[:10],
            customer,
            event_name=meter,
            event_key=key,
            occurred_at=f"{at}:00Z",
            properties=json.dumps(properties),
        )

    def void(customer: str, key: str, loaded: str) -> None:
        deliver(loaded, customer, voids_key=key)

    for day in range(1, 13):
        use("acme", "calls", f"call-{day}", f"2026-01-{day:02}T10:20")
        use("steady", "calls", f"call-{day}", f"2026-01-{day:02}T10:20")
    for month in ("01", "02", "03"):
        for day, region in ((5, "eu"), (6, "us"), (7, "eu")):
            at = f"2026-{month}-{day:02}T09:07"
            use("acme", "data", f"data-{month}-{day}", at, n=day * 1.25, region=region)
    use("acme", "calls", "call-feb", "2026-02-03T10:00")
    # Voided in time: no line ever counts it.
    use("acme", "calls", "mistake", "2026-01-14T10:00")
    void("acme", "mistake", "2026-01-20")
    # January as it came to be known in February, and in March.
    use("acme", "calls", "call-late", "2026-01-20T10:00", "2026-02-10")
    use("acme", "data", "data-late", "2026-01-20T10:00", "2026-02-10", n=8, region="us")
    void("acme", "data-01-5", "2026-02-11")
    void("acme", "call-late", "2026-03-10")
    use("acme", "data", "data-later", "2026-01-21T10:00", "2026-03-11", n=300, region="us")
    # All of January taken back; a January that had no usage when it closed.
    for day in (8, 9):
        use("gone", "data", f"gone-{day}", f"2026-01-{day:02}T11:00", n=day, region="eu")
        void("gone", f"gone-{day}", "2026-02-12")
    use("slow", "data", "slow-1", "2026-01-30T11:00", "2026-02-13", n=4, region="eu")
    return made
