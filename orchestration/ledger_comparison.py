"""Two ledgers compared, both ways and to the last byte: the house's, and one built again.

The engine finds the rows that are in one of them alone; what differs in them is named column by
column. A difference that is there only because of another one (a digest, a number behind a
document that is missing) is kept apart: it `follows`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import Any

from orchestration.errors import UserError
from orchestration.ledger import ledger_table
from orchestration.side_house import SideHouse
from orchestration.verification import value_text

Row = Mapping[str, Any]
#: What a document has by its place among all others; some customers' alone have other places.
NUMBERING = ("invoice_number", "sequence_number")
DIGESTS = ("content_hash", "documents_hash", "previous_hash", "close_hash")
#: What a line has by its place in its document.
PLACES = ("line_id", "line_number")


@dataclass(frozen=True)
class Difference:
    """One value that two ledgers do not have alike; None where a ledger does not have it.

    `kind` is `document`, `line`, `close`, `load day`, `credit` or `archived row`; `about` says
    whose it is (columns of the document or close), for the cause to be found.
    """

    kind: str
    subject: str
    column: str
    posted: str | None
    replayed: str | None
    about: Row = field(default_factory=dict, compare=False)
    follows: bool = False
    cause: str = ""

    def __str__(self) -> str:
        posted, replayed = (
            "nothing" if text is None else text for text in (self.posted, self.replayed)
        )
        values = f"the ledger says {posted}, the replay {replayed}"
        return f"{self.subject}: {self.column}: {values} ({self.cause})"

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "subject": self.subject,
            "invoice_id": self.about.get("invoice_id"),
            "column": self.column,
            "ledger": self.posted,
            "replay": self.replayed,
            "cause": self.cause,
            "follows": self.follows,
        }


def shown(value: Any) -> str | None:
    """A value as a difference shows it: all its digits."""
    return None if value is None else value_text(value)


class LedgerComparison:
    """The house's ledger beside that of `side`; `chosen` is SQL that chooses rows by invoice_id.

    Where only some documents were built again, numbers and digests are not compared.
    """

    def __init__(self, side: SideHouse, chosen: str = "") -> None:
        self.side = side
        self.chosen = chosen
        self.counts: dict[str, int] = {}
        #: The headers of documents that differ somehow, by invoice_id.
        self.unlike: dict[str, Row] = {}

    def find(self) -> list[Difference]:
        """Every difference, documents first, each with its lines."""
        found = [*self._documents()]
        if not self.chosen:
            found += self._closes()
            found += self._sealed_days()
            found += self._credits()
        return found

    def _unlike_rows(
        self, table: str, left_out: tuple[str, ...] = ()
    ) -> tuple[list[str], list[Row], list[Row]]:
        """The columns compared, the ledger's rows that the replay lacks, and the replay's."""
        warehouse = self.side.warehouse
        posted, replayed = ledger_table(table), self.side.table("ledger", table)
        columns, others = (
            warehouse.query(f"select * from {name} limit 0")[0] for name in (posted, replayed)
        )
        if set(columns) != set(others):
            odd = ", ".join(sorted(set(columns) ^ set(others)))
            raise UserError(f"ledger.{table} is not of this version of Tallyhouse: {odd}")
        names = [name for name in columns if name not in left_out]
        where = f" where {self.chosen}" if self.chosen else ""
        selects = [f"select {', '.join(names)} from {name}{where}" for name in (posted, replayed)]
        counted = warehouse.query(f"select count(*) from {posted}{where}")[1][0][0]
        self.counts[table.replace("_", " ")] = counted
        rows = [
            [
                dict(zip(names, row, strict=True))
                for row in warehouse.query(f"{one} except {other}")[1]
            ]
            for one, other in (selects, selects[::-1])
        ]
        return names, *rows

    def _documents(self) -> Iterator[Difference]:
        left_out = (*NUMBERING, "content_hash") if self.chosen else ()
        names, *both = self._unlike_rows("documents", left_out)
        posted, replayed = ({row["invoice_id"]: row for row in rows} for rows in both)
        lines = self._lines()
        headers = self._headers(lines.keys() | posted.keys() | replayed.keys())
        self.unlike = headers
        # Behind a document that only one of them has, all numbers are others.
        gone: dict[str, Any] = {}
        for invoice_id in posted.keys() ^ replayed.keys():
            entity, cutoff_at = (
                headers[invoice_id][name] for name in ("billing_entity", "cutoff_at")
            )
            gone[entity] = min(cutoff_at, gone.get(entity, cutoff_at))
        for invoice_id in sorted(headers, key=lambda one: _document_order(headers[one])):
            header = headers[invoice_id]
            own_lines = [
                replace(line, about={**header, "rules_version": line.about["rules_version"]})
                for line in lines[invoice_id]
            ]
            subject = f"document {header.get('invoice_number') or invoice_id}"
            mine, others = posted.get(invoice_id), replayed.get(invoice_id)
            if (mine is None) != (others is None):
                said = _summary(mine or others)
                yield Difference(
                    "document", subject, "document", *_one_sided(mine, said), about=header
                )
                yield from (replace(line, follows=True) for line in own_lines)
                continue
            yield from own_lines
            unlike = [name for name in names if mine and mine[name] != others[name]]
            entity = header.get("billing_entity")
            moved = entity in gone and header["cutoff_at"] >= gone[entity]
            own = [
                name for name in unlike if name not in DIGESTS and not (moved and name in NUMBERING)
            ]
            for name in unlike:
                yield Difference(
                    "document",
                    subject,
                    name,
                    shown(mine[name]),
                    shown(others[name]),
                    header,
                    follows=name not in own
                    and bool(own or own_lines or name in NUMBERING or moved),
                )

    def _headers(self, invoice_ids: set[str]) -> dict[str, Row]:
        """What is known of documents, by the ledger or else by the replay."""
        found: dict[str, Row] = {one: {"invoice_id": one} for one in invoice_ids}
        wanted = sorted(invoice_ids)
        for table in (self.side.table("ledger", "documents"), ledger_table("documents")):
            for start in range(0, len(wanted), 1000):
                some = wanted[start : start + 1000]
                columns, rows = self.side.warehouse.query(
                    f"select * from {table} where invoice_id in ({', '.join('?' * len(some))})",
                    some,
                )
                for values in rows:
                    row = dict(zip(columns, values, strict=True))
                    if self.chosen and table != ledger_table("documents"):
                        # Of some customers alone: its numbers are not the house's.
                        row |= dict.fromkeys(NUMBERING)
                    found[row["invoice_id"]] = row
        return found

    def _lines(self) -> defaultdict[str, list[Difference]]:
        """What differs in lines, by the document that they stand on."""
        names, posted, replayed = self._unlike_rows("lines")
        found: defaultdict[str, list[Difference]] = defaultdict(list)
        by_document: defaultdict[str, tuple[list[Row], list[Row]]] = defaultdict(lambda: ([], []))
        for place, rows in enumerate((posted, replayed)):
            for row in rows:
                by_document[row["invoice_id"]][place].append(row)
        for invoice_id, (own, others) in by_document.items():
            pairs = sorted(_pairs(own, others), key=lambda pair: _line_order(*pair))
            moved = any(None in pair for pair in pairs)
            for mine, other in pairs:
                found[invoice_id] += _line_differences(names, mine, other, moved)
        return found

    def _closes(self) -> Iterator[Difference]:
        names, *both = self._unlike_rows("closes")
        posted, replayed = (
            {(row["billing_entity"], row["close_number"]): row for row in rows} for rows in both
        )
        # A link has what its documents and the link before it say.
        first: dict[str, Any] = {}
        for header in self.unlike.values():
            entity, cutoff_at = header.get("billing_entity"), header.get("cutoff_at")
            if entity is not None:
                first[entity] = min(cutoff_at, first.get(entity, cutoff_at))
        for key in sorted(posted.keys() | replayed.keys()):
            mine, others = posted.get(key), replayed.get(key)
            about = mine or others
            entity, number = key
            subject = f"close {number} of {entity}"
            follows = entity in first and about["cutoff_at"] >= first[entity]
            first.setdefault(entity, about["cutoff_at"])
            if mine is None or others is None:
                said = (
                    f"{about['document_count']} documents cut off at {about['cutoff_at']:%Y-%m-%d}"
                )
                yield Difference("close", subject, "close", *_one_sided(mine, said), about, follows)
                continue
            for name in names:
                if mine[name] != others[name]:
                    values = shown(mine[name]), shown(others[name])
                    yield Difference("close", subject, name, *values, about, follows)

    def _sealed_days(self) -> Iterator[Difference]:
        names, *both = self._unlike_rows("sealed_days")
        posted, replayed = ({row["load_day"]: row for row in rows} for rows in both)
        for day in sorted(posted.keys() | replayed.keys()):
            mine, others = posted.get(day), replayed.get(day)
            counts = [row and f"{row['landed_count']} raw rows" for row in (mine, others)]
            about = {"load_day": day}
            if counts[0] != counts[1]:
                yield Difference("load day", f"load day {day}", "raw rows", *counts, about)
            else:
                values = (
                    " ".join(shown(row[name]) for name in names if name.startswith("digest"))
                    for row in (mine, others)
                )
                yield Difference("load day", f"load day {day}", "digest", *values, about)

    def _credits(self) -> Iterator[Difference]:
        """What grants moved, and what lines asked; balances and digests follow from them."""
        tables = {
            "credit_entries": ("entry_id",),
            "credit_steps": ("rated_line_id", "usage_date", "posted_date"),
            "credit_vectors": ("rated_line_id", "posted_date", "moment_number", "usage_date"),
            "credit_balances": ("grant_id", "balance_date"),
            "credit_days": ("posted_date",),
        }
        entries_differ = False
        for table, key in tables.items():
            names, *both = self._unlike_rows(table)
            posted, replayed = (
                {tuple(str(row[name]) for name in key): row for row in rows} for rows in both
            )
            what = table.replace("_", " ").removesuffix("s").replace("entrie", "entry")
            follows = entries_differ and table in ("credit_balances", "credit_days")
            for place in sorted(posted.keys() | replayed.keys()):
                mine, others = posted.get(place), replayed.get(place)
                subject = f"{what} {' '.join(place)}"
                row = mine or others
                day = row["balance_date"] if "balance_date" in row else row["posted_date"]
                about = {**row, "posted_date": day, "cutoff_at": _midnight_after(day)}
                if mine is None or others is None:
                    said = ", ".join(
                        f"{name} {shown(row[name])}" for name in names if name not in key
                    )
                    sides = _one_sided(mine, said)
                    yield Difference("credit", subject, what, *sides, about, follows)
                    continue
                for name in names:
                    if mine[name] != others[name]:
                        values = shown(mine[name]), shown(others[name])
                        yield Difference("credit", subject, name, *values, about, follows)
            entries_differ = entries_differ or bool(posted or replayed)


def _midnight_after(day: date) -> datetime:
    return datetime.combine(day, time()) + timedelta(days=1)


def _one_sided(mine: Row | None, said: str) -> tuple[str | None, str | None]:
    return (None, said) if mine is None else (said, None)


def _summary(document: Row) -> str:
    return f"{document['line_count']} lines, {document['invoice_total']} {document['currency']}"


def _document_order(header: Row) -> tuple[Any, ...]:
    entity = header.get("billing_entity")
    return (entity or "", str(header.get("cutoff_at")), header["invoice_id"])


def _pairs(posted: list[Row], replayed: list[Row]) -> Iterator[tuple[Row | None, Row | None]]:
    """Lines of a document that are the same line: by what they rate, or else by their place."""
    rest = list(replayed)
    alone = []
    for key in ("rated_line_id", "line_number"):
        others = {row[key]: row for row in rest}
        alone = []
        for row in posted:
            if other := others.pop(row[key], None):
                yield row, other
                rest.remove(other)
            else:
                alone.append(row)
        posted = alone
    yield from ((row, None) for row in alone)
    yield from ((None, row) for row in rest)


def _line_order(mine: Row | None, other: Row | None) -> int:
    return (mine or other)["line_number"]


def _line_differences(
    names: list[str], mine: Row | None, other: Row | None, moved: bool
) -> Iterator[Difference]:
    line = mine or other
    subject = f"line {line['line_id']}"
    if mine is None or other is None:
        said = f"{line['name']}, {line['line_total']} {line['currency']}"
        yield Difference("line", subject, "line", *_one_sided(mine, said), line)
        return
    for name in names:
        if mine[name] != other[name]:
            values = shown(mine[name]), shown(other[name])
            yield Difference("line", subject, name, *values, line, moved and name in PLACES)
