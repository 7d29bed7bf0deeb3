"""Landing: files of usage events appended to raw.usage_events and raw.loads, each once.

One way in among others: any tool that fills raw.usage_events works too, and staging judges every
row. A file is one load, named by its content; its rows and its line in raw.loads are written in
one transaction. DuckDB reads the files for every target: it inserts into its own warehouse, and
for PostgreSQL its result goes through COPY.
"""

from __future__ import annotations

import argparse
import glob
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.csv

from orchestration.causes import LOST_CONNECTION, find_cause
from orchestration.errors import UserError
from orchestration.ledger import sealed_until
from orchestration.mapping import (
    DEFAULT_MAPPING,
    Mapping,
    MappingError,
    load_mapping,
    parse_instant,
)
from orchestration.records import (
    FileError,
    RecordStream,
    csv_stream,
    file_format,
    first_names,
    hash_content,
    ndjson_stream,
    read_header,
)
from orchestration.shaping import (
    RAW_FIELDS,
    ZONELESS_TIME,
    Source,
    check_columns,
    csv_source,
    default_for,
    ndjson_source,
    parquet_source,
    shape_query,
    strict_query,
)
from orchestration.sole_build import connect_when_free
from orchestration.warehouse import (
    Warehouse,
    WarehouseError,
    one_line,
    quote_identifier,
    quote_literal,
)

LOAD_ID_LENGTH = 32
# As the project's var future_tolerance_minutes; only --strict reads it here.
FUTURE_TOLERANCE_MINUTES = 60
RECORDS = "tally_landing_records"
# Any number that no other use of advisory locks in the database is likely to take.
SCHEMA_LOCK = 7_305_811_420
EXPECTED_FORMATS = ".ndjson, .jsonl, .json, .csv, .tsv (each also .gz or .zst) or .parquet"


@dataclass
class LandingResult:
    """What became of one file. `error` is one line if it was not landed."""

    file: str
    load_id: str | None = None
    rows: int = 0
    unread: int = 0
    zoneless: int = 0
    already_landed: bool = False
    note: str | None = None
    error: str | None = None

    def summary(self) -> str:
        """One plain line for a person."""
        if self.error:
            return f"{self.file}: not landed: {self.error}"
        if self.load_id is None:
            return f"{self.file}: {self.note}"
        if self.already_landed:
            return f"{self.file}: {self.note or 'already landed'}, load {self.load_id}"
        parts = [f"{self.rows:,} rows"]
        if self.unread:
            parts.append(f"{self.unread:,} unread (see rejected_events)")
        if self.zoneless:
            times = "time" if self.zoneless == 1 else "times"
            parts.append(f"{self.zoneless:,} {times} without a zone, taken as UTC")
        return f"{self.file}: {', '.join(parts)}, load {self.load_id}"


class StrictError(Exception):
    """--strict: the file has a row that staging would reject."""


class SealedError(Exception):
    """The load day has been closed: what is known of it is known for good."""


def raw_table(name: str, schema_prefix: str = "") -> str:
    """The quoted name of a table of the raw schema."""
    return f"{quote_identifier(schema_prefix + 'raw')}.{quote_identifier(name)}"


def create_raw_tables(warehouse: Warehouse, schema_prefix: str = "") -> None:
    """Make raw.usage_events and raw.loads where they are not there yet."""
    events = raw_table("usage_events", schema_prefix)
    with warehouse.transaction():
        if warehouse.kind == "postgres":
            # `create ... if not exists` fails when two sessions run it at once.
            warehouse.execute("select pg_advisory_xact_lock(?)", [SCHEMA_LOCK])
            warehouse.execute("set local client_min_messages = warning")
        warehouse.execute(f"create schema if not exists {quote_identifier(schema_prefix + 'raw')}")
        warehouse.execute(
            f"create table if not exists {events} ("
            "load_id text not null, line_number bigint not null, loaded_at timestamp not null, "
            + ", ".join(f"{name} text" for name in RAW_FIELDS)
            + ")"
        )
        warehouse.execute(
            f"create table if not exists {raw_table('loads', schema_prefix)} ("
            "load_id text not null, file_name text, content_hash text, row_count bigint,"
            " loaded_at timestamp, mapping_hash text)"
        )
        if warehouse.kind == "postgres":
            name = quote_identifier(f"{schema_prefix}usage_events_loaded_at")
            warehouse.execute(
                f"create index if not exists {name} on {events} using brin (loaded_at)"
            )


def expand_files(arguments: Iterable[str | os.PathLike[str]]) -> list[LandingResult]:
    """The files that paths, globs and folders (all below them, sorted) stand for."""
    found: dict[str, LandingResult] = {}
    for argument in arguments:
        name = os.fspath(argument)
        if os.path.isdir(name):
            files = sorted(
                str(path)
                for path in Path(name).rglob("*")
                if path.is_file() and not path.name.startswith(".") and file_format(str(path))
            )
            fault = f"no file in this folder is {EXPECTED_FORMATS}"
        elif os.path.exists(name):
            files, fault = [name], ""
        elif glob.has_magic(name):
            files = sorted(path for path in glob.glob(name, recursive=True) if os.path.isfile(path))
            fault = "no file matches"
        else:
            files, fault = [], "no such file"
        for path in files:
            found.setdefault(path, LandingResult(file=path))
        if not files:
            found.setdefault(name, LandingResult(file=name, error=fault))
    return list(found.values())


def land(
    files: Iterable[str | os.PathLike[str]],
    target: str | None = None,
    mapping: Mapping | str | os.PathLike[str] | None = None,
    loaded_at: datetime | str | None = None,
    strict: bool = False,
    profiles_dir: str | os.PathLike[str] | None = None,
    schema_prefix: str = "",
    warehouse: Warehouse | None = None,
    on_result: Callable[[LandingResult], None] | None = None,
    future_tolerance_minutes: int = FUTURE_TOLERANCE_MINUTES,
    wait: float = 0.0,
) -> list[LandingResult]:
    """Land each file; a file's fault is in its result and does not stop the others.

    `loaded_at` is UTC (a text without a zone too); without it, now. MappingError,
    WarehouseError and UserError, which concern every file, are raised. An open `warehouse` is
    used as it is; else another process is waited for up to `wait` seconds. A full disk or a lost
    connection is a fault of the file that meets it, and the files after it are left.
    """
    if mapping is None:
        mapping = DEFAULT_MAPPING
    elif not isinstance(mapping, Mapping):
        mapping = load_mapping(mapping)
    if loaded_at is None:
        loaded_at = datetime.now(UTC)
    elif isinstance(loaded_at, str):
        loaded_at = parse_instant(loaded_at)
    if loaded_at.tzinfo is not None:
        loaded_at = loaded_at.astimezone(UTC).replace(tzinfo=None)
    results = expand_files(files)
    owned = warehouse is None
    warehouse = warehouse or connect_when_free(target, wait, profiles_dir)
    lander: _Lander | None = None
    try:
        lander = _make_lander(
            warehouse, mapping, loaded_at, strict, schema_prefix, future_tolerance_minutes
        )
        for result in results:
            if result.error is None and lander.is_stopped:
                result.error = "left after that; nothing of it was landed"
            if result.error is None:
                lander.land(result)
            if on_result:
                on_result(result)
    finally:
        if lander is not None:
            lander.close()
        if owned:
            # What could not be written is not written by closing either, and has been said.
            with suppress(Exception):
                warehouse.close()
    return results


def _make_lander(warehouse: Warehouse, *settings: Any) -> _Lander:
    """A lander and the tables that it lands in; WarehouseError where there is no making them."""
    schema_prefix = settings[3]
    try:
        create_raw_tables(warehouse, schema_prefix)
        return _Lander(warehouse, *settings)
    except Exception as error:
        cause = find_cause(error)
        if cause is None:
            raise
        raise WarehouseError(cause.sentence("nothing was landed")) from error


class _Lander:
    """What the files of one call have in common."""

    def __init__(
        self,
        warehouse: Warehouse,
        mapping: Mapping,
        loaded_at: datetime,
        strict: bool,
        schema_prefix: str,
        future_tolerance_minutes: int,
    ) -> None:
        self.warehouse = warehouse
        self.mapping = mapping
        self.loaded_at = loaded_at
        self.strict = strict
        self.events = raw_table("usage_events", schema_prefix)
        self.loads = raw_table("loads", schema_prefix)
        self.sealed_until = sealed_until(warehouse, schema_prefix)
        self.future_tolerance_minutes = future_tolerance_minutes
        self.schema_prefix = schema_prefix
        self.is_stopped = False
        self.stream: RecordStream | None = None
        if warehouse.kind == "duckdb":
            self.reader = warehouse.connection
        else:
            self.reader = duckdb.connect()
            self.reader.execute("set timezone = 'UTC'").fetchall()

    def close(self) -> None:
        if self.reader is not self.warehouse.connection:
            self.reader.close()

    def land(self, result: LandingResult) -> None:
        """Land one file and fill in its result; never raises for the file's own faults."""
        self.stream = None
        try:
            self._land(result)
        except (FileError, MappingError, SealedError, StrictError) as error:
            result.error = str(error)
        except OSError as error:
            result.error = error.strerror or one_line(error)
        except MemoryError:
            result.error = "a record does not fit into memory"
        except Exception as error:
            # The drivers' own errors, and DuckDB's wrapping of what the reader met.
            inner = self.stream.error if self.stream is not None else None
            if not isinstance(error, duckdb.Error) and not _is_postgres_error(error):
                raise
            if isinstance(inner, OSError):
                result.error = inner.strerror or one_line(inner)
            else:
                result.error = self._known_cause(error) or one_line(inner or error)

    def _known_cause(self, error: Exception) -> str | None:
        """What happened around the file, if that is it; then no other file fares better."""
        # What an engine says of a record may quote it.
        cause = find_cause(error) if _is_of_the_warehouse(error) else None
        if cause is None and self.warehouse.is_lost:
            cause = LOST_CONNECTION
        if cause is None:
            return None
        self.is_stopped = True
        return cause.sentence("nothing of this file was landed")

    def _land(self, result: LandingResult) -> None:
        kind = file_format(result.file)
        if kind is None:
            raise FileError(f"unknown format; expected {EXPECTED_FORMATS}")
        form, compression = kind
        content_hash, size = hash_content(result.file, compression)
        if size == 0:
            result.note = "empty file, nothing landed"
            return
        load_id = content_hash[:LOAD_ID_LENGTH]
        # Seen before the file is read, and again inside the transaction under a lock.
        if self._is_landed(load_id, result):
            return
        self._check_seal()
        shape = self._shape(result.file, form, compression, content_hash)
        if self.strict:
            self._check_strictly(result.file, form, compression, content_hash, shape)
        with self.warehouse.transaction():
            if self.warehouse.kind == "postgres":
                self.warehouse.execute(
                    "select pg_advisory_xact_lock(hashtextextended(?, 0))", [load_id]
                )
                if self._is_landed(load_id, result):
                    return
            with self._records(result.file, form, compression, content_hash):
                self._append(shape, load_id)
            # Whoever seals holds loaders off: from the first row on, the seal stands still.
            self.sealed_until = sealed_until(self.warehouse, self.schema_prefix)
            self._check_seal()
            counts = self._count(load_id)
            result.rows, result.unread, result.zoneless = counts[:3]
            if form == "ndjson" and result.rows > result.unread:
                self._check_found(result.file, compression, counts)
            self.warehouse.execute(
                f"insert into {self.loads}"
                " (load_id, file_name, content_hash, row_count, loaded_at, mapping_hash)"
                " values (?, ?, ?, ?, ?, ?)",
                [
                    load_id,
                    _printable(result.file),
                    content_hash,
                    result.rows,
                    self.loaded_at,
                    self.mapping.content_hash,
                ],
            )
        result.load_id = load_id

    def _check_seal(self) -> None:
        if self.loaded_at < self.sealed_until:
            raise SealedError(
                f"{self.loaded_at:%Y-%m-%d} is closed: expected a load time from"
                f" {self.sealed_until:%Y-%m-%dT%H:%M:%SZ} on; nothing landed"
            )

    def _is_landed(self, load_id: str, result: LandingResult) -> bool:
        _, rows = self.warehouse.query(
            f"select mapping_hash, row_count from {self.loads} where load_id = ?", [load_id]
        )
        if not rows:
            return False
        result.load_id = load_id
        result.already_landed = True
        result.rows = rows[0][1] or 0
        result.note = "already landed"
        if rows[0][0] != self.mapping.content_hash:
            result.note = "already landed, with another mapping"
        return True

    def _shape(self, path: str, form: str, compression: str | None, content_hash: str) -> str:
        """The shaping query of a file; its mapping is checked against the file's columns."""
        mapping = self.mapping
        source: Source
        if form == "ndjson":
            return shape_query(mapping, ndjson_source(mapping, RECORDS))
        if form == "csv":
            delimiter = self._delimiter(path)
            header = read_header(path, compression, delimiter)
            if header is None:
                raise FileError("line 1: expected a header with the column names")
            if mapping.is_default:
                mapping = default_for(tuple(header), mapping)
            source = csv_source(mapping, RECORDS, header, delimiter)
            check_columns(mapping, source)
            return shape_query(mapping, source)
        relation = f"read_parquet([{quote_literal(_glob_escape(path))}])"
        described = self.reader.sql(f"from {relation}")
        columns = list(zip(described.columns, described.types, strict=True))
        if mapping.is_default:
            mapping = default_for(tuple(described.columns), mapping)
        numbered = f"read_parquet([{quote_literal(_glob_escape(path))}], file_row_number = true)"
        source = _parquet(mapping, numbered, columns)
        return shape_query(mapping, source)

    def _delimiter(self, path: str) -> str:
        if self.mapping.delimiter:
            return self.mapping.delimiter
        return "\t" if ".tsv" in [suffix.lower() for suffix in Path(path).suffixes] else ","

    @contextmanager
    def _records(
        self, path: str, form: str, compression: str | None, content_hash: str
    ) -> Iterator[None]:
        """The file's records as the relation RECORDS, for one query."""
        if form == "parquet":
            yield
            return
        if form == "ndjson":
            self.stream = ndjson_stream(path, compression, content_hash)
        else:
            delimiter = self._delimiter(path)
            header = read_header(path, compression, delimiter) or []
            self.stream = csv_stream(path, compression, content_hash, len(header), delimiter)
        self.reader.register(RECORDS, self.stream.reader)
        try:
            yield
        finally:
            # A reader that was left in the middle may refuse; the first error is the one to show.
            with suppress(duckdb.Error):
                self.reader.unregister(RECORDS)

    def _check_strictly(
        self, path: str, form: str, compression: str | None, content_hash: str, shape: str
    ) -> None:
        with self._records(path, form, compression, content_hash):
            query = strict_query(shape, self.future_tolerance_minutes)
            found = self.reader.execute(query, [self.loaded_at]).fetchall()
        if found:
            line, field, expected = found[0]
            raise StrictError(f"line {line}: {field}: expected {expected}; nothing landed")

    def _append(self, shape: str, load_id: str) -> None:
        columns = ", ".join(("load_id", "line_number", "loaded_at", *RAW_FIELDS))
        query = (
            "select cast(? as varchar) as load_id, line_number,"
            f" cast(? as timestamp) as loaded_at, {', '.join(RAW_FIELDS)} from ({shape})"
        )
        params = [load_id, self.loaded_at]
        if self.warehouse.kind == "duckdb":
            with self._any_row_order():
                self.warehouse.execute(f"insert into {self.events} ({columns}) {query}", params)
            return
        with self.reader.sql(query, params=params).to_arrow_reader(20_000) as batches:
            self._copy(f"copy {self.events} ({columns}) from stdin with (format csv)", batches)

    def _copy(self, statement: str, batches: pa.RecordBatchReader) -> None:
        import psycopg2

        # When the server hangs up in the midst of a COPY, psycopg2 prints one error and raises
        # another, which is its own.
        hook, sys.excepthook = sys.excepthook, lambda *_: None
        try:
            with self.warehouse.connection.cursor() as cursor:
                cursor.copy_expert(statement, _CsvStream(batches), size=1 << 20)
        except SystemError as error:
            raise psycopg2.OperationalError("server closed the connection") from error
        finally:
            sys.excepthook = hook

    @contextmanager
    def _any_row_order(self) -> Iterator[None]:
        """Rows carry their line number; not keeping them in order halves the time (2 cores)."""
        before = self.reader.execute("select current_setting('preserve_insertion_order')")
        ((kept,),) = before.fetchall()
        self.reader.execute("set preserve_insertion_order = false").fetchall()
        try:
            yield
        finally:
            # In a transaction that failed, settings can still be set; where even that fails, the
            # first error is the one to show.
            with suppress(duckdb.Error):
                self.reader.execute(f"set preserve_insertion_order = {bool(kept)}").fetchall()

    def _check_found(self, path: str, compression: str | None, counts: tuple[int, ...]) -> None:
        """A mapped path that no record has is a wrong one: JSON lines have no header to ask."""
        if self.mapping.is_default:
            return
        for name, count in (("customer_id", counts[3]), ("event_name", counts[4])):
            item = self.mapping.fields.get(name)
            if item is not None and item.paths and count == 0:
                names = ", ".join(first_names(path, compression))
                raise MappingError(
                    f"{self.mapping.source}: {name}: no record has {', '.join(item.paths)};"
                    f" the names in the first one are {names}"
                )

    def _count(self, load_id: str) -> tuple[int, ...]:
        """Rows, unread rows, times without a zone, customers and event names of a load."""
        is_duckdb = self.warehouse.kind == "duckdb"
        matches = "regexp_matches(occurred_at, ?)" if is_duckdb else "occurred_at ~ ?"
        # loaded_at first: it prunes by zone maps and the block range index.
        _, rows = self.warehouse.query(
            "select count(*), count(unread_record),"
            f" count(case when {matches} then 1 end), count(customer_id), count(event_name)"
            f" from {self.events} where loaded_at = ? and load_id = ?",
            [ZONELESS_TIME, self.loaded_at, load_id],
        )
        return rows[0]


def _parquet(mapping: Mapping, relation: str, columns: list[tuple[str, Any]]) -> Source:
    """A parquet source whose mapping names columns that are there."""
    names = ", ".join(name for name, _ in columns)
    try:
        source = parquet_source(mapping, relation, columns, "file_row_number + 1")
    except KeyError:
        probe = parquet_source(DEFAULT_MAPPING, relation, columns, "file_row_number + 1")
        check_columns(mapping, probe)
        raise FileError(f"the columns are {names}") from None
    check_columns(mapping, source)
    return source


class _CsvStream:
    """Arrow batches as a readable file of CSV: null is nothing, an empty text is ""."""

    def __init__(self, batches: pa.RecordBatchReader) -> None:
        self.batches = batches
        self.waiting = memoryview(b"")

    def read(self, size: int = -1) -> bytes:
        while not len(self.waiting):
            try:
                batch = self.batches.read_next_batch()
            except StopIteration:
                return b""
            sink = pa.BufferOutputStream()
            pa.csv.write_csv(batch, sink, pa.csv.WriteOptions(include_header=False))
            self.waiting = memoryview(sink.getvalue())
        part = self.waiting if size < 0 else self.waiting[:size]
        self.waiting = self.waiting[len(part) :]
        return bytes(part)


def _is_postgres_error(error: BaseException) -> bool:
    import psycopg2

    return isinstance(error, (psycopg2.Error, pa.ArrowException))


def _is_of_the_warehouse(error: BaseException) -> bool:
    """Whether an error is about the warehouse and its disk, not about what was to be landed."""
    import psycopg2

    return isinstance(
        error,
        (
            duckdb.IOException,
            duckdb.FatalException,
            duckdb.InternalException,
            duckdb.OutOfMemoryException,
            duckdb.TransactionException,
            psycopg2.OperationalError,
            psycopg2.InterfaceError,
        ),
    )


def _glob_escape(path: str) -> str:
    """DuckDB reads paths as patterns; this one means itself."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in path)


def _printable(path: str) -> str:
    """A file name that a database can hold (names may be any bytes)."""
    return (
        path.encode("utf-8", "surrogateescape").decode("utf-8", "replace").replace("\0", "\u2400")
    )


def add_land_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `tally land`."""
    parser.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="NDJSON, CSV or Parquet (the first two also .gz or .zst); a glob or a folder",
    )
    parser.add_argument("--mapping", metavar="YAML", help="which column is which field")
    parser.add_argument(
        "--loaded-at",
        metavar="TIME",
        help="the load time, for backfills (ISO; without a zone it is UTC); default: now",
    )
    parser.add_argument(
        "--strict", action="store_true", help="refuse a file whole if any row would be rejected"
    )
    known = {action.dest for action in parser._actions}
    if "target" not in known:
        parser.add_argument("--target", help="the dbt target; default: the profile's")
    if "profiles_dir" not in known:
        parser.add_argument("--profiles-dir", metavar="DIR", help="where profiles.yml is")


def run_land(args: argparse.Namespace) -> int:
    """`tally land`: a line per file; 0 if all were landed (or had been), else 1."""

    def show(result: LandingResult) -> None:
        print(_shown(result.summary()), file=sys.stderr if result.error else sys.stdout, flush=True)

    loaded_at = None
    if getattr(args, "loaded_at", None):
        try:
            loaded_at = parse_instant(args.loaded_at)
        except (ValueError, OverflowError):
            print(
                f"--loaded-at {args.loaded_at}: expected a time like 2026-01-31T09:30:00Z",
                file=sys.stderr,
            )
            return 1
        if _is_zoneless(args.loaded_at):
            print(f"--loaded-at {args.loaded_at} has no zone, taken as UTC", file=sys.stderr)
    try:
        results = land(
            args.files,
            target=getattr(args, "target", None),
            mapping=getattr(args, "mapping", None),
            loaded_at=loaded_at,
            strict=getattr(args, "strict", False),
            profiles_dir=getattr(args, "profiles_dir", None),
            schema_prefix=getattr(args, "schema_prefix", None) or "",
            on_result=show,
            wait=getattr(args, "wait", None) or 0.0,
        )
    except (MappingError, UserError, WarehouseError) as error:
        print(_shown(str(error)), file=sys.stderr)
        return 1
    except duckdb.Error as error:
        print(_shown(one_line(error)), file=sys.stderr)
        return 1
    return 1 if any(result.error for result in results) else 0


def _is_zoneless(text: str) -> bool:
    return datetime.fromisoformat(text).tzinfo is None


def _shown(text: str) -> str:
    """Text for a terminal: names of files and columns may hold control characters."""
    printable = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return printable.encode("utf-8", "replace").decode()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tally land", description=__doc__.split("\n")[0])
    add_land_arguments(parser)
    return run_land(parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
