"""The check of custom units of credit: a sound catalogue with one, and each way to break it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.test_catalog_credits import sound as sound_credits
from tests.test_catalog_terms import told

UNIT = "AI credits"
NEW_YEAR = "2026-01-01T00:00:00Z"


def sound() -> dict[str, list[dict[str, str]]]:
    """The catalogue of credits, with a plan whose tokens cost a unit, and a grant of it."""
    catalog = sound_credits()
    catalog["plans"].append(
        {"plan_id": "ai", "product_id": "api", "name": "AI", "cycle": "month",
         "alignment": "calendar"}
    )  # fmt: skip
    catalog["charges"].append(
        {"plan_id": "ai", "charge_id": "prompts", "position": "1", "name": "Prompts",
         "charge_type": "usage", "meter": "tokens", "meter_version": "1",
         "pricing_model": "per_unit"}
    )  # fmt: skip
    catalog["prices"].append(
        {"plan_id": "ai", "charge_id": "prompts", "currency": UNIT, "unit_price": "0.125"}
    )
    catalog["subscriptions"].append(
        {"subscription_id": "s4", "customer_id": "acme", "plan_id": "ai", "starts_at": "2026-01-01"}
    )
    catalog["credit_grants"].append(
        {"grant_id": "units", "name": "Units", "customer_id": "acme", "kind": "paid",
         "currency": UNIT, "amount": "1000.5", "cost_basis": "25.00", "scope": "subscription",
         "scope_id": "s4", "effective_at": NEW_YEAR}
    )  # fmt: skip
    catalog["credit_top_ups"].append(
        {"top_up_id": "t2", "customer_id": "acme", "currency": UNIT, "threshold": "10.5",
         "amount": "100"}
    )  # fmt: skip
    catalog["credit_units"] = [
        {"unit": UNIT, "exponent": "1", "currency": "USD", "rate": "0.025"},
        {"unit": UNIT, "exponent": "1", "currency": "EUR", "rate": "9999.99999999",
         "valid_from": "2026-02-01"},
    ]  # fmt: skip
    return catalog


def last(catalog: dict[str, list[dict[str, str]]], file: str) -> str:
    return f"{file}.csv:{len(catalog[file]) + 1}"


def test_the_sound_catalogue_has_no_fault(tmp_path: Path):
    assert told(tmp_path, sound()) == []


# (file, number of the row from 1 or -1, its new values, what the check then says of that row)
CASES = [
    ("credit_units", 1, {"unit": ""}, "unit: found nothing, expected a value"),
    ("credit_units", 2, {"unit": "ABC"},
     'unit: found "ABC", expected a name of 4 to 40 characters that is no currency code, like AI'
     " credits"),
    ("credit_units", 2, {"exponent": "5"},
     'exponent: found "5", expected a whole number from 0 to 4'),
    ("credit_units", 2, {"exponent": "2"},
     'exponent: found "2", expected "1" as in line 2 (a unit has one exponent)'),
    ("credit_units", 2, {"currency": "XYZ"},
     'currency: found "XYZ", expected a code of currencies.csv, like EUR'),
    ("credit_units", 2, {"currency": UNIT},
     f'currency: found "{UNIT}", expected a code of currencies.csv, like EUR'),
    ("credit_units", 2, {"rate": "0"}, 'rate: found "0", expected a number above 0'),
    ("credit_units", 2, {"rate": ""}, "rate: found nothing, expected a value"),
    ("credit_units", 2, {"rate": "0.123456789"},
     'rate: found "0.123456789", expected a number with at most 8 decimals'),
    ("credit_units", 2, {"currency": "USD", "valid_from": ""},
     "valid_from: found nothing, expected one row for each unit, currency, valid_from and"
     " recorded_at (line 2 has it)"),
    ("prices", -1, {"currency": "AI Credits"},
     'currency: found "AI Credits", expected a code of currencies.csv, like EUR'),
    ("credit_grants", -1, {"currency": "Tokens"},
     'currency: found "Tokens", expected a code of currencies.csv, like EUR'),
    ("credit_grants", -1, {"amount": "0.25"},
     f'amount: found "0.25", expected at most 1 decimals, as {UNIT} has'),
    ("credit_grants", -1, {"cost_basis": "0.255"},
     'cost_basis: found "0.255", expected at most 2 decimals, as USD has'),
    ("credit_top_ups", -1, {"threshold": "0.25"},
     f'threshold: found "0.25", expected at most 1 decimals, as {UNIT} has'),
    ("charges", -1, {"pricing_model": "percentage"}, None),
]  # fmt: skip


@pytest.mark.parametrize(("file", "number", "values", "expected"), CASES)
def test_faults_of_units(tmp_path: Path, file, number, values, expected):
    catalog = sound()
    row = catalog[file][number - 1 if number > 0 else number]
    row |= values
    faults = told(tmp_path, catalog)
    if file == "charges":
        catalog["prices"][-1].pop("unit_price")
        catalog["prices"][-1]["percent"] = "1"
        expected = 'found "AI credits", expected a currency with the pricing model percentage'
        assert [expected in fault for fault in told(tmp_path, catalog)] == [True]
        return
    place = catalog[file].index(row) + 2
    assert f"{file}.csv:{place}: {expected}" in faults


def test_a_charge_is_priced_in_one_unit_or_in_money(tmp_path: Path):
    catalog = sound()
    line = len(catalog["prices"]) + 1
    price = {"plan_id": "ai", "charge_id": "prompts", "unit_price": "0.01"}
    catalog["prices"].append(price | {"currency": "USD"})
    assert told(tmp_path, catalog) == [
        f'{last(catalog, "prices")}: currency: found "USD", expected "{UNIT}" as in line {line}'
        " (a charge is priced in one unit, or in money)"
    ]


def test_a_subscription_does_not_move_from_money_to_a_unit(tmp_path: Path):
    """A plan that nobody reaches from there may have a charge of the id in money."""
    catalog = sound()
    line = len(catalog["prices"]) + 1
    catalog["plans"].append(catalog["plans"][-1] | {"plan_id": "old"})
    catalog["charges"].append(catalog["charges"][-1] | {"plan_id": "old"})
    price = {"plan_id": "old", "charge_id": "prompts", "unit_price": "0.01"}
    catalog["prices"].append(price | {"currency": "USD"})
    assert told(tmp_path, catalog) == []
    catalog.setdefault("plan_migrations", []).append(
        {"from_plan_id": "ai", "to_plan_id": "old", "migrates_at": "2026-03-01"}
    )
    assert told(tmp_path, catalog) == [
        f'{last(catalog, "prices")}: currency: found "USD", expected "{UNIT}" as in line {line}'
        ' (plans of "s4" have charges of one id priced in one unit, or in money)'
    ]


def test_only_usage_is_priced_in_a_unit(tmp_path: Path):
    catalog = sound()
    charge = {"plan_id": "ai", "charge_id": "fee", "position": "2", "name": "Fee"}
    catalog["charges"].append(charge | {"charge_type": "recurring", "timing": "arrears"})
    catalog["prices"].append(
        {"plan_id": "ai", "charge_id": "fee", "currency": UNIT, "unit_price": "5"}
    )
    assert told(tmp_path, catalog) == [
        f'{last(catalog, "prices")}: currency: found "{UNIT}", expected a currency: only usage is'
        " priced in a unit"
    ]


def test_what_names_a_charge_needs_one_that_is_priced_in_money(tmp_path: Path):
    catalog = sound()
    line = len(catalog["prices"]) + 1
    named = {"plan_id": "ai", "currency": "USD"}
    catalog.setdefault("charge_limits", []).append(named | {"charge_id": "prompts", "maximum": "5"})
    catalog["discounts"].append(
        {"discount_id": "off", "name": "Off", "level": "line", "percent": "10",
         "charge_id": "prompts"}
    )  # fmt: skip
    catalog["commitments"].append(
        named | {"commitment_id": "least", "name": "Least", "amount": "5", "charge_ids": "prompts"}
    )
    asked = (
        f'"prompts", expected a charge priced in money: it is priced in {UNIT} (prices.csv:{line})'
    )
    assert told(tmp_path, catalog) == [
        f"{last(catalog, 'charge_limits')}: charge_id: found {asked}",
        f"{last(catalog, 'commitments')}: charge_ids: found {asked}",
        f"{last(catalog, 'discounts')}: charge_id: found {asked}",
    ]


def test_a_unit_needs_a_rate_in_the_currency_of_who_pays(tmp_path: Path):
    """The euro has a rate from February on; the yen has none."""
    catalog = sound()
    catalog["subscriptions"].append(
        {"subscription_id": "s5", "customer_id": "bolt", "plan_id": "ai", "starts_at": "2026-01-01"}
    )
    place, billed = last(catalog, "charges"), last(catalog, "subscriptions")
    found = 'charge_id: found "prompts", expected a rate of AI credits in'
    assert told(tmp_path, catalog) == [
        f"{place}: {found} EUR in credit_units.csv that is valid from 2026-01-01 or before"
        f" ({billed} is billed in EUR)"
    ]
    catalog["subscriptions"][-1] |= {"currency": "JPY"}
    assert told(tmp_path, catalog) == [
        f"{place}: {found} JPY in credit_units.csv ({billed} is billed in JPY)"
    ]
    catalog["subscriptions"][-1] |= {"currency": "", "starts_at": "2026-02-01"}
    assert told(tmp_path, catalog) == []
