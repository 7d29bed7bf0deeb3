"""Deliveries: accepted, duplicate or rejected with one reason (section 3, *Events*)."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from .clock import EPOCH, parse_instant

FUTURE_TOLERANCE = timedelta(minutes=60)
CONTENT = ("event_name", "occurred_at", "subscription_id", "subscription_item_id", "voids_key")


class JsonNumber(str):
    """A number as its text stands in the JSON."""


class MalformedJson(ValueError):
    """Text that is not a JSON object, or holds what no engine can store."""


@dataclass
class Event:
    """An accepted delivery; `voided_at` is the load time of the first void that names its key."""

    load_id: str
    line_number: int
    loaded_at: datetime
    customer_id: str
    event_name: str
    occurred_at: datetime
    event_key: str
    subscription_id: str
    item_id: str
    voids_key: str
    properties: dict
    voided_at: datetime | None = None

    @property
    def load_order(self) -> tuple:
        return (self.loaded_at, self.load_id.encode(), self.line_number)


@dataclass
class Staged:
    """The verdict on every raw row: events, voids, duplicates, rejects (with reason)."""

    events: list[Event]
    voids: list[Event]
    duplicates: list[tuple[str, int]]
    rejects: list[tuple[str, int, str]]


def check_text(text: str) -> None:
    if any(char == "\0" or 0xD800 <= ord(char) <= 0xDFFF for char in text):
        raise MalformedJson("a NUL or a lone surrogate")


def check_texts(value: object) -> None:
    if isinstance(value, str):
        check_text(value)
    elif isinstance(value, list):
        for item in value:
            check_texts(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            check_text(name)
            check_texts(item)


def parse_properties(text: str) -> tuple[dict, bool]:
    """The JSON object and whether a key stands twice on one level (at any depth)."""
    has_twice = False

    def collect(pairs: list[tuple[str, object]]) -> dict:
        nonlocal has_twice
        found = dict(pairs)
        has_twice = has_twice or len(found) < len(pairs)
        # A value that a later duplicate hides is still checked for text no engine stores.
        for name, value in pairs:
            check_text(name)
            check_texts(value)
        return found

    def refuse(constant: str) -> None:
        raise MalformedJson(constant)

    try:
        value = json.loads(
            text,
            object_pairs_hook=collect,
            parse_int=JsonNumber,
            parse_float=JsonNumber,
            parse_constant=refuse,
        )
    except (ValueError, RecursionError) as error:
        raise MalformedJson(str(error)) from error
    if not isinstance(value, dict):
        raise MalformedJson("not an object")
    return value, has_twice


def read_delivery(row: dict) -> tuple[Event | None, str | None]:
    """One raw row on its envelope alone: the event, or the reason of its reject."""
    if row.get("unread_record") is not None:
        return None, "malformed"
    text = {name: row.get(name) or "" for name in (*CONTENT, "customer_id", "event_key")}
    if not text["customer_id"] or not (text["event_name"] or text["voids_key"]):
        return None, "malformed"
    occurred_at = row["loaded_at"]
    if text["occurred_at"]:
        occurred_at = parse_instant(text["occurred_at"])
    if occurred_at is None or occurred_at < EPOCH:
        return None, "malformed"
    try:
        properties, has_twice = parse_properties(row.get("properties") or "{}")
    except MalformedJson:
        return None, "malformed"
    if has_twice:
        return None, "duplicate_json_key"
    if occurred_at > row["loaded_at"] + FUTURE_TOLERANCE:
        return None, "in_future"
    event = Event(
        load_id=row["load_id"],
        line_number=row["line_number"],
        loaded_at=row["loaded_at"],
        customer_id=text["customer_id"],
        event_name=text["event_name"],
        occurred_at=occurred_at,
        event_key=text["event_key"] or f"{row['load_id']}:{row['line_number']}",
        subscription_id=text["subscription_id"],
        item_id=text["subscription_item_id"],
        voids_key=text["voids_key"],
        properties=properties,
    )
    return event, None


def content(row: dict) -> tuple[str, ...]:
    """What two deliveries of one key must share, as text; no properties are `{}`."""
    return (*(row.get(name) or "" for name in CONTENT), row.get("properties") or "{}")


def stage(raw_rows: list[dict], as_of_at: datetime) -> Staged:
    """Walk the deliveries in raw order; the first accepted one holds its key for ever.

    Raw order is load day, load time, load and line; the load time decides the load day.
    """
    staged = Staged([], [], [], [])
    holders: dict[tuple[str, str], tuple[str, ...]] = {}
    events: dict[tuple[str, str], Event] = {}
    known = [row for row in raw_rows if row["loaded_at"] < as_of_at]
    known.sort(key=lambda row: (row["loaded_at"], row["load_id"].encode(), row["line_number"]))
    for row in known:
        place = (row["load_id"], row["line_number"])
        event, reason = read_delivery(row)
        if event is None:
            staged.rejects.append((*place, reason))
            continue
        key = (event.customer_id, event.event_key)
        if key in holders:
            if holders[key] == content(row):
                staged.duplicates.append(place)
            else:
                staged.rejects.append((*place, "conflict"))
            continue
        holders[key] = content(row)
        if event.voids_key:
            staged.voids.append(event)
        else:
            staged.events.append(event)
            events[key] = event
    for void in staged.voids:
        target = events.get((void.customer_id, void.voids_key))
        if target is not None and (target.voided_at is None or void.loaded_at < target.voided_at):
            target.voided_at = void.loaded_at
    return staged
