"""A catalogue that lies in the tables of a database schema, read as its CSVs would be.

Every value becomes the text that the CSV would have, by the rules that the macro catalog_text
has for the staging models; what the check then finds is named by table and row.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from orchestration.catalog_fields import BEGINNING, NUMBER, read_date, read_instant
from orchestration.catalog_files import (
    COLUMNS,
    OPTIONAL_COLUMNS,
    OPTIONAL_FILES,
    Catalog,
    Fault,
    Row,
)
from orchestration.errors import UserError
from orchestration.house import project_variable
from orchestration.warehouse import Warehouse, one_line, quote_identifier

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_$]{0,62}")
# How many columns from the first one tell a person which row is meant.
KEY_LENGTHS = {
    "charges": 2, "charge_limits": 3, "prices": 4, "meters": 2, "meter_filters": 4,
    "subscription_changes": 3, "plan_migrations": 3, "allowances": 2, "entitlements": 3,
    "credit_units": 3,
}  # fmt: skip
FILE_AND_LINE = re.compile(rf"\b({'|'.join(COLUMNS)})\.csv(?::(\d+))?")


def check_schema_name(schema: str) -> str:
    """`schema`, if it can name a schema. Raises UserError otherwise."""
    if not IDENTIFIER.fullmatch(schema):
        raise UserError(f"not the name of a schema (letters, digits, _ and $): {schema!r}")
    return schema


def project_schema(project: Path) -> str:
    """The schema that dbt_project.yml names as the catalogue; blank: the CSV files."""
    return project_variable(project, "catalog_schema")


def read_tables(warehouse: Warehouse, schema: str) -> Catalog:
    """The catalogue in the tables of `schema`; nothing is raised for what is in them.

    Raises UserError when there is no such schema or a table cannot be read.
    """
    try:
        types = _read_types(warehouse, schema)
        if not types:
            raise UserError(f"{warehouse.name} has no schema {schema} with tables")
        catalog = Catalog()
        for name in COLUMNS:
            if name in types:
                catalog.rows[name] = _read_table(warehouse, schema, name, types[name], catalog)
            elif name not in OPTIONAL_FILES:
                catalog.faults.append(
                    Fault(f"{name}.csv", 0, "", None, f"this table in the schema {schema}")
                )
    except UserError:
        raise
    except Exception as fault:
        raise UserError(f"cannot read the catalogue in {schema}: {one_line(fault)}") from fault
    return catalog


def name_tables(faults: Iterable[Fault], catalog: Catalog, schema: str) -> list[Fault]:
    """The faults of a catalogue that was read from `schema`, by table, row and key."""

    def table(match: re.Match[str]) -> str:
        row = f" row {match[2]}" if match[2] else ""
        return f"{schema}.{match[1]}{row}"

    named = []
    for fault in faults:
        name = fault.file.removesuffix(".csv")
        expected = FILE_AND_LINE.sub(table, fault.expected)
        expected = re.sub(r"\bline (\d+)\b", r"row \1", expected)
        key = ""
        if fault.line:
            row = catalog[name][fault.line - 1]
            columns = COLUMNS[name][: KEY_LENGTHS.get(name, 1)]
            key = ", ".join(row[column] for column in columns if row[column])
        named.append(
            replace(fault, file=f"{schema}.{name}", expected=expected, key=key or "no key")
            if fault.line
            else replace(fault, file=f"{schema}.{name}", expected=expected)
        )
    return named


def _read_types(warehouse: Warehouse, schema: str) -> dict[str, dict[str, str]]:
    """The type of each column of each table of the schema."""
    sql = (
        "select table_name, column_name, data_type from information_schema.columns"
        " where table_schema = ? and table_catalog = current_database()"
    )
    types: dict[str, dict[str, str]] = {}
    for table, column, data_type in warehouse.query(sql, [schema])[1]:
        types.setdefault(table, {})[column] = data_type.lower()
    return types


def _read_table(
    warehouse: Warehouse, schema: str, name: str, types: dict[str, str], catalog: Catalog
) -> list[Row]:
    columns = [column for column in COLUMNS[name] if column in types]
    for column in COLUMNS[name]:
        if column not in types and column not in OPTIONAL_COLUMNS.get(name, ()):
            catalog.faults.append(Fault(f"{name}.csv", 0, column, None, "this column in the table"))
    if not columns:
        return []
    texts = [_text(warehouse.kind, column, types[column]) for column in columns]
    table = f"{quote_identifier(schema)}.{quote_identifier(name)}"
    records = warehouse.query(f"select {', '.join(texts)} from {table}")[1]
    rows = [
        Row(name, 0, dict(zip(columns, (value or "" for value in record), strict=True)))
        for record in records
    ]
    rows.sort(key=_price_order if name == "prices" else lambda row: row.key(*COLUMNS[name]))
    for number, row in enumerate(rows, 1):
        row.line = number
    return rows


def _price_order(row: Row) -> tuple[Any, ...]:
    """The bands of a price stand together and rise, the open one last."""
    month, up_to = row["contract_month"], row["up_to"]
    return (
        *row.key("plan_id", "charge_id", "currency"),
        sorted(row["dimension_values"].split("|")),
        read_date(row["valid_from"]) or date(BEGINNING.year, 1, 1),
        row["customer_id"],
        int(month) if month.isascii() and month.isdigit() else 1,
        read_instant(row["recorded_at"]) or BEGINNING,
        not up_to,
        Decimal(up_to) if NUMBER.fullmatch(up_to) else Decimal(0),
        row.key(*COLUMNS["prices"]),
    )


def _text(kind: str, column: str, data_type: str) -> str:
    """SQL for the text of a column, whatever its type (macros/engine/catalog_table.sql)."""
    value = quote_identifier(column)
    text = f"cast({value} as text)"
    if data_type.startswith("timestamp"):
        if kind == "duckdb":
            moment = f"strftime(make_timestamp(epoch_us({value})), '%Y-%m-%dT%H:%M:%S.%fZ')"
        else:
            naive = f"({value} at time zone 'UTC')" if "with time" in data_type else value
            moment = f"""to_char({naive}, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
        text = f"replace({moment}, '.000000Z', 'Z')"
    elif data_type == "date":
        text = (
            f"strftime({value}, '%Y-%m-%d')"
            if kind == "duckdb"
            else f"to_char({value}, 'YYYY-MM-DD')"
        )
    elif re.match("numeric|decimal|real|float|double", data_type):
        text = (
            f"case when {text} like '%.%' and {text} not like '%e%'"
            f" then rtrim(rtrim({text}, '0'), '.') else {text} end"
        )
    if data_type == "date" or data_type.startswith("timestamp"):
        # What has no end is refused by the check, as any other word would be.
        text = (
            f"case when isfinite({value}) then {text} when {value} is not null then 'infinity' end"
        )
    return f"nullif({text}, '')"
