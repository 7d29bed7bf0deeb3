"""One day is one partition through the whole house: the events loaded on it, in UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime

import dagster as dg

from orchestration.dbt_commands import Window
from orchestration.defs.environments import read_environment

#: The running day is one of them: what it has so far is metered by the hour and not closed.
DAYS = dg.DailyPartitionsDefinition(
    start_date=read_environment().first_day.isoformat(), timezone="UTC", end_offset=1
)

#: A range of days is one run, not one run a day.
ONE_RUN = dg.BackfillPolicy.single_run()

#: What writes the warehouse, one at a time.
POOL = "warehouse"


def today(now: datetime | None = None) -> date:
    """The running day."""
    return (now or datetime.now(UTC)).astimezone(UTC).date()


def window_of(keys: dg.PartitionKeyRange, now: datetime | None = None) -> Window:
    """The window that a run of these partitions builds. The running day is built and not closed."""
    return Window(date.fromisoformat(keys.start), date.fromisoformat(keys.end), open_day=today(now))
