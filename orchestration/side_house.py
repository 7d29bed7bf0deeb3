"""A house beside the house: schemas of its own in the same warehouse, over the same raw events.

What is built there is thrown away: a replay of what was closed, a simulation of another
catalogue. Nothing of it touches the house's own schemas; raw is read through views.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
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
    "raw", "catalog", "reference", "staging", "metering", "subscriptions", "rating",
    "entitlements", "invoicing", "ledger", "builds", "marts",
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

        With `customers`, of theirs alone.
        """
        self._make_schema("raw")
        conditions = []
        if until is not None:
            conditions.append(f"loaded_at < timestamp '{until:%Y-%m-%d %H:%M:%S.%f}'")
        in_time = " where ".join(["", *conditions])
        if customers is not None:
            chosen = self.make_list("chosen_customers", "customer_id", customers)
            conditions.append(f"customer_id in (select customer_id from {chosen})")
        for name, condition in (
            ("usage_events", " where " + " and ".join(conditions) if conditions else ""),
            ("loads", in_time),
        ):
            self.warehouse.execute(
                f"create view {self.table('raw', name)} as"
                f" select * from {raw_table(name)}{condition}"
            )

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

        Raises UserError as `run_dbt` does.
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
        return run_dbt(command, self.project)

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
