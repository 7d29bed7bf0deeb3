"""Dagster's event log in SQLite: its databases stay open, and many days are one transaction.

A day's run has 1,500 events, and Dagster's SQLite log opens and closes two databases for each:
27 s of processor, and a flush of the disk for each. A run over a range of days has an event per
asset and day; Dagster hands those over in batches (DAGSTER_EVENT_BATCH_SIZE), as it does what a run
is going to make and check, and its log takes them apart again. What is kept is the same.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg
import sqlalchemy
from dagster._core.events import ASSET_EVENTS
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._serdes import ConfigurableClassData

#: Where this log is in use, so many events at once.
BATCH = {"DAGSTER_EVENT_BATCH_SIZE": "1000"}
#: So many databases stay open: that of all runs, and those of the last ones that were asked for.
OPEN_DATABASES = 4
#: How long a writer waits for another one, as in Dagster's own, in seconds.
PATIENCE = 30.0


class BulkSqliteEventLogStorage(SqliteEventLogStorage):
    """The SQLite log, in the place that Dagster's own has under DAGSTER_HOME."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: OrderedDict[str, sqlalchemy.Engine] = OrderedDict()
        #: The transactions of a batch, by database, for the thread that stores it.
        self._batch = threading.local()
        #: Tables, columns and indexes that were there once.
        self._seen: set[str] = set()
        super().__init__(base_dir, inst_data)

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        return {"base_dir": dg.Field(dg.StringSource, is_required=False)}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> BulkSqliteEventLogStorage:
        base = config_value.get("base_dir") or str(
            Path(os.environ["DAGSTER_HOME"]) / "history" / "runs"
        )
        return cls(inst_data=inst_data, base_dir=base)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[sqlalchemy.Connection]:
        """A transaction, as Dagster's own has it; the connection stays for the next one."""
        batch = getattr(self._batch, "connections", None)
        if batch is not None:
            if shard not in batch:
                batch[shard] = self._batch.stack.enter_context(self._transaction(shard))
            yield batch[shard]
            return
        with self._db_lock, self._transaction(shard) as connection:
            yield connection

    @contextmanager
    def _transaction(self, shard: str) -> Iterator[sqlalchemy.Connection]:
        engine = self._engine(shard)
        if shard not in self._initialized_dbs:
            self._initdb(engine)
            self._initialized_dbs.add(shard)
        with engine.connect() as connection, connection.begin():
            yield connection
            has_written = connection.connection.dbapi_connection.in_transaction
        if has_written:
            # Who watches a run looks at its file, which a commit alone leaves as it was.
            os.utime(self.path_for_shard(shard))

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """What is stored meanwhile is one transaction of each database."""
        with self._db_lock, ExitStack() as self._batch.stack:
            self._batch.connections = {}
            try:
                yield
            finally:
                del self._batch.connections

    # What was there once is: nothing is taken away while a process runs. Dagster's own asks anew at
    # every event, for tables over a connection of its own.

    def has_table(self, table_name: str) -> bool:
        return self._once(f"table {table_name}", partial(super().has_table, table_name))

    def has_secondary_index(self, name: str) -> bool:
        return self._once(f"index {name}", partial(super().has_secondary_index, name))

    def _has_asset_key_col_on_connection(
        self, conn: sqlalchemy.Connection, column_name: str
    ) -> bool:
        look = super()._has_asset_key_col_on_connection
        return self._once(f"column {column_name}", partial(look, conn, column_name))

    def _once(self, name: str, look: Callable[[], bool]) -> bool:
        if name not in self._seen and look():
            self._seen.add(name)
        return name in self._seen

    def _engine(self, shard: str) -> sqlalchemy.Engine:
        if shard not in self._engines:
            self._engines[shard] = sqlalchemy.create_engine(
                self.conn_string_for_shard(shard),
                poolclass=sqlalchemy.QueuePool,
                pool_size=1,
                connect_args={"timeout": PATIENCE, "check_same_thread": False},
            )
            sqlalchemy.event.listen(self._engines[shard], "connect", _do_not_flush)
        self._engines.move_to_end(shard)
        while len(self._engines) > OPEN_DATABASES:
            _, longest_unused = self._engines.popitem(last=False)
            longest_unused.dispose()
        return self._engines[shard]

    def _close_all(self) -> None:
        with self._db_lock:
            while self._engines:
                self._engines.popitem()[1].dispose()

    def wipe(self) -> None:
        """As Dagster's own; the files that it removes are let go of before."""
        self._close_all()
        self._seen.clear()
        super().wipe()

    def dispose(self) -> None:
        super().dispose()
        self._close_all()

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """As store_event for each; if this fails, Dagster stores them one by one."""
        with self.at_once():
            by_run: dict[str, list[EventLogEntry]] = defaultdict(list)
            for event in events:
                if event.is_dagster_event and event.dagster_event_type in ASSET_EVENTS:
                    by_run[event.run_id].append(event)
                else:
                    self.store_event(event)
            for run_id, of_run in by_run.items():
                self._store_asset_events(run_id, of_run)

    def _store_asset_events(self, run_id: str, events: list[EventLogEntry]) -> None:
        """As store_event does: the run's own log, then that of all runs, which counts the ids."""
        inserts = [self.prepare_insert_event(event) for event in events]
        with self.run_connection(run_id) as connection:
            for insert in inserts:
                connection.execute(insert)
        with self.index_transaction() as connection:
            ids = [connection.execute(insert).inserted_primary_key[0] for insert in inserts]
            self._store_asset_event_tags(connection, events, ids)
            # Of each asset it keeps the last event of a kind.
            last = {
                (event.get_dagster_event().asset_key, event.dagster_event_type): (event, one)
                for event, one in zip(events, ids, strict=True)
            }
            for event, one in last.values():
                self._store_asset_event(connection, event, one)


def _do_not_flush(connection: Any, _: object) -> None:
    """A commit is flushed with the next checkpoint: a loss of power may take the last events.

    Nothing that is billed stands on them. A process that is killed takes none.
    """
    connection.execute("pragma synchronous = normal")
