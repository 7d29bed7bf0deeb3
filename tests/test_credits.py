"""Prepaid credits of random histories: as the oracle draws them, on each engine, in any order.

Two dozen customers, each a history of its own (grants of every kind, late usage, voids, fees,
discounts, a charge priced in a unit of credit, actions on invoices), go through one build an
engine; some of their paperwork is recorded late.
"""

from datetime import date

import pytest

from tests.credit_comparison import differences
from tests.credit_histories import UNIT, histories
from tests.oracle import bill

ENGINES = pytest.mark.parametrize("engine", ["duckdb", "postgres"])
SEEDS = range(4, 28)
PAPERWORK = "2026-01-19T10:00:00Z"
FIRST_GRANT = "2026-01-08T09:00:00Z"
STEPS = ("2026-01-06", "2026-01-25")
TABLES = (
    "ledger.documents", "ledger.lines", "ledger.credit_entries", "ledger.credit_days",
    "ledger.credit_balances", "ledger.credit_steps", "ledger.credit_vectors",
    "marts.credit_ledger_entries", "marts.credit_balances_daily", "marts.invoice_credits",
    "marts.invoices",
)  # fmt: skip


def world():
    """The histories; of every third customer subscriptions are recorded after they began, of every
    fourth the first grants only when an earlier step has built usage already.
    """
    catalog, rows, as_of_day = histories(SEEDS)
    customers = sorted({row["customer_id"] for row in catalog["customers"]})
    late = customers[::3]
    for row in catalog["credit_grants"]:
        if row["customer_id"] in customers[1::4]:
            row["recorded_at"] = max(row["recorded_at"], FIRST_GRANT)
    for row in catalog["subscriptions"]:
        if row["customer_id"] in late and row["subscription_id"].endswith("t"):
            row["recorded_at"] = PAPERWORK
    return catalog, rows, as_of_day


@pytest.fixture(scope="module")
def made():
    return world()


@pytest.fixture(scope="module")
def expected(made):
    return bill(*made)


@pytest.fixture(scope="module")
def built(made, twins):
    catalog, rows, as_of_day = made
    return twins(catalog, rows, lambda each: each.build("--through", str(as_of_day)))


def rows_of(house, table: str) -> list[dict]:
    columns = house.columns(table)
    return [
        dict(zip(columns, row, strict=True))
        for row in house.query(f"select {', '.join(columns)} from {table}")
    ]


def test_the_world_is_worth_comparing(expected):
    """A world in which nothing happens would agree with anything."""
    kinds = [entry.kind for entry in expected.credits.entries]
    assert {"grant", "draw", "give_back", "transfer", "void", "expiry", "to_balance"} <= set(kinds)
    assert kinds.count("draw") > 300 and kinds.count("give_back") > 50
    units = [entry.kind for entry in expected.credits.entries if entry.currency.endswith(UNIT)]
    assert units.count("draw") > 80 and {"give_back", "void", "to_balance"} <= set(units)
    assert {invoice.status for invoice in expected.invoices} == {"draft", "final"}


@ENGINES
def test_credits_are_drawn_as_the_oracle_does(built, expected, made, engine):
    house = built[engine]
    found = differences(
        expected,
        made[2],
        rows_of(house, "marts.credit_ledger_entries"),
        rows_of(house, "marts.credit_balances_daily"),
        rows_of(house, "marts.invoices"),
    )
    assert not found, f"{len(found)} differences:\n" + "\n".join(found[:30])


def test_engines_agree(built):
    for table in TABLES:
        assert built["duckdb"].export(table) == built["postgres"].export(table), table


def test_in_steps_it_is_the_same(made, built, house):
    """Several days at once, a day twice, demands drawn in parts: the same bytes as in one range."""
    catalog, rows, as_of_day = made
    stepwise = house("duckdb", catalog)
    stepwise.environment["TALLY_DEMANDS_IN_PARTS"] = "1"
    before = date(2000, 1, 1)
    for step in (*STEPS, str(as_of_day)):
        day = date.fromisoformat(step)
        stepwise.insert(row for row in rows if before < row["loaded_at"].date() <= day)
        stepwise.build_untested("--through", step)
        before = day
    stepwise.build_untested("--through", str(as_of_day))
    for table in TABLES:
        assert stepwise.export(table) == built["duckdb"].export(table), table
