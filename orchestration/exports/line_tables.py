"""Lines of documents as tables: CSV for spreadsheets, Parquet for programs; one row per line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.exports.documents import Document
from orchestration.exports.invoice_json import json_document
from orchestration.marts import Row

TEXT, COUNT, DAY = pa.string(), pa.int64(), pa.date32()
INSTANT = pa.timestamp("us", tz="UTC")
TOTAL, QUANTITY, AMOUNT = pa.decimal128(24, 4), pa.decimal128(28, 10), pa.decimal128(38, 22)
PRICE = pa.decimal128(20, 12)

#: Of the document, on each of its lines; then of the line.
DOCUMENT_COLUMNS = (
    ("invoice_number", TEXT),
    ("invoice_id", TEXT),
    ("document_kind", TEXT),
    ("billing_entity", TEXT),
    ("customer_id", TEXT),
    ("customer_name", TEXT),
    ("subscription_id", TEXT),
    ("plan_id", TEXT),
    ("currency", TEXT),
    ("time_zone", TEXT),
    ("invoice_date", DAY),
    ("issued_date", DAY),
    ("cutoff_at", INSTANT),
    ("invoice_total", TOTAL),
    ("credits_total", TOTAL),
    ("balance_applied_total", TOTAL),
    ("amount_due_total", TOTAL),
)
LINE_COLUMNS = (
    ("line_id", TEXT),
    ("line_number", COUNT),
    ("line_kind", TEXT),
    ("charge_id", TEXT),
    ("name", TEXT),
    ("unit_description", TEXT),
    ("dimension_values", TEXT),
    ("pricing_model", TEXT),
    ("period_from", INSTANT),
    ("period_to", INSTANT),
    ("event_count", COUNT),
    ("quantity", QUANTITY),
    ("covered_quantity", QUANTITY),
    ("rated_quantity", QUANTITY),
    ("amount", AMOUNT),
    ("rounded_total", TOTAL),
    ("over_maximum_total", TOTAL),
    ("discount_total", TOTAL),
    ("line_total", TOTAL),
    ("unit", TEXT),
    ("unit_rate", PRICE),
    ("unit_total", TOTAL),
    ("tax_code", TEXT),
    ("rated_line_id", TEXT),
    ("adjusts_invoice_id", TEXT),
    ("adjusts_line_id", TEXT),
)
COLUMNS = (*DOCUMENT_COLUMNS, *LINE_COLUMNS)
#: A cell that begins with one of these may be run by a spreadsheet program.
RUNNABLE = ("=", "+", "-", "@", "\t", "\r", "\n")


class CsvLines:
    """Lines as CSV: money at its currency's exponent, no text that a spreadsheet would run."""

    def __init__(self) -> None:
        self._text = io.StringIO()
        self._writer = csv.writer(self._text, lineterminator="\r\n")
        self._writer.writerow([name for name, _ in COLUMNS])

    def add(self, documents: Iterable[Document]) -> None:
        for one in documents:
            # The texts of CSV are those of JSON.
            shown = json_document(one)
            header = _csv_cells(shown, DOCUMENT_COLUMNS)
            self._writer.writerows(
                header + _csv_cells(line, LINE_COLUMNS) for line in shown["lines"]
            )

    def content(self) -> bytes:
        return self._text.getvalue().encode()


class ParquetLines:
    """Lines as Parquet: decimals as decimals, instants in UTC."""

    def __init__(self) -> None:
        self._parts: list[pa.Table] = []

    def add(self, documents: Iterable[Document]) -> None:
        columns: list[list[Any]] = [[] for _ in COLUMNS]
        for one in documents:
            header = [one.header[name] for name, _ in DOCUMENT_COLUMNS]
            for line in one.lines:
                values = header + [line[name] for name, _ in LINE_COLUMNS]
                for column, value in zip(columns, values, strict=True):
                    column.append(value)
        self._parts.append(
            pa.table(
                [
                    # The warehouse's instants are in UTC and do not say so.
                    pa.array(values, pa.timestamp("us")).cast(kind)
                    if kind is INSTANT
                    else pa.array(values, kind)
                    for values, (_, kind) in zip(columns, COLUMNS, strict=True)
                ],
                schema=pa.schema(list(COLUMNS)),
            )
        )

    def content(self) -> bytes:
        sink = pa.BufferOutputStream()
        # How documents came in portions is not seen in the file.
        table = pa.concat_tables(self._parts).combine_chunks()
        pq.write_table(table, sink, compression="zstd")
        return sink.getvalue().to_pybytes()


def harmless(text: str) -> str:
    """`text` for a cell of a spreadsheet, with a `'` before what would be run."""
    return "'" + text if text.startswith(RUNNABLE) else text


def _csv_cells(shown: Row, columns: Sequence[tuple[str, Any]]) -> list[Any]:
    """Cells of a row as JSON holds it; a number that is below zero is a number, dash and all."""
    return [
        harmless(value) if kind is TEXT and (value := shown[name]) else shown[name]
        for name, kind in columns
    ]
