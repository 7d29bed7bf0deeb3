"""Commercial terms, computed by hand: plan changes, seats, pauses, prices, allowances, discounts,
commitments.

Each scenario of tests/terms is a customer (or two) with plans of its own, all in one build an
engine. The lines beside it are every line that it is billed; the sums are in the comments, from
the rules alone.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from functools import cache

import pytest

from orchestration.catalog import check_catalog
from tests.houses import House, write_catalog
from tests.oracle import bill
from tests.strategies import COLUMNS, catalog_row
from tests.terms import SCENARIOS, Line, Terms

ENGINES = pytest.mark.parametrize("engine", ["duckdb", "postgres"])
AS_OF_DAY = "2026-04-30"


@cache
def made() -> tuple[dict[str, list[dict]], list[dict], dict[str, dict[str, list[Line]]]]:
    """Catalogue, deliveries, and the lines expected by scenario and subscription."""
    catalog: dict[str, list[dict]] = {file: [] for file in COLUMNS}
    for name, aggregation in {"units": "sum", "peak": "max", "level": "weighted_sum"}.items():
        meter = {"meter": f"terms_{name}", "event_name": f"terms_{name}", "version": "1"}
        if name == "level":
            meter |= {"weighted_mode": "reading", "carry_over": "true"}
        row = catalog_row("meters", **meter, aggregation=aggregation, property="value")
        catalog["meters"].append(row)
    rows, expected = [], {}
    for name, make in SCENARIOS.items():
        terms = Terms(name)
        lines = make(terms)
        for file, table in terms.catalog.items():
            catalog[file] += table
        rows += terms.rows
        by_suffix = lines if isinstance(lines, dict) else {"": lines}
        expected[name] = {terms.id(suffix): found for suffix, found in by_suffix.items()}
    return catalog, rows, expected


def test_the_catalogue_has_no_fault(tmp_path):
    assert check_catalog(write_catalog(tmp_path, made()[0])) == []


@pytest.fixture(scope="module")
def oracle_lines() -> dict[str, list[Line]]:
    catalog, rows, _ = made()
    billed = bill(catalog, rows, date.fromisoformat(AS_OF_DAY))
    owners = {invoice.invoice_id: invoice.subscription_id for invoice in billed.invoices}
    lines: dict[str, list[Line]] = {}
    for one in billed.lines:
        row = (one.invoice_id, one.kind, one.charge_id, one.period_from, one.period_to)
        found = spell(*row, Decimal(one.line_total))
        lines.setdefault(owners[one.invoice_id], []).append(found)
    return lines


@pytest.fixture(scope="module")
def built(twins) -> dict[str, House]:
    return twins(*made()[:2], lambda each: each.build_days(AS_OF_DAY))


@pytest.fixture(scope="module")
def billed(built) -> dict[str, dict[str, list[Line]]]:
    """Lines by engine and subscription."""
    lines: dict[str, dict[str, list[Line]]] = {}
    for engine, house in built.items():
        lines[engine] = {}
        for subscription_id, *row in house.query(
            "select subscription_id, invoice_id, line_kind, charge_id, period_from, period_to,"
            " line_total from marts.invoice_lines"
        ):
            lines[engine].setdefault(subscription_id, []).append(spell(*row))
    return lines


def spell(
    invoice_id: str, kind: str, charge_id: str, begin: datetime, to: datetime, total: Decimal
) -> Line:
    """A line as the scenarios write it."""
    day = short(invoice_id.split("@")[1])
    return (day, kind, charge_id, short(begin), short(to), f"{total:.2f}")


def short(value: datetime | str) -> str:
    text = value if isinstance(value, str) else value.isoformat()
    text = text.removesuffix("T00:00:00").removeprefix("2026-")
    return text.removesuffix(":00") if "T" in text else text


def without_spans(lines: list[Line]) -> list[Line]:
    """In order, without the spans of what no usage or fee of its own makes."""
    spanless = ("true_up", "overage")
    plain = [(*line[:3], "", "", line[5]) if line[1] in spanless else line for line in lines]
    return sorted(plain)


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_oracle_says_the_same(oracle_lines, name):
    for subscription_id, lines in made()[2][name].items():
        found = oracle_lines.get(subscription_id, [])
        assert without_spans(found) == without_spans(lines)


@ENGINES
@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(billed, engine, name):
    for subscription_id, lines in made()[2][name].items():
        found = billed[engine].get(subscription_id, [])
        assert without_spans(found) == without_spans(lines)


@ENGINES
def test_usage_that_nothing_bills(built, engine):
    found = built[engine].query(
        "select customer_id, reason from marts.unbilled_usage order by customer_id, reason"
    )
    assert [tuple(row) for row in found] == [
        ("end", "no_subscription"),
        ("pause", "paused"),
        ("paused_rival_paused", "ambiguous_subscription"),
    ]


@ENGINES
def test_rated_lines_of_parts_hold_their_own_usage(built, engine):
    """Exact to the event, inside a quarter of an hour."""
    found = built[engine].query(
        "select period_from, quantity, covered_quantity, rated_quantity from marts.invoice_lines"
        " where subscription_id = 'split' and line_kind = 'usage' order by period_from"
    )
    assert [tuple(map(int, row[1:])) for row in found] == [(25, 15, 10), (27, 16, 11)]


@pytest.mark.parametrize("table", ["invoice_lines", "line_discounts", "rating_steps"])
def test_both_engines_make_the_same_bytes(built, table):
    exports = {engine: house.export(f"marts.{table}") for engine, house in built.items()}
    assert exports["duckdb"] == exports["postgres"]
    assert exports["duckdb"]


@ENGINES
def test_discounts_of_a_line_are_listed_in_their_order(built, engine):
    found = built[engine].query(
        "select rated_lines.charge_id, line_discounts.discount_number, line_discounts.level,"
        " line_discounts.discount_total from marts.line_discounts as line_discounts"
        " inner join marts.rated_lines as rated_lines"
        " on line_discounts.rated_line_id = rated_lines.rated_line_id"
        " where rated_lines.subscription_id = 'stacked_discounts' order by 1, 2"
    )
    assert [(*row[:3], f"{row[3]:.2f}") for row in found] == [
        ("fee", 1, "line", "10.00"),
        ("fee", 2, "product", "12.00"),
        ("fee", 3, "invoice", "3.90"),
        ("usage", 1, "product", "8.00"),
        ("usage", 2, "invoice", "2.60"),
    ]
