"""Prepaid credits of a random world with all else that billing has: as the oracle draws them.

Plans that change, discounts of every level, shared allowances, commitments, pauses and moves, which
histories of one plan (test_credits) do not reach. On DuckDB alone: the engines are compared there.
"""

import pytest

from tests.credit_comparison import differences
from tests.credit_strategies import with_credits
from tests.oracle import bill
from tests.strategies import world

SEED, ACCOUNTS = 14, 120


@pytest.fixture(scope="module")
def made():
    return with_credits(world(SEED, ACCOUNTS), SEED)


@pytest.fixture(scope="module")
def expected(made):
    return bill(*made)


def test_the_world_is_worth_comparing(made, expected):
    """A world in which nothing happens would agree with anything."""
    catalog = made[0]
    for name in ("subscription_changes", "discounts", "allowances", "commitments"):
        assert len(catalog[name]) > 5, name
    kinds = [entry.kind for entry in expected.credits.entries]
    assert kinds.count("draw") > 250 and kinds.count("give_back") > 10


def test_credits_are_drawn_as_the_oracle_does(made, expected, house):
    catalog, rows, as_of_day = made
    built = house("duckdb", catalog, rows).build("--through", str(as_of_day))

    def rows_of(table: str) -> list[dict]:
        columns = built.columns(table)
        found = built.query(f"select {', '.join(columns)} from {table}")
        return [dict(zip(columns, row, strict=True)) for row in found]

    found = differences(
        expected,
        as_of_day,
        rows_of("marts.credit_ledger_entries"),
        rows_of("marts.credit_balances_daily"),
        rows_of("marts.invoices"),
    )
    assert not found, f"{len(found)} differences:\n" + "\n".join(found[:30])
