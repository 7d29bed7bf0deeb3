"""The check of commercial terms: a sound catalogue with each of them, and each way to break it.

A case changes or adds one row and states every line that the check then says.
"""

from __future__ import annotations

import copy
import csv
from pathlib import Path

import pytest

from orchestration.catalog import check_catalog
from orchestration.catalog_files import COLUMNS, OPTIONAL_COLUMNS
from tests.houses import write_catalog

JANUARY = "2026-01-01"


def sound() -> dict[str, list[dict[str, str]]]:
    """Two products, three plans, and one row or more of every kind of term."""
    catalog: dict[str, list[dict[str, str]]] = {
        "customers": [
            {"customer_id": "acme", "name": "Acme", "currency": "USD",
             "time_zone": "America/New_York", "billing_entity": "US"},
            {"customer_id": "bolt", "name": "Bolt", "currency": "EUR",
             "time_zone": "Europe/Berlin", "billing_entity": "EU"},
        ],
        "products": [{"product_id": "api", "name": "API"}, {"product_id": "chat", "name": "Chat"}],
        "plans": [
            {"plan_id": "basic", "product_id": "api", "name": "Basic", "cycle": "month",
             "alignment": "anniversary", "trial_days": "14"},
            {"plan_id": "pro", "product_id": "api", "name": "Pro", "cycle": "month",
             "alignment": "anniversary"},
            {"plan_id": "yearly", "product_id": "chat", "name": "Yearly", "cycle": "year",
             "alignment": "calendar"},
        ],
        "meters": [
            {"meter": "calls", "version": "1", "event_name": "call", "aggregation": "count"},
            {"meter": "tokens", "version": "1", "event_name": "call", "aggregation": "sum",
             "property": "tokens"},
            {"meter": "peak", "version": "1", "event_name": "call", "aggregation": "max",
             "property": "load"},
        ],
        "charges": [],
        "prices": [],
        "subscriptions": [
            {"subscription_id": "s1", "customer_id": "acme", "plan_id": "basic",
             "starts_at": JANUARY, "prices_as_of": JANUARY, "trial_days": "0"},
            {"subscription_id": "s2", "customer_id": "acme", "plan_id": "pro",
             "starts_at": "2026-01-31T10:00:00Z", "anchor_date": "2026-02-01"},
            {"subscription_id": "s3", "customer_id": "bolt", "plan_id": "yearly",
             "starts_at": JANUARY},
        ],
        "subscription_changes": [
            {"subscription_id": "s1", "changes_at": "2026-02-17", "change": "plan",
             "plan_id": "pro", "anchor_date": "2026-03-01", "prices_as_of": JANUARY},
            {"subscription_id": "s1", "changes_at": "2025-12-01", "change": "quantity",
             "charge_id": "seats", "quantity": "12.5"},
            {"subscription_id": "s1", "changes_at": "2026-04-01", "change": "pause"},
            {"subscription_id": "s1", "changes_at": "2026-05-01", "change": "resume"},
            {"subscription_id": "s1", "changes_at": "2026-05-01", "change": "resume",
             "withdrawn": "true", "recorded_at": "2026-04-20T00:00:00Z"},
            {"subscription_id": "s3", "changes_at": "2026-07-01T00:00:00Z", "change": "end"},
        ],
        "plan_migrations": [
            {"from_plan_id": "basic", "to_plan_id": "pro", "migrates_at": "2026-06-01"},
        ],
        "allowances": [
            {"plan_id": "basic", "allowance_id": "units", "charge_ids": "calls|tokens",
             "quantity": "1000", "proration": "days", "rollover_periods": "3",
             "rollover_cap": "5000"},
            {"plan_id": "pro", "allowance_id": "team", "charge_ids": "calls", "quantity": "99",
             "pooled": "true"},
        ],
        "commitments": [
            {"commitment_id": "year", "name": "Annual commitment", "plan_id": "pro",
             "currency": "USD", "amount": "12000.50", "charge_ids": "calls|tokens",
             "window_cycles": "12", "overage_factor": "1.5"},
            {"commitment_id": "calls", "name": "Committed calls", "subscription_id": "s3",
             "currency": "EUR", "quantity": "1000000", "unit_price": "0.0004"},
        ],
        "discounts": [
            {"discount_id": "ten", "name": "10 %", "level": "invoice", "percent": "10",
             "periods": "3"},
            {"discount_id": "five", "name": "Five off calls", "level": "line", "position": "2",
             "customer_id": "acme", "subscription_id": "s1", "plan_id": "basic",
             "product_id": "api", "charge_id": "calls", "amount": "5", "currency": "USD",
             "valid_from": JANUARY, "valid_to": "2026-07-01"},
            {"discount_id": "welcome", "name": "Welcome", "level": "product",
             "product_id": "chat", "total_amount": "250.00", "currency": "EUR"},
        ],
        "entitlements": [
            {"product_id": "api", "feature": "sso", "kind": "boolean"},
            {"product_id": "api", "feature": "calls", "name": "Calls", "kind": "hard",
             "meter": "calls", "limit_quantity": "100"},
            {"product_id": "api", "plan_id": "pro", "feature": "calls", "kind": "soft",
             "meter": "calls", "meter_version": "1", "limit_quantity": "1000"},
        ],
        "alerts": [
            {"alert_id": "a1", "kind": "usage", "customer_id": "acme", "meter": "tokens",
             "threshold": "1000000"},
            {"alert_id": "a2", "kind": "spend", "subscription_id": "s1", "threshold": "500"},
            {"alert_id": "a3", "kind": "spend", "plan_id": "pro", "charge_id": "calls",
             "threshold": "99.5"},
            {"alert_id": "a4", "kind": "allowance", "plan_id": "basic", "charge_id": "calls",
             "threshold": "0.8"},
        ],
    }  # fmt: skip
    for plan in ("basic", "pro", "yearly"):
        charges = [
            {"charge_id": "seats", "charge_type": "recurring", "timing": "advance",
             "proration": "seconds"},
            {"charge_id": "setup", "charge_type": "one_time", "timing": "advance"},
            {"charge_id": "calls", "charge_type": "usage", "meter": "calls",
             "pricing_model": "per_unit", "proration": "days", "price_at": "close"},
            {"charge_id": "tokens", "charge_type": "usage", "meter": "tokens",
             "pricing_model": "per_unit"},
            {"charge_id": "peak", "charge_type": "usage", "meter": "peak",
             "pricing_model": "per_unit", "split": "full", "allowance": "2"},
        ]  # fmt: skip
        for position, charge in enumerate(charges, 1):
            row = {"plan_id": plan, "name": charge["charge_id"], "position": str(position)}
            catalog["charges"].append({**row, **charge})
            for currency in ("USD", "EUR"):
                price = {"plan_id": plan, "charge_id": charge["charge_id"], "currency": currency}
                catalog["prices"].append({**price, "unit_price": "2"})
    own = {"plan_id": "basic", "charge_id": "seats", "currency": "USD", "unit_price": "1"}
    catalog["prices"] += [
        {**own, "customer_id": "acme", "contract_month": "13", "applies_to": "open",
         "recorded_at": "2026-01-05T00:00:00Z"},
        {**own, "contract_month": "13"},
    ]  # fmt: skip
    return catalog


def told(folder: Path, catalog: dict[str, list[dict[str, str]]]) -> list[str]:
    return [str(fault) for fault in check_catalog(write_catalog(folder, catalog))]


def test_the_sound_catalogue_has_no_fault(tmp_path: Path):
    assert told(tmp_path, sound()) == []


DAY_OR_INSTANT = (
    "expected a local date (2026-01-31) or an instant with its zone (2026-01-31T09:00:00Z)"
)
# (file, number of the row from 1, its new values, what the check then says of that row)
CASES = [
    # Plans, subscriptions, charges and prices
    ("plans", 1, {"trial_days": "-1"},
     'trial_days: found "-1", expected a whole number from 0 to 3660'),
    ("subscriptions", 1, {"trial_days": "4000"},
     'trial_days: found "4000", expected a whole number from 0 to 3660'),
    ("subscriptions", 2, {"prices_as_of": "2026"},
     'prices_as_of: found "2026", expected a date like 2026-01-31 (1970 to 9998)'),
    ("charges", 1, {"proration": "hours"},
     'proration: found "hours", expected one of days, seconds, none'),
    ("charges", 1, {"price_at": "close"},
     'price_at: found "close", expected start: a fee in advance is billed before its close'),
    ("charges", 1, {"split": "full"},
     'split: found "full", expected a blank on a recurring charge'),
    ("charges", 2, {"proration": "days"},
     'proration: found "days", expected a blank on a one_time charge'),
    ("charges", 3, {"split": "half"}, 'split: found "half", expected one of share, full'),
    ("charges", 3, {"price_at": "end"}, 'price_at: found "end", expected one of start, close'),
    ("prices", 31, {"customer_id": "nobody"},
     'customer_id: found "nobody", expected a customer_id of customers.csv'),
    ("prices", 31, {"contract_month": "0"},
     'contract_month: found "0", expected a whole number from 1 to 1200'),
    ("prices", 31, {"applies_to": "all"},
     'applies_to: found "all", expected one of open, closed'),
    # Changes
    ("subscription_changes", 1, {"subscription_id": "s9"},
     'subscription_id: found "s9", expected a subscription_id of subscriptions.csv'),
    ("subscription_changes", 1, {"change": "upgrade"},
     'change: found "upgrade", expected one of plan, quantity, pause, resume, end'),
    ("subscription_changes", 1, {"changes_at": "2026-02-17 10:00"},
     f'changes_at: found "2026-02-17 10:00", {DAY_OR_INSTANT}'),
    ("subscription_changes", 1, {"changes_at": JANUARY},
     f'changes_at: found "{JANUARY}", expected a time after the starts_at of the subscription'
     f" ({JANUARY}, subscriptions.csv:2)"),
    ("subscription_changes", 3, {"changes_at": "2025-12-31"},
     'changes_at: found "2025-12-31", expected a time after the starts_at of the subscription'
     f" ({JANUARY}, subscriptions.csv:2)"),
    ("subscription_changes", 6,
     {"subscription_id": "s2", "changes_at": "2026-01-31T11:00:00+01:00"},
     'changes_at: found "2026-01-31T11:00:00+01:00", expected a time after the starts_at of the'
     " subscription (2026-01-31T10:00:00Z, subscriptions.csv:3)"),
    ("subscription_changes", 1, {"plan_id": ""},
     "plan_id: found nothing, expected a value with the change plan"),
    ("subscription_changes", 1, {"plan_id": "gold"},
     'plan_id: found "gold", expected a plan_id of plans.csv'),
    ("subscription_changes", 1, {"charge_id": "seats"},
     'charge_id: found "seats", expected a blank with the change plan'),
    ("subscription_changes", 1, {"quantity": "3"},
     'quantity: found "3", expected a blank with the change plan'),
    ("subscription_changes", 1, {"plan_id": "yearly"},
     'anchor_date: found "2026-03-01", expected a blank on a plan whose alignment is calendar'),
    ("subscription_changes", 1, {"prices_as_of": "soon"},
     'prices_as_of: found "soon", expected a date like 2026-01-31 (1970 to 9998)'),
    ("subscription_changes", 1, {"withdrawn": "yes"},
     'withdrawn: found "yes", expected one of true, false'),
    ("subscription_changes", 2, {"charge_id": ""},
     "charge_id: found nothing, expected a value with the change quantity"),
    ("subscription_changes", 2, {"charge_id": "", "withdrawn": "true"},
     "charge_id: found nothing, expected a value with the change quantity"),
    ("subscription_changes", 2, {"quantity": ""},
     "quantity: found nothing, expected a value with the change quantity"),
    ("subscription_changes", 2, {"quantity": "-1"},
     'quantity: found "-1", expected a number from 0'),
    ("subscription_changes", 2, {"charge_id": "chairs"},
     'charge_id: found "chairs", expected a charge of a plan of "s1" in charges.csv'),
    ("subscription_changes", 2, {"charge_id": "calls"},
     'charge_id: found "calls", expected a recurring charge: only it has a quantity'),
    ("subscription_changes", 2, {"plan_id": "pro"},
     'plan_id: found "pro", expected a blank with the change quantity'),
    ("subscription_changes", 3, {"anchor_date": "2026-04-01"},
     'anchor_date: found "2026-04-01", expected a blank with the change pause'),
    ("subscription_changes", 6, {"prices_as_of": JANUARY},
     f'prices_as_of: found "{JANUARY}", expected a blank with the change end'),
    # Migrations
    ("plan_migrations", 1, {"from_plan_id": "gold"},
     'from_plan_id: found "gold", expected a plan_id of plans.csv'),
    ("plan_migrations", 1, {"to_plan_id": "gold"},
     'to_plan_id: found "gold", expected a plan_id of plans.csv'),
    ("plan_migrations", 1, {"to_plan_id": "basic"},
     'to_plan_id: found "basic", expected another plan than from_plan_id'),
    ("plan_migrations", 1, {"migrates_at": ""}, "migrates_at: found nothing, expected a value"),
    # Allowances
    ("allowances", 1, {"plan_id": "gold"},
     'plan_id: found "gold", expected a plan_id of plans.csv'),
    ("allowances", 1, {"charge_ids": ""}, "charge_ids: found nothing, expected a value"),
    ("allowances", 1, {"charge_ids": "calls|"},
     'charge_ids: found "calls|", expected names separated by | (calls|tokens)'),
    ("allowances", 1, {"charge_ids": "calls|calls"},
     'charge_ids: found "calls|calls", expected each name once'),
    ("allowances", 1, {"charge_ids": "calls|emails"},
     'charge_ids: found "emails", expected a charge of plan "basic" in charges.csv'),
    ("allowances", 1, {"charge_ids": "seats"},
     'charge_ids: found "seats", expected a usage charge: only usage has an allowance'),
    ("allowances", 1, {"charge_ids": "peak"},
     'charge_ids: found "peak", expected a charge without an allowance of its own'
     " (charges.csv:6)"),
    ("allowances", 1, {"quantity": ""}, "quantity: found nothing, expected a value"),
    ("allowances", 1, {"quantity": "-5"}, 'quantity: found "-5", expected a number from 0'),
    ("allowances", 1, {"proration": "month"},
     'proration: found "month", expected one of none, days, seconds'),
    ("allowances", 1, {"rollover_periods": "25"},
     'rollover_periods: found "25", expected a whole number from 0 to 24'),
    ("allowances", 1, {"rollover_periods": ""},
     'rollover_cap: found "5000", expected a blank without rollover_periods'),
    ("allowances", 2, {"pooled": "true", "rollover_periods": "1"},
     'rollover_periods: found "1", expected 0 or a blank where the allowance is pooled'),
    ("allowances", 2, {"pooled": "yes"}, 'pooled: found "yes", expected one of true, false'),
    # Commitments
    ("commitments", 1, {"plan_id": ""},
     "plan_id: found nothing, expected exactly one of plan_id, subscription_id"),
    ("commitments", 1, {"subscription_id": "s1"},
     'subscription_id: found "s1", expected a blank: exactly one of plan_id, subscription_id'
     " is given"),
    ("commitments", 1, {"amount": "", "overage_factor": ""},
     "amount: found nothing, expected exactly one of amount, quantity"),
    ("commitments", 1, {"quantity": "5", "unit_price": "1", "overage_factor": ""},
     'quantity: found "5", expected a blank: exactly one of amount, quantity is given'),
    ("commitments", 1, {"unit_price": "5"},
     'unit_price: found "5", expected a blank with an amount'),
    ("commitments", 1, {"amount": "1.005"},
     'amount: found "1.005", expected at most 2 decimals, as USD has'),
    ("commitments", 1, {"currency": "XXY"},
     'currency: found "XXY", expected a code of currencies.csv, like EUR'),
    ("commitments", 1, {"plan_id": "gold"},
     'plan_id: found "gold", expected a plan_id of plans.csv'),
    ("commitments", 1, {"charge_ids": "calls|emails"},
     'charge_ids: found "emails", expected a charge of plan "pro" in charges.csv'),
    ("commitments", 1, {"window_cycles": "0"},
     'window_cycles: found "0", expected a whole number from 1 to 1200'),
    ("commitments", 1, {"overage_factor": "-0.5"},
     'overage_factor: found "-0.5", expected a number from 0'),
    ("commitments", 2, {"unit_price": ""},
     "unit_price: found nothing, expected a value with a quantity"),
    ("commitments", 2, {"overage_factor": "1.5"},
     'overage_factor: found "1.5", expected a blank with a quantity'),
    ("commitments", 2, {"subscription_id": "s9"},
     'subscription_id: found "s9", expected a subscription_id of subscriptions.csv'),
    ("commitments", 2, {"currency": "USD"},
     'currency: found "USD", expected "EUR" as the subscription is billed in'
     " (subscriptions.csv:4)"),
    ("commitments", 2, {"charge_ids": "emails"},
     'charge_ids: found "emails", expected a charge of a plan of "s3" in charges.csv'),
    # Discounts
    ("discounts", 1, {"level": "total"},
     'level: found "total", expected one of line, product, invoice'),
    ("discounts", 1, {"percent": ""},
     "percent: found nothing, expected exactly one of percent, amount, total_amount"),
    ("discounts", 1, {"percent": "100.5"},
     'percent: found "100.5", expected a number from 0 to 100'),
    ("discounts", 1, {"percent": "-1"}, 'percent: found "-1", expected a number from 0 to 100'),
    ("discounts", 1, {"percent": "10%"},
     'percent: found "10%", expected a number from 0 to 100, written like 1250 or 0.25'),
    ("discounts", 1, {"currency": "USD"},
     'currency: found "USD", expected a blank with a percent'),
    ("discounts", 1, {"periods": "0"},
     'periods: found "0", expected a whole number from 1 to 10000'),
    ("discounts", 1, {"charge_id": "calls"},
     'charge_id: found "calls", expected a blank with the level invoice'),
    ("discounts", 2, {"percent": "10"},
     'amount: found "5", expected a blank: exactly one of percent, amount, total_amount is given'),
    ("discounts", 2, {"currency": ""},
     "currency: found nothing, expected a value with an amount"),
    ("discounts", 2, {"amount": "5.005"},
     'amount: found "5.005", expected at most 2 decimals, as USD has'),
    ("discounts", 2, {"currency": "EUR"},
     'currency: found "EUR", expected "USD" as the subscription is billed in'
     " (subscriptions.csv:2)"),
    ("discounts", 2, {"customer_id": "bolt"},
     'subscription_id: found "s1", expected a subscription of customer "bolt"'),
    ("discounts", 2, {"customer_id": "nobody"},
     'customer_id: found "nobody", expected a customer_id of customers.csv'),
    ("discounts", 2, {"subscription_id": "s9"},
     'subscription_id: found "s9", expected a subscription_id of subscriptions.csv'),
    ("discounts", 2, {"product_id": "chat"},
     'plan_id: found "basic", expected a plan of product "chat" in plans.csv'),
    ("discounts", 2, {"product_id": "nothing", "plan_id": ""},
     'product_id: found "nothing", expected a product_id of products.csv'),
    ("discounts", 2, {"charge_id": "emails", "product_id": ""},
     'charge_id: found "emails", expected a charge of plan_id "basic" and subscription_id "s1"'
     " in charges.csv"),
    ("discounts", 2, {"position": "0"},
     'position: found "0", expected a whole number from 1 to 1000000'),
    ("discounts", 2, {"valid_to": JANUARY},
     f'valid_to: found "{JANUARY}", expected a date after valid_from ({JANUARY})'),
    ("discounts", 3, {"product_id": ""},
     "product_id: found nothing, expected a value with the level product"),
    ("discounts", 3, {"total_amount": "0.001"},
     'total_amount: found "0.001", expected at most 2 decimals, as EUR has'),
    # Entitlements
    ("entitlements", 1, {"product_id": "mail"},
     'product_id: found "mail", expected a product_id of products.csv'),
    ("entitlements", 1, {"kind": "firm"},
     'kind: found "firm", expected one of boolean, soft, hard'),
    ("entitlements", 1, {"meter": "calls"},
     'meter: found "calls", expected a blank with the kind boolean'),
    ("entitlements", 1, {"limit_quantity": "3"},
     'limit_quantity: found "3", expected a blank with the kind boolean'),
    ("entitlements", 2, {"meter": ""},
     "meter: found nothing, expected a value with the kind hard"),
    ("entitlements", 2, {"meter": "emails"},
     'meter: found "emails", expected a meter of meters.csv'),
    ("entitlements", 2, {"limit_quantity": ""},
     "limit_quantity: found nothing, expected a value with the kind hard"),
    ("entitlements", 2, {"limit_quantity": "many"},
     'limit_quantity: found "many", expected a number from 0, written like 1250 or 0.25'),
    ("entitlements", 3, {"meter_version": "2"},
     'meter_version: found "2", expected a version of "calls" in meters.csv'),
    ("entitlements", 3, {"plan_id": "yearly"},
     'plan_id: found "yearly", expected a plan of product "api" in plans.csv'),
    # Alerts
    ("alerts", 1, {"kind": "cost"},
     'kind: found "cost", expected one of usage, spend, allowance, credits'),
    ("alerts", 1, {"meter": ""}, "meter: found nothing, expected a value with the kind usage"),
    ("alerts", 1, {"meter": "emails"}, 'meter: found "emails", expected a meter of meters.csv'),
    ("alerts", 1, {"charge_id": "calls"},
     'charge_id: found "calls", expected a blank with the kind usage'),
    ("alerts", 1, {"threshold": "0"}, 'threshold: found "0", expected a number above 0'),
    ("alerts", 1, {"threshold": ""}, "threshold: found nothing, expected a value"),
    ("alerts", 1, {"customer_id": "nobody"},
     'customer_id: found "nobody", expected a customer_id of customers.csv'),
    ("alerts", 2, {"meter": "calls"},
     'meter: found "calls", expected a blank with the kind spend'),
    ("alerts", 2, {"customer_id": "bolt"},
     'subscription_id: found "s1", expected a subscription of customer "bolt"'),
    ("alerts", 3, {"charge_id": "seats"},
     'charge_id: found "seats", expected a usage charge'),
    ("alerts", 3, {"plan_id": "gold", "charge_id": ""},
     'plan_id: found "gold", expected a plan_id of plans.csv'),
    ("alerts", 4, {"charge_id": ""},
     "charge_id: found nothing, expected a value with the kind allowance"),
    ("alerts", 4, {"plan_id": "yearly"},
     'charge_id: found "calls", expected a charge with an allowance (charges.csv,'
     " allowances.csv)"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "number", "values", "expected"),
    CASES,
    ids=[f"{case[0]}-{case[1]}-{'-'.join(f'{k}={v}' for k, v in case[2].items())}"
         for case in CASES],
)  # fmt: skip
def test_a_wrong_row_is_named(tmp_path: Path, name, number, values, expected):
    catalog = sound()
    catalog[name][number - 1].update(values)
    faults = told(tmp_path, catalog)
    assert f"{name}.csv:{number + 1}: {expected}" in faults
    # One slip is one fault, apart from what then lacks its charge, allowance or price.
    others = [fault for fault in faults if not fault.endswith(expected)]
    assert all("expected a price in" in fault or fault.startswith("alerts") for fault in others)


JUNK = ("", "0", "-1", "1e9", "x|y|", "9999-99-99", "2026-01-01T00:00:00Z", "%7C=", "true")


@pytest.mark.parametrize("name", sound())
def test_nothing_is_raised_whatever_is_written(tmp_path: Path, name: str):
    """A catalogue with any one field of a row replaced, or any column left out, is only told."""
    for column in COLUMNS[name]:
        for value in JUNK:
            catalog = sound()
            for row in catalog[name][:3]:
                row[column] = value
            told(tmp_path, catalog)
        path = write_catalog(tmp_path, sound()) / f"{name}.csv"
        with path.open(encoding="utf-8", newline="") as handle:
            header, *records = csv.reader(handle)
        place = header.index(column)
        with path.open("w", encoding="utf-8", newline="") as handle:
            csv.writer(handle).writerows(
                [*record[:place], *record[place + 1 :]] for record in (header, *records)
            )
        faults = [str(fault) for fault in check_catalog(tmp_path)]
        missing = f"{name}.csv:1: {column}: found nothing, expected this column in the first line"
        assert (missing in faults) is (column not in OPTIONAL_COLUMNS.get(name, ()))


TWICE = [
    ("subscription_changes", 1, {"plan_id": "basic"},
     "changes_at", "subscription_id, change, charge_id, changes_at and recorded_at"),
    # The same moment, otherwise written.
    ("subscription_changes", 6, {"changes_at": "2026-07-01T02:00:00+02:00"},
     "changes_at", "subscription_id, change, charge_id, changes_at and recorded_at"),
    ("plan_migrations", 1, {"to_plan_id": "yearly"}, "migrates_at", "from_plan_id, migrates_at"),
    ("allowances", 1, {"charge_ids": "tokens"}, "allowance_id", "plan_id, allowance_id"),
    ("commitments", 1, {"name": "Again"}, "commitment_id", "commitment_id"),
    ("discounts", 1, {"percent": "11"}, "discount_id", "discount_id"),
    ("entitlements", 1, {}, "feature", "product_id, plan_id, feature"),
    ("alerts", 1, {"threshold": "5"}, "alert_id", "alert_id"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "number", "values", "column", "key"), TWICE)
def test_a_key_written_twice_is_named(tmp_path: Path, name, number, values, column, key):
    catalog = sound()
    catalog[name].append({**catalog[name][number - 1], **values})
    faults = told(tmp_path, catalog)
    start = f"{name}.csv:{len(catalog[name]) + 1}: {column}: found"
    end = f"expected one row for each {key} (line {number + 1} has it)"
    assert any(fault.startswith(start) and fault.endswith(end) for fault in faults)


def test_a_change_recorded_again_is_no_fault(tmp_path: Path):
    catalog = sound()
    change = {**catalog["subscription_changes"][0], "plan_id": "basic", "anchor_date": ""}
    catalog["subscription_changes"].append({**change, "recorded_at": "2026-02-01T00:00:00Z"})
    assert told(tmp_path, catalog) == []


def test_what_is_withdrawn_needs_its_key_alone(tmp_path: Path):
    catalog = sound()
    key = {"subscription_id": "s1", "changes_at": "2026-02-17", "change": "plan"}
    known = {"withdrawn": "true", "recorded_at": "2026-02-01T00:00:00Z"}
    catalog["subscription_changes"].append({**key, **known})
    assert told(tmp_path, catalog) == []


def test_a_charge_is_in_one_allowance(tmp_path: Path):
    catalog = sound()
    row = {"plan_id": "basic", "allowance_id": "more", "charge_ids": "calls", "quantity": "1"}
    catalog["allowances"].append(row)
    assert told(tmp_path, catalog) == [
        'allowances.csv:4: charge_ids: found "calls", expected each charge in one allowance'
        " (line 2 has it)"
    ]


def test_an_allowance_is_of_what_counts_or_sums(tmp_path: Path):
    catalog = sound()
    catalog["charges"][4]["allowance"] = ""
    catalog["allowances"][0]["charge_ids"] = "calls|tokens|peak"
    assert told(tmp_path, catalog) == [
        'allowances.csv:2: charge_ids: found "peak", expected a charge whose meter counts or sums:'
        " the aggregation of peak is max (meters.csv:4)"
    ]


def test_bands_of_a_price_apply_alike(tmp_path: Path):
    catalog = sound()
    catalog["charges"][3]["pricing_model"] = "tiered"
    price = {"plan_id": "basic", "charge_id": "tokens", "currency": "USD", "unit_price": "1"}
    price |= {"valid_from": "2026-02-01", "recorded_at": "2026-02-10T00:00:00Z"}
    catalog["prices"] += [{**price, "up_to": "10", "applies_to": "closed"}, price]
    assert told(tmp_path, catalog) == [
        f"prices.csv:{len(catalog['prices']) + 1}: applies_to: found nothing, expected the same"
        f" in all bands (line {len(catalog['prices'])})"
    ]


# Prices along the plans of a subscription


def late(catalog, plan: str, charge: str, **values: str) -> int:
    """Change all prices of a charge; returns the charge's line."""
    for price in catalog["prices"]:
        if (price["plan_id"], price["charge_id"]) == (plan, charge):
            price.update(values)
    keys = [(row["plan_id"], row["charge_id"]) for row in catalog["charges"]]
    return keys.index((plan, charge)) + 2


def test_the_plan_changed_to_needs_its_prices(tmp_path: Path):
    catalog = sound()
    catalog["subscriptions"] = [row for row in catalog["subscriptions"]
                                if row["subscription_id"] != "s2"]  # fmt: skip
    catalog["subscription_changes"][0]["prices_as_of"] = ""
    line = late(catalog, "pro", "tokens", valid_from="2026-02-18")
    assert told(tmp_path, catalog) == [
        f'charges.csv:{line}: charge_id: found "tokens", expected a price in USD in prices.csv that'
        " is valid from 2026-02-17 or before (subscription_changes.csv:2 is billed in USD)"
    ]
    late(catalog, "pro", "tokens", valid_from="2026-02-17")
    assert told(tmp_path, catalog) == []
    # What is billed once is billed with the first plan.
    late(catalog, "pro", "setup", valid_from="2027-01-01")
    assert told(tmp_path, catalog) == []


def test_the_plan_migrated_to_needs_its_prices(tmp_path: Path):
    catalog = sound()
    catalog["plan_migrations"][0].update(from_plan_id="yearly", to_plan_id="pro")
    catalog["prices"] = [price for price in catalog["prices"] if price["currency"] == "USD"
                         or price["plan_id"] == "yearly"]  # fmt: skip
    faults = told(tmp_path, catalog)
    assert len(faults) == 4
    assert faults[0].endswith(
        'found "seats", expected a price in EUR in prices.csv (plan_migrations.csv:2 is billed in'
        " EUR)"
    )
    # Nobody is moved whose subscription has ended by then.
    catalog["plan_migrations"][0]["migrates_at"] = "2026-07-02"
    assert told(tmp_path, catalog) == []


def test_a_pin_needs_a_price_of_its_day(tmp_path: Path):
    catalog = sound()
    line = late(catalog, "basic", "tokens", valid_from="2025-06-01")
    assert told(tmp_path, catalog) == []
    catalog["subscriptions"][0]["prices_as_of"] = "2025-05-31"
    assert told(tmp_path, catalog) == [
        f'charges.csv:{line}: charge_id: found "tokens", expected a price in USD in prices.csv that'
        " is valid from 2025-05-31 or before (subscriptions.csv:2 is billed in USD)"
    ]


def test_a_ramp_begins_with_the_first_month(tmp_path: Path):
    catalog = sound()
    line = late(catalog, "yearly", "tokens", contract_month="2")
    assert told(tmp_path, catalog) == [
        f'charges.csv:{line}: charge_id: found "tokens", expected a price in EUR in prices.csv for'
        " contract month 1 (subscriptions.csv:4 is billed in EUR)"
    ]


def test_a_price_for_another_customer_is_none(tmp_path: Path):
    catalog = sound()
    late(catalog, "yearly", "tokens", customer_id="bolt")
    assert told(tmp_path, catalog) == []
    line = late(catalog, "yearly", "tokens", customer_id="acme")
    assert told(tmp_path, catalog) == [
        f'charges.csv:{line}: charge_id: found "tokens", expected a price in EUR in prices.csv'
        " (subscriptions.csv:4 is billed in EUR)"
    ]


def test_a_price_at_the_close_may_begin_after_the_start(tmp_path: Path):
    catalog = sound()
    late(catalog, "yearly", "calls", valid_from="2026-03-01")
    assert told(tmp_path, catalog) == []


# Pools: s2 and s4 share the allowance "team" of the plan pro


def pooled(**values: str) -> dict[str, list[dict[str, str]]]:
    catalog = sound()
    del catalog["subscription_changes"][0]
    catalog["plan_migrations"] = []
    row = {"subscription_id": "s4", "customer_id": "acme", "plan_id": "pro"}
    row |= {"starts_at": "2026-04-15", "anchor_date": "2026-05-01"}
    catalog["subscriptions"].append({**row, **values})
    return catalog


def other_plan(catalog: dict[str, list[dict[str, str]]], **values: str) -> None:
    """A plan like pro, with the pool, that differs by `values`."""
    for name in ("plans", "charges", "prices", "allowances"):
        rows = [row for row in catalog[name] if row["plan_id"] == "pro"]
        for row in copy.deepcopy(rows):
            catalog[name].append({**row, "plan_id": "team"})
    catalog["plans"][-1].update(values)


SHARED = 'as subscription "s2" (subscriptions.csv:3): they share the allowance "team"'


def test_a_pool_of_like_subscriptions_is_no_fault(tmp_path: Path):
    assert told(tmp_path, pooled()) == []
    # Another customer's subscriptions are another pool.
    assert told(tmp_path, pooled(customer_id="bolt", anchor_date="2026-05-07")) == []


def test_a_pool_of_other_days_is_named(tmp_path: Path):
    assert told(tmp_path, pooled(anchor_date="2026-05-02")) == [
        'subscriptions.csv:5: anchor_date: found "2026-05-02", expected cycles that begin on the'
        f" days of 2026-02-01, {SHARED}"
    ]
    assert told(tmp_path, pooled(anchor_date="")) == [
        'subscriptions.csv:5: starts_at: found "2026-04-15", expected cycles that begin on the'
        f" days of 2026-02-01, {SHARED}"
    ]


def test_a_pool_of_other_currencies_is_named(tmp_path: Path):
    assert told(tmp_path, pooled(currency="EUR")) == [
        f'subscriptions.csv:5: currency: found "EUR", expected "USD" {SHARED}'
    ]


def test_a_pool_of_other_cycles_is_named(tmp_path: Path):
    catalog = pooled(plan_id="team")
    other_plan(catalog, cycle="quarter")
    assert told(tmp_path, catalog) == [
        'subscriptions.csv:5: plan_id: found "team", expected a plan with the cycle month,'
        f" anniversary, {SHARED}"
    ]
    catalog = pooled(plan_id="team", anchor_date="")
    other_plan(catalog, alignment="calendar")
    assert told(tmp_path, catalog) == [
        'subscriptions.csv:5: plan_id: found "team", expected a plan with the cycle month,'
        f" anniversary, {SHARED}"
    ]


def test_a_pool_of_other_grace_is_named(tmp_path: Path):
    catalog = pooled(plan_id="team")
    other_plan(catalog, grace_days="3")
    assert told(tmp_path, catalog) == [
        'subscriptions.csv:5: plan_id: found "team", expected a plan with grace_days 1, ' + SHARED
    ]


def test_a_change_into_a_pool_is_checked_too(tmp_path: Path):
    catalog = pooled()
    catalog["subscription_changes"] = sound()["subscription_changes"]
    catalog["subscription_changes"][0]["anchor_date"] = "2026-03-09"
    faults = told(tmp_path, catalog)
    # s1 comes first in the file: what it was changed to is what the others are compared with.
    assert [fault.split(": expected")[0] for fault in faults] == [
        'subscriptions.csv:3: anchor_date: found "2026-02-01", expected cycles that begin on the'
        ' days of 2026-03-09, as subscription "s1" (subscription_changes.csv:2): they share the'
        ' allowance "team"',
        'subscriptions.csv:5: anchor_date: found "2026-05-01", expected cycles that begin on the'
        ' days of 2026-03-09, as subscription "s1" (subscription_changes.csv:2): they share the'
        ' allowance "team"',
    ]
