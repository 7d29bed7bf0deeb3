"""What one field of the catalogue may hold: numbers, dates, instants, paths, choices."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

# A rule reads a text and says what was expected instead, or None where it holds.
Rule = Callable[[str], str | None]

NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})"
)
CYCLE = re.compile(r"week|month|quarter|year|([1-9][0-9]{0,3}) days?")
PATH = re.compile(r'([^".|=\s]+|"[^"|=]+")(\.([^".|=\s]+|"[^"|=]+"))*')
DERIVED = re.compile(r"derived:([a-z_][a-z0-9_]*)")
EARLIEST, LATEST = 1970, 9998
WIDEST_OFFSET = timedelta(hours=15)
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


def read_instant(text: str) -> datetime | None:
    """The instant that the text names, None where it is not one or out of range."""
    if not INSTANT.fullmatch(text):
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    offset = instant.utcoffset()
    if not EARLIEST <= instant.year <= LATEST or offset is None or abs(offset) > WIDEST_OFFSET:
        return None
    return instant.astimezone(UTC)


def read_date(text: str) -> date | None:
    """The date that the text names, None where it is not one or out of range."""
    if not DATE.fullmatch(text):
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if EARLIEST <= day.year <= LATEST else None


def text() -> Rule:
    return lambda value: None if len(value) <= 1000 else "at most 1,000 characters"


def unit() -> Rule:
    """A unit of credit is named in words; a code of three letters may become a currency's."""
    expected = "a name of 4 to 40 characters that is no currency code, like AI credits"
    return lambda value: None if 4 <= len(value) <= 40 else expected


def choice(*choices: str) -> Rule:
    return lambda value: None if value in choices else f"one of {', '.join(choices)}"


def number(
    whole: int, decimals: int, above: str | None = None, least: str | None = "0", most: str = ""
) -> Rule:
    """A plain decimal of at most so many whole digits and decimals, within the bounds."""
    bound = f" above {above}" if above is not None else f" from {least}" if least else ""
    bound += f" to {most}" if most else ""

    def check(value: str) -> str | None:
        if not NUMBER.fullmatch(value):
            return f"a number{bound}, written like 1250 or 0.25"
        integer, _, fraction = value.lstrip("-").partition(".")
        if len(fraction) > decimals:
            return f"a number with at most {decimals} decimals"
        if len(integer.lstrip("0")) > whole:
            return f"a number with at most {whole} digits before the point"
        exact = Decimal(value)
        if (
            (above is not None and exact <= Decimal(above))
            or (above is None and least and exact < Decimal(least))
            or (most and exact > Decimal(most))
        ):
            return f"a number{bound}"
        return None

    return check


def integer(least: int, most: int) -> Rule:
    def check(value: str) -> str | None:
        if re.fullmatch(r"-?[0-9]{1,18}", value) and least <= int(value) <= most:
            return None
        return f"a whole number from {least} to {most}"

    return check


def day() -> Rule:
    return lambda value: None if read_date(value) else "a date like 2026-01-31 (1970 to 9998)"


def instant() -> Rule:
    expected = "an instant with its zone, like 2026-01-31T09:00:00Z"
    return lambda value: None if read_instant(value) else expected


def day_or_instant() -> Rule:
    expected = "a local date (2026-01-31) or an instant with its zone (2026-01-31T09:00:00Z)"
    return lambda value: None if read_date(value) or read_instant(value) else expected


def cycle() -> Rule:
    expected = "week, month, quarter, year or N days (30 days)"
    return lambda value: None if CYCLE.fullmatch(value) else expected


def cycles() -> Rule:
    expected = "cycles separated by | (month|year)"
    return lambda value: None if all(map(CYCLE.fullmatch, value.split("|"))) else expected


def path() -> Rule:
    expected = 'a dotted path (usage.tokens, "http.status") or derived:name'

    def check(value: str) -> str | None:
        pattern = DERIVED if value.startswith("derived:") else PATH
        return None if pattern.fullmatch(value) else expected

    return check


def paths() -> Rule:
    one = path()

    def check(value: str) -> str | None:
        names = value.split("|")
        if any(one(name) for name in names):
            return "paths separated by | (model|region)"
        return None if len(set(names)) == len(names) else "each dimension once"

    return check


def names() -> Rule:
    def check(value: str) -> str | None:
        listed = value.split("|")
        if not all(name and name == name.strip() for name in listed):
            return "names separated by | (calls|tokens)"
        return None if len(set(listed)) == len(listed) else "each name once"

    return check
