"""A connection to the target's warehouse, from dbt's own profile.

One small object for the lander and for reading marts. SQL is written with `?` for parameters
on every target; values never become part of the SQL text.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from orchestration.causes import find_cause, holder_of_file

PROJECT_DIR = Path(__file__).resolve().parent.parent

# Quoted text and comments are stepped over; only a bare `?` is a parameter.
_PARAMETER_TOKENS = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|\?|%")


class WarehouseError(Exception):
    """The warehouse cannot be reached or refuses; the message is one line for a person."""


class BusyError(WarehouseError):
    """Another process has the warehouse's file open; `who` says which."""

    def __init__(self, who: str) -> None:
        super().__init__(f"{who}; try again when it has finished")
        self.who = who


def one_line(error: BaseException | str) -> str:
    """The first meaningful line of an error, whitespace collapsed."""
    text = str(error).strip() or type(error).__name__
    return re.sub(r"\s+", " ", text.split("\n\n")[0]).strip()


def quote_identifier(name: str) -> str:
    """`name` as a quoted SQL identifier (DuckDB and PostgreSQL alike)."""
    return '"' + name.replace('"', '""') + '"'


def quote_literal(text: str) -> str:
    """`text` as a SQL string literal for DuckDB (no backslash escapes)."""
    return "'" + text.replace("'", "''") + "'"


def _to_percent_style(sql: str) -> str:
    """The same SQL with psycopg2's `%s` for `?`, and `%` doubled."""

    def replace(match: re.Match[str]) -> str:
        token = match.group(0)
        return "%s" if token == "?" else token.replace("%", "%%")

    return _PARAMETER_TOKENS.sub(replace, sql)


class Warehouse:
    """One open connection. `kind` is `duckdb` or `postgres`; `connection` the driver's own."""

    def __init__(self, kind: str, connection: Any, name: str) -> None:
        self.kind = kind
        self.connection = connection
        self.name = name

    def execute(self, sql: str, params: Sequence[Any] | None = None) -> None:
        """Run one statement for its effect."""
        self.query(sql, params)

    def query(
        self, sql: str, params: Sequence[Any] | None = None
    ) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Column names and all rows of one statement (both empty if it returns none)."""
        if self.kind == "duckdb":
            cursor = self.connection.execute(sql, list(params or []))
            if cursor.description is None:
                return [], []
            return [column[0] for column in cursor.description], cursor.fetchall()
        with self.connection.cursor() as cursor:
            if params:
                cursor.execute(_to_percent_style(sql), list(params))
            else:
                cursor.execute(sql)
            if cursor.description is None:
                return [], []
            return [column[0] for column in cursor.description], cursor.fetchall()

    @property
    def is_lost(self) -> bool:
        """Whether the server has hung up."""
        return self.kind == "postgres" and self.connection.closed != 0

    def batches(
        self, sql: str, params: Sequence[Any] | None = None, size: int = 50_000
    ) -> Iterator[list[tuple[Any, ...]]]:
        """The rows of one query, at most `size` at a time."""
        if self.kind == "duckdb":
            cursor = self.connection.cursor()
            cursor.execute(sql, list(params or []))
            while rows := cursor.fetchmany(size):
                yield rows
            return
        # A cursor on the server, which lives in a transaction.
        with self.transaction(), self.connection.cursor("tally_batches", withhold=True) as cursor:
            cursor.itersize = size
            cursor.execute(_to_percent_style(sql), list(params or []))
            while rows := cursor.fetchmany(size):
                yield rows

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything in the block is written, or nothing is."""
        self.execute("begin")
        try:
            yield
        except BaseException:
            # A broken connection has rolled back already; the first error is the one to show.
            with suppress(Exception):
                self.execute("rollback")
            raise
        self.execute("commit")

    def close(self) -> None:
        self.connection.close()

    def __enter__(self) -> Warehouse:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def load_credentials(target: str | None, profiles_dir: str | os.PathLike[str] | None = None) -> Any:
    """The credentials of `target` as dbt itself renders them (env vars included).

    Without `profiles_dir`: DBT_PROFILES_DIR, else the project's folder, else ~/.dbt, like dbt.
    """
    from argparse import Namespace

    from dbt.config.runtime import load_profile
    from dbt.flags import set_from_args
    from dbt_common.context import set_invocation_context
    from dbt_common.exceptions import DbtBaseException

    folder = profiles_dir or os.environ.get("DBT_PROFILES_DIR")
    if folder is None:
        folder = PROJECT_DIR if (PROJECT_DIR / "profiles.yml").exists() else Path.home() / ".dbt"
    set_from_args(Namespace(PROFILES_DIR=str(folder), PROJECT_DIR=str(PROJECT_DIR)), None)
    set_invocation_context(dict(os.environ))
    try:
        return load_profile(str(PROJECT_DIR), {}, target_override=target).credentials
    except DbtBaseException as error:
        raise WarehouseError(f"{folder}/profiles.yml: {one_line(error)}") from error


def connect(
    target: str | None = None,
    profiles_dir: str | os.PathLike[str] | None = None,
    read_only: bool = False,
) -> Warehouse:
    """Open the target's warehouse; its session runs in UTC. WarehouseError if it cannot."""
    credentials = load_credentials(target, profiles_dir)
    if credentials.type == "duckdb":
        return _connect_duckdb(credentials, read_only)
    if credentials.type == "postgres":
        return _connect_postgres(credentials, read_only)
    raise WarehouseError(
        f"target {target or 'default'} is of type {credentials.type}; "
        "landing knows duckdb and postgres"
    )


def has_warehouse(
    target: str | None = None, profiles_dir: str | os.PathLike[str] | None = None
) -> bool:
    """Whether the target's warehouse is there: a file that no build or landing has made is not."""
    credentials = load_credentials(target, profiles_dir)
    if credentials.type != "duckdb" or credentials.path == ":memory:" or "://" in credentials.path:
        return credentials.type != "duckdb"
    return (PROJECT_DIR / credentials.path).is_file()


def _connect_duckdb(credentials: Any, read_only: bool) -> Warehouse:
    import duckdb

    # dbt runs in the project's folder, so a relative path means a file there.
    path = credentials.path
    if path != ":memory:" and "://" not in path:
        path = str(PROJECT_DIR / path)
    # The same configuration as dbt-duckdb's, which may have the file open in this process; a file
    # that it opened for writing cannot be opened for reading alone.
    config = dict(credentials.config_options or {})
    try:
        try:
            connection = duckdb.connect(path, read_only=read_only, config=config)
        except duckdb.ConnectionException:
            connection = duckdb.connect(path, config=config)
    except duckdb.Error as error:
        holder = holder_of_file(error)
        if holder:
            raise BusyError(f"cannot open {path}: {holder}") from error
        cause = find_cause(error)
        message = cause.sentence("nothing was done") if cause else one_line(error)
        raise WarehouseError(f"cannot open {path}: {message}") from error
    connection.execute("set timezone = 'UTC'").fetchall()
    return Warehouse("duckdb", connection, path)


def _connect_postgres(credentials: Any, read_only: bool) -> Warehouse:
    import psycopg2

    name = f"{credentials.host}:{credentials.port}/{credentials.database}"
    try:
        connection = psycopg2.connect(
            host=credentials.host,
            port=credentials.port,
            user=credentials.user,
            password=credentials.password or None,
            dbname=credentials.database,
            connect_timeout=credentials.connect_timeout or 10,
            sslmode=credentials.sslmode or "prefer",
            application_name="tally",
            options="-c timezone=UTC -c client_encoding=UTF8",
        )
    except psycopg2.Error as error:
        raise WarehouseError(f"cannot connect to {name}: {one_line(error)}") from error
    connection.set_session(autocommit=True, readonly=read_only)
    return Warehouse("postgres", connection, name)
