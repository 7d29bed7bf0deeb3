"""Rows of the catalogue that are recorded after periods closed that they hold for.

One story of a subscription for each kind of row, recorded weeks after it took effect: what is
posted of each original period in all is what it comes to had everything been known in time.
"""

import json
import random
from datetime import date, datetime, time, timedelta
from decimal import Decimal

import pytest

from tests.houses import write_catalog
from tests.oracle import bill
from tests.oracle.knowledge import knowledge_stops
from tests.strategies import RAW_COLUMNS, catalog_row

THROUGH = date(2026, 6, 5)
STEPS = ("2026-02-05", "2026-03-25", "2026-04-20", str(THROUGH))
LEDGER = ("ledger.documents", "ledger.lines", "ledger.closes", "ledger.sealed_days")
#: When the paperwork was done: after the closes of January and February, and of March.
FIRST, SECOND = "2026-03-20T10:00:00Z", "2026-04-14T15:30:00Z"
#: After the pool's close of April.
THIRD = "2026-04-25T09:00:00Z"

#: plan: the usage charge's bands; each has a fee in advance of 31.00 and one in arrears of 10.00.
PLANS = {
    "small": [{"up_to": "40", "unit_price": "2"}, {"unit_price": "1"}],
    "large": [{"unit_price": "0.5"}],
    "old": [{"unit_price": "3"}],
    "new": [{"unit_price": "4"}],
    "priced": [{"unit_price": "1"}],
    "pinned": [{"unit_price": "1"}],
    "committed": [{"unit_price": "1"}],
    "rolling": [{"unit_price": "1"}],
    "gifted": [{"unit_price": "1"}],
    "lowered": [{"unit_price": "1"}],
    "pooled": [{"unit_price": "1"}],
    "floored": [{"unit_price": "1"}],
}
#: subscription: plan, and its changes: (kind, when, when recorded, more).
STORY: dict[str, tuple[str, list[tuple[str, str, str, dict[str, str]]]]] = {
    "upgraded": ("small", [("plan", "2026-02-10T10:07:00Z", FIRST, {"plan_id": "large"})]),
    "upgraded early": ("small", [("plan", "2026-01-20", SECOND, {"plan_id": "large"})]),
    "back": (
        "small",
        [
            ("plan", "2026-02-10", "2026-02-09T08:00:00Z", {"plan_id": "large"}),
            (
                "plan",
                "2026-02-10",
                FIRST,
                {"plan_id": "large", "withdrawn": "true"},
            ),
        ],
    ),
    "seats": (
        "small",
        [
            (
                "quantity",
                "2026-01-05",
                "2026-01-04T08:00:00Z",
                {"charge_id": "fee", "quantity": "5"},
            ),
            ("quantity", "2026-01-20", FIRST, {"charge_id": "fee", "quantity": "8"}),
            ("quantity", "2026-02-08", SECOND, {"charge_id": "late fee", "quantity": "3"}),
        ],
    ),
    "paused": (
        "small",
        [("pause", "2026-01-10", FIRST, {}), ("resume", "2026-02-05T12:00:00Z", FIRST, {})],
    ),
    "not paused": (
        "small",
        [
            ("pause", "2026-02-10", "2026-02-09T08:00:00Z", {}),
            ("resume", "2026-02-20", "2026-02-19T08:00:00Z", {}),
            ("pause", "2026-02-10", SECOND, {"withdrawn": "true"}),
        ],
    ),
    "ended": ("small", [("end", "2026-02-10T10:07:00Z", FIRST, {})]),
    "ended early": ("small", [("end", "2026-01-16", SECOND, {})]),
    # A month that ends early has its whole minimum, be it known late.
    "ended floored": ("floored", [("end", "2026-02-10T10:07:00Z", FIRST, {})]),
    "moved": ("old", []),
    "priced": ("priced", []),
    "pinned": ("pinned", []),
    "committed": ("committed", [("plan", "2026-02-10", FIRST, {"plan_id": "large"})]),
    "rolling": (
        "rolling",
        [("pause", "2026-01-10", FIRST, {}), ("resume", "2026-01-12", FIRST, {})],
    ),
    "gifted": (
        "gifted",
        [("quantity", "2026-01-20", FIRST, {"charge_id": "fee", "quantity": "2"})],
    ),
    "quiet": ("small", []),
    "lowered": (
        "lowered",
        [
            ("pause", "2026-02-10", "2026-02-11T08:00:00Z", {}),
            ("resume", "2026-03-01", "2026-02-12T08:00:00Z", {}),
        ],
    ),
    # It shares an allowance with the next: when it has ended, the other's closes are its own.
    "leaving": (
        "pooled",
        [
            ("end", "2026-03-15", "2026-03-01T08:00:00Z", {}),
            ("pause", "2026-01-20", SECOND, {}),
            ("resume", "2026-01-30", SECOND, {}),
        ],
    ),
    "staying": ("pooled", []),
}
POOLED = ("leaving", "staying")
#: Subscriptions whose fees a late row leaves otherwise than one in time: what a gift paid of one is
#: spent, and a credit is not made anew when its fee's price changes.
OTHERWISE = "('gifted', 'lowered', 'leaving')"


def _customer(subscription: str) -> str:
    return f"c {POOLED[0] if subscription in POOLED else subscription}"


def _catalog(is_on_time: bool = False) -> dict[str, list[dict]]:
    rows: dict[str, list[dict]] = {}

    def add(file: str, **values: object) -> None:
        if is_on_time:
            values.pop("recorded_at", None)
        rows.setdefault(file, []).append(catalog_row(file, **values))

    add("plans", plan_id="yearly", product_id="p", name="y", cycle="year", alignment="calendar")
    add("plans", plan_id="own", product_id="p", name="o", cycle="month", alignment="anniversary")
    for plan in ("chain 1", "chain 2", "chain 3"):
        add("plans", plan_id=plan, product_id="p", name=plan, cycle="month", alignment="calendar")
    add("products", product_id="p", name="p", product_type="saas")
    add("meters", meter="units", version="1", event_name="units", property="n", aggregation="sum")
    for plan, bands in PLANS.items():
        alignment = "anniversary" if plan == "pooled" else "calendar"
        add("plans", plan_id=plan, product_id="p", name=plan, cycle="month", alignment=alignment)
        for position, (charge_id, columns) in enumerate(
            {
                "fee": {"charge_type": "recurring", "timing": "advance"},
                "late fee": {"charge_type": "recurring", "timing": "arrears"},
                "usage": {
                    "charge_type": "usage",
                    "meter": "units",
                    "meter_version": "1",
                    "pricing_model": "tiered",
                },
            }.items(),
            start=1,
        ):
            charge = {"plan_id": plan, "charge_id": charge_id}
            add("charges", **charge, position=position, name=charge_id, **columns)
            fee = {"fee": "31", "late fee": "10"}.get(charge_id)
            if plan == "large" and fee:
                fee = str(int(fee) * 2)
            for band in [{"unit_price": fee}] if fee else bands:
                add("prices", **charge, currency="USD", position=1, **band)
    late = {"charge_id": "usage", "currency": "USD", "unit_price": "0.25"}
    add(
        "prices",
        **{"plan_id": "priced", "valid_from": "2026-01-01"},
        **{"recorded_at": FIRST, "applies_to": "closed"},
        **late,
    )
    add("prices", plan_id="pinned", valid_from="2025-12-01", recorded_at=SECOND, **late)
    # Known in time, only one of two prices of a day can stand.
    lowered = {"28": SECOND} if is_on_time else {"10": FIRST, "28": SECOND}
    for price, recorded_at in lowered.items():
        add(
            "prices",
            **{"plan_id": "lowered", "charge_id": "fee", "currency": "USD", "unit_price": price},
            **{"valid_from": "2026-01-01", "recorded_at": recorded_at, "applies_to": "closed"},
        )
    add(
        "prices",
        **{"plan_id": "pooled", "charge_id": "fee", "currency": "USD", "unit_price": "10"},
        **{"valid_from": "2026-01-15", "recorded_at": THIRD, "applies_to": "closed"},
    )
    add(
        "plan_migrations",
        **{"from_plan_id": "old", "to_plan_id": "new", "migrates_at": "2026-02-10"},
        recorded_at=FIRST,
    )
    # Two in a row of plans that nobody is on: they cut nobody's fees.
    for step, at in enumerate(("2026-05-20", "2026-06-01"), start=1):
        plans = {"from_plan_id": f"chain {step}", "to_plan_id": f"chain {step + 1}"}
        add("plan_migrations", **plans, migrates_at=at, recorded_at="2025-12-01T00:00:00Z")
    add(
        "commitments",
        **{"commitment_id": "quarter", "name": "quarter", "plan_id": "committed"},
        **{"currency": "USD", "amount": "900", "window_cycles": "3"},
    )
    add(
        "allowances",
        **{"plan_id": "rolling", "allowance_id": "rolling", "charge_ids": "usage"},
        **{"quantity": "150", "rollover_periods": "2"},
    )
    floor = {"plan_id": "floored", "charge_id": "usage", "currency": "USD"}
    add("charge_limits", **floor, minimum="500")
    add(
        "allowances",
        **{"plan_id": "pooled", "allowance_id": "pooled", "charge_ids": "usage"},
        **{"quantity": "100", "pooled": "true"},
    )
    add(
        "discounts",
        **{"plan_id": "gifted", "discount_id": "gift", "name": "gift", "level": "invoice"},
        **{"currency": "USD", "total_amount": "700"},
    )
    for name, (plan, changes) in STORY.items():
        if name != "staying":
            add(
                "customers",
                **{"customer_id": _customer(name), "name": name, "currency": "USD"},
                **{"time_zone": "America/New_York", "billing_entity": "house"},
            )
        add(
            "subscriptions",
            **{"subscription_id": name, "customer_id": _customer(name), "plan_id": plan},
            starts_at="2026-01-15" if name in POOLED else "2026-01-01",
            prices_as_of="2025-12-15" if plan == "pinned" else "",
        )
        for kind, at, recorded_at, more in changes:
            if is_on_time and any(
                later[:2] == (kind, at) and later[3].get("withdrawn") for later in changes
            ):
                continue
            add(
                "subscription_changes",
                **{"subscription_id": name, "change": kind, "changes_at": at},
                **{"recorded_at": recorded_at} | more,
            )
    return rows


def _rows() -> list[dict]:
    dice = random.Random(20260320)
    rows = []
    for name in STORY:
        for number in range(30):
            occurred = datetime(2026, 1, 2) + timedelta(
                days=dice.randrange(115), minutes=dice.randrange(1440)
            )
            # Some of it is late itself.
            loaded = occurred + timedelta(hours=1, days=dice.choice([0, 0, 0, 0, 0, 25]))
            row = dict.fromkeys(RAW_COLUMNS)
            row |= {
                "load_id": f"{len(rows):032x}",
                "line_number": 1,
                "loaded_at": loaded,
                "customer_id": _customer(name),
                "subscription_id": name if name in POOLED else None,
                "event_name": "units",
                "occurred_at": occurred.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "event_key": f"{name} {number}" if name in POOLED else f"k{number}",
                "properties": json.dumps({"n": dice.randrange(1, 30)}),
            }
            rows.append(row)
    return rows


@pytest.fixture(scope="module")
def stepped(twins):
    """Built in steps on DuckDB; on PostgreSQL in one command, which stops by itself where the
    catalogue changed late."""

    def build(house):
        house.build_days(*(STEPS if house.engine == "duckdb" else STEPS[-1:]))

    return twins(_catalog(), _rows(), build)


def test_one_range_on_postgres_closes_as_steps_do_on_duckdb(stepped):
    for table in LEDGER:
        assert stepped["duckdb"].export(table) == stepped["postgres"].export(table), table


def test_a_range_stops_where_the_catalogue_changed_late_and_nowhere_else(stepped):
    closed = stepped["postgres"].query(
        "select close_at from builds.rating_runs where has_succeeded order by close_at"
    )
    end = datetime.combine(THROUGH, time()) + timedelta(days=1)
    first_day = min(row["loaded_at"] for row in _rows()).date()
    stops = knowledge_stops(_catalog(), first_day, end)
    assert [at.replace(tzinfo=None) for (at,) in closed] == [*stops, end]


def test_every_line_is_the_oracle_s(stepped):
    made = bill(_catalog(), _rows(), THROUGH)
    expected = {
        (line.line_id, line.kind, line.charge_id, line.adjusts or None, line.line_total)
        for line in made.lines
    }
    found = {
        (*row[:4], str(row[4]))
        for row in stepped["duckdb"].query(
            "select line_id, line_kind, charge_id, adjusts_invoice_id, line_total"
            " from marts.invoice_lines"
        )
    }
    assert sorted(found - expected, key=repr) == []
    assert sorted(expected - found, key=repr) == []
    unbilled = stepped["duckdb"].query(
        "select load_id, line_number, reason from marts.unbilled_usage"
    )
    assert sorted(unbilled) == made.unbilled


def test_what_is_posted_of_a_period_is_what_it_comes_to(stepped, house):
    """A catalogue that was known in time makes the same totals in all (fees: of a subscription).

    The closed period that an end came too late for keeps its bounds: it has another id.
    """
    on_time = house("duckdb", _catalog(is_on_time=True), _rows())
    on_time.build_untested("--through", str(THROUGH))
    usage = (
        "select case when subscription_id like 'ended%' then subscription_id"
        " else coalesce(adjusts_invoice_id, invoice_id) end, charge_id, sum(line_total)"
        " from marts.invoice_lines where line_kind = 'usage' and subscription_id <> 'gifted'"
        " group by 1, 2 having sum(line_total) <> 0"
    )
    assert sorted(stepped["duckdb"].query(usage)) == sorted(on_time.query(usage))
    fees = (
        "select subscription_id, charge_id, sum(line_total) from marts.invoice_lines"
        f" where line_kind <> 'usage' and subscription_id not in {OTHERWISE} group by 1, 2"
        " having sum(line_total) <> 0"
    )
    found, wanted = (sorted(one.query(fees)) for one in (stepped["duckdb"], on_time))
    assert found == wanted


@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
def test_an_early_end_takes_back_what_was_billed_past_it(stepped, engine):
    """Ended on 10 February at 5:07 in New York, which became known on 20 March: of the fee of
    February 9 of 28 days stay, that of March goes back whole, and so does the usage.
    """
    lines = stepped[engine].query(
        "select charge_id, line_kind, period_from, sum(line_total) from marts.invoice_lines"
        " where subscription_id = 'ended' and charge_id <> 'usage'"
        " group by 1, 2, 3 order by 1, 2, 3"
    )
    paid: dict[str, Decimal] = {}
    for charge_id, _, _, total in lines:
        paid[charge_id] = paid.get(charge_id, Decimal(0)) + total
    # 31 for January, 31 x 9 / 28 = 9.96 for February; in arrears 10 and 10 x 9 / 28 = 3.21.
    assert paid == {"fee": Decimal("40.96"), "late fee": Decimal("13.21")}
    after = stepped[engine].query(
        "select count(*) from marts.unbilled_usage where reason = 'no_subscription'"
        " and customer_id = 'c ended'"
    )
    assert after[0][0] > 0


@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
def test_a_credit_is_never_more_than_its_bill(stepped, engine):
    """Of 31.00 for February 9 of 28 days were used: 31.00 - 9.96 = 21.04 went back. Then the price
    falls to 10.00, and 10.00 of them stay; at 28.00 it is 21.04 again.
    """
    lines = stepped[engine].query(
        "select cast(cutoff_at as date), line_kind, sum(line_total) from marts.invoice_lines"
        " where subscription_id = 'lowered' and charge_id = 'fee'"
        " and cast(period_from as date) in ('2026-02-01', '2026-02-10') group by 1, 2 order by 1, 2"
    )
    assert [(str(day)[5:], kind, str(total)) for day, kind, total in lines] == [
        ("02-03", "recurring", "31.0000"),
        ("03-03", "credit", "-21.0400"),
        ("04-03", "credit", "11.0400"),
        ("04-03", "recurring", "-21.0000"),
        ("05-03", "credit", "-11.0400"),
        ("05-03", "recurring", "18.0000"),
    ]


@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
def test_what_is_late_of_one_who_left_a_pool_is_posted_at_the_pool_s_close(stepped, engine):
    """A pause from 20 to 30 January, known on 14 April: of 31.00 for 31 days 26.00 go back, and the
    16 days after it are billed. Then the price falls to 10.00: the credit is never more than that.
    """
    lines = stepped[engine].query(
        "select cast(cutoff_at as date), line_kind, cast(period_from as date), sum(line_total)"
        " from marts.invoice_lines where subscription_id = 'leaving' and charge_id = 'fee'"
        " and period_from < timestamp '2026-02-01' group by 1, 2, 3 order by 1, 2, 3"
    )
    found = [(str(at)[5:], kind, str(day)[5:], str(total)) for at, kind, day, total in lines]
    assert found == [
        ("01-16", "recurring", "01-15", "31.0000"),
        ("04-17", "credit", "01-20", "-26.0000"),
        ("04-17", "recurring", "01-30", "16.0000"),
        ("05-01", "credit", "01-20", "16.0000"),
        ("05-01", "recurring", "01-15", "-21.0000"),
        ("05-01", "recurring", "01-30", "-10.8400"),
    ]


def test_a_quiet_subscription_has_no_correction_but_of_late_usage(stepped):
    found = stepped["duckdb"].query(
        "select distinct charge_id from marts.invoice_lines"
        " where subscription_id = 'quiet' and adjusts_invoice_id is not null"
    )
    assert found in ([], [("usage",)])


REFUSED = {
    "a yearly plan": (
        {"subscription_id": "quiet", "change": "plan", "plan_id": "yearly"},
        'changes_at: found "2026-03-10", expected 2026-06-01T04:00:00Z or later',
    ),
    "an anchor": (
        {
            "subscription_id": "quiet",
            "change": "plan",
            "plan_id": "own",
            "anchor_date": "2026-03-10",
        },
        'changes_at: found "2026-03-10", expected 2026-06-01T04:00:00Z or later',
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_late_row_moves_no_boundary(stepped, tmp_path, kind):
    """It is refused with its file and line, and nothing is built."""
    house = stepped["duckdb"]
    change, message = REFUSED[kind]
    rows = _catalog()
    late = {"changes_at": "2026-03-10", "recorded_at": "2026-06-06T10:00:00Z"}
    rows["subscription_changes"].append(catalog_row("subscription_changes", **late, **change))
    before = house.export("ledger.documents")
    folder = write_catalog(tmp_path / "catalog", rows)
    done = house.run("build", "--catalog", str(folder), with_catalog=False)
    assert done.returncode == 1
    line = len(rows["subscription_changes"]) + 1
    assert f"subscription_changes.csv:{line}: {message}" in done.stderr
    assert house.export("ledger.documents") == before


def test_an_end_is_not_taken_back_past_what_closed(stepped, tmp_path):
    house = stepped["duckdb"]
    rows = _catalog()
    end = next(row for row in rows["subscription_changes"] if row["subscription_id"] == "ended")
    rows["subscription_changes"].append(
        {**end, "withdrawn": "true", "recorded_at": "2026-06-06T10:00:00Z"}
    )
    folder = write_catalog(tmp_path / "catalog", rows)
    done = house.run("build", "--catalog", str(folder), with_catalog=False)
    assert done.returncode == 1
    expected = 'withdrawn: found "true", expected a change from 2026-03-01T05:00:00Z on'
    assert expected in done.stderr


def test_the_ledger_verifies(stepped):
    assert stepped["duckdb"].run("verify").returncode == 0
