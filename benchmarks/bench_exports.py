"""Exports of 10,000 closed invoices: `make bench EXPORTS=1`.

The demo's house is built once, and its closed documents (with their lines, steps and discounts) are
copied in the warehouse until there are 10,000: real documents of each kind, under other numbers. A
copy has no digest of its own; nothing here asks for it. PDFs are made of the first thousand.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import duckdb

from benchmarks.bench import PROJECT
from orchestration.exports.billing_entities import read_billing_entities
from orchestration.exports.documents import Selection, choose_documents
from orchestration.exports.exporting import export_invoices
from orchestration.marts import Marts
from orchestration.warehouse import Warehouse

INVOICES = 10_000
PDFS = 1000
SECONDS_BAR = 30
PDFS_BAR = 20
TABLES = ("json", "csv", "parquet")
#: What is copied: the table, and the columns that say whose a row is.
COPIED = (
    ("ledger.documents", ("invoice_id", "invoice_number", "subscription_id", "customer_id")),
    ("ledger.lines", ("line_id", "invoice_id", "subscription_id", "customer_id", "rated_line_id")),
    ("marts.rating_steps", ("rating_step_id", "rated_line_id")),
    ("marts.line_discounts", ("line_discount_id", "rated_line_id", "subscription_id")),
    ("subscriptions.int_subscriptions__periods", ("subscription_id", "customer_id")),
)


def measure(folder: Path) -> None:
    """Build, copy, export, and print the figures beside their bars."""
    warehouse_file = Path(build_demo(folder)["TALLY_DUCKDB_PATH"])
    with duckdb.connect(str(warehouse_file)) as connection:
        connection.execute("set timezone = 'UTC'")
        lines = _copy_documents(connection)
        print(f"{INVOICES:,} closed invoices, {lines:,} lines")
        warehouse = Warehouse("duckdb", connection, str(warehouse_file))
        chosen = [one for _, one in choose_documents(Marts(None, warehouse), Selection())]
        for formats in (TABLES, *((kind,) for kind in TABLES)):
            seconds = _export(warehouse, folder / "out", formats, Selection())
            text = f"{', '.join(formats)}: {seconds:.1f} s"
            if formats == TABLES:
                text += f" (bar {SECONDS_BAR} s: {verdict(seconds <= SECONDS_BAR)})"
            print(text, flush=True)
        again = _export(warehouse, folder / "out", TABLES[-1:], Selection(), is_kept=True)
        print(f"{TABLES[-1]}, exported before: {again:.1f} s")
        seconds = _export(warehouse, folder / "out", ("html",), Selection(tuple(chosen[:PDFS])))
        print(f"html: {PDFS / seconds:.0f} a second")
        seconds = _export(warehouse, folder / "out", ("pdf",), Selection(tuple(chosen[:PDFS])))
        is_met = PDFS / seconds >= PDFS_BAR
        print(
            f"pdf: {PDFS / seconds:.1f} a second with two processes"
            f" (bar {PDFS_BAR}: {verdict(is_met)})"
        )


def verdict(is_met: bool) -> str:
    return "met" if is_met else "MISSED"


def build_demo(folder: Path) -> dict[str, str]:
    """Build the demo in a house in `folder`; what the environment says of that house."""
    house = {
        "TALLY_DUCKDB_PATH": str(folder / "bench.duckdb"),
        "DBT_TARGET_PATH": str(folder / "target"),
        "DBT_LOG_PATH": str(folder / "logs"),
    }
    subprocess.run(
        [sys.executable, "-m", "orchestration.cli", "demo", "--target", "duckdb"],
        cwd=PROJECT,
        env={**os.environ, **house},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return house


def _copy_documents(connection: duckdb.DuckDBPyConnection) -> int:
    """Copies of the closed documents until there are enough; the number of lines there then are."""
    (count,) = connection.execute("select count(*) from ledger.documents").fetchone()
    copies = -(-INVOICES // count) - 1
    for table, keys in COPIED:
        replaced = [f"{key} || '~' || copy as {key}" for key in keys]
        if table == "ledger.documents":
            replaced.append("sequence_number + copy * 1000000 as sequence_number")
        connection.execute(
            f"insert into {table} select originals.* replace ({', '.join(replaced)})"
            f" from {table} as originals cross join range(1, {copies + 1}) as copies(copy)"
        )
    # As many as wanted, no more: the last ones go, with their lines.
    connection.execute(
        "create temp table surplus as select invoice_id from ledger.documents"
        f" order by sequence_number desc, invoice_id limit {count * (copies + 1) - INVOICES}"
    )
    for table in ("lines", "documents"):
        connection.execute(
            f"delete from ledger.{table} where invoice_id in (select invoice_id from surplus)"
        )
    connection.execute("checkpoint")
    return connection.execute("select count(*) from ledger.lines").fetchone()[0]


def _export(
    warehouse: Warehouse,
    folder: Path,
    formats: tuple[str, ...],
    selection: Selection,
    is_kept: bool = False,
) -> float:
    """Seconds of one export to a folder, which is emptied before unless it is kept."""
    if not is_kept:
        shutil.rmtree(folder, ignore_errors=True)
        warehouse.execute("delete from exports.exports")
    began = time.monotonic()
    export_invoices(
        warehouse,
        str(folder),
        formats,
        read_billing_entities(PROJECT),
        datetime(2026, 4, 1),
        selection,
        workers=2,
    )
    return time.monotonic() - began
