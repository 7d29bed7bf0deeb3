"""Every line, reject and unbilled event of random worlds equals the oracle's, on each engine.

A world is some hundred accounts with every commercial term, in zones with clock changes; each is
one build an engine.
"""

from datetime import datetime
from decimal import Decimal

import pytest

from tests.worlds import ACCOUNTS, SEEDS, oracle_bill

ENGINES = pytest.mark.parametrize("engine", ["duckdb", "postgres"])


@pytest.fixture(scope="module", params=SEEDS)
def seed(request) -> int:
    return request.param


@pytest.fixture(scope="module")
def expected(seed):
    return oracle_bill(seed)


@pytest.fixture(scope="module")
def houses(seed, world_houses):
    return world_houses(seed)


def _same(found, expected, what, seed):
    """Both as sets of tuples; a difference is shown with a few examples of each side."""
    found, expected = sorted(found, key=repr), sorted(expected, key=repr)
    if found == expected:
        return
    lacking = [row for row in expected if row not in set(found)]
    extra = [row for row in found if row not in set(expected)]
    text = "\n".join(
        [
            f"{what} of world(seed={seed}, accounts={ACCOUNTS}): "
            f"{len(lacking)} lacking, {len(extra)} extra, {len(expected)} expected",
            *[f"  oracle: {row}" for row in lacking[:8]],
            *[f"  house:  {row}" for row in extra[:8]],
        ]
    )
    pytest.fail(text, pytrace=False)


def _text(value):
    if isinstance(value, Decimal):
        return format(value, "f")
    return None if value is None else str(value)


def _instant(value: datetime):
    return value.replace(tzinfo=None).isoformat(sep=" ")


def test_the_world_is_worth_comparing(expected):
    """A world in which nothing happens would agree with anything."""
    assert len(expected.lines) > ACCOUNTS
    assert {invoice.status for invoice in expected.invoices} == {"draft", "final"}
    assert expected.rejects and expected.duplicate and expected.unbilled
    assert len({reason for *_, reason in expected.unbilled}) >= 5
    kinds = {line.kind for line in expected.lines}
    assert kinds >= {"recurring", "usage", "minimum", "credit", "true_up", "overage"}
    assert any(line.part_number == 2 for line in expected.lines)


@ENGINES
def test_every_delivery_is_judged_as_the_oracle_does(houses, expected, engine, seed):
    found = houses[engine].query("select load_id, line_number, reason from marts.rejected_events")
    _same(found, expected.rejects, "rejects", seed)


@ENGINES
def test_landed_is_accepted_duplicate_and_rejected(houses, expected, engine, seed):
    found = houses[engine].query(
        "select cast(sum(accepted_count) as bigint), cast(sum(duplicate_count) as bigint), "
        "cast(sum(rejected_count) as bigint) from marts.loads"
    )
    counts = (len(expected.accepted), len(expected.duplicate), len(expected.rejects))
    assert found == [counts]


@ENGINES
def test_every_unbilled_event_has_the_oracle_s_reason(houses, expected, engine, seed):
    found = houses[engine].query("select load_id, line_number, reason from marts.unbilled_usage")
    _same(found, expected.unbilled, "unbilled usage", seed)


@ENGINES
def test_every_line_is_the_oracle_s(houses, expected, engine, seed):
    found = houses[engine].query(
        "select line_id, line_kind, charge_id, dimension_values, period_from, period_to, "
        "quantity, rated_quantity, event_count, discount_total, line_total "
        "from marts.invoice_lines"
    )
    _same(
        [(*row[:4], _instant(row[4]), _instant(row[5]), *map(_text, row[6:])) for row in found],
        [
            (
                line.line_id,
                line.kind,
                line.charge_id,
                line.dimension_values,
                _instant(line.period_from),
                _instant(line.period_to),
                line.quantity,
                line.rated_quantity,
                _text(line.event_count),
                line.discount_total,
                line.line_total,
            )
            for line in expected.lines
        ],
        "lines",
        seed,
    )


@ENGINES
def test_every_invoice_is_the_oracle_s(houses, expected, engine, seed):
    found = houses[engine].query(
        "select invoice_id, status, invoice_number, customer_id, subscription_id, "
        "billing_entity, currency, document_kind, invoice_total, balance_applied_total "
        "from marts.invoices"
    )
    _same(
        [(*row[:8], *map(_text, row[8:])) for row in found],
        [
            (
                invoice.invoice_id,
                invoice.status,
                invoice.invoice_number,
                invoice.customer_id,
                invoice.subscription_id,
                invoice.billing_entity,
                invoice.currency,
                invoice.kind,
                invoice.total,
                invoice.balance_applied,
            )
            for invoice in expected.invoices
        ],
        "invoices",
        seed,
    )
