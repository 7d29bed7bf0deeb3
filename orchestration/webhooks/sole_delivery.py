"""One delivery of a house at a time: two would send everything twice, and out of order."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestration.errors import UserError
from orchestration.house import target_folder
from orchestration.warehouse import connect, load_credentials

#: Beside those of orchestration/sole_build.py; whose house follows.
DELIVERY_LOCK = 730_581_144


@contextmanager
def sole_delivery(target: str | None, project: Path, schema_prefix: str = "") -> Iterator[None]:
    """The outbox for this process alone, while the block runs; builds go on beside it.

    On PostgreSQL a session holds it, whatever machine it is of; elsewhere a file of dbt's folder.
    Raises UserError where another process has it.
    """
    fault = UserError("another process is delivering the webhooks of this house; nothing was done")
    if load_credentials(target).type == "postgres":
        with connect(target) as warehouse:
            _, rows = warehouse.query(
                "select pg_try_advisory_lock(?, hashtext(?))",
                [DELIVERY_LOCK, f"tallyhouse {schema_prefix}"],
            )
            if not rows[0][0]:
                raise fault
            yield
        return
    folder = target_folder(project)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{schema_prefix}webhooks.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise fault from None
        yield
