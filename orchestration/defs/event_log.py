"""Dagster's event log in SQLite, with events of many days written in one transaction.

A run over a range of days has an event per asset and day, when it is planned and again when it is
made. Dagster hands them over in batches (DAGSTER_EVENT_BATCH_SIZE), but its SQLite log opens both
its databases for each: 17,000 events of three months take minutes, twice. What is kept is the same.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.events import ASSET_EVENTS
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._serdes import ConfigurableClassData

#: Where this log is in use, so many events at once.
BATCH = {"DAGSTER_EVENT_BATCH_SIZE": "1000"}


class BulkSqliteEventLogStorage(SqliteEventLogStorage):
    """The SQLite log, in the place that Dagster's own has under DAGSTER_HOME."""

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

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """As store_event for each; if this fails, Dagster stores them one by one."""
        by_run: dict[str, list[EventLogEntry]] = defaultdict(list)
        for event in events:
            if event.is_dagster_event and event.dagster_event_type in ASSET_EVENTS:
                by_run[event.run_id].append(event)
            else:
                self.store_event(event)
        for run_id, of_run in by_run.items():
            inserts = [self.prepare_insert_event(event) for event in of_run]
            # As store_event does: the run's own log, then that of all runs, which counts the ids.
            with self.run_connection(run_id) as connection:
                for insert in inserts:
                    connection.execute(insert)
            with self.index_transaction() as connection:
                ids = [connection.execute(insert).inserted_primary_key[0] for insert in inserts]
                self._store_asset_event_tags(connection, of_run, ids)
                # Of each asset it keeps the last event of a kind.
                last = {
                    (event.get_dagster_event().asset_key, event.dagster_event_type): (event, one)
                    for event, one in zip(of_run, ids, strict=True)
                }
                for event, one in last.values():
                    self._store_asset_event(connection, event, one)
