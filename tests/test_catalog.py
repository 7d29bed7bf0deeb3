"""The check of the catalogue: the demo's is sound, and each way to break it is one fault.

A case copies the demo catalogue, changes one thing and states every line that the check says.
"""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestration.catalog import (
    Fault,
    add_missing_columns,
    check_catalog,
    format_faults,
    write_missing_files,
)
from orchestration.catalog_files import COLUMNS, OPTIONAL_COLUMNS, OPTIONAL_FILES
from orchestration.catalog_reference import read_reference

PROJECT = Path(__file__).resolve().parent.parent
DEMO = PROJECT / "seeds" / "catalog"


class Folder:
    """A catalogue that a case edits; rows are found by the values that they start with."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def file(self, name: str) -> Path:
        return self.path / f"{name}.csv"

    def records(self, name: str) -> list[list[str]]:
        with self.file(name).open(encoding="utf-8", newline="") as handle:
            return list(csv.reader(handle))

    def save(self, name: str, records: list[list[str]]) -> None:
        with self.file(name).open("w", encoding="utf-8", newline="") as handle:
            csv.writer(handle, lineterminator="\n").writerows(records)

    def line(self, name: str, start: str) -> int:
        """The line of the first row that starts with `start`, fields joined by commas."""
        lines = self.file(name).read_text("utf-8").split("\n")
        return next(n for n, text in enumerate(lines, 1) if f"{text},".startswith(f"{start},"))

    def change(self, name: str, start: str, /, **values: str) -> int:
        line = self.line(name, start)
        records = self.records(name)
        for column, value in values.items():
            records[line - 1][COLUMNS[name].index(column)] = value
        self.save(name, records)
        return line

    def add(self, name: str, like: str, /, **values: str) -> int:
        """Append a copy of a row with some values changed; returns its line."""
        records = self.records(name)
        records.append(list(records[self.line(name, like) - 1]))
        for column, value in values.items():
            records[-1][COLUMNS[name].index(column)] = value
        self.save(name, records)
        return len(records)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    shutil.copytree(DEMO, tmp_path / "catalog")
    return Folder(tmp_path / "catalog")


def told(folder: Folder) -> list[str]:
    return [str(fault) for fault in check_catalog(folder.path)]


def test_the_demo_catalogue_has_no_fault():
    assert check_catalog(DEMO) == []


def test_the_demo_catalogue_is_what_the_generator_writes(tmp_path: Path):
    from orchestration.demo import write_catalog

    write_catalog(tmp_path)
    for name in ("customers", "subscriptions"):
        assert (tmp_path / f"{name}.csv").read_bytes() == (DEMO / f"{name}.csv").read_bytes()


# (file, start of the row, column, its new value, what the check then says after file and line)
FIELD_CASES = [
    # Customers
    ("customers", "cus_0030", "billing_entity", "",
     "billing_entity: found nothing, expected a value"),
    ("customers", "cus_0030", "time_zone", "", "time_zone: found nothing, expected a value"),
    ("customers", "cus_0030", "time_zone", "Europe/Berlim",
     'time_zone: found "Europe/Berlim", expected an IANA time zone, like Europe/Berlin or UTC'),
    ("customers", "cus_0030", "time_zone", "+02:00",
     'time_zone: found "+02:00", expected an IANA time zone, like Europe/Berlin or UTC'),
    ("customers", "cus_0030", "currency", "BTC",
     'currency: found "BTC", expected a code of currencies.csv, like EUR'),
    ("customers", "cus_0030", "currency", "usd",
     'currency: found "usd", expected a code of currencies.csv, like EUR'),
    ("customers", "cus_0030", "valid_from", "2026-02-30",
     'valid_from: found "2026-02-30", expected a local date (2026-01-31) or an instant with its'
     " zone (2026-01-31T09:00:00Z)"),
    ("prices", "vector_30,reserve,USD", "valid_from", "2026-02-30",
     'valid_from: found "2026-02-30", expected a date like 2026-01-31 (1970 to 9998)'),
    ("prices", "vector_30,reserve,USD", "valid_from", "9999-01-01",
     'valid_from: found "9999-01-01", expected a date like 2026-01-31 (1970 to 9998)'),
    ("customers", "cus_0030", "recorded_at", "2026-01-01T00:00:00",
     'recorded_at: found "2026-01-01T00:00:00", expected an instant with its zone,'
     " like 2026-01-31T09:00:00Z"),
    ("customers", "cus_0030", "name", "NULL",
     'name: found "NULL", expected a blank, or another word'
     " (null means a blank to some engines)"),
    ("customers", "cus_0030", "name", " Acme",
     'name: found " Acme", expected no spaces before or after the value'),
    ("customers", "cus_0030", "name", "Ac\x00me",
     'name: found "Ac\\x00me", expected text on one line without control characters'),
    ("customers", "cus_0030", "name", "Ac\nme",
     'name: found "Ac\\x0ame", expected text on one line without control characters'),
    ("customers", "cus_0030", "name", "x" * 10_000,
     f'name: found "{"x" * 60}...", expected at most 1,000 characters'),
    # Products and plans
    ("products", "studio", "allowed_cycles", "week,month",
     'allowed_cycles: found "week,month", expected cycles separated by | (month|year)'),
    ("plans", "pro", "product_id", "nothing",
     'product_id: found "nothing", expected a product_id of products.csv'),
    ("plans", "pro", "cycle", "fortnight",
     'cycle: found "fortnight", expected week, month, quarter, year or N days (30 days)'),
    ("plans", "pro", "cycle", "0 days",
     'cycle: found "0 days", expected week, month, quarter, year or N days (30 days)'),
    ("plans", "pro", "cycle", "week",
     "cycle: found \"week\", expected one of the product's allowed_cycles (month|year)"),
    ("plans", "vector_30", "alignment", "calendar",
     'alignment: found "calendar", expected anniversary with a cycle of 30 days'),
    ("plans", "pro", "alignment", "rolling",
     'alignment: found "rolling", expected one of calendar, anniversary'),
    ("plans", "pro", "grace_days", "-1",
     'grace_days: found "-1", expected a whole number from 0 to 366'),
    ("plans", "pro", "grace_days", "1.5",
     'grace_days: found "1.5", expected a whole number from 0 to 366'),
    # Meters
    ("meters", "input_tokens", "aggregation", "median",
     'aggregation: found "median", expected one of count, sum, count_unique, max, min, latest,'
     " average, percentile, weighted_sum"),
    ("meters", "input_tokens", "property", "",
     "property: found nothing, expected a value with the aggregation sum"),
    ("meters", "api_calls", "property", "calls",
     'property: found "calls", expected a blank with the aggregation count'),
    ("meters", "input_tokens", "property", "usage..tokens",
     'property: found "usage..tokens", expected a dotted path (usage.tokens, "http.status")'
     " or derived:name"),
    ("meters", "input_tokens", "property", "derived:no_such_macro",
     'property: found "derived:no_such_macro", expected a macro derived__no_such_macro in macros/'),
    ("meters", "active_users", "dimensions", "model||region",
     'dimensions: found "model||region", expected paths separated by | (model|region)'),
    ("meters", "active_users", "dimensions", "model|model",
     'dimensions: found "model|model", expected each dimension once'),
    ("meters", "concurrency_p95", "percentile", "0",
     'percentile: found "0", expected a number above 0 to 100'),
    ("meters", "concurrency_p95", "percentile", "100.5",
     'percentile: found "100.5", expected a number above 0 to 100'),
    ("meters", "concurrency_p95", "percentile", "",
     "percentile: found nothing, expected a value with the aggregation percentile"),
    ("meters", "peak_concurrency", "percentile", "95",
     'percentile: found "95", expected a blank with the aggregation max'),
    ("meters", "seats", "weighted_mode", "",
     "weighted_mode: found nothing, expected a value with the aggregation weighted_sum"),
    ("meters", "peak_concurrency", "carry_over", "true",
     'carry_over: found "true", expected false with the aggregation max'),
    ("meters", "active_users", "multiplier", "2",
     'multiplier: found "2", expected a blank with the aggregation count_unique'),
    ("meters", "audio_blocks", "rounding", "",
     'rounding_digits: found "0", expected a blank without a rounding'),
    ("meters", "audio_blocks", "rounding_digits", "11",
     'rounding_digits: found "11", expected a whole number from 0 to 10'),
    ("meters", "support_tickets", "version", "0",
     'version: found "0", expected a whole number from 1 to 1000000'),
    # Filters
    ("meter_filters", "api_calls,1,test", "operator", "is",
     'operator: found "is", expected one of eq, neq, in, not_in, gt, gte, lt, lte, exists,'
     " not_exists, contains"),
    ("meter_filters", "api_calls,1,test", "value", "",
     "value: found nothing, expected a value with the operator neq"),
    ("meter_filters", "audio_blocks", "value", "1,000",
     'value: found "1,000", expected a number with the operator gt'),
    ("meter_filters", "images", "value", "done|",
     'value: found "done|", expected values separated by | (a|b), none of them blank'),
    ("meter_filters", "sales", "value", "yes",
     'value: found "yes", expected a blank with the operator not_exists'),
    ("meter_filters", "sales", "meter", "refunds",
     'meter: found "refunds", expected a meter of meters.csv'),
    ("meter_filters", "sales", "version", "2",
     'version: found "2", expected a version of "sales" in meters.csv'),
    # Charges
    ("charges", "vector_30,vectors", "meter", "vektors",
     'meter: found "vektors", expected a meter of meters.csv'),
    ("charges", "vector_30,vectors", "meter_version", "2",
     'meter_version: found "2", expected a version of "vectors" in meters.csv'),
    ("charges", "vector_30,vectors", "meter", "",
     "meter: found nothing, expected a value on a usage charge"),
    ("charges", "vector_30,vectors", "pricing_model", "",
     "pricing_model: found nothing, expected a value on a usage charge"),
    ("charges", "vector_30,vectors", "pricing_model", "graduated",
     'pricing_model: found "graduated", expected one of per_unit, flat, tiered, volume, stairstep,'
     " package, percentage, tiered_percentage, dynamic"),
    ("charges", "vector_30,vectors", "charge_type", "metered",
     'charge_type: found "metered", expected one of recurring, usage, one_time'),
    ("charges", "vector_30,vectors", "timing", "advance",
     'timing: found "advance", expected arrears or a blank: usage is billed once it happened'),
    ("charges", "vector_30,vectors", "every_cycles", "2",
     'every_cycles: found "2", expected a blank on a usage charge'),
    ("charges", "vector_30,vectors", "allowance", "1e3",
     'allowance: found "1e3", expected a number from 0, written like 1250 or 0.25'),
    ("charges", "vector_30,vectors", "allowance", "-5",
     'allowance: found "-5", expected a number from 0'),
    ("charges", "pro,support", "allowance", "5",
     'allowance: found "5", expected a blank with the pricing model flat'),
    ("charges", "marketplace,partner_jobs", "allowance", "5",
     'allowance: found "5", expected a blank with the pricing model dynamic'),
    ("charges", "vector_30,reserve", "flat_fee_at_zero", "true",
     'flat_fee_at_zero: found "true", expected false with the pricing model per_unit'),
    ("charges", "enterprise,yearly_fee", "every_cycles", "0",
     'every_cycles: found "0", expected a whole number from 1 to 1200'),
    ("charges", "enterprise,yearly_fee", "timing", "",
     "timing: found nothing, expected a value on a recurring charge"),
    ("charges", "enterprise,yearly_fee", "meter", "seats",
     'meter: found "seats", expected a blank on a recurring charge'),
    ("charges", "pro,onboarding", "every_cycles", "3",
     'every_cycles: found "3", expected a blank on a one_time charge'),
    ("charges", "pro,onboarding", "position", "first",
     'position: found "first", expected a whole number from 1 to 1000000'),
    # Limits
    ("charge_limits", "pro,storage,USD", "maximum", "400.005",
     'maximum: found "400.005", expected at most 2 decimals, as USD has'),
    ("charge_limits", "pro,storage,JPY", "maximum", "60000.5",
     'maximum: found "60000.5", expected at most 0 decimals, as JPY has'),
    ("charge_limits", "pro,storage,USD", "minimum", "401",
     'minimum: found "401", expected at most the maximum (400)'),
    ("charge_limits", "pro,storage,USD", "maximum", "",
     "minimum: found nothing, expected a minimum, a maximum or both"),
    ("charge_limits", "pro,storage,USD", "charge_id", "platform_fee",
     'charge_id: found "platform_fee", expected a usage charge: only usage has limits'),
    ("charge_limits", "pro,storage,USD", "charge_id", "disk",
     'charge_id: found "disk", expected a charge of plan "pro" in charges.csv'),
    # Prices
    ("prices", "vector_30,reserve,USD", "unit_price", "",
     "unit_price: found nothing, expected unit_price for the pricing model per_unit"),
    ("prices", "vector_30,reserve,USD", "unit_price", "1,5",
     'unit_price: found "1,5", expected a number from 0, written like 1250 or 0.25'),
    ("prices", "vector_30,reserve,USD", "unit_price", "NaN",
     'unit_price: found "NaN", expected a number from 0, written like 1250 or 0.25'),
    ("prices", "vector_30,reserve,USD", "unit_price", "-1",
     'unit_price: found "-1", expected a number from 0'),
    ("prices", "vector_30,reserve,USD", "unit_price", "0.1234567890123",
     'unit_price: found "0.1234567890123", expected a number with at most 12 decimals'),
    ("prices", "vector_30,reserve,USD", "unit_price", "123456789",
     'unit_price: found "123456789", expected a number with at most 8 digits before the point'),
    ("prices", "vector_30,reserve,USD", "flat_fee", "1",
     'flat_fee: found "1", expected a blank for the pricing model per_unit'),
    ("prices", "vector_30,reserve,USD", "up_to", "10",
     'up_to: found "10", expected a blank for the pricing model per_unit, which has no tiers'),
    ("prices", "starter,api_calls,USD", "package_size", "0",
     'package_size: found "0", expected a number above 0'),
    ("prices", "starter,api_calls,USD", "package_size", "-100",
     'package_size: found "-100", expected a number above 0'),
    ("prices", "starter,api_calls,USD", "package_size", "",
     "package_size: found nothing, expected package_size for the pricing model package"),
    ("prices", "starter,platform_fee,USD", "unit_price", "",
     "unit_price: found nothing, expected unit_price for a fee"),
    ("prices", "starter,platform_fee,USD", "dimension_values", "region=eu",
     'dimension_values: found "region=eu", expected a blank on a charge without usage'),
    ("prices", "marketplace,sales,USD", "percent", "2.9%",
     'percent: found "2.9%", expected a number from 0, written like 1250 or 0.25'),
    ("prices", "vector_30,reserve,USD", "currency", "XBT",
     'currency: found "XBT", expected a code of currencies.csv, like EUR'),
    ("prices", "vector_30,reserve,USD", "charge_id", "spare",
     'charge_id: found "spare", expected a charge of plan "vector_30" in charges.csv'),
    ("prices", "vector_30,reserve,USD", "plan_id", "vector_31",
     'plan_id: found "vector_31", expected a plan_id of plans.csv'),
    ("prices", "vector_30,reserve,USD", "dimension_values", "region=eu",
     'dimension_values: found "region=eu", expected dimensions of the meter spare_capacity: none'),
    ("prices", "starter,images,USD,resolution=high", "dimension_values", "resolution",
     'dimension_values: found "resolution", expected name=value pairs separated by |'
     " (%7C is |, %25 is %)"),
    ("prices", "starter,images,USD,resolution=high", "dimension_values", "resolution=100%",
     'dimension_values: found "resolution=100%", expected name=value pairs separated by |'
     " (%7C is |, %25 is %)"),
    ("prices", "starter,images,USD,resolution=high", "dimension_values",
     "resolution=high|resolution=low",
     'dimension_values: found "resolution=high|resolution=low", expected each dimension once'),
    # Tiers: (10, open) in the demo
    ("prices", "starter,storage,USD", "up_to", "0",
     'up_to: found "0", expected a number above 0'),
    ("prices", "starter,storage,USD", "up_to", "-10",
     'up_to: found "-10", expected a number above 0'),
    ("prices", "starter,storage,USD", "up_to", "ten",
     'up_to: found "ten", expected a number above 0, written like 1250 or 0.25'),
    ("prices", "enterprise,storage,USD,,,,1000", "position", "7",
     "position: found nothing, expected the same in all bands (line {line})"),
    # Subscriptions
    ("subscriptions", "sub_0001", "customer_id", "cus_x",
     'customer_id: found "cus_x", expected a customer_id of customers.csv'),
    ("subscriptions", "sub_0001", "plan_id", "gold",
     'plan_id: found "gold", expected a plan_id of plans.csv'),
    ("subscriptions", "sub_0001", "currency", "XXY",
     'currency: found "XXY", expected a code of currencies.csv, like EUR'),
    ("subscriptions", "sub_0001", "starts_at", "",
     "starts_at: found nothing, expected a value"),
    ("subscriptions", "sub_0001", "starts_at", "01/02/2026",
     'starts_at: found "01/02/2026", expected a local date (2026-01-31) or an instant with its'
     " zone (2026-01-31T09:00:00Z)"),
    ("subscriptions", "sub_0001", "starts_at", "2026-01-01T10:00:00",
     'starts_at: found "2026-01-01T10:00:00", expected a local date (2026-01-31) or an instant'
     " with its zone (2026-01-31T09:00:00Z)"),
    ("subscriptions", "sub_0001", "ends_at", "2026-01-01",
     'ends_at: found "2026-01-01", expected a time after starts_at (2026-01-01)'),
    # Sao Paulo's midnight is 03:00 UTC.
    ("subscriptions", "sub_0001", "ends_at", "2026-01-01T03:00:00Z",
     'ends_at: found "2026-01-01T03:00:00Z", expected a time after starts_at (2026-01-01)'),
    ("subscriptions", "sub_0001", "anchor_date", "2026-01-31",
     'anchor_date: found "2026-01-31", expected a blank on a plan whose alignment is calendar'),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "start", "column", "value", "expected"),
    FIELD_CASES,
    ids=[f"{case[0]}-{case[2]}-{case[3][:20]!r}" for case in FIELD_CASES],
)
def test_a_wrong_field_is_named(folder: Folder, name, start, column, value, expected):
    line = folder.change(name, start, **{column: value})
    faults = told(folder)
    position = line + 1 if "{line}" in expected else line
    assert f"{name}.csv:{position}: {expected.format(line=line)}" in faults
    # One slip is one fault, apart from what then lacks its price or its bands' position.
    others = [fault for fault in faults if not fault.endswith(expected)]
    assert all("expected a price in" in fault or "position" in fault for fault in others), others


def test_an_instant_one_second_after_local_midnight_is_after_it(folder: Folder):
    folder.change("subscriptions", "sub_0001", ends_at="2026-01-01T03:00:01Z")
    assert told(folder) == []


def _tiers(*ends: str) -> Callable[[Folder], int]:
    """The two bands of a price row replaced by bands with these ends; returns the first line."""

    def change(folder: Folder) -> int:
        line = folder.line("prices", "starter,storage,USD")
        records = folder.records("prices")
        up_to = COLUMNS["prices"].index("up_to")
        bands = [list(records[line - 1]) for _ in ends]
        for band, end in zip(bands, ends, strict=True):
            band[up_to] = end
        folder.save("prices", [*records[: line - 1], *bands, *records[line + 1 :]])
        return line

    return change


RISING = "expected a number greater than {} (tiers rise, the last is open)"
TIER_CASES = [
    ("unsorted", _tiers("20", "10", ""), 1, f'found "10", {RISING.format(20)}'),
    ("overlap", _tiers("10", "10", ""), 1, f'found "10", {RISING.format(10)}'),
    ("equal with other digits", _tiers("10", "10.0", ""), 1, f'found "10.0", {RISING.format(10)}'),
    ("no open end", _tiers("10", "20"), 1, 'found "20", expected a blank: the last tier is open'),
    ("two open ends", _tiers("10", "", ""), 2,
     "found nothing, expected nothing after the open tier: tiers rise (line {1} is open)"),
    ("open end first", _tiers("", "10"), 1,
     'found "10", expected nothing after the open tier: tiers rise (line {0} is open)'),
]  # fmt: skip


@pytest.mark.parametrize(("change", "offset", "expected"), [case[1:] for case in TIER_CASES],
                         ids=[case[0] for case in TIER_CASES])  # fmt: skip
def test_a_broken_tier_list_is_named(folder: Folder, change, offset, expected):
    first = change(folder)
    lines = (first, first + 1)
    assert told(folder) == [f"prices.csv:{first + offset}: up_to: {expected.format(*lines)}"]


def test_a_tier_list_that_says_from_where_is_refused(folder: Folder):
    """A gap cannot be written: a band begins where the one before it ends."""
    records = folder.records("prices")
    records = [[*record, "from" if n == 0 else ""] for n, record in enumerate(records)]
    folder.save("prices", records)
    (fault,) = told(folder)
    assert fault.startswith('prices.csv:1: from: found "from", expected only the columns plan_id')


DUPLICATES = [
    ("products", "studio", {}, "product_id"),
    ("plans", "pro", {"name": "Pro again"}, "plan_id"),
    ("charges", "pro,seats", {}, "plan_id, charge_id"),
    ("meters", "seats", {"aggregation": "weighted_sum"}, "meter, version"),
    ("meters", "seats", {"version": "01"}, "meter, version"),
    ("meter_filters", "images", {}, "meter, version, property, operator, value"),
    ("subscriptions", "sub_0001", {"plan_id": "pro"}, "subscription_id"),
    ("customers", "cus_0001", {}, "customer_id, valid_from and recorded_at"),
    # The same moment and the same first day, otherwise written.
    ("customers", "cus_0001",
     {"recorded_at": "2025-12-01T01:00:00+01:00", "valid_from": "1970-01-01"},
     "customer_id, valid_from and recorded_at"),
    ("charge_limits", "pro,storage,USD", {"maximum": "9"},
     "plan_id, charge_id, currency, valid_from and recorded_at"),
    ("prices", "vector_30,reserve,USD", {"unit_price": "9"},
     "charge, currency, dimension_values, valid_from, customer_id, contract_month and recorded_at"),
    ("prices", "vector_30,reserve,USD", {"contract_month": "01"},
     "charge, currency, dimension_values, valid_from, customer_id, contract_month and recorded_at"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "like", "values", "key"), DUPLICATES)
def test_a_key_written_twice_is_named(folder: Folder, name, like, values, key):
    first = folder.line(name, like)
    line = folder.add(name, like, **values)
    (fault,) = told(folder)
    assert fault.startswith(f"{name}.csv:{line}: ")
    assert key in fault
    assert fault.endswith(f"(line {first} has it)")


def test_two_prices_next_to_each_other_are_named(folder: Folder):
    line = folder.line("prices", "vector_30,reserve,BHD")
    records = folder.records("prices")
    folder.save("prices", [*records[:line], records[line - 1], *records[line:]])
    (fault,) = told(folder)
    assert fault.startswith(f"prices.csv:{line + 1}: valid_from: found nothing, expected one price")


def test_the_same_dimensions_in_another_order_are_the_same_price(folder: Folder):
    line = folder.add(
        "prices",
        "pro,input_tokens,USD,region=eu|model=atlas-large,2,",
        dimension_values="model=atlas-large|region=eu",
    )
    (fault,) = told(folder)
    assert fault.startswith(f"prices.csv:{line}: valid_from: found nothing, expected one price")


def test_a_later_recorded_price_and_a_later_valid_one_are_no_faults(folder: Folder):
    folder.add("prices", "vector_30,reserve,USD", recorded_at="2026-01-05T00:00:00Z")
    folder.add("prices", "vector_30,reserve,USD", valid_from="2026-02-01")
    assert told(folder) == []


def test_a_customer_has_one_currency(folder: Folder):
    first = folder.line("customers", "cus_0001")
    line = folder.add("customers", "cus_0001", valid_from="2026-02-01", currency="EUR")
    assert told(folder) == [
        f'customers.csv:{line}: currency: found "EUR", expected "USD" as in line {first}'
        " (a customer has one currency)"
    ]


def test_a_subscription_before_its_customer_is_named(folder: Folder):
    folder.change("customers", "cus_0001", valid_from="2026-01-02")
    (fault,) = told(folder)
    assert "starts_at: found" in fault
    assert "expected 2026-01-02 or later" in fault


def test_a_charge_without_a_price_in_the_currency_is_named_once(folder: Folder):
    records = folder.records("prices")
    kept = [record for record in records if record[:3] != ["pro", "seats", "EUR"]]
    folder.save("prices", kept)
    (fault,) = told(folder)
    line = folder.line("charges", "pro,seats")
    assert fault.startswith(
        f'charges.csv:{line}: charge_id: found "seats", expected a price in EUR in prices.csv ('
    )
    assert fault.endswith(" is billed in EUR)")


def test_a_currency_of_a_subscription_needs_its_prices(folder: Folder):
    folder.change("subscriptions", "sub_0001", currency="CHF")
    faults = told(folder)
    assert len(faults) == len([c for c in folder.records("charges") if c[0] == "enterprise"])
    assert all("expected a price in CHF" in fault for fault in faults)


def test_a_price_that_begins_after_the_subscription_is_named(folder: Folder):
    folder.change("prices", "pro,seats,BHD", valid_from="2026-06-01")
    (fault,) = told(folder)
    assert "expected a price in BHD in prices.csv that is valid from" in fault


def test_dynamic_pricing_needs_the_amount_of_the_event(folder: Folder):
    folder.change("meters", "partner_jobs", amount_property="")
    (fault,) = told(folder)
    assert 'pricing_model: found "dynamic", expected an amount_property on the meter' in fault


def test_text_that_looks_like_code_is_only_text(folder: Folder):
    """SQL, Jinja and spreadsheet formulas in a name are neither run nor refused."""
    for number, text in enumerate(
        [
            "Robert'); drop table customers; --",
            "{{ 1 / 0 }} {% raw %} {# comment",
            '=HYPERLINK("http://x","y")',
            "@SUM(A1:A9), +1, -1",
            "emoji \N{ROCKET} \u2028 line separator",
        ]
    ):
        folder.change("customers", f"cus_003{number}", name=text, billing_entity=text)
    assert told(folder) == []


def test_files_as_such_are_checked(folder: Folder):
    folder.file("plans").unlink()
    assert "plans.csv: found nothing, expected this file in the folder of the catalogue" in told(
        folder
    )


def test_limits_filters_and_terms_may_be_left_out(folder: Folder):
    for name in OPTIONAL_FILES:
        folder.file(name).unlink()
    assert told(folder) == []
    written = write_missing_files(folder.path)
    assert [path.name for path in written] == [f"{name}.csv" for name in OPTIONAL_FILES]
    assert told(folder) == []
    assert write_missing_files(folder.path) == []


def test_columns_that_came_later_may_be_left_out(folder: Folder):
    """A catalogue written before there were terms: its plans, charges and prices still hold."""
    for name, later in OPTIONAL_COLUMNS.items():
        records = folder.records(name)
        places = [place for place, column in enumerate(records[0]) if column not in later]
        folder.save(name, [[record[place] for place in places] for record in records])
    assert told(folder) == []
    written = add_missing_columns(folder.path)
    assert [path.name for path in written] == [f"{name}.csv" for name in OPTIONAL_COLUMNS]
    for name in OPTIONAL_COLUMNS:
        header, *records = folder.records(name)
        assert sorted(header) == sorted(COLUMNS[name])
        assert {len(record) for record in records} == {len(header)}
    assert told(folder) == []
    assert add_missing_columns(folder.path) == []


def test_a_catalogue_of_headers_only_has_no_fault(folder: Folder):
    for name in COLUMNS:
        folder.save(name, [list(COLUMNS[name])])
    assert told(folder) == []


def _write(folder: Folder, name: str, change: Callable[[bytes], bytes]) -> None:
    folder.file(name).write_bytes(change(folder.file(name).read_bytes()))


FILE_CASES = [
    ("no column", lambda text: text.replace(b"grace_days,", b"", 1),
     "plans.csv:1: grace_days: found nothing, expected this column in the first line"),
    ("column twice", lambda text: text.replace(b"grace_days,", b"cycle,", 1),
     'plans.csv:1: cycle: found "cycle", expected each column once'),
    ("too few fields", lambda text: text + b"gold,platform,Gold\n",
     'plans.csv:10: found "3 fields", expected 10, as in the first line'),
    ("too many fields", lambda text: text + b"gold,platform,Gold,month,calendar,1,,,,,\n",
     'plans.csv:10: found "11 fields", expected 10, as in the first line'),
    ("blank line", lambda text: text + b"\n",
     "plans.csv:10: found nothing, expected no blank lines"),
    ("open quote", lambda text: text + b'"gold,platform',
     'plans.csv:10: found "unexpected end of data", expected a CSV line'
     " (text in double quotes)"),
    ("not UTF-8", lambda text: text + b"gold,platform,G\xfcld,month,calendar,1,\n",
     'plans.csv:10: found "byte 0xfc", expected text in UTF-8'),
    ("empty file", lambda text: b"",
     "plans.csv:1: plan_id: found nothing, expected this column in the first line"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "expected"), [case[1:] for case in FILE_CASES],
                         ids=[case[0] for case in FILE_CASES])  # fmt: skip
def test_a_broken_file_is_named(folder: Folder, change, expected):
    _write(folder, "plans", change)
    assert expected in told(folder)


def test_a_byte_order_mark_and_crlf_are_no_faults(folder: Folder):
    _write(folder, "plans", lambda text: b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n"))
    assert told(folder) == []


def test_columns_may_stand_in_any_order(folder: Folder):
    folder.save("plans", [record[::-1] for record in folder.records("plans")])
    assert told(folder) == []


def test_every_fault_is_in_one_list_in_order(folder: Folder):
    folder.change("subscriptions", "sub_0001", starts_at="soon")
    folder.change("plans", "pro", cycle="moon")
    folder.change("customers", "cus_0030", time_zone="Mars/Base")
    faults = check_catalog(folder.path)
    assert [fault.file for fault in faults] == ["customers.csv", "plans.csv", "subscriptions.csv"]
    text = format_faults(faults)
    assert text.endswith("the catalogue has 3 faults")
    assert len(text.splitlines()) == 4


def test_a_fault_reads_as_one_line():
    fault = Fault("prices.csv", 14, "up_to", "5", "a number greater than 10")
    assert str(fault) == 'prices.csv:14: up_to: found "5", expected a number greater than 10'


def test_a_derived_property_with_its_macro_is_no_fault(folder: Folder, tmp_path: Path):
    project = tmp_path / "project"
    shutil.copytree(PROJECT / "seeds" / "reference", project / "seeds" / "reference")
    (project / "macros").mkdir()
    (project / "macros" / "derived.sql").write_text(
        "{% macro derived__total_tokens(properties) %}1{% endmacro %}", encoding="utf-8"
    )
    folder.change("meters", "input_tokens", property="derived:total_tokens")
    assert check_catalog(folder.path, project) == []


def test_local_midnight_follows_the_transitions():
    from datetime import UTC, date, datetime

    reference = read_reference(PROJECT)
    assert reference.local_midnight(date(2026, 7, 1), "Europe/Berlin") == datetime(
        2026, 6, 30, 22, tzinfo=UTC
    )
    # Cairo's clocks skip the midnight of 24 April 2026: the day begins at 01:00 local time.
    assert reference.local_midnight(date(2026, 4, 24), "Africa/Cairo") == datetime(
        2026, 4, 23, 22, tzinfo=UTC
    )


def test_the_demo_usage_is_the_same_each_time(tmp_path: Path):
    """Two processes with other hash seeds write the same bytes."""
    totals = []
    for seed in ("1", "2"):
        code = (
            "import sys, hashlib, orchestration.demo as demo;"
            "files = demo.generate(sys.argv[1]);"
            "whole = hashlib.sha256(b''.join(path.read_bytes() for path, _ in files));"
            "print(len(files), files[0][0].name, files[0][1].isoformat(), whole.hexdigest())"
        )
        run = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / seed)],
            cwd=PROJECT,
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        totals.append(run.stdout)
    assert totals[0] == totals[1]
    assert totals[0].startswith("90 usage-2026-01-01.ndjson.gz 2026-01-01T23:55:00+00:00 ")
