"""One build of a house at a time: a second one waits, saying for whom, or is told so.

A DuckDB file belongs to the process that has it open, so a build keeps it open from its first
look to its last model. On PostgreSQL a session of its own holds an advisory lock, and the lock
goes with the process, however it ends. What a killed build has left running on the server, and
plain dbt, are kept apart by macros/builds/sole_run.sql.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from orchestration.errors import UserError
from orchestration.warehouse import BusyError, Warehouse, connect

# How long a command waits for a house that is in use, in seconds.
WAIT = 600.0
PAUSE = 0.5
# As in macros/builds/sole_run.sql: what a lock is for; whose house follows.
BUILD_LOCK = 730_581_142
MODELS_LOCK = 730_581_143
HOLDER_VARIABLE = "TALLY_BUILD_HOLDER"


@contextmanager
def sole_build(
    target: str | None, wait: float = WAIT, schema_prefix: str = ""
) -> Iterator[Warehouse]:
    """The house of `target` for this process alone, while the block runs.

    Waits up to `wait` seconds for another process that has it, with a line on stderr.
    Raises UserError when it still has, WarehouseError when the warehouse cannot be reached.
    """
    with connect_when_free(target, wait) as warehouse:
        if warehouse.kind != "postgres":
            yield warehouse
            return
        house = f"tallyhouse {schema_prefix}"
        _keep_session(warehouse)
        _take(warehouse, BUILD_LOCK, house, wait)
        # What is on its way on the server ends by itself; then nothing of it can still come.
        _take(warehouse, MODELS_LOCK, house, wait)
        _release(warehouse, MODELS_LOCK, house)
        before = os.environ.get(HOLDER_VARIABLE)
        os.environ[HOLDER_VARIABLE] = str(warehouse.connection.info.backend_pid)
        try:
            yield warehouse
        finally:
            if before is None:
                os.environ.pop(HOLDER_VARIABLE, None)
            else:
                os.environ[HOLDER_VARIABLE] = before


def connect_when_free(
    target: str | None,
    wait: float = WAIT,
    profiles_dir: str | os.PathLike[str] | None = None,
) -> Warehouse:
    """An open warehouse; waits up to `wait` seconds for a file that another process has open.

    Raises UserError when it still has, WarehouseError when it cannot be opened at all.
    """
    patience = _Patience(wait)
    while True:
        try:
            return connect(target, profiles_dir)
        except BusyError as busy:
            patience.try_again(busy.who)


def add_wait_argument(parser: argparse.ArgumentParser) -> None:
    """--wait, for a command that needs the house for itself."""
    parser.add_argument(
        "--wait",
        type=_seconds,
        default=WAIT,
        metavar="SECONDS",
        help="how long to wait for another build or landing (default: 600; 0: not at all)",
    )


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"not a number of seconds: {text!r}")
    return seconds


class _Patience:
    """Waiting for somebody: said once, and not for ever."""

    def __init__(self, wait: float) -> None:
        self.until = time.monotonic() + wait
        self.wait = wait
        self.is_said = False

    def try_again(self, who: str) -> None:
        """Return after a pause; raises UserError with `who` when there is no time left."""
        if time.monotonic() >= self.until:
            waited = f" (waited {self.wait:.0f} s)" if self.wait else ""
            raise UserError(f"{who}{waited}; nothing was done, try again when it has finished")
        if not self.is_said:
            print(f"tally: {who}; waiting", file=sys.stderr, flush=True)
            self.is_said = True
        time.sleep(min(PAUSE, max(0.0, self.until - time.monotonic())))


def _keep_session(warehouse: Warehouse) -> None:
    """The session lasts as long as this process, no longer: others see whose it is."""
    name = f"tally build, process {os.getpid()} on {socket.gethostname()}"
    # A name has at most 63 bytes.
    warehouse.execute("select set_config('application_name', ?, false)", [name[:60]])
    for setting, value in (
        ("idle_session_timeout", "0"),
        ("tcp_keepalives_idle", "30"),
        ("tcp_keepalives_interval", "10"),
        ("tcp_keepalives_count", "3"),
    ):
        warehouse.execute("select set_config(?, ?, false)", [setting, value])


def _take(warehouse: Warehouse, lock: int, house: str, wait: float) -> None:
    patience = _Patience(wait)
    while True:
        _, rows = warehouse.query("select pg_try_advisory_lock(?, hashtext(?))", [lock, house])
        if rows[0][0]:
            return
        patience.try_again(_holder(warehouse, lock, house))


def _release(warehouse: Warehouse, lock: int, house: str) -> None:
    warehouse.execute("select pg_advisory_unlock(?, hashtext(?))", [lock, house])


def _holder(warehouse: Warehouse, lock: int, house: str) -> str:
    """Who holds the lock, in words; the holder may have gone meanwhile."""
    _, rows = warehouse.query(
        """
        select activity.application_name, activity.pid, activity.backend_start
        from pg_locks as locks
        inner join pg_stat_activity as activity on locks.pid = activity.pid
        where
            locks.locktype = 'advisory'
            and locks.database = (select oid from pg_database where datname = current_database())
            and locks.classid = cast(cast(? as bigint) as oid)
            and cast(locks.objid as bigint) = cast(hashtext(?) as bigint) & 4294967295
            and locks.objsubid = 2
            and locks.granted
        order by activity.backend_start
        limit 1
        """,
        [lock, house],
    )
    if lock == MODELS_LOCK:
        what = "a build that was stopped, or plain dbt, is still at work on the server"
        return f"{what} (server process {rows[0][1]})" if rows else what
    if not rows:
        return "another build of this house is running"
    name, pid, since = rows[0]
    who = name.removeprefix("tally build, ") or f"server process {pid}"
    return f"another build of this house is running ({who}, since {since:%H:%M:%S} UTC)"
