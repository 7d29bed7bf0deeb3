"""A house that is looked at: the days of its last run, and queries on its schemas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from expectations.statistics import TRAILING_DAYS
from orchestration.warehouse import Warehouse

Row = dict[str, Any]


@dataclass(frozen=True)
class Span:
    """The days that are looked at, and until when everything was closed before them."""

    from_day: date
    through_day: date
    sealed_until: datetime

    @property
    def days(self) -> list[date]:
        count = (self.through_day - self.from_day).days + 1
        return [self.from_day + timedelta(days=place) for place in range(count)]

    @property
    def trailing(self) -> list[date]:
        """The days and the weeks before them: what queries read."""
        return [self.from_day - timedelta(days=TRAILING_DAYS), self.through_day]


@dataclass(frozen=True)
class Reader:
    """Queries on one house."""

    warehouse: Warehouse
    prefix: str
    span: Span

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of a query whose schemas are written as {metering} and the like."""
        schemas = ("raw", "staging", "metering", "marts", "invoicing", "ledger", "catalog")
        named = sql.format(**{name: f"{self.prefix}{name}" for name in schemas})
        return self.warehouse.query(named, list(parameters))[1]

    def known_days(self) -> list[date]:
        """The days from the first with usage on, as far as they matter."""
        first = self.rows("select min(load_day) from {staging}.stg_raw__load_counts")[0][0]
        if first is None:
            return []
        begin = max(first, self.span.trailing[0])
        count = (self.span.through_day - begin).days + 1
        return [begin + timedelta(days=place) for place in range(max(count, 0))]


def read_span(warehouse: Warehouse, prefix: str = "") -> Span:
    """The span of the last run."""
    _, rows = warehouse.query(
        f"select from_day, through_day, sealed_until from {prefix}builds.build_window"
    )
    return Span(*rows[0])
