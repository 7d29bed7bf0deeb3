"""Ten days of prepaid credits, worked out by hand: the marts, `tally balance`, `tally invoice`.

A call costs 1.00, the plan 10.00 a month in arrears. Of 10 January the house does not know yet
whether it is over: its draws are provisional.
"""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest

from tests.conftest import ENGINES
from tests.houses import House

BEGIN = "2026-01-01T00:00:00Z"
#: Calls by day of January on which they were loaded; the one of the 2nd is late, of the 1st.
CALLS = {1: 3, 2: 1, 5: 12, 7: 3, 9: 5, 10: 2}
LATE = {2: 1}
SEALED, OPEN = "2026-01-09", "2026-01-10"
GRANT = {"customer_id": "acme", "currency": "USD", "kind": "paid", "effective_at": BEGIN}


def catalog() -> dict[str, list[dict[str, str]]]:
    row = {"plan_id": "plan", "charge_id": "fee"}
    calls = {"plan_id": "plan", "charge_id": "calls"}
    return {
        "customers": [
            {"customer_id": "acme", "name": "Acme", "currency": "USD", "time_zone": "UTC",
             "billing_entity": "US"},
            {"customer_id": "bolt", "name": "Bolt", "currency": "USD", "time_zone": "UTC",
             "billing_entity": "US"},
        ],
        "products": [{"product_id": "api", "name": "API"}],
        "plans": [
            {"plan_id": "plan", "product_id": "api", "name": "Plan", "cycle": "month",
             "alignment": "calendar"},
        ],
        "meters": [
            {"meter": "calls", "version": "1", "event_name": "calls", "aggregation": "sum",
             "property": "units"},
        ],
        "charges": [
            {**row, "position": "1", "name": "Fee", "charge_type": "recurring",
             "timing": "arrears"},
            {**calls, "position": "2", "name": "Calls", "charge_type": "usage", "meter": "calls",
             "pricing_model": "per_unit"},
        ],
        "prices": [
            {**row, "currency": "USD", "unit_price": "10"},
            {**calls, "currency": "USD", "unit_price": "1"},
        ],
        "subscriptions": [
            {"subscription_id": "sub", "customer_id": "acme", "plan_id": "plan",
             "starts_at": "2026-01-01"},
            # What closes first: before a document has, no day is sealed.
            {"subscription_id": "old", "customer_id": "bolt", "plan_id": "plan",
             "starts_at": "2025-12-01", "ends_at": "2026-01-01"},
        ],
        "credit_grants": [
            {**GRANT, "grant_id": "bought", "name": "Bought", "amount": "20", "cost_basis": "18"},
            {**GRANT, "grant_id": "trial", "name": "Trial", "amount": "5", "wallet": "promo",
             "kind": "promotional", "expires_at": "2026-01-04T00:00:00Z"},
            {**GRANT, "grant_id": "refill", "name": "Refill", "amount": "30",
             "effective_at": "2026-01-08T00:00:00Z"},
            {**GRANT, "grant_id": "later", "name": "Later", "amount": "30",
             "effective_at": "2026-02-01T00:00:00Z"},
        ],
        "credit_top_ups": [
            {"top_up_id": "t", "customer_id": "acme", "currency": "USD", "threshold": "10",
             "amount": "30"},
        ],
        "alerts": [
            {"alert_id": "low", "name": "Low", "customer_id": "acme", "kind": "credits",
             "threshold": "0.3"},
        ],
    }  # fmt: skip


def rows():
    for day, count in CALLS.items():
        yield {
            "load_id": f"l{day}",
            "line_number": 1,
            "loaded_at": datetime(2026, 1, day, 12),
            "customer_id": "acme",
            "event_name": "calls",
            "occurred_at": f"2026-01-{LATE.get(day, day):02d}T11:00:00Z",
            "event_key": f"k{day}",
            "properties": json.dumps({"units": count}),
        }


@pytest.fixture(scope="module")
def houses(twins) -> dict[str, House]:
    def build(house: House) -> None:
        house.build_untested("--through", SEALED)
        done = house.dbt("build", "--vars", json.dumps({"through_day": OPEN, "open_day": OPEN}))
        assert done.returncode == 0, done.stdout[-3000:]

    return twins(catalog(), rows(), build)


@pytest.fixture(params=ENGINES)
def built(request, houses) -> House:
    return houses[request.param]


def january(day: int) -> date:
    return date(2026, 1, day)


def test_each_grant_has_what_became_of_it(built: House):
    made = built.query(
        "select grant_id, grant_status, granted_total, drawn_total, expired_total, balance_total,"
        " is_provisional from marts.credit_grant_balances order by draw_rank"
    )
    assert made == [
        ("trial", "expired", 5, 4, 1, 0, False),
        ("bought", "used_up", 20, 20, 0, 0, False),
        ("refill", "live", 30, 2, 0, 28, True),
        ("later", "scheduled", 0, 0, 0, 0, False),
    ]


def test_late_usage_of_the_first_day_adds_to_it(built: House):
    """Nothing that was drawn for the day is given back."""
    made = built.query(
        "select posted_date, entry_kind, grant_id, amount, usage_date"
        " from marts.credit_ledger_entries where posted_date <= '2026-01-02'"
        " and entry_kind in ('draw', 'give_back') order by posted_date"
    )
    assert made == [
        (january(1), "draw", "trial", -3, january(1)),
        (january(2), "draw", "trial", -1, january(1)),
    ]


def test_the_alert_is_raised_where_the_share_falls(built: House):
    """8 of 20 on the 5th and 6th is above three tenths; 5 of 20 on the 7th is not."""
    made = built.query(
        "select crossed_on, share_left, balance_total, granted_total, is_provisional"
        " from marts.credit_alerts"
    )
    assert made == [(january(7), Decimal("0.25"), 5, 20, False)]


def test_the_top_up_is_due_where_the_balance_falls(built: House):
    made = built.query(
        "select top_up_id, due_date, balance_total, amount from marts.credit_top_ups_due"
    )
    assert made == [("t", january(5), 8, 30)]


def test_the_forecast_goes_by_what_was_drawn(built: House):
    """26 drawn in ten days, 28 left: ten days and a little."""
    made = built.query(
        "select balance_total, granted_total, share_left, pace_from_date, pace_days, drawn_total,"
        " days_left, runs_out_date, is_provisional from marts.credit_forecasts"
    )
    share = Decimal("0.9333333333")
    assert made == [(28, 30, share, january(1), 10, 26, 10, january(20), True)]


def shown(built: House, *words: str):
    done = built.run(*words, "--format", "json", with_catalog=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_balance_of_each_day(built: House):
    said = shown(built, "balance", "acme")
    (dollars,) = said["currencies"]
    assert (said["on_date"], dollars["balance_total"]) == (OPEN, "28.00")
    totals = ["22", "21", "20", "20", "8", "8", "5", "35", "30", "28"]
    assert dollars["days"] == [
        {
            "date": str(january(1) + timedelta(days=place)),
            "balance_total": f"{total}.00",
            "is_provisional": place == 9,
        }
        for place, total in enumerate(totals)
    ]
    assert dollars["forecast"]["days_left"] == 10


def test_the_balance_of_an_earlier_day(built: House):
    (dollars,) = shown(built, "balance", "acme", "--on", "2026-01-02")["currencies"]
    assert dollars["wallets"] == [
        {"wallet": "main", "balance_total": "20.00"},
        {"wallet": "promo", "balance_total": "1.00"},
    ]
    assert [grant["grant_id"] for grant in dollars["grants"]] == ["trial", "bought"]
    assert dollars["forecast"] is None


def test_a_customer_without_credits(built: House):
    done = built.run("balance", "bolt", with_catalog=False)
    assert done.stdout == f"Bolt (bolt) has no prepaid credits on {OPEN}\n"
    assert shown(built, "balance", "bolt")["currencies"] == []


def test_the_invoice_names_the_grants_that_pay_it(built: House):
    """The fee is in arrears: it draws when the month closes."""
    newest = shown(built, "invoice", "--customer", "acme")["newest"]
    assert newest["credits"] == [
        {"credit_number": number, "grant_id": grant, "grant_name": grant.title(),
         "credit_total": total, "currency": "USD", "unit": None, "unit_total": None}
        for number, (grant, total) in enumerate(
            [("trial", "4.00"), ("bought", "20.00"), ("refill", "2.00")], 1
        )
    ]  # fmt: skip
    assert (newest["invoice_total"], newest["credits_total"]) == ("36.00", "26.00")
    assert newest["amount_due_total"] == "10.00"
    done = built.run("invoice", "--customer", "acme", with_catalog=False)
    for line in ("credit Trial (trial): -4.00 USD", "credit Bought (bought): -20.00 USD",
                 "due: 10.00 USD"):  # fmt: skip
        assert line in done.stdout.splitlines()


def test_a_preview_has_the_credits_too(built: House):
    done = built.run("preview", "--customer", "acme", "--format", "json")
    assert done.returncode == 0, done.stderr
    drafts = json.loads(done.stdout)
    text = json.dumps(drafts)
    newest = shown(built, "invoice", "--customer", "acme")["newest"]
    assert json.dumps(newest["credits"]) in text
    assert '"amount_due_total": "10.00"' in text


def test_both_engines_have_the_same(houses):
    for mart in (
        "credit_grant_balances", "credit_alerts", "credit_top_ups_due", "credit_forecasts",
        "credit_balances_daily", "invoice_credits",
    ):  # fmt: skip
        exported = [each.export(f"marts.{mart}") for each in houses.values()]
        assert exported[0], mart
        assert exported[0] == exported[1], mart
