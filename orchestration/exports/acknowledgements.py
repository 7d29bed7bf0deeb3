"""What the receivables ledger says of documents that it was sent, read back from a file.

That ledger is the system of record of tax and payments: of a row only its id there stays, and what
differs from ours. A row that makes no sense is one line of complaint, and costs no other its place.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from orchestration.errors import UserError
from orchestration.exports.export_log import SCHEMA, append_rows
from orchestration.ledger import has_table
from orchestration.marts import Row
from orchestration.warehouse import Warehouse

TABLE = f"{SCHEMA}.receivable_acknowledgements"
REQUIRED = ("document_id", "external_id", "net_total", "tax_total", "paid_total")
FIELDS = (*REQUIRED, "status", "currency")
ACKNOWLEDGEMENT_COLUMNS = (
    ("acknowledgement_number", "bigint"),
    ("file_hash", "text"),
    ("row_number", "bigint"),
    ("invoice_id", "text"),
    ("external_id", "text"),
    ("external_status", "text"),
    ("net_difference", "decimal"),
    ("is_taxed", "boolean"),
    ("payment_state", "text"),
    ("acknowledged_at", "timestamp"),
)
#: Money has at most four decimals and twenty digits before them.
FINEST = Decimal("0.0001")
LARGEST = Decimal(10) ** 20


class RowFault(Exception):
    """A row that cannot be taken; the message is one line, without its place."""


@dataclass
class AcknowledgementSummary:
    """What a file came to. `faults` are whole lines, each with its place."""

    rows: int = 0
    added: int = 0
    differing: int = 0
    faults: list[str] = field(default_factory=list)


def read_acknowledgements(
    warehouse: Warehouse, file: str, acknowledged_at: datetime
) -> AcknowledgementSummary:
    """Take the rows of a file (.jsonl, .ndjson or .csv), once; a file that was read adds nothing.

    `warehouse` is open for writing, `acknowledged_at` is UTC. Raises UserError where the file
    cannot be read at all.
    """
    if not has_table(warehouse, SCHEMA, "receivable_acknowledgements"):
        raise UserError("the table of acknowledgements is not there yet: run tally build")
    try:
        content = Path(file).read_bytes()
    except OSError as fault:
        raise UserError(f"{file}: {fault.strerror or fault}") from None
    summary = AcknowledgementSummary()
    with warehouse.transaction():
        if warehouse.kind == "postgres":
            # Two files at once are read one after the other.
            warehouse.execute(f"lock table {TABLE} in share row exclusive mode")
        desk = _Desk(warehouse, hashlib.sha256(content).hexdigest(), acknowledged_at)
        for line_number, row in _rows(file, content):
            summary.rows += 1
            try:
                if isinstance(row, RowFault):
                    raise row
                desk.take(line_number, row)
            except RowFault as fault:
                summary.faults.append(f"{file}:{line_number}: {fault}")
        append_rows(warehouse, TABLE, ACKNOWLEDGEMENT_COLUMNS, desk.taken)
    summary.added = len(desk.taken)
    summary.differing = desk.differing
    return summary


class _Desk:
    """Judges rows one by one against the documents and what was acknowledged before."""

    def __init__(self, warehouse: Warehouse, file_hash: str, acknowledged_at: datetime) -> None:
        self._file_hash = file_hash
        self._acknowledged_at = acknowledged_at
        self._documents = {
            row[0]: row[1:]
            for row in warehouse.query(
                """
                select
                    invoices.invoice_id,
                    invoices.billing_entity,
                    invoices.currency,
                    invoices.invoice_total,
                    invoices.amount_due_total
                from marts.invoices as invoices
                where
                    invoices.invoice_id in (
                        select exports.invoice_id from exports.exports as exports
                        where exports.format = 'receivables'
                    )
                """
            )[1]
        }
        _, before = warehouse.query(
            "select acknowledgement_number, file_hash, row_number, invoice_id, external_id"
            f" from {TABLE}"
        )
        self._number = max((row[0] for row in before), default=0)
        self._read = {row[2] for row in before if row[1] == file_hash}
        self._external = {row[3]: row[4] for row in before}
        self._owners = {
            (self._documents[row[3]][0], row[4]): row[3]
            for row in before
            if row[3] in self._documents
        }
        self.taken: list[tuple[Any, ...]] = []
        self.differing = 0

    def take(self, row_number: int, row: Row) -> None:
        """Add a row's acknowledgement, if its file has not been read before. Raises RowFault."""
        if row_number in self._read:
            return
        texts = {name: _text(row, name) for name in FIELDS}
        for name in REQUIRED:
            if not texts[name]:
                raise RowFault(f"{name}: found nothing, expected a value")
        invoice_id, external_id = texts["document_id"], texts["external_id"]
        if invoice_id not in self._documents:
            raise RowFault(
                f"document_id: found {invoice_id!r}, expected a document that was exported as"
                " receivables"
            )
        entity, currency, ours, due = self._documents[invoice_id]
        if texts["currency"] not in ("", currency):
            raise RowFault(f"currency: found {texts['currency']!r}, expected {currency}")
        net, tax, paid = (_money(texts[name], name) for name in REQUIRED[2:])
        known = self._external.get(invoice_id, external_id)
        if known != external_id:
            raise RowFault(
                f"external_id: found {external_id!r}, expected {known!r}, under which"
                f" {invoice_id} stands"
            )
        owner = self._owners.setdefault((entity, external_id), invoice_id)
        if owner != invoice_id:
            raise RowFault(f"external_id: {external_id!r} is already that of {owner}")
        self._external[invoice_id] = external_id
        state = payment_state(due, tax, paid)
        self.differing += net != ours or state == "overpaid"
        self._number += 1
        self.taken.append(
            (
                self._number,
                self._file_hash,
                row_number,
                invoice_id,
                external_id,
                texts["status"] or None,
                (net - ours).quantize(FINEST),
                tax != 0,
                state,
                self._acknowledged_at,
            )
        )


def payment_state(due: Decimal, tax: Decimal, paid: Decimal) -> str:
    """Where a document stands that asks for `due` and its tax."""
    owed = due + tax if due > 0 else Decimal(0)
    if paid > owed:
        return "overpaid"
    if owed == 0:
        return "nothing_due"
    if paid == owed:
        return "paid"
    return "part_paid" if paid > 0 else "unpaid"


def _rows(file: str, content: bytes) -> Iterator[tuple[int, Row | RowFault]]:
    """The rows with their lines in the file; one that cannot be read is a fault in its place."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{file}: expected text in UTF-8") from None
    if file.endswith(".csv"):
        yield from _csv_rows(file, text)
        return
    if not file.endswith((".jsonl", ".ndjson")):
        raise UserError(f"{file}: expected a file that ends in .jsonl, .ndjson or .csv")
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line, parse_float=Decimal, parse_int=Decimal, parse_constant=_refuse)
        except (ValueError, RecursionError):
            row = None
        yield number, row if isinstance(row, dict) else RowFault("expected one JSON object")


def _csv_rows(file: str, text: str) -> Iterator[tuple[int, Row | RowFault]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, [])
        if missing := [name for name in REQUIRED if name not in header]:
            raise UserError(
                f"{file}:1: found no column {missing[0]}, expected {', '.join(REQUIRED)}"
            )
        while True:
            first = reader.line_num + 1
            cells = next(reader, None)
            if cells is None:
                return
            if cells and len(cells) != len(header):
                yield first, RowFault(f"found {len(cells)} columns, expected {len(header)}")
            elif cells:
                yield first, dict(zip(header, cells, strict=True))
    except csv.Error as fault:
        raise UserError(f"{file}:{reader.line_num}: {fault}") from None


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _text(row: Row, name: str) -> str:
    value = row.get(name)
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return str(value)
    if not isinstance(value, str):
        raise RowFault(f"{name}: found {json.dumps(value, default=str)}, expected a text")
    return value.strip()


def _money(text: str, name: str) -> Decimal:
    try:
        value = Decimal(text)
        if not value.is_finite() or abs(value) >= LARGEST or value != value.quantize(FINEST):
            raise InvalidOperation
    except InvalidOperation:
        raise RowFault(f"{name}: found {text!r}, expected an amount such as 12.50") from None
    return value
