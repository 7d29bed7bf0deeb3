"""The archive of the catalogue: the rows that closed documents were made from must stay.

A row that a close has seen is taken back by a later row, never altered or deleted, and a row
that is new says so: its recorded_at is not before what is sealed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from orchestration.catalog_fields import read_instant
from orchestration.catalog_files import COLUMNS, Catalog, Fault, Row
from orchestration.ledger import BEGINNING, ledger_table, sealed_until
from orchestration.warehouse import Warehouse

SEPARATOR = "\x1f"
STANDS = "as a close has seen it: add a later row instead"


def row_text(row: Row) -> str:
    """What a row says, as the archive keeps it: `column=value` of what is not blank."""
    return SEPARATOR.join(f"{name}={row[name]}" for name in COLUMNS[row.file] if row[name])


def read_text(text: str) -> dict[str, str]:
    """The values of an archived row by column."""
    parts = (part.partition("=") for part in text.split(SEPARATOR) if part)
    return {name: value for name, _, value in parts}


def read_archive(warehouse: Warehouse, schema_prefix: str = "") -> dict[str, list[dict[str, str]]]:
    """The archived rows by table, values by column: what the last close could see."""
    _, archived = warehouse.query(
        f"select table_name, row_text from {ledger_table('catalog_rows', schema_prefix)}"
        " order by table_name, row_hash"
    )
    rows: dict[str, list[dict[str, str]]] = {name: [] for name in COLUMNS}
    for table, text in archived:
        rows.setdefault(table, []).append(read_text(text))
    return rows


def rows_of_customers(
    rows: Mapping[str, Iterable[Mapping[str, str]]], customers: Iterable[str]
) -> dict[str, list[Mapping[str, str]]]:
    """The rows of a catalogue without those that are about other customers alone.

    A row without a customer, subscription or grant is about everybody.
    """
    wanted = {None, "", *customers}
    others = {
        row["subscription_id"]
        for row in rows["subscriptions"]
        if row.get("customer_id") not in wanted
    }
    # An action on credits names its grant, or an occurrence of it (gift#3).
    granted = {
        row["grant_id"] for row in rows["credit_grants"] if row.get("customer_id") not in wanted
    }
    return {
        name: [
            row
            for row in table
            if row.get("customer_id") in wanted
            and row.get("subscription_id") not in others
            and not (
                name == "credit_actions"
                and granted & {row["grant_id"], row["grant_id"].rpartition("#")[0]}
            )
        ]
        for name, table in rows.items()
    }


def archive_faults(catalog: Catalog, warehouse: Warehouse, schema_prefix: str = "") -> list[Fault]:
    """Where `catalog` is no longer what the closes of `warehouse` were made from.

    A file and line for each row that was altered or that claims to be older than it is, a file
    for each that is gone.
    """
    midnight = sealed_until(warehouse, schema_prefix)
    if midnight == BEGINNING:
        return []
    _, archived = warehouse.query(
        f"select table_name, row_text from {ledger_table('catalog_rows', schema_prefix)}"
    )
    faults: list[Fault] = []
    for name in COLUMNS:
        texts = {text for table, text in archived if table == name}
        found = _table_faults(name, catalog[name], texts, midnight)
        faults += sorted(found, key=lambda fault: fault.line)
    return faults


def _table_faults(
    name: str, rows: Iterable[Row], archived: set[str], midnight: datetime
) -> Iterable[Fault]:
    found = {row_text(row): row for row in rows}
    gone = sorted(archived - found.keys())
    new = [
        row for text, row in found.items() if text not in archived and _recorded_at(row) < midnight
    ]
    file = f"{name}.csv"
    for text in gone:
        before = read_text(text)
        row = _nearest(before, new)
        if row is None:
            key = ", ".join(list(before.values())[:3])
            yield Fault(file, 0, "", None, f"the row of {key} {STANDS}")
            continue
        new.remove(row)
        column = next(c for c in COLUMNS[name] if row[c] != before.get(c, ""))
        was = f'"{before[column]}"' if before.get(column) else "a blank"
        yield Fault(file, row.line, column, row[column], f"{was} {STANDS}")
    for row in new:
        expected = f"an instant from {midnight:%Y-%m-%dT%H:%M:%SZ} on, until which all is sealed"
        yield Fault(file, row.line, "recorded_at", row["recorded_at"], expected)


def _recorded_at(row: Row) -> datetime:
    known = read_instant(row["recorded_at"])
    return known.replace(tzinfo=None) if known else datetime.min


def _nearest(before: dict[str, str], rows: list[Row]) -> Row | None:
    """The row that `before` became: the one that differs least, if it does in two columns at most.

    Its first column, which says whose or which it is, must be the same.
    """
    first = next(iter(before), "")
    alike = [
        (sum(row[column] != before.get(column, "") for column in COLUMNS[row.file]), place, row)
        for place, row in enumerate(rows)
        if row[first] == before[first]
    ]
    nearest = min(alike, default=None)
    return nearest[2] if nearest and nearest[0] <= 2 else None
