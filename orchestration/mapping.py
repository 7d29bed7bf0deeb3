"""Landing mappings: which column of a foreign file is which field of raw.usage_events.

A mapping is a YAML file:

    customer_id: client                       # a column, or a dotted path into nested data
    event_name: {value: llm_requests}         # a constant
    occurred_at: {column: window_start_s, unit: seconds, since: 2025-10-25T00:00:00Z}
    event_key: {columns: [model, client, window_start_s], separator: /}
    properties: [model, requests]             # or {name: path}, or all, or one path to an object
    null_text: "NULL"                         # text (or a list of texts) that means missing
    csv: {delimiter: ";"}

A segment of a path that holds dots is put in double quotes: `"http.status".code`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping as AbstractMapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

ENVELOPE = (
    "customer_id",
    "event_name",
    "occurred_at",
    "event_key",
    "voids_key",
    "subscription_id",
    "subscription_item_id",
)
UNIT_MICROSECONDS = {"seconds": 1_000_000, "milliseconds": 1_000, "microseconds": 1}
ALL = "all"

_SEGMENT = re.compile(r'"((?:[^"]|"")*)"|([^".]+)')
_OTHER_KEYS = ("properties", "null_text", "csv")


class MappingError(Exception):
    """A mapping that cannot be used; the message is one line naming file and field."""


@dataclass(frozen=True)
class Field:
    """Where one envelope field comes from: paths (joined by a separator) or a constant."""

    paths: tuple[str, ...] = ()
    separator: str = "/"
    value: str | None = None
    unit_microseconds: int | None = None
    since_microseconds: int = 0


@dataclass(frozen=True)
class Mapping:
    """A whole mapping. `properties` is ALL, one path to an object, or (name, path) pairs."""

    source: str
    fields: AbstractMapping[str, Field]
    properties: str | tuple[tuple[str, str], ...] | None = None
    null_texts: tuple[str, ...] = ()
    delimiter: str | None = None
    content_hash: str | None = field(default=None)

    @property
    def is_default(self) -> bool:
        return self.content_hash is None


DEFAULT_MAPPING = Mapping(
    source="the default mapping",
    fields={name: Field(paths=(name,)) for name in ENVELOPE},
)


def split_path(path: str) -> list[str]:
    """The segments of a dotted path; ValueError if it is not one."""
    segments: list[str] = []
    position = 0
    while True:
        match = _SEGMENT.match(path, position)
        if match is None:
            raise ValueError(f"`{path}` is not a path (segments with dots go in double quotes)")
        quoted, plain = match.groups()
        segments.append(plain if quoted is None else quoted.replace('""', '"'))
        position = match.end()
        if position == len(path):
            return segments
        if path[position] != ".":
            raise ValueError(f"`{path}` is not a path (segments with dots go in double quotes)")
        position += 1


def load_mapping(path: str | Path) -> Mapping:
    """Read and check a mapping file. MappingError names the file, the field and the fault."""
    import yaml

    name = str(path)
    try:
        text = Path(path).read_text(encoding="utf-8")
        # BaseLoader keeps every scalar as its text: 1.0, yes and dates stay as written.
        content = yaml.load(text, Loader=yaml.BaseLoader)
    except OSError as error:
        raise MappingError(f"{name}: {error.strerror or error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise MappingError(f"{name}: not YAML: {' '.join(str(error).split())}") from error
    return parse_mapping(content, name)


def parse_mapping(content: Any, source: str) -> Mapping:
    """A mapping from its parsed YAML (all scalars as text)."""
    if not isinstance(content, dict):
        raise MappingError(f"{source}: expected `field: column` lines")
    for key in content:
        if key not in ENVELOPE and key not in _OTHER_KEYS:
            raise MappingError(
                f"{source}: unknown field {key}; known: {', '.join((*ENVELOPE, *_OTHER_KEYS))}"
            )
    if "customer_id" not in content:
        raise MappingError(f"{source}: customer_id is missing; say which column is the customer")
    if "event_name" not in content and "voids_key" not in content:
        raise MappingError(
            f"{source}: event_name is missing; say which column it is, or {{value: a_name}}"
        )
    fields = {key: _parse_field(content[key], key, source) for key in ENVELOPE if content.get(key)}
    null_texts = content.get("null_text") or []
    if isinstance(null_texts, str):
        null_texts = [null_texts]
    csv = content.get("csv") or {}
    if not isinstance(csv, dict) or set(csv) - {"delimiter"}:
        raise MappingError(f"{source}: csv: expected {{delimiter: CHARACTER}}")
    delimiter = csv.get("delimiter")
    if delimiter is not None:
        delimiter = delimiter.replace("\\t", "\t")
        if len(delimiter) != 1 or delimiter in '"\r\n':
            raise MappingError(f"{source}: csv: delimiter: expected one character")
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return Mapping(
        source=source,
        fields=fields,
        properties=_parse_properties(content.get("properties"), source),
        null_texts=tuple(str(text) for text in null_texts),
        delimiter=delimiter,
        content_hash=hashlib.sha256(canonical.encode()).hexdigest(),
    )


def _check_path(path: Any, where: str) -> str:
    if not isinstance(path, str) or not path:
        raise MappingError(f"{where}: expected a column or path")
    # Not split here: a flat file's column may have any name.
    return path


def _parse_field(value: Any, name: str, source: str) -> Field:
    where = f"{source}: {name}"
    if isinstance(value, str):
        return Field(paths=(_check_path(value, where),))
    if not isinstance(value, dict):
        raise MappingError(f"{where}: expected a column, {{column: ...}} or {{value: ...}}")
    known = {"column", "columns", "separator", "value", "unit", "since"}
    unknown = sorted(set(value) - known)
    if unknown:
        raise MappingError(
            f"{where}: unknown option {unknown[0]}; known: {', '.join(sorted(known))}"
        )
    given = [key for key in ("column", "columns", "value") if key in value]
    if len(given) != 1:
        raise MappingError(f"{where}: expected exactly one of column, columns, value")
    if "value" in value:
        if not isinstance(value["value"], str):
            raise MappingError(f"{where}: value: expected text")
        return Field(value=value["value"])
    if "columns" in value:
        columns = value["columns"]
        if not isinstance(columns, list) or not columns:
            raise MappingError(f"{where}: columns: expected a list of columns")
    else:
        columns = [value["column"]]
    paths = tuple(_check_path(column, where) for column in columns)
    unit = value.get("unit")
    if unit is None and "since" in value:
        unit = "seconds"
    if unit is None:
        return Field(paths=paths, separator=value.get("separator", "/"))
    if name != "occurred_at" or len(paths) != 1:
        raise MappingError(f"{where}: unit and since are for occurred_at with one column")
    if unit not in UNIT_MICROSECONDS:
        raise MappingError(f"{where}: unit {unit}; expected {', '.join(UNIT_MICROSECONDS)}")
    return Field(
        paths=paths,
        unit_microseconds=UNIT_MICROSECONDS[unit],
        since_microseconds=_parse_instant(value.get("since", "1970-01-01"), f"{where}: since"),
    )


def parse_instant(text: str) -> datetime:
    """An ISO date or date-time as a naive UTC datetime; no zone means UTC. ValueError if not."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = datetime.combine(date.fromisoformat(text), datetime.min.time())
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return moment


def _parse_instant(text: Any, where: str) -> int:
    """Microseconds since 1970 of an ISO instant."""
    try:
        moment = parse_instant(text)
    except (ValueError, TypeError, OverflowError) as error:
        raise MappingError(f"{where}: {text}: expected a time like 2025-10-25T00:00:00Z") from error
    elapsed = moment - datetime(1970, 1, 1)
    return int(Fraction(elapsed.days * 86_400 + elapsed.seconds) * 1_000_000) + elapsed.microseconds


def _parse_properties(value: Any, source: str) -> str | tuple[tuple[str, str], ...] | None:
    where = f"{source}: properties"
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return value if value == ALL else _check_path(value, where)
    if isinstance(value, list):
        return tuple((_last_name(path), _check_path(path, where)) for path in value)
    if isinstance(value, dict):
        return tuple((name, _check_path(path, f"{where}: {name}")) for name, path in value.items())
    raise MappingError(f"{where}: expected all, a path, a list of columns or name: column lines")


def _last_name(path: Any) -> str:
    """A listed property is named as its path is written."""
    return str(path)
