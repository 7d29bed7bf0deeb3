"""Writes the reference seed of time zone changes from the pinned tzdata wheel.

One row per zone and change of its offset to UTC: (zone, utc_from, offset_seconds), the offset in
seconds east of UTC that holds from utc_from (UTC) to the zone's next row. The first row of a zone
starts at FIRST_ROW_FROM, so that every instant finds one. The wheel decides, never the operating
system's files nor an engine's own: run `python -m orchestration.time_zones` after raising tzdata.
"""

import csv
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import resources
from io import BytesIO
from pathlib import Path
from zoneinfo import ZoneInfo

import tzdata

SEED_PATH = Path(__file__).parent.parent / "seeds" / "reference" / "time_zone_transitions.csv"
# The release that the committed seed was made from; the test compares it with the wheel's.
SEED_TZDATA_VERSION = "2026f"

FIRST_ROW_FROM = datetime(1900, 1, 1)
# Usage before 1970 is refused; a local midnight of 1970-01-01 can lie a day earlier in UTC.
COVERED_FROM = datetime(1969, 12, 30, tzinfo=UTC)
COVERED_TO = datetime(2046, 1, 1, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def zone_names() -> list[str]:
    """Every IANA name of the wheel, links included, in binary order."""
    names = resources.files("tzdata").joinpath("zones").read_text(encoding="utf-8").split()
    return sorted(name for name in names if name != "Factory")


def zone_bytes(name: str) -> bytes:
    """The TZif file of a zone."""
    return resources.files("tzdata.zoneinfo").joinpath(*name.split("/")).read_bytes()


def listed_changes(content: bytes) -> list[datetime]:
    """The instants that a TZif file lists (RFC 8536); later ones follow from its footer."""
    header = struct.Struct(">4s c 15x 6l")
    magic, version, *counts = header.unpack_from(content)
    if magic != b"TZif" or version < b"2":
        raise ValueError("not a TZif file of version 2 or later")
    isutc, isstd, leap, time, kind, char = counts
    second = header.size + time * 5 + kind * 6 + char + leap * 8 + isstd + isutc
    time = header.unpack_from(content, second)[5]
    seconds = struct.unpack_from(f">{time}q", content, second + header.size)
    first, last = (int((end - EPOCH).total_seconds()) for end in (COVERED_FROM, COVERED_TO))
    return [EPOCH + timedelta(seconds=one) for one in seconds if first < one < last]


def offset_at(zone: ZoneInfo, instant: datetime) -> int:
    """Seconds east of UTC."""
    offset = instant.astimezone(zone).utcoffset()
    if offset is None:
        raise ValueError(f"{zone.key} has no offset at {instant}")
    return int(offset.total_seconds())


def footer_changes(zone: ZoneInfo, start: datetime) -> Iterator[datetime]:
    """Changes after the last listed one: a yearly rule, so a day's step misses none."""
    low, low_offset = start, offset_at(zone, start)
    while low < COVERED_TO:
        high = low + timedelta(days=1)
        high_offset = offset_at(zone, high)
        if high_offset != low_offset:
            before, after = low, high
            while after - before > timedelta(seconds=1):
                middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
                if offset_at(zone, middle) == low_offset:
                    before = middle
                else:
                    after = middle
            yield after
        low, low_offset = high, high_offset


def zone_transitions(name: str, content: bytes) -> list[tuple[datetime, int]]:
    """(utc_from, offset_seconds) of one zone, changes of name or of daylight flag left out."""
    zone = ZoneInfo.from_file(BytesIO(content), key=name)
    changes = listed_changes(content)
    changes += footer_changes(zone, changes[-1] if changes else COVERED_FROM)
    rows = [(FIRST_ROW_FROM, offset_at(zone, COVERED_FROM))]
    for change in changes:
        offset = offset_at(zone, change)
        if change < COVERED_TO and offset != rows[-1][1]:
            rows.append((change.replace(tzinfo=None), offset))
    return rows


def transitions() -> Iterator[tuple[str, datetime, int]]:
    """All rows of the seed in order. Links share their file's bytes, and so one computation."""
    known: dict[bytes, list[tuple[datetime, int]]] = {}
    for name in zone_names():
        content = zone_bytes(name)
        if content not in known:
            known[content] = zone_transitions(name, content)
        for utc_from, offset_seconds in known[content]:
            yield name, utc_from, offset_seconds


def seed_text() -> str:
    """The seed as it stands in the file."""
    lines = ["zone,utc_from,offset_seconds"]
    lines += [f"{zone},{utc_from},{offset}" for zone, utc_from, offset in transitions()]
    return "\n".join(lines) + "\n"


def read_seed() -> Iterator[dict[str, str]]:
    """Rows of the committed seed."""
    with SEED_PATH.open(newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def main() -> None:
    """Write the seed, or stop if the wheel is not the release named above."""
    if tzdata.IANA_VERSION != SEED_TZDATA_VERSION:
        raise SystemExit(
            f"tzdata {tzdata.IANA_VERSION} is installed: set SEED_TZDATA_VERSION to it first"
        )
    SEED_PATH.write_text(seed_text(), encoding="utf-8")


if __name__ == "__main__":
    main()
