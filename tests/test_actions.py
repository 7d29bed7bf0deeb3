"""Invoices are voided, reissued, credited and disputed, and what a customer is owed pays for more.

One story, worked out by hand: an account for each thing that finance does, billed monthly, 10.00 a
month in arrears and 1.00 a unit, 100 units in January.
"""

import json
from datetime import date, datetime
from decimal import Decimal

import pytest

from tests.strategies import RAW_COLUMNS, catalog_row

pytestmark = pytest.mark.xdist_group("actions")
ENGINES = pytest.mark.parametrize("engine", ["duckdb", "postgres"])
THROUGH = date(2026, 4, 20)
#: Builds of the house that is built in steps; between two of them actions close, or none.
STEPS = ("2026-02-05", "2026-02-11", "2026-03-05", "2026-03-11", str(THROUGH))
LEDGER = ("ledger.documents", "ledger.lines", "ledger.closes", "ledger.sealed_days")
MARTS = ("marts.invoices", "marts.customer_balance_entries", "marts.customer_balances",
         "marts.disputed_lines", "marts.refused_invoice_actions", "marts.billing_report")  # fmt: skip

#: account: units by (day of the usage, day of its load); below zero: voids the usage of that day.
USAGE = {
    "voided": [("01-10", "01-10", 100), ("02-10", "02-10", 40), ("03-10", "03-10", 90)],
    "reissued": [
        ("01-10", "01-10", 100), ("01-11", "02-13", 20), ("02-10", "02-10", 40),
        ("01-12", "03-15", 5),
    ],
    "credited": [
        ("01-10", "01-10", 20), ("01-11", "01-11", 80), ("01-11", "02-20", -80),
        ("01-13", "03-13", 60),
    ],
    "credited and voided": [("01-10", "01-10", 100)],
    "disputed": [("01-10", "01-10", 100), ("02-10", "02-10", 7)],
    "refunded": [("01-10", "01-10", 100)],
    "moved": [("01-10", "01-10", 100), ("02-10", "02-10", 40)],
    "refused": [("01-10", "01-10", 100)],
    "in a day": [("01-10", "01-10", 100), ("01-11", "02-13", 20)],
    "advance": [("01-10", "01-10", 100)],
    "rolling": [("01-10", "01-10", 30), ("02-10", "02-10", 70), ("01-11", "03-20", 10)],
    "pooled 1": [("01-10", "01-10", 60), ("01-11", "02-13", 10)],
    "pooled 2": [("01-12", "01-12", 60)],
}  # fmt: skip
PLANS = {"advance": "advance", "rolling": "rolling", "pooled 1": "pooled", "pooled 2": "pooled"}
#: (id, action, what it acts on, amount, when it was recorded)
ACTIONS = [
    ("v1", "void", "voided@2026-02-01", "", "02-10T09:00:00"),
    ("v2", "void", "reissued@2026-02-01", "", "02-10T09:00:00"),
    ("r2", "reissue", "reissued@2026-02-01", "", "03-10T09:00:00"),
    ("c1", "credit", "credited@2026-02-01#2", "30", "02-10T09:00:00"),
    ("c2", "credit", "credited@2026-02-01#2", "0.01", "03-10T09:00:00"),
    ("c3", "credit", "credited@2026-02-01#2", "50", "04-10T09:00:00"),
    ("c4", "credit", "credited and voided@2026-02-01#2", "30", "02-10T09:00:00"),
    ("v4", "void", "credited and voided@2026-02-01", "", "02-15T09:00:00"),
    ("c5", "credit", "credited and voided@2026-02-01#2", "1", "02-16T09:00:00"),
    ("r4", "reissue", "credited and voided@2026-02-01", "", "04-10T09:00:00"),
    ("d1", "dispute", "disputed@2026-02-01#2", "", "02-10T09:00:00"),
    ("c6", "credit", "disputed@2026-02-01#2", "25", "02-12T09:00:00"),
    ("d2", "dispute", "disputed@2026-02-01#1", "", "02-10T10:00:00"),
    ("e2", "resolve", "disputed@2026-02-01#1", "", "03-11T10:00:00"),
    ("d3", "dispute", "disputed@2026-03-01#2", "", "03-10T10:00:00"),
    ("c7", "credit", "refunded@2026-02-01#2", "40", "02-10T09:00:00"),
    ("p1", "refund", "refunded@2026-02-01", "15", "02-11T09:00:00"),
    ("p2", "refund", "refunded@2026-02-01", "26", "02-11T10:00:00"),
    ("p3", "refund", "refunded@2026-02-01", "19.5", "02-11T11:00:00"),
    ("p4", "refund", "refunded@2026-02-01", "0.01", "03-10T11:00:00"),
    ("c8", "credit", "moved@2026-02-01#2", "100", "02-10T09:00:00"),
    # What is refused, and what stands in spite of it.
    ("x1", "void", "refused@2026-02-01", "", "02-01T23:00:00"),
    ("x2", "reissue", "refused@2026-02-01", "", "02-03T09:00:00"),
    ("x3", "void", "refused@2026-02-01", "", "02-04T09:00:00"),
    ("x4", "void", "refused@2026-02-01", "", "02-10T09:00:00"),
    ("x5", "void", "refused@2026-02-02", "", "02-10T09:00:00"),
    ("x6", "credit", "refused@2026-02-01#3", "1", "02-10T09:00:00"),
    ("x7", "dispute", "refused@2026-02-01#1", "", "02-10T09:00:00"),
    ("x8", "dispute", "refused@2026-02-01#1", "", "02-10T09:30:00"),
    ("x9", "resolve", "refused@2026-02-01#2", "", "02-10T09:00:00"),
    ("y1", "credit", "refused@2026-03-01#1", "10.01", "03-10T09:00:00"),
    ("y2", "credit", "refused@2026-03-01#1", "7", "03-10T10:00:00"),
    ("y3", "credit", "refused@2026-03-01#1", "4", "03-10T11:00:00"),
    ("y4", "credit", "refused@2026-03-01#1", "3", "03-10T12:00:00"),
    ("y5", "void", "refused@2026-05-01", "", "04-15T12:00:00"),
    # Of one day, in the order in which they were recorded; the correction of it comes before.
    ("s1", "void", "in a day@2026-02-01", "", "03-01T09:00:00"),
    ("s2", "reissue", "in a day@2026-02-01", "", "03-01T10:00:00"),
    ("s3", "void", "in a day@2026-02-01", "", "03-01T11:00:00"),
    ("a1", "void", "advance@2026-01-01", "", "02-10T09:00:00"),
    ("a2", "reissue", "advance@2026-01-01", "", "03-10T09:00:00"),
    ("o1", "void", "rolling@2026-03-01", "", "03-10T09:00:00"),
    ("o2", "reissue", "rolling@2026-03-01", "", "04-10T09:00:00"),
    ("q1", "void", "pooled 1@2026-02-01", "", "02-10T09:00:00"),
    ("q2", "reissue", "pooled 1@2026-02-01", "", "02-20T09:00:00"),
]
ON_LINES = ("credit", "dispute", "resolve")


def catalog() -> dict[str, list[dict]]:
    rows: dict[str, list[dict]] = {}

    def add(file: str, **values: object) -> None:
        rows.setdefault(file, []).append(catalog_row(file, **values))

    add("products", product_id="p", name="p", product_type="saas")
    add("meters", meter="m", version="1", event_name="e", aggregation="sum", property="n")
    for plan in ("plain", "advance", "rolling", "pooled"):
        add("plans", plan_id=plan, product_id="p", name=plan, cycle="month", alignment="calendar")
        charge = {"plan_id": plan, "name": "x"}
        timing = "advance" if plan == "advance" else "arrears"
        add("charges", **charge, charge_id="fee", position=1, charge_type="recurring",
            timing=timing)  # fmt: skip
        add("charges", **charge, charge_id="use", position=2, charge_type="usage", meter="m",
            meter_version="1", pricing_model="per_unit")  # fmt: skip
        for charge_id, price in (("fee", "10"), ("use", "1")):
            add("prices", plan_id=plan, charge_id=charge_id, currency="USD", unit_price=price)
    add("allowances", plan_id="rolling", allowance_id="roll", charge_ids="use", quantity="50",
        rollover_periods="2")  # fmt: skip
    add("allowances", plan_id="pooled", allowance_id="pool", charge_ids="use", quantity="40",
        pooled="true")  # fmt: skip
    for name in USAGE:
        customer = name.split(" 1")[0].split(" 2")[0]
        if not any(row["customer_id"] == customer for row in rows.get("customers", [])):
            home = {"customer_id": customer, "name": customer, "currency": "USD"}
            add("customers", **home, time_zone="UTC", billing_entity="US")
            if name == "moved":
                add("customers", **home, time_zone="UTC", billing_entity="EU",
                    valid_from="2026-02-01")  # fmt: skip
        add("subscriptions", subscription_id=name, customer_id=customer,
            plan_id=PLANS.get(name, "plain"), starts_at="2026-01-01")  # fmt: skip
    for action_id, action, target, amount, recorded_at in ACTIONS:
        add(
            "invoice_actions",
            **{"line_id" if action in ON_LINES else "invoice_id": target},
            **{"action_id": action_id, "action": action, "amount": amount},
            **{"acted_by": "fay", "reason": f"why {action_id}"},
            recorded_at=f"2026-{recorded_at}Z",
        )
    return rows


def raw_rows() -> list[dict]:
    rows = []
    for account, usage in USAGE.items():
        for day, loaded, units in usage:
            row = dict.fromkeys(RAW_COLUMNS)
            row |= {
                "load_id": f"{len(rows):032x}",
                "line_number": 1,
                "loaded_at": datetime.fromisoformat(f"2026-{loaded}T12:00:00"),
                "customer_id": account.split(" 1")[0].split(" 2")[0],
            }
            if units < 0:
                row |= {"voids_key": f"{account} {day}"}
            else:
                row |= {
                    "event_name": "e",
                    "occurred_at": f"2026-{day}T10:00:00Z",
                    "event_key": f"{account} {day}",
                    "subscription_id": account,
                    "properties": json.dumps({"n": units}),
                }
            rows.append(row)
    return rows


@pytest.fixture(scope="module")
def stepped(twins):
    """Built in steps on each engine."""

    def build(house):
        house.entries = []
        for day in STEPS:
            house.build("--through", day)
            house.entries.append(house.export("marts.customer_balance_entries"))

    return twins(catalog(), raw_rows(), build)


@pytest.fixture(scope="module")
def at_once(house):
    """Every close in one run."""
    return house("duckdb", catalog(), raw_rows()).build("--through", str(THROUGH))


def test_one_range_closes_as_its_days_do(stepped, at_once):
    for table in (*LEDGER, *MARTS):
        assert stepped["duckdb"].export(table) == at_once.export(table), table


def test_both_engines_have_the_same_ledger(stepped):
    for table in (*LEDGER, *MARTS):
        assert stepped["duckdb"].export(table) == stepped["postgres"].export(table), table


@ENGINES
def test_what_was_applied_is_never_applied_otherwise(stepped, engine):
    for before, after in zip(stepped[engine].entries, stepped[engine].entries[1:], strict=False):
        assert set(before) <= set(after)
    assert len(stepped[engine].entries[1]) > 1
    assert len(stepped[engine].entries[-1]) > 30


#: account: its documents after January's invoice, in order: (cutoff, kind, total, balance applied,
#: due). A document below zero leaves balance, and nothing is due of it.
DOCUMENTS = {
    "voided": [
        ("02-11", "void", "-110", "0", "0"),
        ("03-02", "invoice", "50", "50", "0"),
        ("04-02", "invoice", "100", "60", "40"),
    ],
    # The late 20 units are on no invoice while it is void: the reissue has them, the 5 after it not.
    "reissued": [
        ("02-11", "void", "-110", "0", "0"),
        ("03-02", "invoice", "50", "50", "0"),
        ("03-11", "reissue", "130", "60", "70"),
        ("04-02", "invoice", "15", "0", "15"),
    ],
    # 20 of 100 units are left after the void of 80: the line goes down to the 30 that were credited,
    # and with 60 more units to 80.
    "credited": [
        ("02-11", "credit", "-30", "0", "0"),
        ("03-02", "credit_note", "-60", "0", "0"),
        ("04-02", "invoice", "60", "60", "0"),
        ("04-11", "credit", "-50", "0", "0"),
    ],
    # What was credited is not given back twice.
    "credited and voided": [
        ("02-11", "credit", "-30", "0", "0"),
        ("02-16", "void", "-80", "0", "0"),
        ("03-02", "invoice", "10", "10", "0"),
        ("04-02", "invoice", "10", "10", "0"),
        ("04-11", "reissue", "80", "80", "0"),
    ],
    "disputed": [
        ("02-11", "dispute", "0", "0", "0"),
        ("02-11", "dispute", "0", "0", "0"),
        ("02-13", "credit", "-25", "0", "0"),
        ("03-02", "invoice", "17", "17", "0"),
        ("03-11", "dispute", "0", "0", "0"),
        ("03-12", "resolve", "0", "0", "0"),
        ("04-02", "invoice", "10", "8", "2"),
    ],
    "refunded": [
        ("02-11", "credit", "-40", "0", "0"),
        ("02-12", "refund", "15", "15", "0"),
        ("02-12", "refund", "19.5", "19.5", "0"),
        ("03-02", "invoice", "10", "5.5", "4.5"),
        ("04-02", "invoice", "10", "0", "10"),
    ],
    # The balance is of the entity that owes it.
    "moved": [
        ("02-11", "credit", "-100", "0", "0"),
        ("03-02", "invoice", "50", "0", "50"),
        ("04-02", "invoice", "10", "0", "10"),
    ],
    "in a day": [
        ("03-02", "invoice", "30", "0", "30"),
        ("03-02", "void", "-130", "0", "0"),
        ("03-02", "reissue", "130", "130", "0"),
        ("03-02", "void", "-130", "0", "0"),
        ("04-02", "invoice", "10", "10", "0"),
    ],
    # January brings 10 units less into February: the correction waits for the reissue.
    "rolling": [
        ("03-02", "invoice", "10", "0", "10"),
        ("03-11", "void", "-10", "0", "0"),
        ("04-02", "invoice", "10", "10", "0"),
        ("04-11", "reissue", "20", "0", "20"),
    ],
    # 10 units more of the first member leave 10 less for the second, which is corrected.
    "pooled 1": [
        ("02-11", "void", "-10", "0", "0"),
        ("02-21", "reissue", "10", "10", "0"),
        ("03-02", "invoice", "10", "0", "10"),
        ("04-02", "invoice", "10", "0", "10"),
    ],
    "pooled 2": [
        ("03-02", "invoice", "20", "0", "20"),
        ("04-02", "invoice", "10", "0", "10"),
    ],
}


@pytest.mark.parametrize("account", DOCUMENTS)
def test_documents_are_worked_out_by_hand(stepped, account):
    found = stepped["duckdb"].query(
        "select cutoff_at, document_kind, invoice_total, balance_applied_total, amount_due_total"
        " from marts.invoices where subscription_id = ? and status = 'final'"
        " and cutoff_at > timestamp '2026-02-03' order by invoice_number",
        [account],
    )
    expected = [
        (datetime.fromisoformat(f"2026-{day}"), kind, *map(Decimal, totals))
        for day, kind, *totals in DOCUMENTS[account]
    ]
    assert found == expected
