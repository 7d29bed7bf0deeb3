"""The table of exports: which document is in which file. Append-only, made by a build."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orchestration.errors import UserError
from orchestration.ledger import has_table
from orchestration.warehouse import Warehouse

SCHEMA = "exports"
EXPORT_COLUMNS = (
    ("folder", "text"),
    ("file", "text"),
    ("invoice_id", "text"),
    ("invoice_number", "text"),
    ("format", "text"),
    ("content_hash", "text"),
    ("byte_count", "bigint"),
    ("document_hash", "text"),
    ("cutoff_at", "timestamp"),
    ("exported_at", "timestamp"),
)


@dataclass(frozen=True)
class ListedFile:
    """A file that the table has a document in."""

    file: str
    byte_count: int


class ExportLog:
    """The rows of one folder. Raises UserError where no build has made the table."""

    def __init__(self, warehouse: Warehouse, folder: str) -> None:
        if not has_table(warehouse, SCHEMA, "exports"):
            raise UserError("the table of exports is not there yet: run tally build")
        self.warehouse = warehouse
        self.folder = folder
        self._listed: dict[tuple[str, str], set[ListedFile]] = {}

    def read(self, first: datetime, last: datetime) -> None:
        """Look up what is listed of the documents of these cutoffs, and forget the others."""
        _, rows = self.warehouse.query(
            "select invoice_id, format, file, byte_count from exports.exports"
            " where folder = ? and cutoff_at between ? and ?",
            [self.folder, first, last],
        )
        self._listed = {}
        for invoice_id, kind, file, byte_count in rows:
            self._listed.setdefault((invoice_id, kind), set()).add(ListedFile(file, byte_count))

    def files_of(self, invoice_ids: Sequence[str], kind: str) -> set[ListedFile]:
        """The files of a format that have all of these documents, among those read."""
        return set.intersection(*(self._listed.get((one, kind), set()) for one in invoice_ids))

    def append(self, rows: Sequence[Sequence[Any]]) -> None:
        """Rows by EXPORT_COLUMNS without the folder, all or none; what is there stays."""
        append_rows(
            self.warehouse,
            f"{SCHEMA}.exports",
            EXPORT_COLUMNS,
            [(self.folder, *row) for row in rows],
        )


def append_rows(
    warehouse: Warehouse,
    table: str,
    columns: Sequence[tuple[str, str]],
    rows: Iterable[Sequence[Any]],
) -> None:
    """Append rows in one statement; those whose key is there already are left out."""
    rows = list(rows)
    if not rows:
        return
    names = ", ".join(name for name, _ in columns)
    if warehouse.kind == "postgres":
        from psycopg2.extras import execute_values

        with warehouse.connection.cursor() as cursor:
            execute_values(
                cursor,
                f"insert into {table} ({names}) values %s on conflict do nothing",
                rows,
                page_size=len(rows),
            )
        return
    import pyarrow as pa

    kinds = {
        "text": pa.string(),
        "bigint": pa.int64(),
        "timestamp": pa.timestamp("us"),
        "boolean": pa.bool_(),
        "decimal": pa.decimal128(24, 4),
    }
    appended = pa.table(
        {name: pa.array([row[place] for row in rows], kinds[kind])
         for place, (name, kind) in enumerate(columns)}
    )  # fmt: skip
    warehouse.connection.register("appended_rows", appended)
    try:
        warehouse.execute(
            f"insert into {table} ({names}) select {names} from appended_rows"
            " on conflict do nothing"
        )
    finally:
        warehouse.connection.unregister("appended_rows")


def utc_now() -> datetime:
    """The instant in UTC, as the warehouse has instants. Only commands ask for it."""
    from datetime import UTC

    return datetime.now(UTC).replace(tzinfo=None)
