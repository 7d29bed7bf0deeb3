"""A catalogue with its keys at hand, and the checks that several rules share."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime

from orchestration.catalog_fields import BEGINNING, read_date, read_instant
from orchestration.catalog_files import Catalog, Row, quote
from orchestration.catalog_reference import Reference


def known_at(row: Row) -> datetime:
    return read_instant(row["recorded_at"]) or BEGINNING


def valid_from(row: Row) -> date:
    """The local date from which the row holds; of an instant (customers), its date."""
    return read_date(row["valid_from"][:10]) or BEGINNING.date()


def version(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 1


def first_by(rows: Iterable[Row], *columns: str) -> dict[tuple[str, ...], Row]:
    first: dict[tuple[str, ...], Row] = {}
    for row in rows:
        first.setdefault(row.key(*columns), row)
    return first


def refuse_blank(row: Row, columns: Iterable[str], where: str) -> None:
    for column in columns:
        if not row[column] and row.holds(column):
            row.refuse(column, f"a value {where}")


def refuse_filled(row: Row, columns: Iterable[str], where: str) -> None:
    for column in columns:
        if row[column] and row.holds(column):
            row.refuse(column, f"a blank {where}")


class Index:
    """All rows by their keys; the first row of a key stands for it."""

    def __init__(self, catalog: Catalog, reference: Reference) -> None:
        self.catalog = catalog
        self.reference = reference
        self.products = first_by(catalog["products"], "product_id")
        self.plans = first_by(catalog["plans"], "plan_id")
        self.plan_ids = {key[0] for key in self.plans}
        self.charges = first_by(catalog["charges"], "plan_id", "charge_id")
        self.subscriptions = first_by(catalog["subscriptions"], "subscription_id")
        self.charges_by_plan: dict[str, list[Row]] = defaultdict(list)
        for charge in self.charges.values():
            self.charges_by_plan[charge["plan_id"]].append(charge)
        self.customers: dict[str, list[Row]] = defaultdict(list)
        for row in catalog["customers"]:
            self.customers[row["customer_id"]].append(row)
        self.meters: dict[tuple[str, int], Row] = {}
        for row in catalog["meters"]:
            self.meters.setdefault((row["meter"], version(row["version"])), row)
        self.midnights: dict[tuple[date, str], datetime] = {}
        self.meter_names = {meter for meter, _ in self.meters}
        self.units = first_by(catalog["credit_units"], "unit")
        #: Decimals by currency and by unit of credit.
        self.exponents = reference.exponents | {
            unit: int(row["exponent"])
            for (unit,), row in self.units.items()
            if row.holds("unit", "exponent")
        }
        self.unsure_meters = {row["meter"] for row in catalog["meters"] if not row.holds("version")}

    # Keys and references

    def check_keys(self, name: str, *columns: str) -> None:
        first: dict[tuple[str, ...], Row] = {}
        for row in self.catalog[name]:
            if not row[columns[0]]:
                continue
            earlier = first.setdefault(row.key(*columns), row)
            if earlier is not row:
                row.refuse(
                    columns[-1] if row[columns[-1]] else columns[0],
                    f"one row for each {', '.join(columns)} (line {earlier.line} has it)",
                )

    def check_dated_keys(self, name: str, *columns: str) -> None:
        first: dict[tuple[object, ...], Row] = {}
        for row in self.catalog[name]:
            if not row[columns[0]] or not row.holds("valid_from", "recorded_at"):
                continue
            holds_from = read_instant(row["valid_from"]) or valid_from(row)
            key = (*row.key(*columns), holds_from, known_at(row))
            earlier = first.setdefault(key, row)
            if earlier is not row:
                row.refuse(
                    "valid_from",
                    f"one row for each {', '.join(columns)}, valid_from and recorded_at"
                    f" (line {earlier.line} has it)",
                )

    def check_reference(self, row: Row, column: str, known: Iterable[str], file: str) -> bool:
        if not row[column] or not row.holds(column):
            return False
        if row[column] in known:
            return True
        row.refuse(column, f"a {column} of {file}")
        return False

    def check_currency(self, row: Row) -> bool:
        if not row["currency"] or not row.holds("currency"):
            return False
        if row["currency"] in self.reference.exponents:
            return True
        row.refuse("currency", "a code of currencies.csv, like EUR")
        return False

    def customer_currency(self, customer_id: str) -> str:
        rows = self.customers.get(customer_id)
        return rows[0]["currency"] if rows else ""

    def check_asset(self, row: Row) -> bool:
        """A currency, or a unit of credit."""
        if (row["currency"],) in self.units:
            return row.holds("currency") and row["currency"] in self.exponents
        return self.check_currency(row)

    def check_charge_reference(self, row: Row) -> Row | None:
        if not row.holds("plan_id", "charge_id") or not row["plan_id"] or not row["charge_id"]:
            return None
        if not self.check_reference(row, "plan_id", self.plan_ids, "plans.csv"):
            return None
        charge = self.charges.get(row.key("plan_id", "charge_id"))
        if charge is None:
            row.refuse("charge_id", f"a charge of plan {quote(row['plan_id'])} in charges.csv")
        return charge

    def check_decimals(self, row: Row, *columns: str) -> None:
        """Amounts have at most the decimals of the row's currency or unit, a known one."""
        exponent = self.exponents[row["currency"]]
        for column in columns:
            if row.holds(column) and len(row[column].partition(".")[2]) > exponent:
                row.refuse(column, f"at most {exponent} decimals, as {row['currency']} has")

    # Time

    def homes(self, subscription: Row) -> list[Row]:
        """The customer's rows whose zone is known."""
        rows = self.customers.get(subscription["customer_id"], [])
        return [home for home in rows if home["time_zone"] in self.reference.zones]

    def zone(self, day: date, homes: list[Row]) -> str:
        valid = [home for home in homes if valid_from(home) <= day] or homes
        return max(valid, key=lambda home: (valid_from(home), known_at(home)))["time_zone"]

    def instant(self, text: str, homes: list[Row]) -> datetime:
        if instant := read_instant(text):
            return instant
        day = date.fromisoformat(text)
        place = (day, self.zone(day, homes))
        if place not in self.midnights:
            self.midnights[place] = self.reference.local_midnight(*place)
        return self.midnights[place]

    def local_date(self, text: str, homes: list[Row]) -> date:
        """The date that the text names, or the local date of the instant that it names."""
        instant = read_instant(text)
        if instant is None:
            return date.fromisoformat(text)
        return self.reference.local_date(instant, self.zone(instant.date(), homes))

    # Meters

    def meter_of(self, row: Row, column: str) -> Row | None:
        """The meter row that `row` names by meter and version; refuses what is not there."""
        if not row["meter"] or not row.holds("meter", column):
            return None
        number = version(row[column] or "1")
        meter = self.meters.get((row["meter"], number))
        if meter is None and row["meter"] not in self.meter_names:
            row.refuse("meter", "a meter of meters.csv")
        elif meter is None and row["meter"] not in self.unsure_meters:
            row.refuse(column, f"a version of {quote(row['meter'])} in meters.csv", str(number))
        return meter

    def meter_of_charge(self, charge: Row) -> Row | None:
        return self.meters.get((charge["meter"], version(charge["meter_version"] or "1")))
