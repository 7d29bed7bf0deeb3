"""The billing models by example: every invoice of examples/billing_models, worked out by hand."""

from __future__ import annotations

from decimal import Decimal

import pytest

from orchestration.catalog import check_catalog
from tests.houses import PROJECT, House

EXAMPLE = PROJECT / "examples" / "billing_models"
# April opens after March is closed; 2026-04-03 is the last day that is built.
THROUGH = "2026-04-03"

# Subscription -> date of each invoice -> its lines (charge, kind, total), in their order.
INVOICES = {
    # 50 a month in advance; the calls themselves cost nothing.
    "prepaid": {
        "2026-01-01": [("fee", "recurring", "50")],
        "2026-02-01": [("fee", "recurring", "50"), ("calls", "usage", "0")],
        "2026-03-01": [("fee", "recurring", "50"), ("calls", "usage", "0")],
        "2026-04-01": [("fee", "recurring", "50"), ("calls", "usage", "0")],
    },
    # 0.002 a call: (100,000 + 20,000) x 0.002, then 80,500 x 0.002; no call in March, no invoice.
    "postpaid": {
        "2026-02-01": [("calls", "usage", "240")],
        "2026-03-01": [("calls", "usage", "161")],
    },
    # 0.01 a call: 70,000, 90,000 and 40,000 calls; 3,000 - (700 + 900 + 400) = 1,000 is missing.
    "true_up": {
        "2026-02-01": [("calls", "usage", "700")],
        "2026-03-01": [("calls", "usage", "900")],
        "2026-04-01": [("calls", "usage", "400"), ("quarterly", "true_up", "1000")],
    },
    # January: 3,000 of 10,000, 7,000 are left, of which 6,000 (the cap) roll over. February:
    # 14,000 of 6,000 + 10,000, the oldest first, 2,000 are left. March: 15,000 of 2,000 + 10,000,
    # so that 3,000 cost 0.05 each.
    "rollover": {
        "2026-01-01": [("fee", "recurring", "100")],
        "2026-02-01": [("fee", "recurring", "100"), ("calls", "usage", "0")],
        "2026-03-01": [("fee", "recurring", "100"), ("calls", "usage", "0")],
        "2026-04-01": [("fee", "recurring", "100"), ("calls", "usage", "150")],
    },
    # 1,000 calls included, 0.02 each beyond: 1,250 -> 250 x 0.02; 900 -> none; 3,000 -> 2,000.
    "overage": {
        "2026-01-01": [("fee", "recurring", "49")],
        "2026-02-01": [("fee", "recurring", "49"), ("calls", "usage", "5")],
        "2026-03-01": [("fee", "recurring", "49"), ("calls", "usage", "0")],
        "2026-04-01": [("fee", "recurring", "49"), ("calls", "usage", "40")],
    },
    # 100,000 calls included. January: 350,000 -> 100,000 x 0.001 + 150,000 x 0.0005 = 175, and
    # 120 GB x 0.1 = 12. February: 90,000 -> none, 80 GB. March: 50,000 x 0.001, 95.5 GB.
    "hybrid": {
        "2026-01-01": [("fee", "recurring", "199")],
        "2026-02-01": [
            ("fee", "recurring", "199"), ("calls", "usage", "175"), ("storage", "usage", "12"),
        ],
        "2026-03-01": [
            ("fee", "recurring", "199"), ("calls", "usage", "0"), ("storage", "usage", "8"),
        ],
        "2026-04-01": [
            ("fee", "recurring", "199"), ("calls", "usage", "50"), ("storage", "usage", "9.55"),
        ],
    },
    # 20 a seat in advance. 8 seats in the place of 5 from 10 February, when February is billed:
    # of its 100 the 9 days to the 10th were used, 100 x 9 / 28 = 32.14, and 67.86 are credited;
    # the 19 days from the 10th cost 160 x 19 / 28 = 108.57.
    "seats": {
        "2026-01-01": [("fee", "recurring", "100")],
        "2026-02-01": [("fee", "recurring", "100")],
        "2026-03-01": [
            ("fee", "recurring", "108.57"), ("fee", "credit", "-67.86"),
            ("fee", "recurring", "160"),
        ],
        "2026-04-01": [("fee", "recurring", "160")],
    },
    # 10,000 in the first year, 12,000 in the second, 15,000 from the third on.
    "ramp": {
        "2024-02-01": [("fee", "recurring", "10000")],
        "2025-02-01": [("fee", "recurring", "12000")],
        "2026-02-01": [("fee", "recurring", "15000")],
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def example_house(house) -> House:
    """The example landed and built by the commands that the README gives."""
    made = house("duckdb", EXAMPLE)
    for day in ("2026-01-31", "2026-02-28", "2026-03-31"):
        file = EXAMPLE / "usage" / f"{day}.ndjson"
        done = made.run("land", str(file), "--loaded-at", f"{day}T23:00:00Z", with_catalog=False)
        assert done.returncode == 0, done.stderr
    return made.build("--through", THROUGH)


def test_the_example_has_no_fault():
    assert check_catalog(EXAMPLE) == []


@pytest.mark.parametrize("subscription", INVOICES)
def test_the_invoices_are_those_worked_out_by_hand(example_house: House, subscription: str):
    found: dict[str, list[tuple[str, str, Decimal]]] = {}
    for day, *line in example_house.query(
        "select invoices.invoice_date, invoice_lines.charge_id, invoice_lines.line_kind,"
        " invoice_lines.line_total"
        " from marts.invoices inner join marts.invoice_lines using (invoice_id)"
        " where invoices.subscription_id = ? and invoices.status = 'final'"
        " order by invoices.invoice_date, invoice_lines.line_number",
        [subscription],
    ):
        found.setdefault(str(day), []).append(tuple(line))
    expected = {
        day: [(charge, kind, Decimal(total)) for charge, kind, total in lines]
        for day, lines in INVOICES[subscription].items()
    }
    assert found == expected


def test_invoices_total_their_lines(example_house: House):
    totals = example_house.query(
        "select subscription_id, invoice_date, invoice_total from marts.invoices"
        " where status = 'final'"
    )
    assert len(totals) == sum(map(len, INVOICES.values()))
    for subscription, day, total in totals:
        lines = INVOICES[subscription][str(day)]
        assert total == sum(Decimal(line[2]) for line in lines), (subscription, day)
