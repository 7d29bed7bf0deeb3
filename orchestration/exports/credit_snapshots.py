"""What is left of prepaid credits at the end of a sealed day, as files for finance.

A sealed day does not change any more, so neither does its file: written twice it is the same one.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.exports.folder import ExportFolder, WrittenFile
from orchestration.exports.line_tables import DAY, INSTANT, TEXT, TOTAL, harmless
from orchestration.marts import Marts, Row, exact_text, money

#: A row is a grant (of a recurring one, an occurrence) that had something left or moved on the day.
COLUMNS = (
    ("balance_date", DAY),
    ("customer_id", TEXT),
    ("wallet", TEXT),
    ("grant_id", TEXT),
    ("grant_name", TEXT),
    ("kind", TEXT),
    ("currency", TEXT),
    ("amount", TOTAL),
    ("cost_basis", TOTAL),
    ("balance_total", TOTAL),
    ("effective_at", INSTANT),
    ("expires_at", INSTANT),
)
KINDS = ("csv", "parquet")


def write_credit_snapshot(marts: Marts, folder: ExportFolder, day: date) -> list[WrittenFile]:
    """The balances of `day` as `csv/credit-balances-<day>-...` and the same as Parquet.

    None where the day is not sealed yet. Raises UserError where a file cannot be written.
    """
    if not is_sealed(marts, day):
        return []
    rows = _read(marts, day)
    contents = {"csv": _csv(marts, rows), "parquet": _parquet(rows)}
    written = [folder.write(f"credit-balances-{day}", kind, contents[kind]) for kind in KINDS]
    folder.settle()
    return written


def is_sealed(marts: Marts, day: date) -> bool:
    """Whether what moved on `day` is posted."""
    (row,) = marts.rows(
        "select count(*) as seals from ledger.seals where sealed_until > cast(? as date)", day
    )
    return row["seals"] > 0


def _read(marts: Marts, day: date) -> list[Row]:
    rows = marts.rows(
        """
        select
            balances.balance_date,
            balances.customer_id,
            balances.wallet,
            balances.grant_id,
            grants.name as grant_name,
            grants.kind,
            balances.currency,
            grants.amount,
            grants.cost_basis,
            balances.balance_total,
            grants.effective_at,
            grants.expires_at,
            grants.draw_rank
        from marts.credit_balances_daily as balances
        inner join marts.credit_grant_balances as grants
            on balances.grant_id = grants.grant_id
        where balances.balance_date = cast(? as date)
        """,
        day,
    )
    # Engines order texts by their own rules.
    order = ("customer_id", "currency", "draw_rank", "grant_id")
    return sorted(rows, key=lambda row: tuple(row[name] for name in order))


def _csv(marts: Marts, rows: Sequence[Row]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([name for name, _ in COLUMNS])
    for row in rows:
        exponent = marts.exponent(row["currency"])
        if row["cost_basis"] is not None and marts.is_unit(row["currency"]):
            # What was paid for units is money of the customer's currency.
            row["cost_basis"] = exact_text(row["cost_basis"])
        writer.writerow([_cell(row[name], kind, exponent) for name, kind in COLUMNS])
    return text.getvalue().encode()


def _cell(value: Any, kind: Any, exponent: int) -> Any:
    if value is None:
        return ""
    if kind is TOTAL and not isinstance(value, str):
        return money(value, exponent)
    if kind is INSTANT:
        return f"{value:%Y-%m-%dT%H:%M:%S}Z"
    return harmless(value) if kind is TEXT else value


def _parquet(rows: Sequence[Row]) -> bytes:
    columns = []
    for name, kind in COLUMNS:
        values = [row[name] for row in rows]
        # The warehouse's instants are in UTC and do not say so.
        made = pa.array(values, pa.timestamp("us") if kind is INSTANT else kind)
        columns.append(made.cast(kind) if kind is INSTANT else made)
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns, schema=pa.schema(list(COLUMNS))), sink, compression="zstd")
    return sink.getvalue().to_pybytes()
