"""A house beside the house: schemas of its own in the same warehouse, over the same raw events.

What is built there is thrown away: a replay of what was closed, a simulation of another
catalogue. Nothing of it touches the house's own schemas; raw is read through views.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from orchestration.building import Outcome, complete_catalog, run_dbt
from orchestration.catalog import Source
from orchestration.catalog_files import COLUMNS
from orchestration.dbt_commands import Window, side_command
from orchestration.errors import UserError
from orchestration.house import target_folder
from orchestration.landing import raw_table
from orchestration.warehouse import Warehouse, connect, quote_identifier

#: The schemas of a house; a side house has the same, each with its prefix.
ROOMS = (
    "raw", "catalog", "reference", "staging", "metering", "subscriptions", "rating", "credits",
    "entitlements", "invoicing", "ledger", "builds", "marts", "exports", "webhooks",
)  # fmt: skip
#: The first half of the keys of the locks by which one side house of a name is built at a time.
LOCKS = 0x7A11
#: Rows of a statement that inserts.
BATCH = 200


@dataclass(frozen=True)
class SideHouse:
    """Made by `open_side_house`. `prefix` comes before the name of each of its schemas."""

    project: Path
    target: str | None
    prefix: str
    warehouse: Warehouse

    def table(self, room: str, name: str) -> str:
        """The quoted name of one of its tables."""
        return f"{quote_identifier(self.prefix + room)}.{quote_identifier(name)}"

    @property
    def target_path(self) -> Path:
        """dbt's target path for it."""
        return target_folder(self.project) / self.prefix.rstrip("_")

    def show_raw(
        self, customers: Iterable[str] | None = None, until: datetime | None = None
    ) -> None:
        """Make its raw tables: views of the house's, of what was loaded before `until` (UTC).

        With `customers`, of theirs alone, and the first row of all: when usage began to be landed
        decides what of the catalogue was known from the beginning.
        """
        self._make_schema("raw")
        in_time = f"loaded_at < {_instant(until)}" if until is not None else "true"
        events = f"select * from {raw_table('usage_events')} where {in_time}"
        if customers is not None:
            chosen = self.make_list("chosen_customers", "customer_id", customers)
            events += f" and customer_id in (select customer_id from {chosen})"
            if first := self._first_row(chosen):
                loaded_at, load_id, line_number = first
                loads = self.make_list("first_load", "load_id", [load_id])
                events += (
                    f" union all select * from {raw_table('usage_events')} where {in_time}"
                    f" and loaded_at = {_instant(loaded_at)} and line_number = {line_number}"
                    f" and load_id in (select load_id from {loads})"
                )
        loads = f"select * from {raw_table('loads')} where {in_time}"
        for name, query in (("usage_events", events), ("loads", loads)):
            self.warehouse.execute(f"create view {self.table('raw', name)} as {query}")

    def _first_row(self, chosen: str) -> tuple[datetime, str, int] | None:
        """loaded_at, load and line of the house's first raw row, unless it is of the customers."""
        _, rows = self.warehouse.query(
            "select loaded_at, load_id, line_number,"
            f" coalesce(customer_id in (select customer_id from {chosen}), false)"
            f" from {raw_table('usage_events')}"
            f" where loaded_at = (select min(loaded_at) from {raw_table('usage_events')})"
            " order by 4 desc, 2, 3 limit 1"
        )
        return rows[0][:3] if rows and not rows[0][3] else None

    def make_list(self, name: str, column: str, values: Iterable[str]) -> str:
        """Make a table of these texts in its raw schema, for queries to choose by; its name."""
        self._make_table("raw", name, [column])
        self._insert(self.table("raw", name), [column], [[text] for text in sorted(set(values))])
        return self.table("raw", name)

    def restore_catalog(self, rows: Mapping[str, Iterable[Mapping[str, str]]]) -> Source:
        """Make tables of a catalogue's rows (by table, values by column): a source to build from.

        A column that a row lacks is blank, a table that `rows` lacks is empty.
        """
        self._make_schema("catalog")
        for name, columns in COLUMNS.items():
            self._make_table("catalog", name, columns)
            values = [[row.get(column) or None for column in columns] for row in rows.get(name, ())]
            self._insert(self.table("catalog", name), columns, values)
        return Source(Path(), f"{self.prefix}catalog", is_stated=True)

    def build(
        self,
        source: Source,
        window: Window | None = None,
        select: Sequence[str] = (),
        exclude: Sequence[str] = (),
        with_tests: bool = False,
    ) -> Outcome:
        """Seeds and models from raw, with the catalogue of `source`; `show_raw` comes first.

        In as many runs as the house itself would need: one ends before each day on which the
        catalogue changed late. Raises UserError as `run_dbt` does.
        """
        catalog = None
        if not source.schema:
            catalog = complete_catalog(source.folder, self.target_path)
        command = side_command(
            self.project,
            self.prefix,
            self.target_path,
            self.target,
            window,
            catalog,
            source.schema,
            select,
            exclude,
            with_tests,
        )
        outcome = run_dbt(command, self.project)
        before = None
        while (day := self._stop_day()) is not None and day != before:
            before = day
            more = run_dbt(command, self.project)
            outcome = Outcome(more.counts, outcome.seconds + more.seconds, outcome.runs + 1)
        return outcome

    def _stop_day(self) -> date | None:
        """The day before which the last run stopped; see `orchestration.building.build_on`."""
        window = self.table("builds", "build_window")
        _, rows = self.warehouse.query(f"select stop_day from {window}")
        return rows[0][0] if rows else None

    def drop(self) -> None:
        """Drop its schemas, and no other that happens to begin with the prefix.

        Raises UserError where they hold a house of somebody's own.
        """
        _, found = self.warehouse.query(
            "select table_type from information_schema.tables"
            " where table_schema = ? and table_name = 'usage_events'",
            [f"{self.prefix}raw"],
        )
        if any(kind == "BASE TABLE" for (kind,) in found):
            raise UserError(
                f"{self.prefix}raw holds usage of a house of its own: expected no schemas "
                f"{self.prefix}* but those of a side house"
            )
        for room in ROOMS:
            self.warehouse.execute(
                f"drop schema if exists {quote_identifier(self.prefix + room)} cascade"
            )

    def _make_schema(self, room: str) -> None:
        self.warehouse.execute(f"create schema {quote_identifier(self.prefix + room)}")

    def _make_table(self, room: str, name: str, columns: Iterable[str]) -> None:
        texts = ", ".join(f"{quote_identifier(column)} text" for column in columns)
        self.warehouse.execute(f"create table {self.table(room, name)} ({texts})")

    def _insert(self, table: str, columns: Sequence[str], rows: list[list[str | None]]) -> None:
        names = ", ".join(quote_identifier(column) for column in columns)
        mark = f"({', '.join('?' * len(columns))})"
        for start in range(0, len(rows), BATCH):
            batch = rows[start : start + BATCH]
            self.warehouse.execute(
                f"insert into {table} ({names}) values {', '.join([mark] * len(batch))}",
                [value for row in batch for value in row],
            )


def _instant(moment: datetime) -> str:
    return f"timestamp '{moment:%Y-%m-%d %H:%M:%S.%f}'"


@contextmanager
def open_side_house(
    prefix: str, project: Path, target: str | None = None, is_kept: bool = False
) -> Iterator[SideHouse]:
    """A side house without anything in it; dropped at the end unless it `is_kept`.

    What one that was killed has left is dropped first. Raises UserError when another process
    builds one of the same prefix (DuckDB lets one process in anyway).
    """
    with connect(target) as warehouse:
        side = SideHouse(project, target, prefix, warehouse)
        if warehouse.kind == "postgres":
            # Held until the connection closes.
            key = zlib.crc32(prefix.encode()) - 2**31
            _, rows = warehouse.query("select pg_try_advisory_lock(?, ?)", [LOCKS, key])
            if not rows[0][0]:
                raise UserError(
                    f"another process is using the schemas {prefix}*; try again when it has "
                    "finished"
                )
            warehouse.execute("set client_min_messages = warning")
        side.drop()
        try:
            yield side
        except BaseException:
            # A connection that broke cannot drop them; the first error is the one to show.
            if not is_kept:
                with suppress(Exception):
                    side.drop()
            raise
        if not is_kept:
            side.drop()
