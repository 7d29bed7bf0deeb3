"""How lines are shown to people: parts of a cycle, credits, commitments, discounts."""

import io
from datetime import datetime
from decimal import Decimal

import pytest
from rich.console import Console

from orchestration.invoice_reductions import credit_texts, discount_texts
from orchestration.invoice_view import due_texts, lines_table
from orchestration.marts import part_of_cycle

INVOICE = {
    "currency": "USD",
    "time_zone": "America/New_York",
    "period_from": datetime(2026, 1, 1, 5),
    "period_to": datetime(2026, 2, 1, 5),
    "invoice_total": Decimal("53.0000"),
}
LINE = dict.fromkeys(
    (
        "dimension_values",
        "pricing_model",
        "quantity",
        "covered_quantity",
        "rated_quantity",
        "units",
        "rate",
        "billed_days",
        "full_days",
        "share_numerator",
        "share_denominator",
        "adjusts_invoice_id",
        "unit",
        "unit_rate",
        "unit_total",
    )
) | {
    "name": "Seats",
    "charge_id": "seats",
    "line_kind": "recurring",
    "period_from": INVOICE["period_from"],
    "period_to": INVOICE["period_to"],
    "over_maximum_total": Decimal(0),
    "discount_total": Decimal(0),
    "line_total": Decimal("53.0000"),
}


def shown(*lines: dict) -> list[list[str]]:
    """The cells of each row of the table, header first."""
    console = Console(width=200, record=True, file=io.StringIO())
    numbered = [LINE | {"line_number": number} | line for number, line in enumerate(lines, start=1)]
    console.print(lines_table(INVOICE, numbered, 2))
    rows = [line for line in console.export_text().splitlines() if line.strip(" ─")]
    return [[cell for cell in row.split("  ") if cell] for row in rows]


def cells(row: list[str]) -> list[str]:
    return [cell.strip() for cell in row]


@pytest.mark.parametrize(
    ("numerator", "denominator", "text"),
    [
        (None, None, ""),
        (31, 31, ""),
        (11, 31, "11/31"),
        (14, 28, "14/28"),
        (1_339_200_000_000, 2_678_400_000_000, "1/2"),
        (1_000_000_000_001, 2_678_400_000_000, "37.34 %"),
        (0, 2_678_400_000_000, "0"),
    ],
)
def test_part_of_a_cycle(numerator, denominator, text):
    assert part_of_cycle(numerator, denominator) == text


def test_columns_without_anything_are_left_out():
    header, line, total = map(cells, shown({}))
    assert header == ["#", "Charge", "USD"]
    assert line == ["1", "Seats", "53.00"]
    assert total == ["Total", "53.00"]


def test_seats_for_a_part_of_the_cycle_less_a_discount():
    fee = {
        "units": Decimal("5.0000000000"),
        "rate": Decimal("10.000000000000"),
        "billed_days": 11,
        "full_days": 31,
        "period_from": datetime(2026, 1, 21, 20),
        "discount_total": Decimal("1.7700"),
    }
    header, line, _ = map(cells, shown(fee))
    assert header == ["#", "Charge", "Price", "Part", "Discount", "USD"]
    days = "Seats 2026-01-21 to 2026-01-31"
    assert line == ["1", days, "5 x 10", "11/31", "-1.77", "53.00"]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("minimum", "Seats: up to the minimum"),
        ("credit", "Seats: credit for what is not used"),
        ("true_up", "Seats: up to the commitment"),
        ("overage", "Seats: over the commitment"),
    ],
)
def test_what_a_line_is_stands_behind_its_name(kind, text):
    assert cells(shown({"line_kind": kind})[1])[1] == text


def test_a_discount_is_summed_over_the_lines_it_takes_from():
    welcome = {"discount_id": "w", "name": "Welcome", "percent_fraction": Decimal("0.125")}
    voucher = {"discount_id": "v", "name": None, "percent_fraction": None}
    taken = [
        welcome | {"discount_total": Decimal("1.5000")},
        voucher | {"discount_total": Decimal("20.0000")},
        welcome | {"discount_total": Decimal("0.2500")},
    ]
    assert discount_texts(taken, "USD", 2) == ["Welcome (12.5 %): -1.75 USD", "v: -20.00 USD"]


def test_each_grant_has_a_line_of_its_own():
    paid = {"grant_name": "Prepaid 2026", "grant_id": "p", "currency": "USD", "unit": None}
    monthly = {"grant_name": "Monthly", "grant_id": "m#2", "currency": "USD", "unit": None}
    credits = [
        monthly | {"credit_total": Decimal("40.0000")},
        paid | {"credit_total": Decimal("1211.1700")},
        paid | {"grant_id": "q", "credit_total": Decimal("-3.5000")},
    ]
    assert credit_texts(credits, 2) == [
        "Monthly (m#2): -40.00 USD",
        "Prepaid 2026 (p): -1,211.17 USD",
        "Prepaid 2026 (q): 3.50 USD",
    ]


@pytest.mark.parametrize(
    ("invoice_total", "credited", "applied", "due", "texts"),
    [
        ("53", "0", "0", "53", []),
        ("53", "40.5", "0", "12.5", ["due: 12.50 USD"]),
        ("53", "53", "0", "0", ["due: 0.00 USD"]),
        ("53", "40.5", "2.5", "10",
         ["from the customer balance: -2.50 USD", "due: 10.00 USD"]),
        # A credit note of which credits get a part back: the rest is customer balance.
        ("-53", "-40", "0", "0", ["to the customer balance: 13.00 USD", "due: 0.00 USD"]),
        ("-53", "-53", "0", "0", ["due: 0.00 USD"]),
        ("-53", "0", "0", "0", ["to the customer balance: 53.00 USD"]),
    ],
)  # fmt: skip
def test_what_is_due_is_what_credits_and_balance_leave(
    invoice_total, credited, applied, due, texts
):
    invoice = {
        "currency": "USD",
        "invoice_total": Decimal(invoice_total),
        "credits_total": Decimal(credited),
        "balance_applied_total": Decimal(applied),
        "amount_due_total": Decimal(due),
        "disputed_total": Decimal(0),
    }
    assert due_texts(invoice, 2) == texts
