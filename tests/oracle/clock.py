"""Instants, zones and cycles (section 3, *Time*). Instants are naive datetimes in UTC."""

import calendar
import re
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib import resources
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
EPOCH = datetime(1970, 1, 1)
INSTANT = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?"
    r"(?:(Z)|([+-])([0-9]{2})(?::?([0-9]{2}))?)?)?"
)


@cache
def zone(name: str) -> ZoneInfo:
    """A zone of the tzdata wheel, never of the machine."""
    path = resources.files("tzdata").joinpath("zoneinfo", *name.split("/"))
    with path.open("rb") as stream:
        return ZoneInfo.from_file(stream, key=name)


def local_time(instant: datetime, zone_name: str) -> datetime:
    return instant.replace(tzinfo=UTC).astimezone(zone(zone_name)).replace(tzinfo=None, fold=0)


def local_date(instant: datetime, zone_name: str) -> date:
    return local_time(instant, zone_name).date()


@cache
def first_instant(day: date, zone_name: str) -> datetime:
    """Local midnight: the first of two, or the end of the clock change that skips it."""
    midnight = datetime(day.year, day.month, day.day)

    def as_utc(fold: int) -> datetime:
        aware = midnight.replace(tzinfo=zone(zone_name), fold=fold)
        return aware.astimezone(UTC).replace(tzinfo=None)

    earliest = as_utc(0)
    if local_time(earliest, zone_name) == midnight:
        return earliest
    low, high = as_utc(1), earliest
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
        if local_time(middle, zone_name) < midnight:
            low = middle
        else:
            high = middle
    return high


def parse_instant(text: str) -> datetime | None:
    """An ISO 8601 instant; without zone it is UTC, digits past the sixth are cut; else None.

    An instant past the year 9999 once its offset is taken off is the last one there is.
    """
    match = INSTANT.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, _, sign, shift_hours, shift_minutes = (
        match.groups()
    )
    micros = int((fraction or "")[:6].ljust(6, "0"))
    shift = timedelta(hours=int(shift_hours or 0), minutes=int(shift_minutes or 0))
    if shift >= DAY or int(shift_minutes or 0) > 59:
        return None
    try:
        wall = datetime(
            int(year), int(month), int(day),
            int(hour or 0), int(minute or 0), int(second or 0), micros,
        )  # fmt: skip
    except ValueError:
        return None
    try:
        return wall + shift if sign == "-" else wall - shift
    except OverflowError:
        return datetime.max if sign == "-" else datetime.min


def catalogue_instant(text: str, zone_name: str) -> datetime:
    """A time of the catalogue: a date is local midnight, anything else an instant."""
    if len(text) == 10:
        return first_instant(date.fromisoformat(text), zone_name)
    instant = parse_instant(text)
    if instant is None:
        raise ValueError(f"not a time: {text!r}")
    return instant


def midnight_at_or_after(instant: datetime) -> datetime:
    floor = datetime(instant.year, instant.month, instant.day)
    return floor if floor == instant else floor + DAY


def midnight_after(instant: datetime) -> datetime:
    return datetime(instant.year, instant.month, instant.day) + DAY


def parse_cycle(text: str) -> tuple[str, int]:
    """A cycle as (unit, count): `quarter` is three months, `30 days` thirty days."""
    named = {"week": ("day", 7), "month": ("month", 1), "quarter": ("month", 3)}
    named["year"] = ("month", 12)
    if text in named:
        return named[text]
    count, unit = text.split(" ")
    if unit not in ("days", "day"):
        raise ValueError(f"not a cycle: {text!r}")
    return "day", int(count)


def add_cycles(anchor: date, cycle: tuple[str, int], count: int) -> date:
    """anchor + count cycles; the anchor day is kept: 31 Jan, 28 Feb, 31 Mar."""
    unit, size = cycle
    if unit == "day":
        return anchor + timedelta(days=size * count)
    months = anchor.year * 12 + anchor.month - 1 + size * count
    year, month = divmod(months, 12)
    last_day = calendar.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(anchor.day, last_day))


def cycles_before(anchor: date, cycle: tuple[str, int], day: date) -> int:
    """A cycle index whose boundary is safely before `day`, close to it."""
    unit, size = cycle
    if unit == "day":
        return (day - anchor).days // size - 3
    return ((day.year - anchor.year) * 12 + day.month - anchor.month) // size - 3
