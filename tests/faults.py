"""The faults that tests/test_expectations.py injects, and the check that catches each.

Each has a subject: what the failing row, or the reason, names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from tests.fault_world import NAMES, Row, altered, event, price, senders, spread, usage

MARCH = date(2026, 3, 1)


def march(day: int) -> date:
    return MARCH.replace(day=day)


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong, and the named check that stops the close for it."""

    kind: str
    check: str
    subject: str


FAULT_DAYS = [march(day) for day in range(3, 13)]

# Usage: a day at fault, or an event name, a meter or a customer of a day.
USAGE_FAULTS = [
    Fault("a missing day", "every_day_has_usage", "2026-03-03"),
    Fault("two thirds of a day missing", "volume_is_usual", "2026-03-04"),
    Fault("a doubled load", "volume_is_usual", "2026-03-05"),
    Fault("times that nobody can read", "few_are_rejected", "2026-03-06"),
    Fault("customers left out", "few_are_rejected", "2026-03-07"),
    Fault("a zone typo: hours ahead", "few_are_rejected", "2026-03-08"),
    Fault("an event name that stops", "event_names_still_come", "n01"),
    Fault("an event name renamed", "event_names_still_come", "n02"),
    Fault("an event name that floods", "event_names_do_not_flood", "n03"),
    Fault("a zone that was lost: hours behind", "times_are_of_the_day", "n04"),
    Fault("a month mistaken", "times_are_of_the_day", "n05"),
    Fault("day and month swapped", "event_names_still_come", "n06"),
    Fault("a property renamed", "most_is_measured", "n07"),
    Fault("thousands sent as ones", "measures_are_usual", "n08"),
    Fault("ones sent as thousands", "measures_are_usual", "n09"),
    Fault("a negative quantity", "quantities_are_not_negative", "n10"),
    Fault("a sign flipped everywhere", "quantities_are_not_negative", "n11"),
    Fault("a unit in the number", "most_is_measured", "n12"),
    Fault("a decimal comma", "most_is_measured", "n13"),
    Fault("a number out of range", "most_is_measured", "n14"),
    Fault("a dropped meter: its filter no longer holds", "meters_still_measure", "n15"),
    Fault("a value that is null", "most_is_measured", "n16"),
    Fault("a customer that spikes", "customers_do_not_spike", "c20"),
    Fault("a retry storm with new keys", "customers_do_not_spike", "c22"),
    Fault("one event a hundred and fifty times as large", "quantities_do_not_spike", "n17"),
    Fault("a line out of all proportion", "line_totals_are_usual", "n18"),
    Fault("an invoice out of all proportion", "invoice_totals_are_usual", senders("n19")[0]),
    Fault("an unknown customer", "unbilled_share_is_usual", "unknown_customer"),
    Fault("an unknown subscription", "unbilled_share_is_usual", "unknown_subscription"),
    Fault("a customer without a subscription", "unbilled_share_is_usual", "no_subscription"),
    Fault("an event without a meter", "unbilled_share_is_usual", "no_meter"),
]

# Rows of the catalogue that are well-formed, and wrong.
PRICE_FAULTS = [
    Fault("a 10x price", "unit_prices_are_usual", "n01"),
    Fault("a price with a digit too few", "unit_prices_are_usual", "n02"),
    Fault("a currency mix-up: dollars for yen", "prices_agree_across_currencies", "n03"),
    Fault("a price per thousand taken for one", "prices_agree_across_currencies", "n04"),
    Fault("a currency mix-up: yen for dollars", "unit_prices_are_usual", "n06"),
    Fault("a 10x fee", "unit_prices_are_usual", "fee"),
]
NEW_PRICES = {
    ("n01", "USD"): "10",
    ("n02", "EUR"): "0.1",
    ("n03", "JPY"): "0.0066666667",
    ("n04", "EUR"): "1000",
    ("n06", "USD"): "150",
    ("fee", "JPY"): "10",
}


def new_prices() -> list[Row]:
    """Prices of March that were written on the 3rd."""
    return [
        price(
            charge,
            currency,
            times,
            valid_from="2026-03-01",
            applies_to="open",
            recorded_at="2026-03-03T10:00:00Z",
        )
        for (charge, currency), times in NEW_PRICES.items()
    ]


def _with(**more: Any) -> Callable[[Row], Row]:
    return lambda row: {**row, **more}


def _value(text: str, region: str = "eu") -> Callable[[Row], Row]:
    return _with(properties=f'{{"region":"{region}","v":{text}}}')


def _moved(hours: int) -> Callable[[Row], Row]:
    def move(row: Row) -> Row:
        at = datetime.fromisoformat(row["occurred_at"][:-1]) + timedelta(hours=hours)
        return {**row, "occurred_at": f"{at.isoformat()}Z"}

    return move


def _one(change: Callable[[Row], Row], customer: str) -> Callable[[Row], Row]:
    """A change of one event alone: the first of a customer."""
    return lambda row: (
        change(row) if row["customer_id"] == customer and row["event_key"].endswith("-0") else row
    )


#: What is changed of the events of a name, by day.
NAME_CHANGES: dict[int, dict[str, Callable[[Row], Row | None]]] = {
    9: {
        "n01": lambda row: None,
        "n02": _with(event_name="n02_v2"),
        "n04": _moved(-9),
        "n05": _with(occurred_at="2026-02-09T12:00:00Z"),
        "n06": _with(occurred_at="2026-09-03T12:00:00Z"),
    },
    10: {
        "n07": _with(properties='{"region":"eu","value":100}'),
        "n08": _value("100000"),
        "n09": _value("0.1"),
        "n10": _one(_value("-100"), senders("n10")[0]),
        "n11": _value("-100"),
        "n12": _value('"100 ms"'),
        "n13": _value('"1,5"'),
        "n14": _value("10000000000000"),
        "n15": _value("100", region="EU"),
        "n16": _value("null"),
    },
    11: {
        "n17": _one(_value("60000"), senders("n17")[0]),
        "n18": _one(_value("2000000"), senders("n18")[0]),
        "n19": _one(_value("30000000"), senders("n19")[0]),
    },
}


def faulty_days() -> Iterator[Row]:
    """Ten days with something wrong on each."""
    third = list(usage(march(4)))
    yield from third[::3]
    again = list(usage(march(5)))
    yield from again
    yield from spread(
        [{**row, "event_key": f"again-{row['event_key']}"} for row in again], march(5)
    )
    for place, row in enumerate(usage(march(6))):
        yield {**row, "occurred_at": "yesterday"} if place % 5 == 0 else row
    for place, row in enumerate(usage(march(7))):
        yield {**row, "customer_id": None} if place % 5 == 0 else row
    for place, row in enumerate(usage(march(8))):
        yield _moved(26)(row) if place % 5 == 0 else row
    for day in (9, 10, 11, 12):
        rows = usage(march(day))
        for name, change in NAME_CHANGES.get(day, {}).items():
            rows = altered(rows, name, change)
        yield from rows
    yield from _more("n03", senders("n03"), march(9), 20)
    for customer in ("c20", "c22"):
        for name in NAMES:
            yield from _more(name, [customer], march(11), 12)
    yield from _more("n20", ["test"], march(12), 60)
    yield from _more("n20", ["c25"], march(12), 60)
    yield from _more("new_thing", ["c01"], march(12), 60)
    yield from (
        {**row, "subscription_id": "sub_nobody"} for row in _more("n19", ["c02"], march(12), 60)
    )


def _more(name: str, customers: list[str], day: date, count: int) -> Iterator[Row]:
    """Further events of some customers, in a load of their own."""
    for customer in customers:
        for number in range(count):
            row = event(day, name, customer, number)
            yield {**row, "load_id": f"more_{day:%m%d}", "event_key": f"more-{row['event_key']}"}


# What the catalogue's own check finds: the file, its rows changed, and what the fault names.
Change = Callable[[dict[str, list[Row]]], None]


def _set(file: str, place: int, **values: Any) -> Change:
    def change(rows: dict[str, list[Row]]) -> None:
        rows[file][place] = {**rows[file][place], **values}

    return change


def _append(file: str, place: int, **values: Any) -> Change:
    def change(rows: dict[str, list[Row]]) -> None:
        rows[file].append({**rows[file][place], **values})

    return change


def _remove(file: str, place: int) -> Change:
    def change(rows: dict[str, list[Row]]) -> None:
        del rows[file][place]

    return change


CATALOG_FAULTS: list[tuple[Fault, Change]] = [
    (Fault("a zone typo", "catalog/customers", "Europe/Berlinn"),
     _set("customers", 0, time_zone="Europe/Berlinn")),
    (Fault("an unknown currency", "catalog/customers", "EURO"),
     _set("customers", 0, currency="EURO")),
    (Fault("a customer twice", "catalog/customers", "line 2 has it"),
     _append("customers", 0, name="Other")),
    (Fault("a price left out in a currency", "catalog/charges", "a price in USD"),
     _remove("prices", 0)),
    (Fault("a negative price", "catalog/prices", "-1"), _set("prices", 1, unit_price="-1")),
    (Fault("a last tier that ends", "catalog/prices", "5"), _set("prices", 4, up_to="5")),
    (Fault("a price twice", "catalog/prices", "line 2 has it"), _append("prices", 0)),
    (Fault("a charge of a dropped meter", "catalog/charges", "n01"), _remove("meters", 0)),
    (Fault("an aggregation typo", "catalog/meters", "summ"),
     _set("meters", 0, aggregation="summ")),
    (Fault("a subscription of no plan", "catalog/subscriptions", "prro"),
     _set("subscriptions", 0, plan_id="prro")),
    (Fault("a subscription of nobody", "catalog/subscriptions", "c99"),
     _set("subscriptions", 0, customer_id="c99")),
    (Fault("a day that does not exist", "catalog/subscriptions", "2026-02-30"),
     _set("subscriptions", 0, starts_at="2026-02-30")),
    (Fault("a cycle typo", "catalog/plans", "monthly"), _set("plans", 0, cycle="monthly")),
]  # fmt: skip

# What closes have seen, altered afterwards.
ARCHIVE_FAULTS: list[tuple[Fault, Change]] = [
    (Fault("a price edited in place", "catalog/prices", "0.02"),
     _set("prices", 3, unit_price="0.02")),
    (Fault("a customer deleted", "catalog/customers", "c24"), _remove("customers", -2)),
    (Fault("a row back-dated behind a close", "catalog/prices", "2026-02-10"),
     _append("prices", -1, valid_from="2026-02-01", recorded_at="2026-02-10T00:00:00Z")),
]  # fmt: skip

_DRAFT = (
    "select min(rated_line_id) from marts.rated_lines where charge_id = '{}' and currency = 'USD'"
    " and cutoff_at > '2026-03-03' and rounded_total > 1"
)
# What a mistake in a model would make of its tables: the statement, and the dbt test that fails.
TABLE_FAULTS: list[tuple[Fault, str]] = [
    (Fault("rollups twice", "landed_is_metered_void_duplicate_or_rejected", ""),
     "insert into metering.int_metering__rollups select * from metering.int_metering__rollups"
     " where load_day = '2026-03-11' limit 1"),
    (Fault("a step of a line lost", "rating_steps_total_their_line", ""),
     f"delete from marts.rating_steps where rated_line_id = ({_DRAFT.format('n05')})"),
    (Fault("a line rounded down by a cent", "rated_lines_rows_hold", ""),
     "update marts.rated_lines set rounded_total = rounded_total - 0.01, line_total = line_total"
     f" - 0.01 where rated_line_id = ({_DRAFT.format('n07')})"),
    (Fault("a fraction of a cent", "lines_are_in_whole_minor_units", ""),
     "update marts.rated_lines set line_total = line_total + 0.001"
     f" where rated_line_id = ({_DRAFT.format('n09')})"),
    (Fault("a closed invoice lost", "what_was_closed_stands", ""),
     "delete from ledger.documents where invoice_id = (select max(invoice_id)"
     " from ledger.documents where cutoff_at = (select max(cutoff_at) from ledger.documents))"),
]  # fmt: skip


def all_faults() -> list[Fault]:
    """Every fault with its check."""
    tabled = [*CATALOG_FAULTS, *ARCHIVE_FAULTS, *TABLE_FAULTS]
    return [*USAGE_FAULTS, *PRICE_FAULTS, *(fault for fault, _ in tabled)]
