"""The order of runs does not matter: whichever way the days are built, the bytes are the same.

What is compared with bytes that the data tests have passed needs them no more.
"""

from datetime import datetime

import pytest

from tests import scenario
from tests.crash import delivered

TABLES = (
    "marts.invoices",
    "marts.invoice_lines",
    "marts.rating_steps",
    "marts.unbilled_usage",
    "marts.rejected_events",
    "marts.usage_daily",
    "ledger.documents",
    "ledger.lines",
    "ledger.closes",
    "ledger.sealed_days",
    "ledger.credit_entries",
    "ledger.credit_days",
    "ledger.credit_balances",
    "ledger.credit_steps",
    "ledger.credit_vectors",
    "marts.credit_ledger_entries",
    "marts.credit_balances_daily",
)


def _exports(house):
    return {table: house.export(table) for table in TABLES}


@pytest.fixture(scope="module")
def built_in_one_range(house):
    return house("duckdb", scenario.catalog(), scenario.rows()).build("--through", scenario.THROUGH)


@pytest.fixture(scope="module")
def in_one_range(built_in_one_range):
    """The bytes of all days in one build."""
    return _exports(built_in_one_range)


def test_one_range_makes_invoices(in_one_range):
    assert any("|final|" in line or "final" in line for line in in_one_range["marts.invoices"])


def test_twice_is_the_same(built_in_one_range, in_one_range):
    built_in_one_range.build_untested("--through", scenario.THROUGH)
    assert _exports(built_in_one_range) == in_one_range


def test_back_in_time_and_forth_is_the_same(built_in_one_range, in_one_range):
    built_in_one_range.build_untested("--through", "2026-01-20")
    built_in_one_range.build_untested("--through", scenario.THROUGH)
    assert _exports(built_in_one_range) == in_one_range


def test_day_by_day_is_the_same_and_anew_too(house, in_one_range):
    """As a scheduler would: the first 31 days at once, then a build for each day; then in full."""
    built = house("duckdb", scenario.catalog(), delivered(0, 31))
    built.build_untested()
    for days in ((32, 32), (33, 33), (34, 35)):
        built.insert(delivered(*days))
        built.build_untested()
    assert _exports(built) == in_one_range
    built.build_untested("--full")
    assert _exports(built) == in_one_range


def test_out_of_order_is_the_same(house, in_one_range):
    """Later days are built before earlier ones: they close nothing that the earlier ones decide."""
    built = house("duckdb", scenario.catalog(), scenario.rows())
    built.build_untested("--from", "2026-01-21", "--through", scenario.THROUGH)
    assert built.query("select max(sealed_until) from ledger.seals") == [(datetime(2026, 1, 1),)]
    built.build_untested("--from", "2026-01-01", "--through", "2026-01-20")
    built.build_untested("--from", "2026-01-01", "--through", scenario.THROUGH)
    assert _exports(built) == in_one_range


def test_plain_dbt_is_the_same(house, in_one_range):
    """`dbt seed && dbt build` does what `tally build` does."""
    built = house("duckdb", scenario.catalog(), scenario.rows())
    for words in (["seed"], ["build", "--exclude-resource-type", "unit_test"]):
        done = built.dbt_alone(*words)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert _exports(built) == in_one_range
