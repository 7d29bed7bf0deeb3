"""The catalogue as it lies in a folder: CSV files, their columns, rows with line numbers."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

COLUMNS = {
    "customers": "customer_id name currency time_zone billing_entity valid_from recorded_at",
    "products": "product_id name product_type allowed_cycles perks recorded_at",
    "plans": "plan_id product_id name cycle alignment grace_days trial_days correction_days"
    " requires_prepaid recorded_at",
    "meters": "meter version event_name aggregation property dimensions multiplier rounding"
    " rounding_digits percentile weighted_mode carry_over amount_property recorded_at",
    "meter_filters": "meter version property operator value recorded_at",
    "charges": "plan_id charge_id position name charge_type timing every_cycles meter"
    " meter_version pricing_model allowance flat_fee_at_zero proration split price_at tax_code"
    " recorded_at",
    "charge_limits": "plan_id charge_id currency minimum maximum valid_from recorded_at",
    "prices": "plan_id charge_id currency dimension_values position valid_from up_to unit_price"
    " flat_fee package_size percent event_fee free_amount free_events customer_id contract_month"
    " applies_to recorded_at",
    "subscriptions": "subscription_id customer_id plan_id currency starts_at ends_at"
    " anchor_date prices_as_of trial_days recorded_at",
    "subscription_changes": "subscription_id changes_at change plan_id charge_id quantity"
    " anchor_date prices_as_of withdrawn recorded_at",
    "plan_migrations": "from_plan_id to_plan_id migrates_at recorded_at",
    "allowances": "plan_id allowance_id charge_ids quantity proration rollover_periods"
    " rollover_cap pooled recorded_at",
    "commitments": "commitment_id name plan_id subscription_id currency amount quantity"
    " unit_price charge_ids window_cycles overage_factor tax_code recorded_at",
    "discounts": "discount_id name level position customer_id subscription_id plan_id product_id"
    " charge_id percent amount total_amount currency periods valid_from valid_to recorded_at",
    "entitlements": "product_id plan_id feature name kind meter meter_version limit_quantity"
    " recorded_at",
    "alerts": "alert_id name customer_id subscription_id plan_id kind charge_id meter"
    " meter_version threshold recorded_at",
    "invoice_actions": "action_id action invoice_id line_id amount acted_by reason recorded_at",
    "credit_grants": "grant_id name customer_id wallet kind currency amount cost_basis priority"
    " scope scope_id effective_at expires_at every recurs_until rollover_cap covers_true_up"
    " recorded_at",
    "credit_actions": "action_id action grant_id to_grant_id amount acts_at reason recorded_at",
    "credit_top_ups": "top_up_id customer_id currency threshold amount recorded_at",
    "credit_units": "unit exponent currency rate valid_from recorded_at",
}
COLUMNS = {name: tuple(columns.split()) for name, columns in COLUMNS.items()}
# A catalogue may leave these out, which is as if they had no rows.
OPTIONAL_FILES = (
    "charge_limits", "meter_filters", "subscription_changes", "plan_migrations", "allowances",
    "commitments", "discounts", "entitlements", "alerts", "invoice_actions", "credit_grants",
    "credit_actions", "credit_top_ups", "credit_units",
)  # fmt: skip
# Columns that came later: a file without them is one in which they are blank.
OPTIONAL_COLUMNS = {
    "plans": ("trial_days", "correction_days", "requires_prepaid"),
    "charges": ("proration", "split", "price_at"),
    "prices": ("customer_id", "contract_month", "applies_to"),
    "subscriptions": ("prices_as_of", "trial_days"),
}
LONGEST_FOUND = 60


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a catalogue; line 0 is the file as a whole.

    `found` is the text as it stands in the file, None where there is none. Rows of a table have
    no lines: `key` then says which row it is.
    """

    file: str
    line: int
    field: str
    found: str | None
    expected: str
    key: str = ""

    def __str__(self) -> str:
        if self.key:
            place = f"{self.file} row {self.line} ({self.key})"
        else:
            place = f"{self.file}:{self.line}" if self.line else self.file
        subject = f"{self.field}: " if self.field else ""
        return f"{place}: {subject}found {quote(self.found)}, expected {self.expected}"


def quote(text: str | None) -> str:
    """`text` in quotes on one line, cut where it is long; "nothing" where there is none."""
    if not text:
        return "nothing"
    shown = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text[:LONGEST_FOUND])
    return f'"{shown}{"..." if len(text) > LONGEST_FOUND else ""}"'


@dataclass
class Row:
    """One row of a file; a column that the file lacks reads as blank."""

    file: str
    line: int
    values: dict[str, str]
    faults: list[Fault] = field(default_factory=list)

    def __getitem__(self, column: str) -> str:
        return self.values.get(column, "")

    def key(self, *columns: str) -> tuple[str, ...]:
        return tuple(self[column] for column in columns)

    def refuse(self, column: str, expected: str, found: str | None = None) -> None:
        """Note a fault of `column`; `found` is its value unless told otherwise."""
        shown = self[column] if found is None else found
        self.faults.append(Fault(f"{self.file}.csv", self.line, column, shown, expected))

    def holds(self, *columns: str) -> bool:
        """Whether none of the columns has a fault yet, so that rules may read them."""
        return not any(fault.field in columns for fault in self.faults)


@dataclass
class Catalog:
    """All files of a catalogue, and what is wrong with files as such."""

    rows: dict[str, list[Row]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def __getitem__(self, name: str) -> list[Row]:
        return self.rows.get(name, [])


def read_catalog(directory: Path) -> Catalog:
    """Read every file of the catalogue in `directory`; nothing is raised for what is in it."""
    catalog = Catalog()
    for name in COLUMNS:
        path = directory / f"{name}.csv"
        catalog.rows[name] = []
        if path.is_file():
            _read_file(catalog, name, path)
        elif name not in OPTIONAL_FILES:
            catalog.faults.append(
                Fault(path.name, 0, "", None, "this file in the folder of the catalogue")
            )
    return catalog


def _read_file(catalog: Catalog, name: str, path: Path) -> None:
    def refuse(line: int, column: str, found: str | None, expected: str) -> None:
        catalog.faults.append(Fault(path.name, line, column, found, expected))

    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        line = content[: fault.start].count(b"\n") + 1
        refuse(line, "", f"byte {content[fault.start]:#04x}", "text in UTF-8")
        return
    records = _records(text, path.name, catalog.faults)
    header = next(records, (1, []))[1]
    for column in COLUMNS[name]:
        if column not in header and column not in OPTIONAL_COLUMNS.get(name, ()):
            refuse(1, column, None, "this column in the first line")
    for position, column in enumerate(header):
        if column not in COLUMNS[name]:
            refuse(1, column, column, f"only the columns {', '.join(COLUMNS[name])}")
        elif column in header[:position]:
            refuse(1, column, column, "each column once")
    for line, record in records:
        if not record:
            refuse(line, "", None, "no blank lines")
        elif len(record) != len(header):
            refuse(line, "", f"{len(record)} fields", f"{len(header)}, as in the first line")
        else:
            values: dict[str, str] = {}
            for column, value in zip(header, record, strict=True):
                values.setdefault(column, value)
            catalog.rows[name].append(Row(name, line, values))


def _records(text: str, file: str, faults: list[Fault]) -> Iterator[tuple[int, list[str]]]:
    """The records of a CSV text, each with the line on which it begins."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        for record in reader:
            yield line, record
            line = reader.line_num + 1
    except csv.Error as fault:
        faults.append(Fault(file, line, "", str(fault), "a CSV line (text in double quotes)"))
