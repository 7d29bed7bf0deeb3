"""A steady house for the faults of tests/test_expectations.py, and the files that are at fault.

Two dozen customers send the same usage each day, so that whatever differs is the fault. Twenty
event names, each with its meter and charge, are there for a fault each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

FIRST_DAY = date(2026, 1, 1)
#: The last day before the faults; January is closed then, and February.
LAST_GOOD_DAY = date(2026, 3, 2)
NAMES = [f"n{number:02d}" for number in range(1, 21)]
CURRENCIES = {"USD": "America/New_York", "EUR": "Europe/Berlin", "JPY": "Asia/Tokyo"}
RATES = {"USD": 1, "EUR": 1, "JPY": 150}
CUSTOMERS = {f"c{number:02d}": list(CURRENCIES)[number % 3] for number in range(1, 25)}
#: Customers that send an event name, and how many events each a day.
SENDERS = 8
EVENTS = 4

Row = dict[str, Any]


def senders(name: str) -> list[str]:
    """The customers that send an event name."""
    start = NAMES.index(name) * 5
    customers = list(CUSTOMERS)
    return [customers[(start + place) % len(customers)] for place in range(SENDERS)]


def catalog() -> dict[str, list[Row]]:
    """Everybody is on one plan, with a fee and a charge for each event name; c25 is on none."""
    charges = [
        {"charge_id": "fee", "charge_type": "recurring", "timing": "arrears"},
        *(
            {
                "charge_id": name,
                "charge_type": "usage",
                "meter": name,
                "meter_version": "1",
                "pricing_model": "per_unit",
            }
            for name in NAMES
        ),
    ]
    return {
        "customers": [
            {
                "customer_id": customer,
                "name": customer,
                "currency": currency,
                "time_zone": CURRENCIES[currency],
                "billing_entity": "ONE",
            }
            for customer, currency in [*CUSTOMERS.items(), ("c25", "USD")]
        ],
        "products": [{"product_id": "api", "name": "API", "product_type": "api"}],
        "plans": [
            {
                "plan_id": "pro",
                "product_id": "api",
                "name": "Pro",
                "cycle": "month",
                "alignment": "calendar",
            }
        ],
        "charges": [
            {"plan_id": "pro", "position": place, "name": each["charge_id"], **each}
            for place, each in enumerate(charges, start=1)
        ],
        "prices": [
            price(charge["charge_id"], currency) for charge in charges for currency in CURRENCIES
        ],
        "meters": [
            {
                "meter": name,
                "version": "1",
                "event_name": name,
                "aggregation": "sum",
                "property": "v",
            }
            for name in NAMES
        ],
        "meter_filters": [
            {
                "meter": "n15",
                "version": "1",
                "property": "region",
                "operator": "eq",
                "value": "eu",
            }
        ],
        "subscriptions": [
            {
                "subscription_id": f"sub_{customer}",
                "customer_id": customer,
                "plan_id": "pro",
                "starts_at": "2026-01-01",
            }
            for customer in CUSTOMERS
        ],
    }


def price(charge: str, currency: str, times: str = "1", **more: Any) -> Row:
    """A price of a charge: the same in every currency, at its rate."""
    from decimal import Decimal

    amount = Decimal("30" if charge == "fee" else "0.01") * RATES[currency] * Decimal(times)
    return {
        "plan_id": "pro",
        "charge_id": charge,
        "currency": currency,
        "unit_price": format(amount, "f"),
        **more,
    }


def event(day: date, name: str, customer: str, number: int, **more: Any) -> Row:
    """An event of the day, at an hour of its own."""
    hour = (number * 5 + NAMES.index(name)) % 23 if name in NAMES else 12
    at = datetime.combine(day, time(hour, 15))
    properties = '{"region":"eu","v":100}'
    return {
        "load_id": f"load_{day:%m%d}",
        "loaded_at": datetime.combine(day, time(23, 59, 59)),
        "customer_id": customer,
        "event_name": name,
        "occurred_at": f"{at.isoformat()}Z",
        "event_key": f"{day:%m%d}-{name}-{customer}-{number}",
        "properties": properties,
        **more,
    }


def usage(day: date) -> Iterator[Row]:
    """A day as it always is."""
    for name in NAMES:
        for customer in senders(name):
            for number in range(EVENTS):
                yield event(day, name, customer, number)


def numbered(rows: Iterator[Row] | list[Row]) -> list[Row]:
    """Rows with their line numbers, a count a load."""
    lines: dict[str, int] = {}
    made = []
    for row in rows:
        lines[row["load_id"]] = lines.get(row["load_id"], 0) + 1
        made.append({**row, "line_number": lines[row["load_id"]]})
    return made


def good_days() -> list[Row]:
    """The history before the faults."""
    count = (LAST_GOOD_DAY - FIRST_DAY).days + 1
    days = [FIRST_DAY + timedelta(days=place) for place in range(count)]
    return numbered([row for day in days for row in usage(day)])


def altered(rows: Iterator[Row], name: str, change: Callable[[Row], Row | None]) -> Iterator[Row]:
    """A day in which the events of a name are changed, or left out."""
    for row in rows:
        if row["event_name"] != name:
            yield row
        elif (changed := change(row)) is not None:
            yield changed


def spread(rows: list[Row], day: date) -> list[Row]:
    """Rows of another load of the day."""
    return [{**row, "load_id": f"more_{day:%m%d}"} for row in rows]
