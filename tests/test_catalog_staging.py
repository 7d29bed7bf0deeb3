"""What is typed in the CSVs is what the models read, on both engines alike."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from orchestration.catalog import check_catalog
from orchestration.catalog_files import COLUMNS

# Texts that some loader could take for a number, a date, a quote, a comment or code.
ODD_TEXTS = (
    "Robert'); drop table customers; --",
    "{{ 1 / 0 }} {% raw %} {# comment",
    '=HYPERLINK("http://x","y")',
    "@SUM(A1:A9), +1; -1|x",
    "emoji \N{ROCKET} and a \u2028 line separator",
    "'quoted'",
    '"',
    "'",
    "\\",
    "007",
    "1e5",
    "true",
    "2026-01-01",
    "# no comment",
)
HALF_PAST_TEN_IN_DELHI = "2026-01-05T10:00:00+05:30"


def odd_catalog() -> dict[str, list[dict[str, str]]]:
    """Customers with odd texts, and one plan, meter and subscription with defaults left blank."""
    customers = [
        {
            "customer_id": f"00{number}",
            "name": text,
            "currency": "USD",
            "time_zone": "UTC",
            "billing_entity": text,
            "recorded_at": ("", "2026-01-01T00:00:00.123456-03:00")[number % 2],
        }
        for number, text in enumerate(ODD_TEXTS)
    ]
    moved = {**customers[0], "valid_from": HALF_PAST_TEN_IN_DELHI}
    return {
        "customers": [*customers, moved, {**customers[1], "valid_from": "2026-01-06"}],
        "products": [{"product_id": "p", "name": "P"}],
        "plans": [
            {"plan_id": "a", "product_id": "p", "name": "A", "cycle": "30 days",
             "alignment": "anniversary"},
            {"plan_id": "b", "product_id": "p", "name": "B", "cycle": "quarter",
             "alignment": "calendar", "grace_days": "0"},
        ],
        "meters": [{"meter": "m", "version": "01", "event_name": "e", "aggregation": "count"}],
        "meter_filters": [],
        "charges": [
            {"plan_id": "a", "charge_id": "c", "position": "1", "name": "C", "meter": "m",
             "charge_type": "usage", "pricing_model": "percentage"},
        ],
        "charge_limits": [],
        "prices": [
            {"plan_id": "a", "charge_id": "c", "currency": "USD", "percent": "2.1234567891"},
        ],
        "subscriptions": [
            {"subscription_id": "s", "customer_id": "000", "plan_id": "a",
             "starts_at": "2026-01-05T23:30:00-03:00", "ends_at": "2026-03-01"},
        ],
        "subscription_changes": [
            {"subscription_id": "s", "changes_at": "2026-02-01T23:30:00-03:00", "change": "pause"},
            {"subscription_id": "s", "changes_at": "2026-02-03", "change": "resume",
             "withdrawn": "true", "recorded_at": HALF_PAST_TEN_IN_DELHI},
        ],
        "plan_migrations": [{"from_plan_id": "a", "to_plan_id": "b", "migrates_at": "2026-04-01"}],
        "allowances": [
            {"plan_id": "a", "allowance_id": "007", "charge_ids": "c", "quantity": "0.5"},
        ],
        "commitments": [
            {"commitment_id": "1", "name": ODD_TEXTS[1], "plan_id": "a", "currency": "USD",
             "amount": "10.5"},
        ],
        "discounts": [
            {"discount_id": "1", "name": ODD_TEXTS[0], "level": "line",
             "percent": "33.3333333333"},
        ],
        "entitlements": [{"product_id": "p", "feature": "1e5", "kind": "boolean"}],
        "alerts": [{"alert_id": "1", "kind": "spend", "threshold": "0.8"}],
        "credit_grants": [
            {"grant_id": "007", "name": ODD_TEXTS[0], "customer_id": "000", "kind": "paid",
             "currency": "USD", "amount": "0.5", "effective_at": HALF_PAST_TEN_IN_DELHI},
        ],
        "credit_actions": [
            {"action_id": "1", "action": "void", "grant_id": "007", "reason": ODD_TEXTS[1],
             "acts_at": HALF_PAST_TEN_IN_DELHI},
        ],
        "credit_top_ups": [
            {"top_up_id": "1e5", "customer_id": "000", "currency": "USD", "threshold": "0",
             "amount": "10.5", "recorded_at": HALF_PAST_TEN_IN_DELHI},
        ],
        "credit_units": [
            {"unit": "1e5 credits", "exponent": "4", "currency": "USD", "rate": "0.00000001",
             "recorded_at": HALF_PAST_TEN_IN_DELHI},
        ],
    }  # fmt: skip


@pytest.fixture(scope="module")
def staged(twins):
    def build(house) -> None:
        done = house.dbt(
            "build",
            "--select",
            "+path:models/staging/catalog",
            "--indirect-selection",
            "cautious",
        )
        assert done.returncode == 0, done.stdout[-2000:]

    return twins(odd_catalog(), [], build)


def test_the_odd_catalogue_has_no_fault(staged):
    assert check_catalog(staged["duckdb"].catalog) == []


@pytest.mark.parametrize("name", COLUMNS)
def test_both_engines_read_the_same(staged, name):
    table = f"staging.stg_catalog__{name}"
    assert staged["duckdb"].export(table) == staged["postgres"].export(table)


def test_texts_and_ids_arrive_as_they_are_written(staged):
    rows = staged["duckdb"].query(
        "select customer_id, name, billing_entity from staging.stg_catalog__customers"
    )
    assert set(rows) == {(f"00{n}", text, text) for n, text in enumerate(ODD_TEXTS)}


def test_an_offset_is_not_dropped(staged):
    """DuckDB's own cast of a text to a timestamp leaves the offset out without a word."""
    rows = staged["duckdb"].query(
        "select valid_from_date, valid_from_instant, recorded_at"
        " from staging.stg_catalog__customers where customer_id in ('000', '001')"
    )
    beginning = (date(1970, 1, 1), None)
    recorded_at = datetime(2026, 1, 1, 3, 0, 0, 123456)
    assert sorted(rows, key=str) == sorted(
        [
            (*beginning, datetime(1970, 1, 1)),
            (date(2026, 1, 5), datetime(2026, 1, 5, 4, 30), datetime(1970, 1, 1)),
            (*beginning, recorded_at),
            (date(2026, 1, 6), None, recorded_at),
        ],
        key=str,
    )
    (subscription,) = staged["duckdb"].query(
        "select starts_on_date, starts_at_instant, ends_on_date, ends_at_instant, currency"
        " from staging.stg_catalog__subscriptions"
    )
    assert subscription == (None, datetime(2026, 1, 6, 2, 30), date(2026, 3, 1), None, None)


def test_a_blank_is_its_default(staged):
    query = staged["postgres"].query
    assert query(
        "select plan_id, cycle_unit, cycle_length, grace_days"
        " from staging.stg_catalog__plans order by 1"
    ) == [("a", "day", 30, 1), ("b", "month", 3, 0)]
    assert query(
        "select timing, every_cycles, meter_profile, cast(allowance as text), flat_fee_at_zero"
        " from staging.stg_catalog__charges"
    ) == [("arrears", 1, "m@1", "0.0000000000", False)]
    assert query(
        "select dimension_values, position, up_to, cast(percent_fraction as text),"
        " cast(event_fee as text) from staging.stg_catalog__prices"
    ) == [("", 1, None, "0.021234567891", "0.000000000000")]
    assert query(
        "select meter_profile, cast(multiplier as text), rounding, carry_over"
        " from staging.stg_catalog__meters"
    ) == [("m@1", "1.000000000000", "none", False)]


def test_a_blank_term_is_its_default(staged):
    query = staged["postgres"].query
    assert query("select proration, split, price_at from staging.stg_catalog__charges") == [
        ("none", "share", "start")
    ]
    assert query(
        "select customer_id, contract_month, applies_to from staging.stg_catalog__prices"
    ) == [(None, 1, None)]
    assert query("select distinct trial_days from staging.stg_catalog__plans") == [(0,)]
    assert query(
        "select prices_as_of_date, trial_days from staging.stg_catalog__subscriptions"
    ) == [(None, None)]
    assert query(
        "select changes_on_date, changes_at_instant, is_withdrawn, recorded_at"
        " from staging.stg_catalog__subscription_changes order by change"
    ) == [
        (None, datetime(2026, 2, 2, 2, 30), False, datetime(1970, 1, 1)),
        (date(2026, 2, 3), None, True, datetime(2026, 1, 5, 4, 30)),
    ]
    assert query(
        "select migrates_on_date, migrates_at_instant from staging.stg_catalog__plan_migrations"
    ) == [(date(2026, 4, 1), None)]
    assert query(
        "select allowance_id, cast(quantity as text), proration, rollover_periods, rollover_cap,"
        " is_pooled from staging.stg_catalog__allowances"
    ) == [("007", "0.5000000000", "none", 0, None, False)]
    assert query(
        "select cast(amount as text), quantity, charge_ids, window_cycles, overage_factor"
        " from staging.stg_catalog__commitments"
    ) == [("10.5000", None, None, 1, None)]
    assert query(
        "select position, cast(percent_fraction as text), periods, valid_from_date, valid_to_date"
        " from staging.stg_catalog__discounts"
    ) == [(1, "0.333333333333", None, date(1970, 1, 1), None)]
    assert query(
        "select plan_id, feature, meter_profile, limit_quantity"
        " from staging.stg_catalog__entitlements"
    ) == [(None, "1e5", None, None)]
    assert query(
        "select charge_id, meter_profile, cast(threshold as text) from staging.stg_catalog__alerts"
    ) == [(None, None, "0.8000000000")]


def test_a_blank_of_a_credit_is_its_default(staged):
    query = staged["postgres"].query
    half_past_four = datetime(2026, 1, 5, 4, 30)
    assert query(
        "select grant_id, wallet, cast(amount as text), cost_basis, priority, scope, scope_id,"
        " effective_at, expires_at, every, recurs_until, rollover_cap, covers_true_up, recorded_at"
        " from staging.stg_catalog__credit_grants"
    ) == [
        ("007", "main", "0.5000", None, 100, "all", None, half_past_four, None, None, None, None,
         False, datetime(1970, 1, 1)),
    ]  # fmt: skip
    assert query(
        "select grant_id, to_grant_id, amount, acts_at, reason"
        " from staging.stg_catalog__credit_actions"
    ) == [("007", None, None, half_past_four, ODD_TEXTS[1])]
    assert query(
        "select top_up_id, cast(threshold as text), cast(amount as text), recorded_at"
        " from staging.stg_catalog__credit_top_ups"
    ) == [("1e5", "0.0000", "10.5000", half_past_four)]
    assert query(
        "select unit, exponent, currency, cast(rate as text), valid_from_date, recorded_at"
        " from staging.stg_catalog__credit_units"
    ) == [("1e5 credits", 4, "USD", "0.000000010000", date(1970, 1, 1), half_past_four)]
