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
    assert draws_of(house, hand, "2026-02-10") == [
        ("2026-02-03", -4.0, "2026-02-03"),
        ("2026-02-04", -2.0, "2026-02-03"),
        ("2026-02-06", -1.0, "2026-02-06"),
    ]


@pytest.mark.parametrize("is_voided", [False, True])
def test_a_greatest_value_falls_by_late_usage_and_voids(house, is_voided):
    """3, 8 and 5 units; then a 6 of day 6 takes 3.00 of day 9, and the 8 is voided: of its 2.00
    that are left nothing is, and day 10 stays below day 6.
    """
    hand = CreditHouse(aggregation="max")
    hand.grant("g", "100", effective_at="2026-01-01T00:00:00Z")
    for day, units in (("01-05", "3"), ("01-09", "8"), ("01-10", "5")):
        hand.use(day, units, event_key=f"of {day}")
    hand.use("01-06", "6", loaded="01-12")
    if is_voided:
        hand.land("01-14", voids_key="of 01-09")
    given_back = [("2026-01-14", 2.0, "2026-01-09")] if is_voided else []
    assert draws_of(house, hand, "2026-01-20") == [
        ("2026-01-05", -3.0, "2026-01-05"),
        ("2026-01-09", -5.0, "2026-01-09"),
        ("2026-01-12", -3.0, "2026-01-06"),
        ("2026-01-12", 3.0, "2026-01-09"),
        *given_back,
    ]


def draws_of(house, hand: CreditHouse, through: str) -> list[tuple]:
    """(posted, amount, usage day) of what is drawn and given back, built."""
    hand.add("products", product_id="api", name="API", product_type="api")
    hand.catalog["plans"][0]["product_id"] = "api"
    for file in ("customers", "plans", "charges", "credit_grants"):
        for row in hand.catalog[file]:
            row["name"] = "Hand"
    built = house("duckdb", hand.catalog, hand.rows).build_untested("--through", through)
    draws = built.query(
        "select posted_date, amount, usage_date from marts.credit_ledger_entries "
        "where entry_kind in ('draw', 'give_back') order by posted_date, usage_date"
    )
    return [(str(posted), float(amount), str(used)) for posted, amount, used in draws]
