"""The check of prepaid credits: a sound catalogue with each of them, and each way to break it."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from orchestration.archive import rows_of_customers
from orchestration.catalog import check_catalog
from orchestration.catalog_files import COLUMNS
from tests.houses import write_catalog
from tests.test_catalog_terms import JUNK, told
from tests.test_catalog_terms import sound as sound_terms

NEW_YEAR = "2026-01-01T00:00:00Z"
INSTANT = "expected an instant with its zone, like 2026-01-31T09:00:00Z"
TABLES = ("credit_grants", "credit_actions", "credit_top_ups")


def sound() -> dict[str, list[dict[str, str]]]:
    """The catalogue of the terms, with grants of every scope, actions, a top-up and an alert."""
    catalog = sound_terms()
    catalog["credit_grants"] = [
        {"grant_id": "bought", "name": "Bought", "customer_id": "acme", "wallet": "team",
         "kind": "paid", "currency": "USD", "amount": "5000.00", "cost_basis": "4500",
         "priority": "10", "effective_at": NEW_YEAR, "expires_at": "2027-01-01T00:00:00+01:00"},
        {"grant_id": "trial", "name": "Trial", "customer_id": "acme", "kind": "promotional",
         "currency": "USD", "amount": "0.01", "scope": "subscription", "scope_id": "s1",
         "effective_at": "2026-01-15T09:30:00+02:00", "covers_true_up": "true",
         "recorded_at": "2026-01-10T00:00:00Z"},
        {"grant_id": "gift", "name": "Every month", "customer_id": "acme", "kind": "promotional",
         "currency": "USD", "amount": "100", "scope": "product", "scope_id": "api",
         "effective_at": "2026-01-31T10:00:00Z", "every": "month",
         "recurs_until": "2026-04-30T10:00:00Z", "rollover_cap": "25.5"},
        {"grant_id": "weekly", "name": "Every week", "customer_id": "bolt", "kind": "paid",
         "currency": "EUR", "amount": "7", "scope": "meter", "scope_id": "tokens",
         "effective_at": NEW_YEAR, "every": "week"},
    ]  # fmt: skip
    catalog["credit_actions"] = [
        {"action_id": "1", "action": "void", "grant_id": "trial", "acts_at": NEW_YEAR,
         "reason": "Sold"},
        {"action_id": "2", "action": "transfer", "grant_id": "gift#3", "to_grant_id": "bought",
         "amount": "10.25", "acts_at": "2026-03-02T00:00:00Z", "reason": "Asked for"},
        {"action_id": "3", "action": "void", "grant_id": "weekly#1000", "acts_at": NEW_YEAR,
         "reason": "Never used"},
        {"action_id": "4", "action": "void", "grant_id": "weekly", "acts_at": NEW_YEAR,
         "reason": "Ended"},
    ]  # fmt: skip
    catalog["credit_top_ups"] = [
        {"top_up_id": "t1", "customer_id": "acme", "currency": "USD", "threshold": "0",
         "amount": "1000.50"},
    ]  # fmt: skip
    catalog["alerts"].append(
        {"alert_id": "a5", "kind": "credits", "customer_id": "acme", "threshold": "0.2"}
    )
    return catalog


def test_the_sound_catalogue_has_no_fault(tmp_path: Path):
    assert told(tmp_path, sound()) == []


def test_a_catalogue_may_leave_credits_out(tmp_path: Path):
    folder = write_catalog(tmp_path, sound_terms())
    for name in TABLES:
        (folder / f"{name}.csv").unlink(missing_ok=True)
    assert check_catalog(folder) == []


# (file, number of the row from 1, its new values, what the check then says of that row)
CASES = [
    # Grants
    ("credit_grants", 1, {"grant_id": ""}, "grant_id: found nothing, expected a value"),
    ("credit_grants", 4, {"grant_id": "bought#2"},
     'grant_id: found "bought#2", expected an id that does not end like an occurrence of another'
     " (#3)"),
    ("credit_grants", 1, {"name": ""}, "name: found nothing, expected a value"),
    ("credit_grants", 1, {"customer_id": "nobody"},
     'customer_id: found "nobody", expected a customer_id of customers.csv'),
    ("credit_grants", 1, {"wallet": " team"},
     'wallet: found " team", expected no spaces before or after the value'),
    ("credit_grants", 1, {"kind": "free"}, 'kind: found "free", expected one of paid, promotional'),
    ("credit_grants", 1, {"kind": ""}, "kind: found nothing, expected a value"),
    ("credit_grants", 1, {"currency": "XYZ"},
     'currency: found "XYZ", expected a code of currencies.csv, like EUR'),
    ("credit_grants", 1, {"amount": "0"}, 'amount: found "0", expected a number above 0'),
    ("credit_grants", 1, {"amount": ""}, "amount: found nothing, expected a value"),
    ("credit_grants", 1, {"amount": "5,000"},
     'amount: found "5,000", expected a number above 0, written like 1250 or 0.25'),
    ("credit_grants", 1, {"amount": "0.001"},
     'amount: found "0.001", expected at most 2 decimals, as USD has'),
    ("credit_grants", 1, {"currency": "JPY"},
     'amount: found "5000.00", expected at most 0 decimals, as JPY has'),
    ("credit_grants", 1, {"cost_basis": "-1"},
     'cost_basis: found "-1", expected a number from 0'),
    ("credit_grants", 1, {"cost_basis": "4500.001"},
     'cost_basis: found "4500.001", expected at most 2 decimals, as USD has'),
    ("credit_grants", 1, {"priority": "-1"},
     'priority: found "-1", expected a whole number from 0 to 1000000'),
    ("credit_grants", 1, {"priority": "1.5"},
     'priority: found "1.5", expected a whole number from 0 to 1000000'),
    ("credit_grants", 1, {"scope": "charge", "scope_id": "calls"},
     'scope: found "charge", expected one of all, subscription, product, meter'),
    ("credit_grants", 1, {"scope_id": "s1"},
     'scope_id: found "s1", expected a blank with the scope all'),
    ("credit_grants", 2, {"scope_id": ""},
     "scope_id: found nothing, expected a value with the scope subscription"),
    ("credit_grants", 2, {"scope_id": "s9"},
     'scope_id: found "s9", expected a subscription_id of subscriptions.csv'),
    ("credit_grants", 2, {"scope_id": "s3"},
     'scope_id: found "s3", expected a subscription of customer "acme"'),
    ("credit_grants", 2, {"currency": "EUR"},
     'currency: found "EUR", expected "USD" as the subscription is billed in'
     " (subscriptions.csv:2)"),
    ("credit_grants", 3, {"scope_id": "maps"},
     'scope_id: found "maps", expected a product_id of products.csv'),
    ("credit_grants", 4, {"scope_id": "emails"},
     'scope_id: found "emails", expected a meter of meters.csv'),
    ("credit_grants", 1, {"effective_at": ""}, "effective_at: found nothing, expected a value"),
    ("credit_grants", 1, {"effective_at": "2026-01-01"},
     f'effective_at: found "2026-01-01", {INSTANT}'),
    ("credit_grants", 1, {"expires_at": "2026-13-01T00:00:00Z"},
     f'expires_at: found "2026-13-01T00:00:00Z", {INSTANT}'),
    # The same instant, otherwise written.
    ("credit_grants", 1, {"expires_at": "2026-01-01T01:00:00+01:00"},
     'expires_at: found "2026-01-01T01:00:00+01:00", expected an instant after effective_at'
     f" ({NEW_YEAR})"),
    ("credit_grants", 3, {"expires_at": "2026-12-31T00:00:00Z"},
     'expires_at: found "2026-12-31T00:00:00Z", expected a blank with every: the next occurrence'
     " ends it"),
    ("credit_grants", 3, {"every": "day"},
     'every: found "day", expected one of week, month, quarter, year'),
    ("credit_grants", 1, {"recurs_until": "2026-12-31T00:00:00Z"},
     'recurs_until: found "2026-12-31T00:00:00Z", expected a blank without every'),
    ("credit_grants", 1, {"rollover_cap": "5"},
     'rollover_cap: found "5", expected a blank without every'),
    ("credit_grants", 4, {"recurs_until": NEW_YEAR},
     f'recurs_until: found "{NEW_YEAR}", expected an instant after effective_at ({NEW_YEAR})'),
    ("credit_grants", 3, {"rollover_cap": "0.005"},
     'rollover_cap: found "0.005", expected at most 2 decimals, as USD has'),
    ("credit_grants", 2, {"covers_true_up": "yes"},
     'covers_true_up: found "yes", expected one of true, false'),
    # Actions
    ("credit_actions", 1, {"action": "expire"},
     'action: found "expire", expected one of void, transfer'),
    ("credit_actions", 1, {"grant_id": "sold"},
     'grant_id: found "sold", expected a grant_id of credit_grants.csv'),
    ("credit_actions", 1, {"grant_id": "trial#1"},
     'grant_id: found "trial#1", expected trial without a number: it does not recur'),
    ("credit_actions", 2, {"grant_id": "gift"},
     'grant_id: found "gift", expected an occurrence of gift, like gift#1'),
    # It would begin on 30 April at 10:00, when the grant recurs no more.
    ("credit_actions", 2, {"grant_id": "gift#4"},
     'grant_id: found "gift#4", expected an occurrence before recurs_until (credit_grants.csv:4)'),
    ("credit_actions", 2, {"to_grant_id": "gift#0"},
     'to_grant_id: found "gift#0", expected a grant_id of credit_grants.csv'),
    ("credit_actions", 1, {"amount": "5"},
     'amount: found "5", expected a blank with the action void'),
    ("credit_actions", 1, {"to_grant_id": "bought"},
     'to_grant_id: found "bought", expected a blank with the action void'),
    ("credit_actions", 2, {"amount": ""},
     "amount: found nothing, expected a value with the action transfer"),
    ("credit_actions", 2, {"to_grant_id": ""},
     "to_grant_id: found nothing, expected a value with the action transfer"),
    ("credit_actions", 2, {"amount": "0"}, 'amount: found "0", expected a number above 0'),
    ("credit_actions", 2, {"amount": "0.255"},
     'amount: found "0.255", expected at most 2 decimals, as USD has'),
    ("credit_actions", 2, {"to_grant_id": "gift#3"},
     'to_grant_id: found "gift#3", expected another grant than grant_id'),
    ("credit_actions", 2, {"to_grant_id": "weekly#2"},
     'to_grant_id: found "weekly#2", expected a grant with the customer_id of gift#3 ("acme")'),
    ("credit_actions", 3, {"grant_id": "trial"},
     'grant_id: found "trial", expected one void for each grant (line 2 has it)'),
    ("credit_actions", 1, {"acts_at": "2026-02-01"}, f'acts_at: found "2026-02-01", {INSTANT}'),
    ("credit_actions", 1, {"reason": ""}, "reason: found nothing, expected a value"),
    # Top-ups
    ("credit_top_ups", 1, {"customer_id": "nobody"},
     'customer_id: found "nobody", expected a customer_id of customers.csv'),
    ("credit_top_ups", 1, {"currency": ""}, "currency: found nothing, expected a value"),
    ("credit_top_ups", 1, {"threshold": "-1"}, 'threshold: found "-1", expected a number from 0'),
    ("credit_top_ups", 1, {"threshold": "0.001"},
     'threshold: found "0.001", expected at most 2 decimals, as USD has'),
    ("credit_top_ups", 1, {"amount": "0"}, 'amount: found "0", expected a number above 0'),
    ("credit_top_ups", 1, {"currency": "JPY"},
     'amount: found "1000.50", expected at most 0 decimals, as JPY has'),
    # Alerts
    ("alerts", 5, {"customer_id": ""},
     "customer_id: found nothing, expected a value with the kind credits"),
    ("alerts", 5, {"threshold": "1.01"},
     'threshold: found "1.01", expected a share above 0 to 1 with the kind credits'),
    ("alerts", 5, {"threshold": "0"}, 'threshold: found "0", expected a number above 0'),
    ("alerts", 5, {"subscription_id": "s1"},
     'subscription_id: found "s1", expected a blank with the kind credits'),
    ("alerts", 5, {"plan_id": "pro"},
     'plan_id: found "pro", expected a blank with the kind credits'),
    ("alerts", 5, {"charge_id": "calls"},
     'charge_id: found "calls", expected a blank with the kind credits'),
    ("alerts", 5, {"meter": "calls"},
     'meter: found "calls", expected a blank with the kind credits'),
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
    # One slip is one fault, apart from what a grant's currency or id is to its actions.
    others = [fault for fault in faults if not fault.endswith(expected)]
    assert all(fault.startswith(f"{name}.csv:{number + 1}: amount")
               or fault.startswith("credit_actions.csv") for fault in others), others  # fmt: skip


@pytest.mark.parametrize("column", ["amount", "cost_basis", "rollover_cap"])
def test_an_amount_is_as_fine_as_its_currency(tmp_path: Path, column: str):
    catalog = sound()
    grant = {**catalog["credit_grants"][3], "scope": "", "scope_id": ""}
    for currency, finest in (("BHD", "1.005"), ("USD", "1.05"), ("JPY", "1")):
        catalog["credit_grants"][3] = {**grant, "currency": currency, column: finest}
        assert told(tmp_path, catalog) == []
        catalog["credit_grants"][3][column] = f"{finest}{'' if '.' in finest else '.'}0"
        places = {"BHD": 3, "USD": 2, "JPY": 0}[currency]
        (fault,) = told(tmp_path, catalog)
        assert fault.endswith(f"expected at most {places} decimals, as {currency} has")


TWICE = [
    ("credit_grants", {"amount": "1"}, "grant_id"),
    ("credit_actions", {"reason": "Again", "grant_id": "bought"}, "action_id"),
    ("credit_top_ups", {"amount": "1"}, "top_up_id"),
]


@pytest.mark.parametrize(("name", "values", "key"), TWICE)
def test_a_key_written_twice_is_named(tmp_path: Path, name, values, key):
    catalog = sound()
    row = {**catalog[name][0], **values}
    catalog[name].append(row)
    line = len(catalog[name]) + 1
    assert told(tmp_path, catalog) == [
        f'{name}.csv:{line}: {key}: found "{row[key]}", expected one row for each {key}'
        " (line 2 has it)"
    ]


@pytest.mark.parametrize(
    ("every", "until", "last"),
    [
        ("week", "2026-02-14T10:00:00Z", 2),
        ("week", "2026-02-14T10:00:01Z", 3),
        ("month", "2026-03-31T10:00:00Z", 2),
        ("month", "2026-03-31T10:00:01Z", 3),
        ("quarter", "2026-07-31T10:00:00Z", 2),
        ("quarter", "2026-08-01T00:00:00Z", 3),
        ("year", "2028-01-01T00:00:00Z", 2),
        ("year", "2028-01-31T10:00:01Z", 3),
    ],
)
def test_an_occurrence_begins_before_the_end(tmp_path: Path, every: str, until: str, last: int):
    catalog = sound()
    catalog["credit_grants"][2].update(every=every, recurs_until=until)
    for number in (1, last, last + 1):
        catalog["credit_actions"][1]["grant_id"] = f"gift#{number}"
        assert (told(tmp_path, catalog) == []) is (number <= last), number


@pytest.mark.parametrize("name", TABLES)
def test_nothing_is_raised_whatever_is_written(tmp_path: Path, name: str):
    """A catalogue with any one field of a row replaced, or any column left out, is only told."""
    for column in COLUMNS[name]:
        for value in (*JUNK, "gift#999999", "#1", "gift#"):
            catalog = sound()
            for row in catalog[name]:
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
        assert (
            f"{name}.csv:1: {column}: found nothing, expected this column in the first line"
            in faults
        )


def test_credits_are_one_customers():
    """What a house of one customer has of a catalogue: its own grants, and what acts on them."""
    catalog = sound()
    rows = {name: catalog.get(name, []) for name in COLUMNS}
    for customer, grants, actions in (
        ("acme", ["bought", "trial", "gift"], ["1", "2"]),
        ("bolt", ["weekly"], ["3", "4"]),
    ):
        own = rows_of_customers(rows, [customer])
        assert [row["grant_id"] for row in own["credit_grants"]] == grants
        assert [row["action_id"] for row in own["credit_actions"]] == actions
