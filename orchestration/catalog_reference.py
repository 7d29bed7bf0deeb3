"""The reference seeds as the catalogue's check needs them: currencies, zones, derived macros."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Reference:
    """What the project itself fixes; the same rows that the models read."""

    exponents: dict[str, int]
    zones: dict[str, list[tuple[datetime, timedelta]]]
    derived: frozenset[str]

    def local_midnight(self, day: date, zone: str) -> datetime:
        """First instant of the local day (DESIGN, Time: also where a clock change skips it)."""
        naive = datetime.combine(day, time(), UTC)
        segments = self.zones[zone]
        ends = [begin for begin, _ in segments[1:]] + [datetime.max.replace(tzinfo=UTC)]
        starts = [
            (max(begin, naive - offset), end)
            for (begin, offset), end in zip(segments, ends, strict=True)
        ]
        return min(start for start, end in starts if start < end)

    def local_date(self, instant: datetime, zone: str) -> date:
        """The date in the zone at the instant."""
        begun = [offset for begin, offset in self.zones[zone] if begin <= instant]
        return (instant + (begun[-1] if begun else self.zones[zone][0][1])).date()


@cache
def read_reference(project: Path = PROJECT) -> Reference:
    """Read the reference seeds and the names of the derived properties of `project`."""
    seeds = project / "seeds" / "reference"
    with (seeds / "currencies.csv").open(encoding="utf-8", newline="") as handle:
        exponents = {row["currency"]: int(row["exponent"]) for row in csv.DictReader(handle)}
    zones = defaultdict(list)
    with (seeds / "time_zone_transitions.csv").open(encoding="utf-8", newline="") as handle:
        for row in csv.DictReader(handle):
            begin = datetime.fromisoformat(row["utc_from"]).replace(tzinfo=UTC)
            zones[row["zone"]].append((begin, timedelta(seconds=int(row["offset_seconds"]))))
    for segments in zones.values():
        segments.sort()
    named = re.compile(r"\{%-?\s*macro\s+derived__(\w+)\s*\(")
    macros = (path.read_text("utf-8") for path in (project / "macros").rglob("*.sql"))
    return Reference(
        exponents=exponents,
        zones=dict(zones),
        derived=frozenset(name for macro in macros for name in named.findall(macro)),
    )
