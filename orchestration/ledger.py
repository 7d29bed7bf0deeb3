"""The ledger as it stands in a warehouse: what is sealed, and until when."""

from __future__ import annotations

from datetime import UTC, date, datetime

from orchestration.warehouse import Warehouse, quote_identifier

BEGINNING = datetime(1900, 1, 1)


def ledger_table(name: str, schema_prefix: str = "") -> str:
    """The quoted name of a table of the ledger."""
    return f"{quote_identifier(schema_prefix + 'ledger')}.{quote_identifier(name)}"


def has_ledger(warehouse: Warehouse, schema_prefix: str = "") -> bool:
    """Whether a build has made the ledger in this warehouse."""
    return has_table(warehouse, f"{schema_prefix}ledger", "seals")


def has_table(warehouse: Warehouse, schema: str, name: str) -> bool:
    """Whether the warehouse has a table of this name."""
    _, rows = warehouse.query(
        "select count(*) from information_schema.tables where table_schema = ? and table_name = ?",
        [schema, name],
    )
    return rows[0][0] > 0


def sealed_until(warehouse: Warehouse, schema_prefix: str = "") -> datetime:
    """The midnight (UTC) before which every load day is sealed; BEGINNING where none is."""
    if not has_ledger(warehouse, schema_prefix):
        return BEGINNING
    seals = ledger_table("seals", schema_prefix)
    _, rows = warehouse.query(f"select max(sealed_until) from {seals}")
    return rows[0][0] or BEGINNING


def open_day(warehouse: Warehouse, now: datetime | None = None) -> date | None:
    """The running UTC day, if usage of it (or of later days) has been landed: it is not over yet.

    None where nothing is: the build then needs no word of it.
    """
    today = (now or datetime.now(UTC)).astimezone(UTC).date()
    if not has_table(warehouse, "raw", "usage_events"):
        return None
    _, rows = warehouse.query(
        "select max(loaded_at) from raw.usage_events where loaded_at >= ?",
        [datetime.combine(today, datetime.min.time())],
    )
    return today if rows[0][0] is not None else None
