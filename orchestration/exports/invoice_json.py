"""A document as JSON: exact, decimals as texts. `invoice.schema.json` says which fields there are,
in which order, and what each is; what else the marts have is not exported.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from orchestration.exports.documents import Document
from orchestration.marts import Row, exact_text, money

SCHEMA_FILE = Path(__file__).with_name("invoice.schema.json")


@cache
def read_schema() -> Row:
    """The JSON Schema of an exported document."""
    return json.loads(SCHEMA_FILE.read_text("utf-8"))


@dataclass(frozen=True)
class _Fields:
    """The fields of an object of the schema, in its order, by how their texts are made."""

    names: tuple[str, ...]
    totals: tuple[str, ...]
    exact: tuple[str, ...]

    def shown(self, row: Row, exponent: int) -> Row:
        # Most values are texts and whole numbers, and stay as they are.
        shown = {name: row[name] for name in self.names}
        for name in self.exact:
            if shown[name] is not None:
                shown[name] = exact_text(shown[name])
        for name in self.totals:
            shown[name] = money(shown[name], exponent)
        return shown


@cache
def _fields(*path: str) -> _Fields:
    """The plain fields of the document, or of the items of a list in it."""
    schema = read_schema()
    for name in path:
        schema = schema["properties"][name]["items"]
    kinds = {
        name: about.get("$ref", about.get("format", "plain")).rpartition("/")[2]
        for name, about in schema["properties"].items()
        if about.get("type") != "array"
    }
    return _Fields(
        tuple(kinds),
        tuple(name for name, kind in kinds.items() if kind == "money"),
        tuple(name for name, kind in kinds.items() if kind not in ("money", "plain")),
    )


def json_document(one: Document) -> Row:
    """The document as JSON holds it; made once, and not to be changed."""
    if one.shown is None:
        line_fields, exponent = _fields("lines"), one.exponent
        step_fields, discount_fields = _fields("lines", "steps"), _fields("lines", "discounts")
        lines = []
        for line in one.lines:
            shown = line_fields.shown(line, exponent)
            shown["steps"] = [step_fields.shown(step, exponent) for step in line["steps"]]
            shown["discounts"] = [
                discount_fields.shown(discount, exponent) for discount in line["discounts"]
            ]
            lines.append(shown)
        credit_fields = _fields("credits")
        one.shown = {
            **_fields().shown(one.header, exponent),
            "lines": lines,
            "credits": [credit_fields.shown(credit, exponent) for credit in one.credits],
        }
    return one.shown


def json_bytes(one: Document) -> bytes:
    """The file's content: a line of the document is a line of the file."""
    shown = dict(json_document(one))
    lists = {name: shown.pop(name) for name in ("lines", "credits")}
    text = _dump(shown)[:-1]
    for name, rows in lists.items():
        text += f',\n"{name}": [' + ",".join("\n" + _dump(row) for row in rows) + "]"
    return (text + "}\n").encode()


#: Made once: json.dumps makes one a call.
_dump = json.JSONEncoder(ensure_ascii=False).encode
