"""A document as JSON: exact, decimals as texts. `invoice.schema.json` says which fields there are,
in which order, and what each is; what else the marts have is not exported.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path
from types import NoneType
from typing import Any

from orchestration.exports.documents import Document
from orchestration.marts import Row, exact_text, money

SCHEMA_FILE = Path(__file__).with_name("invoice.schema.json")


@cache
def read_schema() -> Row:
    """The JSON Schema of an exported document."""
    return json.loads(SCHEMA_FILE.read_text("utf-8"))


@cache
def _fields(*path: str) -> tuple[tuple[str, Callable[[Any, int], Any]], ...]:
    """The plain fields of the document, or of the items of a list in it, in the schema's order.

    With each what makes its text of a value and a currency's exponent.
    """
    schema = read_schema()
    for name in path:
        schema = schema["properties"][name]["items"]
    return tuple(
        (name, _money if about.get("$ref") == "#/$defs/money" else _exact)
        for name, about in schema["properties"].items()
        if about.get("type") != "array"
    )


def _money(value: Decimal, exponent: int) -> str:
    return money(value, exponent)


def _exact(value: Any, exponent: int) -> Any:
    # Most values are texts and whole numbers.
    return value if type(value) in (str, int, NoneType) else exact_text(value)


def json_document(one: Document) -> Row:
    """The document as JSON holds it."""

    def shown(row: Row, *path: str) -> Row:
        return {name: text(row[name], one.exponent) for name, text in _fields(*path)}

    def all_shown(rows: Sequence[Row], *path: str) -> list[Row]:
        return [shown(row, *path) for row in rows]

    return {
        **shown(one.header),
        "lines": [
            {
                **shown(line, "lines"),
                "steps": all_shown(line["steps"], "lines", "steps"),
                "discounts": all_shown(line["discounts"], "lines", "discounts"),
            }
            for line in one.lines
        ],
        "credits": all_shown(one.credits, "credits"),
    }


def json_bytes(one: Document) -> bytes:
    """The file's content: a line of the document is a line of the file."""
    shown = json_document(one)
    lists = {name: shown.pop(name) for name in ("lines", "credits")}
    text = _dump(shown)[:-1]
    for name, rows in lists.items():
        text += f',\n"{name}": [' + ",".join("\n" + _dump(row) for row in rows) + "]"
    return (text + "}\n").encode()


def _dump(value: Row) -> str:
    return json.dumps(value, ensure_ascii=False)
