"""Custom units of credit in the warehouse, worked out by hand: marts, `tally balance`, documents.

A token costs 0.125 AI credits, kept to two decimals, which are worth 0.03 USD in January and 0.05
from February on, or 0.04 EUR; the plan costs 4.00 a month in arrears.
"""

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal

import jsonschema
import pytest

from orchestration.exports.invoice_json import read_schema
from tests.conftest import ENGINES
from tests.credit_comparison import differences
from tests.houses import House
from tests.oracle import bill
from tests.strategies import COLUMNS, RAW_COLUMNS, catalog_row

UNIT = "AI credits"
BEGIN = "2026-01-01T00:00:00Z"
STEPS = ("2026-01-20", "2026-02-03", "2026-03-03")
#: (customer, day of usage, day of load, tokens) or (customer, None, day of load, key to void).
USAGE = [
    ("acme", "01-05", "01-05", 40), ("acme", "01-06", "01-06", 33), ("acme", "01-07", "01-07", 20),
    ("acme", "01-05", "02-10", 8), ("acme", "02-02", "02-02", 100),
    ("bolt", "01-05", "01-05", 40), ("bolt", "01-07", "01-07", 20),
    ("bolt", None, "02-10", "bolt01-07.01-07"),
]  # fmt: skip


def catalog() -> dict[str, list[dict]]:
    fee = {"plan_id": "plan", "charge_id": "fee"}
    tokens = {"plan_id": "plan", "charge_id": "tokens"}
    home = {"time_zone": "UTC", "billing_entity": "US"}
    begun = {"plan_id": "plan", "starts_at": "2026-01-01"}
    acme = {"customer_id": "acme", "effective_at": BEGIN, "kind": "promotional"}
    given: dict[str, list[dict]] = {
        "customers": [
            {"customer_id": "acme", "name": "Acme", "currency": "USD", **home},
            {"customer_id": "bolt", "name": "Bolt", "currency": "EUR", **home},
        ],
        "products": [{"product_id": "api", "name": "API"}],
        "plans": [
            {"plan_id": "plan", "product_id": "api", "name": "Plan", "cycle": "month",
             "alignment": "calendar"},
        ],
        "meters": [
            {"meter": "tokens", "version": "1", "event_name": "tokens", "aggregation": "sum",
             "property": "v"},
        ],
        "charges": [
            {**fee, "position": "1", "name": "Fee", "charge_type": "recurring",
             "timing": "arrears"},
            {**tokens, "position": "2", "name": "Tokens", "charge_type": "usage",
             "meter": "tokens", "meter_version": "1", "pricing_model": "per_unit"},
        ],
        "prices": [
            {**fee, "currency": "USD", "unit_price": "4"},
            {**fee, "currency": "EUR", "unit_price": "4"},
            {**tokens, "currency": UNIT, "unit_price": "0.125"},
        ],
        "credit_units": [
            {"unit": UNIT, "exponent": "2", "currency": "USD", "rate": "0.03"},
            {"unit": UNIT, "exponent": "2", "currency": "USD", "rate": "0.05",
             "valid_from": "2026-02-01"},
            {"unit": UNIT, "exponent": "2", "currency": "EUR", "rate": "0.04"},
        ],
        "subscriptions": [
            {"subscription_id": "s", "customer_id": "acme", **begun},
            {"subscription_id": "t", "customer_id": "bolt", **begun},
        ],
        "credit_grants": [
            {**acme, "grant_id": "g", "name": "Ten", "currency": UNIT, "amount": "10"},
            {**acme, "grant_id": "h", "name": "Late", "currency": UNIT, "amount": "0.40",
             "recorded_at": "2026-02-03T00:00:00Z"},
            {**acme, "grant_id": "m", "name": "Money", "currency": "USD", "amount": "3"},
            {"grant_id": "b", "name": "Bought", "customer_id": "bolt", "kind": "paid",
             "currency": UNIT, "amount": "100", "cost_basis": "3.50", "effective_at": BEGIN,
             "expires_at": "2026-02-05T00:00:00Z"},
        ],
        "discounts": [
            {"discount_id": "off", "name": "Off", "level": "invoice", "percent": "10",
             "customer_id": "acme", "valid_from": "2026-02-01"},
        ],
        "credit_top_ups": [
            {"top_up_id": "more", "customer_id": "acme", "currency": UNIT, "threshold": "1",
             "amount": "50"},
        ],
        "alerts": [
            {"alert_id": "low", "name": "Low", "customer_id": "acme", "kind": "credits",
             "threshold": "0.1"},
        ],
    }  # fmt: skip
    made = {name: [] for name in COLUMNS}
    for name, rows in given.items():
        made[name] = [catalog_row(name, **row) for row in rows]
    return made


def rows() -> list[dict]:
    found = []
    for number, (customer, used, loaded, what) in enumerate(USAGE):
        row = dict.fromkeys(RAW_COLUMNS)
        loaded_at = datetime.fromisoformat(f"2026-{loaded}T12:00:00")
        row |= {"load_id": f"{number:032x}", "line_number": 1, "loaded_at": loaded_at}
        if used is None:
            found.append(row | {"customer_id": customer, "voids_key": what})
            continue
        at = f"2026-{used}T10:00:00Z"
        row |= {"customer_id": customer, "event_name": "tokens", "occurred_at": at}
        found.append(
            row | {"event_key": f"{customer}{used}.{loaded}", "properties": f'{{"v":{what}}}'}
        )
    return found


@pytest.fixture(scope="module", params=ENGINES)
def built(request, house) -> House:
    made = house(request.param, catalog(), rows())
    for step in STEPS:
        made.build("--through", step)
    return made


def mappings(house: House, table: str) -> list[dict]:
    columns = house.columns(table)
    return [
        dict(zip(columns, row, strict=True))
        for row in house.query(f"select {', '.join(columns)} from {table}")
    ]


def money(*texts: str) -> tuple[Decimal, ...]:
    return tuple(map(Decimal, texts))


def test_it_is_what_the_oracle_says(built: House):
    expected = bill(catalog(), rows(), date.fromisoformat(STEPS[-1]))
    assert not differences(
        expected,
        date.fromisoformat(STEPS[-1]),
        mappings(built, "marts.credit_ledger_entries"),
        mappings(built, "marts.credit_balances_daily"),
        mappings(built, "marts.invoices"),
    )
    assert {
        (row["line_id"], row["unit"] or "", row["unit_total"], row["line_total"])
        for row in mappings(built, "marts.invoice_lines")
    } == {
        (line.line_id, line.unit, line.unit_total and Decimal(line.unit_total),
         Decimal(line.line_total))
        for line in expected.lines
    }  # fmt: skip


def test_documents_show_units_and_what_they_are_worth(built: House):
    """acme: 5.00, 9.13, 11.63 credits of which 10.00 are covered: 0.35 less 0.05. The late 8 tokens
    make 12.63, 0.38; 0.40 are covered: 2.23 are 0.07. February's 12.50 at 0.05 are 0.63 (0.625),
    its fee 3.60 after the discount. bolt: 7.50 at 0.04 are 0.30, all covered; of the 2.50 withdrawn
    0.10 becomes balance, as the grant is over.
    """
    assert built.query(
        "select invoice_id, invoice_total, credits_total, amount_due_total from marts.invoices"
        " where status = 'final' order by invoice_id"
    ) == [
        ("s@2026-02-01", *money("4.35", "3.30", "1.05")),
        ("s@2026-03-01", *money("4.26", "0.01", "4.25")),
        ("t@2026-02-01", *money("4.30", "0.30", "4.00")),
        ("t@2026-03-01", *money("3.90", "0.00", "3.90")),
    ]
    assert built.query(
        "select invoice_id, credit_number, grant_id, credit_total, currency, unit, unit_total"
        " from marts.invoice_credits order by invoice_id, credit_number"
    ) == [
        ("s@2026-02-01", 1, "m", Decimal(3), "USD", None, None),
        ("s@2026-02-01", 2, "g", Decimal("0.30"), "USD", UNIT, Decimal(10)),
        ("s@2026-03-01", 1, "h", Decimal("0.01"), "USD", UNIT, Decimal("0.40")),
        ("t@2026-02-01", 1, "b", Decimal("0.30"), "EUR", UNIT, Decimal("7.5")),
    ]


def test_steps_are_in_the_unit_and_then_money(built: House):
    assert built.query(
        "select step_kind, units, rate, amount, currency from marts.rating_steps"
        " where rated_line_id = 's/1/tokens/usage' order by step_number"
    ) == [
        ("band", *money("93", "0.125", "11.625"), UNIT),
        ("unit", *money("11.63", "0.03", "0.3489"), "USD"),
    ]


def test_balances_and_warnings_are_in_units(built: House):
    """10.00 less 5.00, 4.13, 0.87: on the 6th below 1.00, and less than a tenth."""
    assert built.query(
        "select balance_date, balance_total from marts.credit_balances_daily"
        " where grant_id = 'g' and balance_date >= cast('2026-01-04' as date) order by 1"
    ) == [(date(2026, 1, day), Decimal(left)) for day, left in
          ((4, "10"), (5, "5"), (6, "0.87"), (7, "0"))]  # fmt: skip
    assert built.query(
        "select due_date, balance_total, currency from marts.credit_top_ups_due order by due_date"
    )[0] == (date(2026, 1, 6), Decimal("0.87"), UNIT)
    assert (UNIT, date(2026, 1, 6)) in built.query(
        "select currency, crossed_on from marts.credit_alerts"
    )
    assert built.query(
        "select currency, drawn_total from marts.credit_forecasts where customer_id = 'bolt'"
    ) == [(UNIT, Decimal("-2.5"))]


def test_tally_balance_names_the_unit(built: House):
    said = ("balance", "acme", "--on", "2026-01-06")
    done = built.run(*said, with_catalog=False)
    assert done.returncode == 0, done.stderr
    assert "Left, AI credits" in done.stdout
    exact = built.run(*said, "--format", "json", with_catalog=False)
    assert [
        (one["currency"], one["balance_total"]) for one in json.loads(exact.stdout)["currencies"]
    ] == [(UNIT, "0.87"), ("USD", "3.00")]


def test_an_invoice_says_how_many_units_and_what_covers_them(built: House):
    done = built.run("invoice", "s@2026-02-01", with_catalog=False)
    assert done.returncode == 0, done.stderr
    shown = " ".join(done.stdout.split())
    assert "11.63 AI credits x 0.03" in shown
    assert "AI credits: 11.63 used, 10 covered by credits, 1.63 due as money" in shown
    assert "Ten (g): -0.30 USD for 10 AI credits" in shown
    exact = json.loads(
        built.run("invoice", "s@2026-02-01", "--format", "json", with_catalog=False).stdout
    )
    assert [exact["lines"][1][name] for name in ("unit", "unit_rate", "unit_total")] == [
        UNIT, "0.03", "11.63",
    ]  # fmt: skip
    traced = built.run("explain", "s@2026-02-01#2", with_catalog=False)
    assert "93 x 0.125 = 11.625 AI credits" in traced.stdout
    assert "in money: 11.63 x 0.03 = 0.3489 USD" in traced.stdout


def test_exports_and_events_have_the_unit(built: House, tmp_path):
    done = built.run(
        "export", "--to-folder", str(tmp_path), "--format", "json", "html", "csv",
        "--invoice", "s@2026-02-01", with_catalog=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (path,) = (tmp_path / "json").iterdir()
    document = json.loads(path.read_text("utf-8"))
    assert list(jsonschema.Draft202012Validator(read_schema()).iter_errors(document)) == []
    assert [(step["step_kind"], step["amount"]) for step in document["lines"][1]["steps"]] == [
        ("band", "11.625"), ("unit", "0.3489"),
    ]  # fmt: skip
    assert [
        (one["grant_id"], one["credit_total"], one["unit"], one["unit_total"])
        for one in document["credits"]
    ] == [("m", "3.00", None, None), ("g", "0.30", UNIT, "10")]
    (page,) = (tmp_path / "html").iterdir()
    text = page.read_text("utf-8")
    assert "Credit: Ten (10 AI credits)" in text and "11.63 AI credits" in text
    told = [
        json.loads(payload)["data"]
        for (payload,) in built.query("select payload from webhooks.outbox")
        if '"credit.low"' in payload
    ]
    assert ("2026-01-06", UNIT, "0.87") in {
        (one["crossed_on"], one["currency"], one["balance_total"]) for one in told
    }
