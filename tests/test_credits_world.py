"""Prepaid credits of a random world with all else that billing has: as the oracle draws them.

Plans that change, discounts of every level, shared allowances, commitments, pauses and moves, which
histories of one plan (test_credits) do not reach. On DuckDB alone: the engines are compared there.
"""

import pytest

from tests.credit_comparison import differences
from tests.credit_strategies import with_credits
from tests.oracle import bill
from tests.strategies import world
from tests.test_credits_examples import CreditHouse

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


def test_what_late_days_of_grace_leave_moves_days_of_the_next_period(house):
    """The hand-worked case of test_credits_examples (10 a month, carried over), built: 4.00, 2.00
    more on the load day of January's late usage, which is no usage day of February, then 1.00.
    """
    hand = CreditHouse()
    hand.catalog["plans"][0]["grace_days"] = "5"
    hand.share("10", rollover_periods="1")
    hand.grant("g", "100", effective_at="2026-01-01T00:00:00Z")
    hand.use("01-10", "4")
    hand.use("02-03", "20")
    hand.use("01-30", "2", loaded="02-04")
    hand.use("02-06", "1", event_name="mail")
    hand.add("products", product_id="api", name="API", product_type="api")
    hand.catalog["plans"][0]["product_id"] = "api"
    for file in ("customers", "plans", "charges", "credit_grants"):
        for row in hand.catalog[file]:
            row["name"] = "Hand"
    built = house("duckdb", hand.catalog, hand.rows).build_untested("--through", "2026-02-10")
    draws = built.query(
        "select posted_date, amount, usage_date from marts.credit_ledger_entries "
        "where entry_kind = 'draw' order by posted_date"
    )
    assert [(str(posted), float(amount), str(used)) for posted, amount, used in draws] == [
        ("2026-02-03", -4.0, "2026-02-03"),
        ("2026-02-04", -2.0, "2026-02-03"),
        ("2026-02-06", -1.0, "2026-02-06"),
    ]
