"""What a meter profile takes of an event (section 3, *Meters*)."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from .amounts import (
    NUMBER_LIMIT,
    QUANTITY_DIGITS,
    OutOfRange,
    canonical_number,
    ceiling_at,
    floor_at,
    half_away,
    parse_number,
)
from .catalog import Filter, Profile
from .staging import Event, JsonNumber

SEGMENT = re.compile(r'"([^"]*)"|([^."]+)')
METERING_REASONS = ("out_of_range", "not_a_number", "no_value", "filtered")
#: A derived property of the project, restated: its name and a function of the properties.
DERIVED: dict[str, Callable[[dict], object]] = {}


@dataclass(frozen=True)
class Usage:
    """An event as one profile takes it."""

    event: Event
    profile: Profile
    value: Fraction | None
    text: str | None
    amount: Fraction | None
    dimensions: tuple[tuple[str, str | None], ...]


class Untaken(Exception):
    """The profile does not take the event; the reason is its text."""


def find_property(properties: dict, path: str) -> object:
    """A dotted path into nested objects; a segment in double quotes may hold dots."""
    if path.startswith("derived:"):
        return DERIVED[path.removeprefix("derived:")](properties)
    value: object = properties
    for quoted, plain in SEGMENT.findall(path):
        value = value.get(quoted or plain) if isinstance(value, dict) else None
    return value


def canonical_text(value: object) -> str | None:
    """Text of a JSON scalar; null, objects and arrays count as absent."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, JsonNumber):
        return canonical_number(value)
    return value if isinstance(value, str) else None


def read_number(value: object) -> Fraction:
    """The number of a JSON value, or the reason why there is none."""
    if value is None:
        raise Untaken("no_value")
    if isinstance(value, str):
        try:
            parsed = parse_number(value)
        except OutOfRange:
            raise Untaken("out_of_range") from None
        if parsed is not None:
            return parsed
    raise Untaken("not_a_number")


def compare_numbers(operator: str, value: object, text: str) -> bool:
    try:
        left, right = read_number(value), read_number(text)
    except Untaken:
        return False
    return {"gt": left > right, "gte": left >= right, "lt": left < right, "lte": left <= right}[
        operator
    ]


def passes(properties: dict, one: Filter) -> bool:
    value = find_property(properties, one.path)
    if one.operator in ("gt", "gte", "lt", "lte"):
        return compare_numbers(one.operator, value, one.value)
    text = canonical_text(value)
    values = one.value.split("|")
    return {
        "eq": text == one.value,
        "neq": text != one.value,
        "in": text in values,
        "not_in": text not in values,
        "exists": text is not None,
        "not_exists": text is None,
        "contains": text is not None and one.value in text,
    }[one.operator]


def measure(profile: Profile, properties: dict) -> Fraction:
    """property x multiplier, rounded as the profile says, then kept to 10 decimals."""
    product = read_number(find_property(properties, profile.path)) * profile.multiplier
    rounder = {"up": ceiling_at, "down": floor_at, "half_away": half_away}.get(profile.rounding)
    if rounder is not None:
        product = rounder(product, profile.rounding_digits)
    value = half_away(product, QUANTITY_DIGITS)
    if abs(value) >= NUMBER_LIMIT:
        raise Untaken("out_of_range")
    return value


def take(profile: Profile, event: Event) -> Usage:
    """The event as the profile takes it; raises `Untaken` with the reason otherwise."""
    properties = event.properties
    if not all(passes(properties, one) for one in profile.filters):
        raise Untaken("filtered")
    value = text = amount = None
    if profile.aggregation == "count_unique":
        text = canonical_text(find_property(properties, profile.path))
        if text is None:
            raise Untaken("no_value")
    elif profile.aggregation != "count":
        value = measure(profile, properties)
    if profile.amount_path:
        amount = read_number(find_property(properties, profile.amount_path))
    dimensions = tuple(
        (path, canonical_text(find_property(properties, path))) for path in profile.dimensions
    )
    return Usage(event, profile, value, text, amount, dimensions)


def meter(event: Event, profiles: list[Profile]) -> tuple[list[Usage], str | None]:
    """Every profile's usage of the event, and the reason if none takes it."""
    usages, reasons = [], set()
    for profile in profiles:
        if profile.event_name != event.event_name:
            continue
        try:
            usages.append(take(profile, event))
        except Untaken as untaken:
            reasons.add(str(untaken))
    if usages:
        return usages, None
    return [], next((reason for reason in METERING_REASONS if reason in reasons), "no_meter")
