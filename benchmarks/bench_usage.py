"""Made usage of an AI API business for the benchmark: its catalogue and its files.

Every value comes from a hash of the event's number, so two runs write the same bytes. DuckDB
writes the files itself: ten million events in a minute.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb

from orchestration.catalog import write_missing_files
from orchestration.catalog_files import COLUMNS

# January is cut off by the midnight that ends this day in every zone below, after everything late:
# its invoices close with the last load day, and February's are drafts.
LAST_DAY = date(2026, 2, 3)
GRACE_DAYS = "2"
ZONES = [
    ("America/New_York", "BENCH-US"),
    ("Europe/Berlin", "BENCH-EU"),
    ("Asia/Tokyo", "BENCH-JP"),
]
# One event in 20 is a redelivery: one of 19 events is delivered again, one to three days later.
REDELIVERED = 19
METERS = [
    {"meter": "api_calls", "event_name": "api_call", "aggregation": "count"},
    {"meter": "input_tokens", "property": "input_tokens", "dimensions": "model|region"},
    {"meter": "output_tokens", "property": "output_tokens", "dimensions": "model|region"},
    {"meter": "storage", "event_name": "storage_read", "property": "gb_hours"},
]
PRICES = [
    {"charge_id": "base_fee", "unit_price": "49"},
    {"charge_id": "api_calls", "unit_price": "0.4", "package_size": "1000"},
    {"charge_id": "input_tokens", "up_to": "10000000", "unit_price": "0.000002"},
    {"charge_id": "input_tokens", "up_to": "100000000", "unit_price": "0.0000015"},
    {"charge_id": "input_tokens", "unit_price": "0.000001"},
    {
        "charge_id": "input_tokens",
        "dimension_values": "model=large",
        "position": "1",
        "up_to": "50000000",
        "unit_price": "0.00001",
    },
    {
        "charge_id": "input_tokens",
        "dimension_values": "model=large",
        "position": "1",
        "unit_price": "0.000008",
    },
    {"charge_id": "output_tokens", "unit_price": "0.000008"},
    {
        "charge_id": "output_tokens",
        "dimension_values": "model=large",
        "position": "1",
        "unit_price": "0.00003",
    },
    {
        "charge_id": "output_tokens",
        "dimension_values": "model=large|region=eu",
        "position": "2",
        "unit_price": "0.000033",
    },
    {"charge_id": "storage", "unit_price": "0.012"},
]


@dataclass(frozen=True)
class Usage:
    """How much usage; `days` load days end with LAST_DAY, and one more follows."""

    events: int
    customers: int
    days: int

    @property
    def first_day(self) -> date:
        return LAST_DAY - timedelta(self.days - 1)

    @property
    def billed_from(self) -> date:
        """The month that the earliest late event may fall into."""
        return (self.first_day - timedelta(2)).replace(day=1)

    @property
    def events_a_day(self) -> int:
        """First deliveries of a load day."""
        return self.events * REDELIVERED // (REDELIVERED + 1) // self.days

    def load_days(self) -> list[date]:
        """The load days of the full build, and the one more."""
        return [self.first_day + timedelta(number) for number in range(self.days + 1)]


# Commercial terms for the benchmark, rows by file: half of the charges of the second plan cost the
# same as in the first. No pauses: the floor, which knows none, counts every event.
TERMS = {
    "allowances": [
        {
            "plan_id": plan_id,
            "allowance_id": "tokens",
            "charge_ids": "input_tokens|output_tokens",
            "quantity": "100000",
            "rollover_periods": "3",
            "rollover_cap": "250000",
        }
        for plan_id in ("bench", "bench_plus")
    ],
    "commitments": [
        {
            "commitment_id": "year",
            "name": "Committed spend",
            "plan_id": "bench_plus",
            "currency": "USD",
            "amount": "6000",
            "window_cycles": "12",
            "overage_factor": "1.2",
        }
    ],
    "discounts": [
        {
            "discount_id": "launch",
            "name": "Launch",
            "level": "line",
            "position": "1",
            "plan_id": "bench",
            "charge_id": "output_tokens",
            "percent": "10",
        },
        {
            "discount_id": "welcome",
            "name": "Welcome",
            "level": "invoice",
            "position": "2",
            "plan_id": "bench_plus",
            "amount": "5",
            "currency": "USD",
            "periods": "3",
        },
    ],
    "entitlements": [
        {
            "product_id": "api",
            "feature": "calls",
            "name": "API calls",
            "kind": "soft",
            "meter": "api_calls",
            "limit_quantity": "5000",
        }
    ],
    "alerts": [
        {
            "alert_id": "many_calls",
            "name": "Many calls",
            "plan_id": "bench",
            "kind": "usage",
            "meter": "api_calls",
            "threshold": "4000",
        }
    ],
}


def write_catalog(folder: Path, usage: Usage, with_terms: bool = False) -> None:
    """One plan with a base fee and four usage charges, one subscription per customer.

    `with_terms`: commercial terms on top. A customer in ten changes to a second plan in the middle
    of a quarter of an hour in mid-January, one in ten changes its seats, and all have allowances
    that roll over, discounts, commitments, entitlements and alerts.
    """
    folder.mkdir(parents=True, exist_ok=True)
    start = usage.billed_from.isoformat()
    customers, subscriptions = [], []
    for number in range(1, usage.customers + 1):
        zone, entity = ZONES[number % len(ZONES)]
        customer_id = f"customer_{number:06d}"
        customers.append(
            {
                "customer_id": customer_id,
                "name": f"Customer {number}",
                "currency": "USD",
                "time_zone": zone,
                "billing_entity": entity,
            }
        )
        subscriptions.append(
            {
                "subscription_id": f"subscription_{number:06d}",
                "customer_id": customer_id,
                "plan_id": "bench",
                "starts_at": start,
            }
        )
    plan = {"plan_id": "bench", "product_id": "api"}
    charges = [{"charge_id": "base_fee", "charge_type": "recurring", "timing": "arrears"}]
    models = {"api_calls": "package", "input_tokens": "tiered"}
    for meter in METERS:
        name = meter["meter"]
        model = models.get(name, "per_unit")
        charge = {"charge_id": name, "charge_type": "usage", "meter": name, "pricing_model": model}
        charges.append(charge)
    charges[-1]["allowance"] = "100"
    for position, charge in enumerate(charges, start=1):
        charge |= {**plan, "position": str(position), "name": charge["charge_id"]}
        charge.pop("product_id")
    terms = {"name": "Bench", "cycle": "month", "alignment": "calendar", "grace_days": GRACE_DAYS}
    tables = {
        "customers": customers,
        "products": [{"product_id": "api", "name": "API", "product_type": "api"}],
        "plans": [{**plan, **terms}],
        "charges": charges,
        "prices": [{"plan_id": "bench", "currency": "USD", **price} for price in PRICES],
        "meters": [
            {"version": "1", "event_name": "completion", "aggregation": "sum", **meter}
            for meter in METERS
        ],
        "subscriptions": subscriptions,
    }
    if with_terms:
        tables |= terms_of(tables)
    for name, rows in tables.items():
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS[name], restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    write_missing_files(folder)


def terms_of(tables: dict[str, list[dict[str, str]]]) -> dict[str, list[dict[str, str]]]:
    """The files that commercial terms add to the plain catalogue, or replace in it."""
    second = {"plan_id": "bench_plus"}
    plus_prices = [
        {**price, **second}
        | ({"unit_price": "0.0000009"} if price["charge_id"] == "input_tokens" else {})
        for price in tables["prices"]
    ]
    changes = []
    for number, row in enumerate(tables["subscriptions"]):
        change = {"subscription_id": row["subscription_id"]}
        if number % 10 == 3:
            when = f"2026-01-{10 + number % 15:02d}T10:07:00Z"
            changes.append(change | {"changes_at": when, "change": "plan", **second})
        elif number % 10 == 7:
            seats = {"change": "quantity", "charge_id": "base_fee", "quantity": str(number % 9)}
            changes.append(change | {"changes_at": f"2026-01-{5 + number % 20:02d}", **seats})
    return TERMS | {
        "plans": tables["plans"] + [{**row, **second} for row in tables["plans"]],
        "charges": tables["charges"] + [{**row, **second} for row in tables["charges"]],
        "prices": tables["prices"] + plus_prices,
        "subscription_changes": changes,
    }


def day_query(usage: Usage, number: int) -> str:
    """The NDJSON lines of load day `number` (0..): its own events and what comes again that day.

    Customers: the chance of rank r falls with 1/r. Times: most in office hours, to the
    millisecond; 2 % of the events are one or two days late.
    """
    size = usage.events_a_day
    first = max(0, number - 3) * size
    customers = usage.customers
    return f"""
    with drawn as (
        select range as event, hash(range) as h, hash(range + 1000000000000) as g
        from range({first}, {(number + 1) * size})
    ),
    delivered as (
        select *, event // {size} as own_day from drawn
        where
            event >= {number * size}
            or (
                event % {REDELIVERED} = 5
                and event // {size} + 1 + cast(h >> 56 as bigint) % 3 = {number}
            )
    ),
    placed as (
        select
            event,
            h,
            g,
            own_day,
            least(
                {customers},
                cast(floor(pow({customers + 1}, cast(h % 1000003 as double) / 1000003)) as bigint)
            ) as customer,
            case when g % 100 < 2 then 1 + g % 2 else 0 end as days_late,
            case
                when (g >> 10) % 10 < 7 then 28800000 + (h >> 20) % 36000000
                else (h >> 20) % 86400000
            end as millisecond,
            case when (g >> 20) % 10 < 4 then 'a' when (g >> 20) % 10 < 9 then 'c' else 's' end
                as kind
        from delivered
    )
    select
        '{{"customer_id":"customer_' || lpad(cast(customer as text), 6, '0')
        || '","event_name":"'
        || case kind when 'a' then 'api_call' when 'c' then 'completion' else 'storage_read' end
        || '","occurred_at":"'
        || strftime(
            timestamp '{usage.first_day}'
            + to_days(cast(own_day as integer) - cast(days_late as integer))
            + to_milliseconds(cast(millisecond as bigint)),
            '%Y-%m-%dT%H:%M:%S.%g'
        ) || 'Z'
        || '","event_key":"evt_' || lpad(to_hex(h), 16, '0')
        || '","properties":{{'
        || case kind
            when 'a' then
                '"region":"' || case when (customer + g % 2) % 3 = 0 then 'eu' else 'us' end
                || '","status":200,"path":"/v1/items"'
            when 'c' then
                '"model":"'
                || case when g % 10 < 6 then 'small' when g % 10 < 9 then 'medium' else 'large' end
                || '","region":"' || case when (customer + g % 2) % 3 = 0 then 'eu' else 'us' end
                || '","input_tokens":' || cast(20 + (h >> 24) % 4000 as text)
                || ',"output_tokens":' || cast(1 + (h >> 36) % 900 as text)
                || ',"latency_ms":' || cast(80 + (g >> 30) % 3000 as text)
            else
                '"bucket":"b' || cast(customer % 7 as text) || '","gb_hours":'
                || cast((h >> 24) % 50 as text) || '.'
                || lpad(cast((h >> 36) % 1000 as text), 3, '0')
        end || '}}}}' as line
    from placed
    """


def write_files(folder: Path, usage: Usage) -> list[Path]:
    """One file per load day, the one more included."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    with duckdb.connect() as connection:
        for number, day in enumerate(usage.load_days()):
            path = folder / f"{day}.ndjson"
            connection.execute(
                f"copy ({day_query(usage, number)}) to '{path}'"
                " (format csv, header false, quote '', escape '', delimiter E'\\x01')"
            )
            files.append(path)
    return files
