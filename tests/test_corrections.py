"""Late usage and late voids find their period: what is posted of it in all is what it comes to.

One story of a plan of each kind whose periods hang together, with usage that is loaded up to ten
weeks after it happened and voided at any time.
"""

import json
import random
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest

from tests.oracle import bill
from tests.strategies import RAW_COLUMNS, catalog_row

ENGINES = pytest.mark.parametrize("engine", ["duckdb", "postgres"])
THROUGH = date(2026, 6, 3)
#: Builds of the house that is built in steps; between two of them cutoffs pass, or none.
STEPS = ("2026-02-01", "2026-02-20", "2026-03-03", "2026-04-05", str(THROUGH))
LEDGER = ("ledger.documents", "ledger.lines", "ledger.closes", "ledger.sealed_days")

METERS = {
    "units": {"aggregation": "sum"},
    "peak": {"aggregation": "max"},
    "last": {"aggregation": "latest"},
    "users": {"aggregation": "count_unique"},
    "p90": {"aggregation": "percentile", "percentile": "90"},
    "level": {"aggregation": "weighted_sum", "weighted_mode": "reading", "carry_over": "true"},
    "seats": {"aggregation": "weighted_sum", "weighted_mode": "change", "carry_over": "true"},
}
#: plan: meter, pricing model, bands.
PLANS = {
    "volume": ("units", "volume", [{"up_to": "40", "unit_price": "2"}, {"unit_price": "1"}]),
    "tiered": ("units", "tiered", [{"up_to": "40", "unit_price": "2"}, {"unit_price": "1"}]),
    "package": ("units", "package", [{"unit_price": "8", "package_size": "7"}]),
    "peaks": ("peak", "per_unit", [{"unit_price": "3"}]),
    "lasts": ("last", "per_unit", [{"unit_price": "3"}]),
    "people": ("users", "stairstep", [{"up_to": "3", "flat_fee": "10"}, {"flat_fee": "5"}]),
    "latency": ("p90", "per_unit", [{"unit_price": "0.7"}]),
    "storage": ("level", "per_unit", [{"unit_price": "1.5"}]),
    "staff": ("seats", "per_unit", [{"unit_price": "1.5"}]),
    "limited": ("units", "per_unit", [{"unit_price": "1"}]),
    "rolling": ("units", "per_unit", [{"unit_price": "0.5"}]),
    "pooled": ("units", "per_unit", [{"unit_price": "0.5"}]),
    "committed": ("units", "per_unit", [{"unit_price": "1"}]),
    "discounted": ("units", "per_unit", [{"unit_price": "1"}]),
    "yearly": ("units", "per_unit", [{"unit_price": "1"}]),
    "ending": ("units", "per_unit", [{"unit_price": "1"}]),
    "patient": ("units", "per_unit", [{"unit_price": "1"}]),
    "sparse": ("units", "per_unit", [{"unit_price": "1"}]),
    "recut": ("units", "per_unit", [{"unit_price": "1"}]),
}
SUBSCRIPTIONS = {
    **{plan: (plan, "2026-01-01", "") for plan in PLANS},
    "pooled 2": ("pooled", "2026-01-01", ""),
    "yearly": ("yearly", "2025-02-01", ""),
    "ending": ("ending", "2026-01-01", "2026-02-11"),
    "recut": ("recut", "2025-12-05", ""),
    "recut 2": ("recut", "2025-12-05", ""),
}
#: Quarters that begin anew: (subscription, from when, recorded when, whether it is taken back).
RECUTS = (
    ("recut", "2026-04-10", "2026-04-10T12:00:00Z", ""),
    ("recut 2", "2026-04-15", "2026-03-12T12:00:00Z", ""),
    ("recut 2", "2026-04-15", "2026-04-06T12:00:00Z", "true"),
)


def _catalog() -> dict[str, list[dict]]:
    rows: dict[str, list[dict]] = {}

    def add(file: str, **values: object) -> None:
        rows.setdefault(file, []).append(catalog_row(file, **values))

    add("products", product_id="p", name="p", product_type="saas")
    for name, columns in METERS.items():
        add("meters", meter=name, version="1", event_name=name, property="n", **columns)
    for plan, (meter, model, bands) in PLANS.items():
        cycle = {"yearly": "year", "recut": "quarter"}.get(plan)
        add(
            "plans",
            **{"plan_id": plan, "product_id": "p", "name": plan},
            **{"cycle": cycle or "month", "alignment": "anniversary" if cycle else "calendar"},
            # It takes what comes in within 25 days after its cutoff.
            correction_days="25" if plan == "patient" else "",
        )
        charges = {
            "fee": {"charge_type": "recurring", "timing": "advance"},
            "usage": {
                "charge_type": "usage",
                "meter": meter,
                "meter_version": "1",
                "pricing_model": model,
            },
        }
        for position, (charge_id, columns) in enumerate(charges.items(), start=1):
            if charge_id == "fee" and plan not in ("discounted", "committed"):
                continue
            add(
                "charges",
                **{"plan_id": plan, "charge_id": charge_id, "position": position, "name": "x"},
                **columns,
            )
            for band in [{"unit_price": "20"}] if charge_id == "fee" else bands:
                add(
                    "prices",
                    **{"plan_id": plan, "charge_id": charge_id, "currency": "USD", "position": 1},
                    **band,
                )
    limits = {"plan_id": "limited", "charge_id": "usage", "currency": "USD"}
    add("charge_limits", **limits, minimum="30", maximum="90")
    add(
        "allowances",
        **{"plan_id": "rolling", "allowance_id": "rolling", "charge_ids": "usage"},
        **{"quantity": "50", "rollover_periods": "2", "rollover_cap": "60"},
    )
    add(
        "allowances",
        **{"plan_id": "pooled", "allowance_id": "pooled", "charge_ids": "usage"},
        **{"quantity": "30", "pooled": "true"},
    )
    add(
        "commitments",
        **{"commitment_id": "quarter", "name": "quarter", "plan_id": "committed"},
        **{"currency": "USD", "amount": "260", "window_cycles": "3", "overage_factor": "1.5"},
    )
    discount = {"plan_id": "discounted", "currency": "USD", "name": "d"}
    add("discounts", **discount, discount_id="gift", level="invoice", total_amount="90")
    off = {"discount_id": "off", "level": "product", "product_id": "p", "amount": "7.01"}
    add("discounts", **discount, **off, position="2")
    for name, (plan, starts_at, ends_at) in SUBSCRIPTIONS.items():
        # Members of a pool are one customer's.
        customer = f"c {plan}"
        if not any(row["customer_id"] == customer for row in rows.get("customers", [])):
            add(
                "customers",
                **{"customer_id": customer, "name": plan, "currency": "USD"},
                **{"time_zone": "America/New_York", "billing_entity": "house"},
            )
        add(
            "subscriptions",
            **{"subscription_id": name, "customer_id": customer, "plan_id": plan},
            **{"starts_at": starts_at, "ends_at": ends_at},
        )
    for name, changes_at, recorded_at, withdrawn in RECUTS:
        add(
            "subscription_changes",
            **{"subscription_id": name, "change": "plan", "plan_id": "recut"},
            **{"changes_at": changes_at, "anchor_date": changes_at},
            **{"recorded_at": recorded_at, "withdrawn": withdrawn},
        )
    return rows


def _usage() -> list[tuple[str, datetime, datetime, int, datetime | None]]:
    """(subscription, when it happened, when it was loaded, value, when it was voided)."""
    dice = random.Random(20260101)
    found = []
    for name in SUBSCRIPTIONS:
        if name in ("sparse", "recut", "recut 2"):
            continue
        last = 40 if name == "ending" else 88
        for _ in range(26):
            occurred = datetime(2026, 1, 2) + timedelta(
                days=dice.randrange(last), minutes=dice.randrange(1440)
            )
            delay = dice.choice([0, 0, 1, 1, 3, 20, 45, 70]) * timedelta(days=1)
            loaded = occurred + timedelta(minutes=dice.randrange(1, 300)) + delay
            # All is known a month before the last close.
            loaded = min(loaded, datetime(2026, 5, 20) + timedelta(minutes=dice.randrange(600)))
            voided = None
            if dice.random() < 0.25:
                voided = min(loaded + timedelta(days=dice.randrange(60)), datetime(2026, 5, 21))
            found.append((name, occurred, loaded, dice.randrange(1, 30), voided))
    # A period without a document of its own, which two closes correct.
    for day, loaded in ((5, datetime(2026, 2, 10)), (9, datetime(2026, 3, 20))):
        found.append(("sparse", datetime(2026, 1, day, 12), loaded, day, None))
    for name in ("recut", "recut 2"):
        found.append((name, datetime(2026, 3, 4, 12), datetime(2026, 3, 20), 6, None))
    return found


def _rows(is_on_time: bool = False) -> list[dict]:
    """Raw rows; on time, each is loaded when it happened, and what is voided never was."""
    rows = []

    def deliver(loaded: datetime, name: str, **values: str) -> None:
        row = dict.fromkeys(RAW_COLUMNS)
        row |= {
            "load_id": f"{len(rows):032x}",
            "line_number": 1,
            "loaded_at": loaded.replace(second=0),
            "customer_id": f"c {SUBSCRIPTIONS[name][0]}",
        }
        rows.append(row | values)

    for number, (name, occurred, loaded, value, voided) in enumerate(_usage()):
        if is_on_time and voided is not None:
            continue
        deliver(
            occurred if is_on_time else loaded,
            name,
            event_name=PLANS[SUBSCRIPTIONS[name][0]][0],
            occurred_at=occurred.strftime("%Y-%m-%dT%H:%M:%SZ"),
            event_key=f"k{number}",
            subscription_id=name,
            properties=json.dumps({"n": value}),
        )
        if voided is not None:
            deliver(voided, name, voids_key=f"k{number}")
    return rows


@pytest.fixture(scope="module")
def stepped(corrected_twins):
    """Built in steps on DuckDB, in one range on PostgreSQL."""
    return corrected_twins


def test_one_range_on_postgres_closes_as_steps_do_on_duckdb(stepped):
    for table in LEDGER:
        assert stepped["duckdb"].export(table) == stepped["postgres"].export(table), table


def test_every_line_is_the_oracle_s(stepped):
    made = bill(_catalog(), _rows(), THROUGH)
    expected = [
        (
            line.line_id,
            line.kind,
            line.adjusts or None,
            line.quantity,
            line.event_count,
            line.discount_total,
            line.line_total,
        )
        for line in made.lines
    ]
    found = [
        (*row[:3], None if row[3] is None else format(row[3], "f"), row[4], *map(str, row[5:]))
        for row in stepped["duckdb"].query(
            "select line_id, line_kind, adjusts_invoice_id, quantity, event_count, discount_total,"
            " line_total from marts.invoice_lines"
        )
    ]
    assert sorted(found, key=repr) == sorted(expected, key=repr)
    numbers = {invoice.invoice_id: invoice.invoice_number for invoice in made.invoices}
    query = "select invoice_id, invoice_number from marts.invoices"
    assert dict(stepped["duckdb"].query(query)) == numbers


def test_what_is_posted_of_a_period_is_what_it_comes_to(stepped, house):
    """Usage that all comes in time, and never the voided, makes invoices of the same totals."""
    on_time = house("duckdb", _catalog(), _rows(is_on_time=True))
    on_time.build_untested("--through", str(THROUGH))
    lines = on_time.query(
        "select invoice_id, charge_id, line_kind, sum(line_total) from marts.invoice_lines"
        " where subscription_id <> 'patient' group by 1, 2, 3 having sum(line_total) <> 0"
    )
    posted = stepped["duckdb"].query(
        "select coalesce(adjusts_invoice_id, invoice_id), charge_id, line_kind, sum(line_total)"
        " from marts.invoice_lines where subscription_id <> 'patient'"
        " group by 1, 2, 3 having sum(line_total) <> 0"
    )
    assert sorted(posted) == sorted(lines)
    assert len(lines) > 60


@ENGINES
def test_a_period_without_a_document_is_corrected_once_for_each_change(stepped, engine):
    posted = stepped[engine].query(
        "select invoice_id, quantity, line_total from ledger.lines"
        " where subscription_id = 'sparse' order by cutoff_at"
    )
    assert [(name, int(quantity), int(total)) for name, quantity, total in posted] == [
        ("sparse@2026-03-01", 5, 5),
        ("sparse@2026-04-01", 9, 9),
    ]


def test_the_story_has_every_kind_of_document(stepped):
    kinds = stepped["duckdb"].query(
        "select document_kind, count(*) from marts.invoices where status = 'final' group by 1"
    )
    assert {kind for kind, _ in kinds} == {"invoice", "adjustment", "credit_note"}
    ((corrections, down, charges),) = stepped["duckdb"].query(
        "select count(*), count(case when line_total < 0 then 1 end), count(distinct customer_id)"
        " from marts.invoice_lines where adjusts_invoice_id is not null"
    )
    assert corrections > 60
    assert down > 10
    assert charges >= len(PLANS) - 2


@ENGINES
def test_late_usage_is_unbilled_only_where_a_plan_says_so(stepped, engine):
    found = stepped[engine].query(
        "select load_id, line_number, reason from marts.unbilled_usage where subscription_id = ?",
        ["patient"],
    )
    made = bill(_catalog(), _rows(), THROUGH)
    assert {reason for *_, reason in made.unbilled} == {"too_late"}
    assert sorted(found) == made.unbilled
    assert stepped[engine].query("select count(*) from marts.unbilled_usage") == [(len(found),)]


def test_a_correction_names_its_line_and_period(stepped):
    rows = stepped["duckdb"].query(
        "select line.line_id, line.period_from, own.period_from, line.charge_id, own.charge_id,"
        " line.adjusts_invoice_id, own.invoice_id"
        " from ledger.lines as line inner join ledger.lines as own"
        " on line.adjusts_line_id = own.line_id"
    )
    assert len(rows) > 40
    for _, period, own_period, charge, own_charge, adjusted, own_invoice in rows:
        assert (period, charge, adjusted) == (own_period, own_charge, own_invoice)


def test_what_is_far_is_collected_by_month(stepped):
    """The yearly plan's next invoice is over a month off, the ended one has none."""
    found = stepped["duckdb"].query(
        "select invoice_id, cutoff_at, document_kind, period_number, invoice_date"
        " from marts.invoices where subscription_id in ('yearly', 'ending')"
        " and invoice_id like '%.adjustments' order by 1"
    )
    assert len(found) >= 3
    for invoice_id, cutoff_at, kind, number, day in found:
        assert cutoff_at.day == 1
        assert invoice_id.endswith(f"@{cutoff_at:%Y-%m-%d}.adjustments")
        assert (kind in ("adjustment", "credit_note"), number, day) == (
            True,
            None,
            cutoff_at.date(),
        )


@ENGINES
def test_how_far_the_next_invoice_is_counts_as_known_on_the_first(stepped, engine):
    """On 1 April one is not announced yet; another is, and is waited for until it is called off."""
    found = stepped[engine].query(
        "select invoice_id, line_total from ledger.lines"
        " where subscription_id in ('recut', 'recut 2') order by 1"
    )
    assert [(invoice_id, int(total)) for invoice_id, total in found] == [
        ("recut 2@2026-05-01.adjustments", 6),
        ("recut@2026-04-01.adjustments", 6),
    ]


def test_totals_are_those_of_the_lines(stepped):
    ((difference,),) = stepped["duckdb"].query(
        "select sum(invoice_total) - (select sum(line_total) from ledger.lines)"
        " from ledger.documents"
    )
    assert difference == Decimal(0)
    assert stepped["duckdb"].run("verify").returncode == 0


def test_a_correction_is_shown_and_traced(stepped):
    """Its document says what it corrects; its trace what the period comes to as known then."""
    house = stepped["duckdb"]
    ((invoice_id, line_id, adjusted, rated_line_id),) = house.query(
        "select invoice_id, line_id, adjusts_invoice_id, rated_line_id from ledger.lines"
        " where charge_id = 'usage' and subscription_id = 'volume' and event_count > 0"
        " and adjusts_line_id is not null order by 1, 2 limit 1"
    )
    shown = house.run("invoice", invoice_id, with_catalog=False)
    assert shown.returncode == 0, shown.stderr
    assert f"corrects {adjusted}" in " ".join(shown.stdout.split())
    traced = house.run("explain", line_id, "--format", "json", with_catalog=False)
    assert traced.returncode == 0, traced.stderr
    explained = json.loads(traced.stdout)
    ((quantity, event_count),) = house.query(
        "select quantity, event_count from marts.rated_lines where rated_line_id = ?",
        [rated_line_id],
    )
    assert explained["after"]["event_count"] == event_count
    assert Decimal(explained["after"]["quantity"]) == quantity
    moved = explained["line"]
    assert explained["event_count"] == moved["event_count"]
    late = sum(Decimal(day["quantity_sum"]) for day in explained["days"])
    assert late == Decimal(moved["quantity"])
    assert explained["steps"]
