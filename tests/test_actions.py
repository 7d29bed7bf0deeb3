"""Invoices are voided, reissued, credited and disputed, and what a customer is owed pays for more.

One house: an account for each thing that finance does, worked out by hand (10.00 a month in
arrears and 1.00 a unit, 100 units in January), and beside them the story of late usage on plans of
each kind (test_corrections), with actions at random on its invoices, which the oracle works out.
"""

import json
import random
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import pairwise

import pytest

from orchestration.catalog import check_catalog
from tests import test_corrections as late_story
from tests.houses import write_catalog
from tests.oracle import bill
from tests.strategies import RAW_COLUMNS, catalog_row

THROUGH = late_story.THROUGH
#: Builds on DuckDB; PostgreSQL makes every close in one run.
STEPS = ("2026-03-05", str(THROUGH))
LEDGER = ("ledger.documents", "ledger.lines", "ledger.closes", "ledger.sealed_days")
MARTS = (
    "marts.invoices",
    "marts.customer_balance_entries",
    "marts.customer_balances",
    "marts.disputed_lines",
    "marts.refused_invoice_actions",
    "marts.billing_report",
)

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
    "carrying": [("01-10", "01-10", 30), ("02-10", "02-10", 70), ("01-11", "03-20", 10)],
    "sharing 1": [("01-10", "01-10", 60), ("01-11", "02-13", 10)],
    "sharing 2": [("01-12", "01-12", 60)],
}  # fmt: skip
PLANS = {"advance": "a advance", "carrying": "a carrying", "sharing 1": "a sharing",
         "sharing 2": "a sharing"}  # fmt: skip
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
    ("o1", "void", "carrying@2026-03-01", "", "03-10T09:00:00"),
    ("o2", "reissue", "carrying@2026-03-01", "", "04-10T09:00:00"),
    ("q1", "void", "sharing 1@2026-02-01", "", "02-10T09:00:00"),
    ("q2", "reissue", "sharing 1@2026-02-01", "", "02-20T09:00:00"),
]
ON_LINES = ("credit", "dispute", "resolve")


def _accounts() -> dict[str, list[dict]]:
    rows: dict[str, list[dict]] = {}

    def add(file: str, **values: object) -> None:
        rows.setdefault(file, []).append(catalog_row(file, **values))

    add("meters", meter="m", version="1", event_name="e", aggregation="sum", property="n")
    for plan in ("a plain", "a advance", "a carrying", "a sharing"):
        add("plans", plan_id=plan, product_id="p", name=plan, cycle="month", alignment="calendar")
        charge = {"plan_id": plan, "name": "x"}
        timing = "advance" if plan == "a advance" else "arrears"
        add("charges", **charge, charge_id="fee", position=1, charge_type="recurring",
            timing=timing)  # fmt: skip
        add("charges", **charge, charge_id="use", position=2, charge_type="usage", meter="m",
            meter_version="1", pricing_model="per_unit")  # fmt: skip
        for charge_id, price in (("fee", "10"), ("use", "1")):
            add("prices", plan_id=plan, charge_id=charge_id, currency="USD", unit_price=price)
    add("allowances", plan_id="a carrying", allowance_id="roll", charge_ids="use", quantity="50",
        rollover_periods="2")  # fmt: skip
    add("allowances", plan_id="a sharing", allowance_id="pool", charge_ids="use", quantity="40",
        pooled="true")  # fmt: skip
    for name in USAGE:
        if not any(row["customer_id"] == owner(name) for row in rows.get("customers", [])):
            home = {"customer_id": owner(name), "name": name, "currency": "USD"}
            add("customers", **home, time_zone="UTC", billing_entity="US")
            if name == "moved":
                add("customers", **home, time_zone="UTC", billing_entity="EU",
                    valid_from="2026-02-01")  # fmt: skip
        add("subscriptions", subscription_id=name, customer_id=owner(name),
            plan_id=PLANS.get(name, "a plain"), starts_at="2026-01-01")  # fmt: skip
    return rows


def owner(account: str) -> str:
    """Members of the pool are one customer's."""
    return account.removesuffix(" 1").removesuffix(" 2")


@cache
def random_actions() -> tuple[tuple[str, str, str, str, str], ...]:
    """Actions on invoices of the story of late usage: most of them possible, some not."""
    dice = random.Random(20260202)
    made = bill(late_story._catalog(), late_story._rows(), THROUGH)
    closed = [one for one in made.invoices if one.status == "final" and one.cycle is not None]
    closed = [one for one in closed if not one.lines[0].adjusts]
    found = []
    for number in range(70):
        invoice = dice.choice(closed)
        at = invoice.cutoff + timedelta(days=dice.randrange(-1, 40), hours=dice.randrange(24))
        line = dice.choice([one for one in invoice.lines if not one.adjusts])
        share = dice.choice([Decimal("0.2"), Decimal("0.5"), Decimal(1)])
        amount = max((Decimal(line.line_total) * share).quantize(Decimal("0.01")), Decimal("0.01"))
        for action in dice.choice(
            [["void"], ["void", "reissue"], ["void", "reissue", "void"], ["credit"], ["credit"],
             ["dispute"], ["dispute", "resolve"], ["refund"]]
        ):  # fmt: skip
            has_amount = action in ("credit", "refund")
            target = line.line_id if action in ON_LINES else invoice.invoice_id
            found.append(
                (f"z{number}{action}{len(found)}", action, target, str(amount) * has_amount, at)
            )
            at += timedelta(days=dice.choice([0, 1, 20]), minutes=dice.randrange(1, 100))
    last = datetime(THROUGH.year, THROUGH.month, THROUGH.day)
    return tuple((*row[:4], f"{row[4]:%m-%dT%H:%M:%S}") for row in found if row[4] < last)


def catalog() -> dict[str, list[dict]]:
    rows = late_story._catalog()
    for name, added in _accounts().items():
        rows.setdefault(name, []).extend(added)
    for action_id, action, target, amount, recorded_at in (*ACTIONS, *random_actions()):
        rows.setdefault("invoice_actions", []).append(
            catalog_row(
                "invoice_actions",
                **{"line_id" if action in ON_LINES else "invoice_id": target},
                **{"action_id": action_id, "action": action, "amount": amount},
                **{"acted_by": "fay", "reason": f"why {action_id}"},
                recorded_at=f"2026-{recorded_at}Z",
            )
        )
    return rows


def raw_rows() -> list[dict]:
    rows = late_story._rows()
    for account, usage in USAGE.items():
        for day, loaded, units in usage:
            row = dict.fromkeys(RAW_COLUMNS)
            row |= {
                "load_id": f"{len(rows):032x}",
                "line_number": 1,
                "loaded_at": datetime.fromisoformat(f"2026-{loaded}T12:00:00"),
                "customer_id": owner(account),
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
def houses(twins):
    def build(house):
        house.entries = []
        for day in STEPS if house.engine == "duckdb" else STEPS[-1:]:
            # The data tests of the last build see all that is posted.
            build = house.build if day == STEPS[-1] else house.build_untested
            build("--through", day)
            house.entries.append(house.export("marts.customer_balance_entries"))

    return twins(catalog(), raw_rows(), build)


@pytest.fixture(scope="module")
def stepped(houses):
    return houses["duckdb"]


@pytest.fixture(scope="module")
def expected():
    return bill(catalog(), raw_rows(), THROUGH)


@pytest.mark.parametrize("table", [*LEDGER, *MARTS])
def test_one_range_on_postgres_closes_as_steps_do_on_duckdb(houses, table):
    assert houses["duckdb"].export(table) == houses["postgres"].export(table)


def test_what_was_applied_is_never_applied_otherwise(stepped):
    assert len(stepped.entries[0]) > 5
    for before, after in pairwise(stepped.entries):
        assert set(before) < set(after)


def test_every_document_is_the_oracle_s(stepped, expected):
    found = stepped.query(
        "select invoice_id, status, invoice_number, document_kind, cast(invoice_total as text),"
        " cast(balance_applied_total as text) from marts.invoices"
    )
    wanted = [
        (one.invoice_id, one.status, one.invoice_number, one.kind, one.total, one.balance_applied)
        for one in expected.invoices
    ]
    assert sorted(found, key=repr) == sorted(wanted, key=repr)


def test_every_line_is_the_oracle_s(stepped, expected):
    found = stepped.query(
        "select line_id, line_kind, charge_id, adjusts_invoice_id, cast(quantity as text),"
        " event_count, cast(discount_total as text), cast(line_total as text)"
        " from marts.invoice_lines"
    )
    wanted = [
        (
            *(line.line_id, line.kind, line.charge_id, line.adjusts or None, line.quantity),
            *(line.event_count, line.discount_total, line.line_total),
        )
        for line in expected.lines
    ]
    assert sorted(found, key=repr) == sorted(wanted, key=repr)


def test_every_refusal_is_the_oracle_s(stepped, expected):
    found = dict(stepped.query("select action_id, reason from marts.refused_invoice_actions"))
    assert found == expected.refused
    # By hand, of the accounts:
    assert {key: reason for key, reason in found.items() if key[0] != "z"} == {
        "c2": "over_line", "c5": "over_line", "p2": "over_balance", "p4": "over_balance",
        "x1": "not_closed", "x2": "not_void", "x4": "already_void", "x5": "unknown_invoice",
        "x6": "unknown_line", "x8": "already_disputed", "x9": "not_disputed", "y1": "over_line",
        "y3": "over_line", "y5": "not_closed",
    }  # fmt: skip
    assert len(set(found.values())) >= 9


def test_balances_are_the_oracle_s(stepped, expected):
    found = stepped.query(
        "select customer_id, billing_entity, currency, balance_total from marts.customer_balances"
    )
    assert {row[:3]: row[3] for row in found if row[3]} == {
        owner: Decimal(balance.numerator) / balance.denominator
        for owner, balance in expected.balances.items()
        if balance
    }
    assert len(found) > 15


def test_numbers_are_gapless_in_the_order_of_kinds(stepped):
    """Of one midnight: invoices, corrections alone, credit notes, actions."""
    rows = stepped.query(
        "select billing_entity, sequence_number, cutoff_at, document_kind from ledger.documents"
        " order by 1, 2"
    )
    ranks = {"invoice": 1, "adjustment": 2, "credit_note": 3}
    assert len({row[3] for row in rows}) == 9
    for before, after in pairwise(rows):
        if before[0] != after[0]:
            assert after[1] == 1
            continue
        assert after[1] == before[1] + 1
        assert (before[2], ranks.get(before[3], 4)) <= (after[2], ranks.get(after[3], 4))


#: account: its documents after January's invoice, in order: (cutoff, kind, total, balance applied,
#: due). A document below zero leaves balance, and nothing is due of it.
DOCUMENTS = {
    "voided": [
        ("02-11", "void", "-110", "0", "0"),
        ("03-02", "invoice", "50", "50", "0"),
        ("04-02", "invoice", "100", "60", "40"),
    ],
    # The late 20 units are on no invoice while it is void; the reissue has them, not the 5 later.
    "reissued": [
        ("02-11", "void", "-110", "0", "0"),
        ("03-02", "invoice", "50", "50", "0"),
        ("03-11", "reissue", "130", "60", "70"),
        ("04-02", "invoice", "15", "0", "15"),
    ],
    # 20 of 100 units are left after the void of 80: the line goes down to the 30 that were
    # credited, and with 60 more units to 80.
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
    "carrying": [
        ("03-02", "invoice", "10", "0", "10"),
        ("03-11", "void", "-10", "0", "0"),
        ("04-02", "invoice", "10", "10", "0"),
        ("04-11", "reissue", "20", "0", "20"),
    ],
    # 10 units more of the first member leave 10 less for the second, which is corrected.
    "sharing 1": [
        ("02-11", "void", "-10", "0", "0"),
        ("02-21", "reissue", "10", "10", "0"),
        ("03-02", "invoice", "10", "0", "10"),
        ("04-02", "invoice", "10", "0", "10"),
    ],
    "sharing 2": [
        ("03-02", "invoice", "20", "0", "20"),
        ("04-02", "invoice", "10", "0", "10"),
    ],
}


@pytest.mark.parametrize("account", DOCUMENTS)
def test_documents_are_worked_out_by_hand(stepped, account):
    found = stepped.query(
        "select cutoff_at, document_kind, invoice_total, balance_applied_total, amount_due_total"
        " from marts.invoices where subscription_id = ? and cutoff_at < timestamp '2026-04-21'"
        " and cutoff_at > timestamp '2026-02-03' order by cutoff_at, invoice_number",
        [account],
    )
    expected = [
        (datetime.fromisoformat(f"2026-{day}"), kind, *map(Decimal, totals))
        for day, kind, *totals in DOCUMENTS[account]
    ]
    assert found == expected


def test_what_is_in_dispute(stepped):
    """The line, less what was credited on it; nothing of a voided invoice."""
    found = stepped.query(
        "select line_id, disputed_total, acted_by, action_reason from marts.disputed_lines"
        " where action_id in ('d1', 'd2', 'd3', 'x7') order by 1"
    )
    assert found == [
        ("disputed@2026-02-01#2", Decimal(75), "fay", "why d1"),
        ("disputed@2026-03-01#2", Decimal(7), "fay", "why d3"),
        ("refused@2026-02-01#1", Decimal(0), "fay", "why x7"),
    ]
    ((total,),) = stepped.query(
        "select sum(disputed_total) from marts.invoices where customer_id = 'disputed'"
    )
    assert total == Decimal(82)


def test_a_void_takes_back_each_line_as_it_stands(stepped):
    """In the order of the invoice, with its units, and pointing at it; so does the reissue."""
    rows = stepped.query(
        "select invoice_id, line_number, charge_id, quantity, line_total, adjusts_line_id,"
        " rated_line_id from ledger.lines where adjusts_invoice_id = 'reissued@2026-02-01'"
        " and invoice_id like '%.%' order by line_id"
    )
    about = "reissued@2026-02-01"
    fee = "reissued/20523000001/fee/recurring/2026-01-01"
    assert rows == [
        (f"{about}.reissue.r2", 1, "fee", None, Decimal(10), f"{about}#1", fee),
        (f"{about}.reissue.r2", 2, "use", Decimal(120), Decimal(120), f"{about}#2",
         "reissued/20523000001/use/usage"),
        (f"{about}.void.v2", 1, "fee", None, Decimal(-10), f"{about}#1", None),
        (f"{about}.void.v2", 2, "use", Decimal(-100), Decimal(-100), f"{about}#2", None),
    ]  # fmt: skip


def test_who_when_and_why_are_in_the_ledger(stepped):
    found = stepped.query(
        "select adjusts_invoice_id, action_id, acted_by, acted_at, action_reason"
        " from ledger.documents where action_id = 'p3'"
    )
    assert found == [("refunded@2026-02-01", "p3", "fay", datetime(2026, 2, 11, 11), "why p3")]


@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
def test_the_chain_of_digests_covers_actions(houses, engine):
    done = houses[engine].run("verify")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("document", "texts"),
    [
        (
            "reissued@2026-02-01.reissue.r2",
            ["reissue of reissued@2026-02-01 (r2, fay, 2026-03-10 09:00 UTC: why r2)",
             "from the customer balance: -60.00 USD", "due: 70.00 USD"],
        ),
        (
            "disputed@2026-02-01.credit.c6",
            ["credit on disputed@2026-02-01", "x: credited", "to the customer balance: 25.00 USD"],
        ),
        ("disputed@2026-02-01", ["in dispute: 75.00 USD"]),
        ("refunded@2026-02-01.refund.p3", ["Refund: customer balance paid out", "19.50"]),
    ],
)  # fmt: skip
def test_an_invoice_shows_what_it_is_and_what_is_due(stepped, document, texts):
    done = stepped.run("invoice", document, with_catalog=False)
    assert done.returncode == 0, done.stderr
    shown = " ".join(done.stdout.split())
    assert [text for text in texts if text not in shown] == [], done.stdout


# The catalogue's check

VOID = {"action_id": "a", "action": "void", "invoice_id": "s@2026-02-01", "acted_by": "f",
        "reason": "r", "recorded_at": "2026-02-10T09:00:00Z"}  # fmt: skip
CREDIT = VOID | {"action": "credit", "invoice_id": "", "line_id": "s@2026-02-01#1", "amount": "1"}


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"action": "undo"},
         'action: found "undo", expected one of void, reissue, credit, dispute, resolve, refund'),
        ({"recorded_at": ""}, "recorded_at: found nothing, expected a value"),
        ({"acted_by": ""}, "acted_by: found nothing, expected a value"),
        ({"reason": ""}, "reason: found nothing, expected a value"),
        ({"action_id": "first"},
         'action_id: found "first", expected one row for each action_id (line 2 has it)'),
        ({"invoice_id": ""}, "invoice_id: found nothing, expected a value with the action void"),
        ({"line_id": "s@2026-02-01#1"},
         'line_id: found "s@2026-02-01#1", expected a blank with the action void'),
        ({"amount": "3"}, 'amount: found "3", expected a blank with the action void'),
        (CREDIT | {"amount": ""}, "amount: found nothing, expected a value with the action credit"),
        (CREDIT | {"amount": "0"}, 'amount: found "0", expected a number above 0'),
        (CREDIT | {"amount": "1.005"},
         'amount: found "1.005", expected at most 2 decimals, as USD has'),
        (CREDIT | {"line_id": "s@2026-02-01"},
         'line_id: found "s@2026-02-01", expected an id like sub_0017@2026-02-01#3 of an invoice of'
         " a period"),
        ({"invoice_id": "s@2026-02-01.adjustments"},
         'invoice_id: found "s@2026-02-01.adjustments", expected an id like sub_0017@2026-02-01 of'
         " an invoice of a period"),
        ({"invoice_id": "t@2026-02-01"},
         'invoice_id: found "t@2026-02-01", expected an id that begins with a subscription_id of'
         " subscriptions.csv"),
        ({"action": "reissue", "invoice_id": "s@2026-03-01"},
         'action: found "reissue", expected a void of "s@2026-03-01" before it'),
    ],
)  # fmt: skip
def test_the_check_names_what_is_wrong_with_an_action(tmp_path, changed, fault):
    actions = [VOID | {"action_id": "first"}, VOID | changed]
    catalog = late_story._catalog() | {"invoice_actions": actions}
    subscription = {"subscription_id": "s", "customer_id": "c volume", "plan_id": "volume"}
    catalog["subscriptions"].append(subscription | {"starts_at": "2026-01-01"})
    found = check_catalog(write_catalog(tmp_path, catalog))
    assert [str(one) for one in found] == [f"invoice_actions.csv:3: {fault}"]
