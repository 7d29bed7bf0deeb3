"""Houses for tests: a warehouse of its own, a catalogue, raw rows, and builds of them."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from orchestration.catalog import write_missing_files
from orchestration.catalog_files import COLUMNS
from orchestration.dbt_commands import UNPUBLISHED
from orchestration.landing import create_raw_tables
from orchestration.warehouse import Warehouse
from tests.house_server import DBT, UNTESTED, HouseServer

PROJECT = Path(__file__).resolve().parent.parent
RAW_COLUMNS = (
    "load_id",
    "line_number",
    "loaded_at",
    "customer_id",
    "event_name",
    "occurred_at",
    "event_key",
    "voids_key",
    "subscription_id",
    "subscription_item_id",
    "properties",
    "unread_record",
)
SERVER = HouseServer()
LOAD_COLUMNS = ("load_id", "file_name", "content_hash", "row_count", "loaded_at", "mapping_hash")

Catalog = Mapping[str, Sequence[Mapping[str, Any]]]


class BuildFailed(AssertionError):
    """A build that was expected to end well did not; holds what it said."""


def write_catalog(folder: Path, catalog: Catalog) -> Path:
    """`catalog` (rows by file name) as CSV files in `folder`; a missing column is blank."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in catalog.items():
        stem = name.removesuffix(".csv")
        with (folder / f"{stem}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS[stem], lineterminator="\n")
            writer.writeheader()
            for row in rows:
                writer.writerow({k: "" if v is None else v for k, v in row.items()})
    write_missing_files(folder)
    return folder


class House:
    """One warehouse on one engine, and what is built in it.

    Builds run as processes of their own, as a person would run them.
    """

    def __init__(
        self,
        engine: str,
        folder: Path,
        catalog: Path | Catalog | None,
        environment: Mapping[str, str],
    ) -> None:
        self.engine = engine
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        if catalog is not None and not isinstance(catalog, Path):
            catalog = write_catalog(folder / "catalog", catalog)
        self.catalog = catalog
        self.environment = {
            **os.environ,
            "TALLY_TARGET": engine,
            "TALLY_DUCKDB_PATH": str(folder / "tally.duckdb"),
            "DBT_TARGET_PATH": str(folder / "target"),
            "DBT_LOG_PATH": str(folder / "logs"),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            **environment,
        }
        self.environment.pop("TALLY_CATALOG", None)

    # What is in it

    def insert(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Append raw events (mappings of raw.usage_events), and a raw.loads row a load."""
        events = [tuple(row.get(column) for column in RAW_COLUMNS) for row in rows]
        loads: dict[str, list[Any]] = {}
        for event in events:
            load = loads.setdefault(
                event[0], [event[0], f"{event[0]}.ndjson", event[0], 0, event[2], ""]
            )
            load[3] += 1
        with self._connect() as connection:
            connection.create_raw_tables()
            connection.append("raw.usage_events", RAW_COLUMNS, events)
            connection.append("raw.loads", LOAD_COLUMNS, [tuple(load) for load in loads.values()])

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple]:
        """The rows of one query."""
        with self._connect() as connection:
            return connection.rows(sql, parameters)

    def columns(self, table: str) -> list[str]:
        """The columns of `schema.table`, in order."""
        schema, name = table.split(".")
        return [
            row[0]
            for row in self.query(
                "select column_name from information_schema.columns "
                f"where table_schema = '{schema}' and table_name = '{name}' "
                "order by ordinal_position"
            )
        ]

    def export(self, table: str) -> list[str]:
        """Every row of `schema.table` as text, sorted: what two houses are compared by."""
        columns = ", ".join(self.columns(table))
        assert columns, f"no table {table}"
        return sorted(
            "|".join("\\N" if value is None else _as_text(value) for value in row)
            for row in self.query(f"select {columns} from {table}")
        )

    # What is done with it

    def command(self, *words: str, with_catalog: bool = True) -> list[str]:
        """A `tally` command line for this house."""
        return [sys.executable, "-m", *self.words(*words, with_catalog=with_catalog)]

    def words(self, *words: str, with_catalog: bool = True) -> list[str]:
        """The same for the server of houses: what follows `python -m`."""
        line = ["orchestration.cli", *words, "--target", self.engine]
        if with_catalog and self.catalog is not None:
            line += ["--catalog", str(self.catalog)]
        return line

    def run(self, *words: str, with_catalog: bool = True) -> subprocess.CompletedProcess:
        """Run one `tally` command to its end, whatever that is."""
        return SERVER.run(self.words(*words, with_catalog=with_catalog), self.environment)

    def dbt(self, *words: str) -> subprocess.CompletedProcess:
        """Run plain dbt to its end, whatever that is."""
        return SERVER.run([DBT, *words], {**self.environment, **self._catalog_environment()})

    def dbt_alone(self, *words: str) -> subprocess.CompletedProcess:
        """The same in a process that imports and parses all by itself, as a person's does."""
        return subprocess.run(
            [sys.executable, "-c", "from dbt.cli.main import cli; cli()", *words],
            cwd=PROJECT,
            env={**self.environment, **self._catalog_environment()},
            capture_output=True,
            text=True,
            check=False,
        )

    def build(self, *words: str) -> House:
        """`tally build`; raises BuildFailed with what it said when it does not end well."""
        return self._ended_well(self.run("build", *words))

    def build_untested(self, *words: str, is_published: bool = False) -> House:
        """`build` without its data tests: for what they are run on later, or compared with.

        Nor is it published unless a test looks at that: a new house's views take two seconds.
        """
        environment = {**self.environment, UNTESTED: "1"}
        if not is_published:
            environment |= UNPUBLISHED
        return self._ended_well(SERVER.run(self.words("build", *words), environment))

    def build_days(self, *days: str) -> House:
        """`tally build` through each of `days`, which may be many runs each; then the data tests,
        as the last of them would run them.
        """
        for day in days:
            self.build_untested("--through", day)
        words = ("test", "--target", self.engine, "--exclude-resource-type", "unit_test")
        return self._ended_well(self.dbt("--quiet", *words))

    def _ended_well(self, done: subprocess.CompletedProcess) -> House:
        if done.returncode != 0:
            raise BuildFailed(f"{self.engine}: {done.stderr.strip()}\n{done.stdout.strip()}")
        return self

    def _catalog_environment(self) -> dict[str, str]:
        if self.catalog is None:
            return {}
        return {"TALLY_CATALOG": os.path.relpath(self.catalog, PROJECT)}

    def _connect(self):
        if self.engine == "duckdb":
            return _DuckDB(self.environment["TALLY_DUCKDB_PATH"])
        return _Postgres(self.environment)


def _as_text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="microseconds")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    return str(value)


class _DuckDB:
    def __init__(self, path: str) -> None:
        import duckdb

        self.connection = duckdb.connect(path)
        self.connection.execute("set timezone = 'UTC'")

    def __enter__(self) -> _DuckDB:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def create_raw_tables(self) -> None:
        create_raw_tables(Warehouse("duckdb", self.connection, "test"))

    def append(self, table: str, columns: Sequence[str], rows: list[tuple]) -> None:
        import pyarrow as pa

        kinds = {"line_number": pa.int64(), "row_count": pa.int64()}
        kinds["loaded_at"] = pa.timestamp("us")
        fields = [pa.field(column, kinds.get(column, pa.string())) for column in columns]
        appended = pa.table(
            [
                pa.array([row[place] for row in rows], field.type)
                for place, field in enumerate(fields)
            ],
            schema=pa.schema(fields),
        )
        self.connection.register("appended", appended)
        names = ", ".join(columns)
        self.connection.execute(f"insert into {table} ({names}) select {names} from appended")

    def rows(self, sql: str, parameters: Sequence[Any]) -> list[tuple]:
        return self.connection.execute(sql, list(parameters)).fetchall()


class _Postgres:
    def __init__(self, environment: Mapping[str, str]) -> None:
        import psycopg2

        self.connection = psycopg2.connect(
            host=environment["TALLY_PG_HOST"],
            port=environment["TALLY_PG_PORT"],
            user=environment["TALLY_PG_USER"],
            password=environment.get("TALLY_PG_PASSWORD", ""),
            dbname=environment["TALLY_PG_DATABASE"],
            options="-c timezone=UTC",
        )
        self.connection.autocommit = True

    def __enter__(self) -> _Postgres:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def create_raw_tables(self) -> None:
        create_raw_tables(Warehouse("postgres", self.connection, "test"))

    def append(self, table: str, columns: Sequence[str], rows: list[tuple]) -> None:
        from psycopg2.extras import execute_values

        with self.connection.cursor() as cursor:
            execute_values(
                cursor,
                f"insert into {table} ({', '.join(columns)}) values %s",
                rows,
                page_size=1000,
            )

    def rows(self, sql: str, parameters: Sequence[Any]) -> list[tuple]:
        with self.connection.cursor() as cursor:
            cursor.execute(sql.replace("?", "%s") if parameters else sql, parameters or None)
            return cursor.fetchall() if cursor.description else []
