"""`tally verify`: whether the ledger, raw and the catalogue are what was closed, byte by byte.

Every digest is computed again from the rows, by other code than the build's.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from orchestration.archive import archive_faults
from orchestration.catalog import Source
from orchestration.errors import UserError
from orchestration.landing import raw_table
from orchestration.ledger import has_ledger, ledger_table, sealed_until
from orchestration.warehouse import Warehouse, connect

SEPARATOR = "\x1f"
NUMBERS = 4
DIGITS = 15
#: Rows of raw that are read at a time.
BATCH = 50_000


def digest(text: str) -> str:
    """The SHA-256 of a text, in hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def value_text(value: Any) -> str:
    """A value as digests are made of it."""
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds") + "Z"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    return str(value)


def content_text(names: Iterable[str], values: Iterable[Any]) -> str:
    """What a row says: `name=value` of what is not null."""
    return SEPARATOR.join(
        f"{name}={value_text(value)}"
        for name, value in zip(names, values, strict=True)
        if value is not None
    )


@dataclass(frozen=True)
class Alteration:
    """One thing that is not as it was closed; as a text, one line for a person.

    `subject` is what was altered: an invoice_id, (billing entity, cutoff) of a close, a load day,
    (table, text) of an archived row. `closed_digest` and `digest` are those that it had and has.
    """

    subject: Any
    line: str
    closed_digest: str = ""
    digest: str = ""

    def __str__(self) -> str:
        return self.line


class Verification:
    """The ledger of one warehouse. Each `find_*` yields what was altered."""

    def __init__(self, warehouse: Warehouse, schema_prefix: str = "") -> None:
        self.warehouse = warehouse
        self.prefix = schema_prefix
        self.counts: dict[str, int] = {}

    def _rows(self, table: str, order: str, where: str = "") -> tuple[list[str], list[tuple]]:
        return self.warehouse.query(
            f"select * from {ledger_table(table, self.prefix)} {where} order by {order}"
        )

    def find_altered_documents(self, where: str = "") -> Iterator[Alteration]:
        """Documents whose rows are not what their content hash was made of.

        `where` is SQL that chooses some of them, and their lines.
        """
        names, lines = self._rows("lines", "invoice_id, line_number", where)
        hashes: dict[str, list[str]] = {}
        place = names.index("invoice_id")
        for line in lines:
            hashes.setdefault(line[place], []).append(digest(content_text(names, line)))
        names, documents = self._rows("documents", "billing_entity, sequence_number", where)
        self.counts.update(documents=len(documents), lines=len(lines))
        for values in documents:
            # Columns that came later stand behind the hash in a ledger that is older than they.
            document = dict(zip(names, values, strict=True))
            content_hash = document.pop("content_hash")
            own = "".join(hashes.pop(document["invoice_id"], []))
            text = f"{content_text(document, document.values())}{SEPARATOR}lines={own}"
            if digest(text) != content_hash:
                yield Alteration(
                    document["invoice_id"],
                    f"document {document['invoice_number']} ({document['invoice_id']}): "
                    "its rows were altered after it was closed",
                    content_hash,
                    digest(text),
                )
        for invoice_id in sorted(hashes):
            yield Alteration(
                invoice_id, f"lines of {invoice_id}: there is no such document in the ledger"
            )

    def find_broken_links(self) -> Iterator[Alteration]:
        """Closes that are not the next link of their billing entity's chain."""
        names, documents = self.warehouse.query(
            "select billing_entity, cutoff_at, sequence_number, content_hash"
            f" from {ledger_table('documents', self.prefix)}"
            " order by billing_entity, sequence_number"
        )
        closed: dict[tuple[str, datetime], list[tuple[int, str]]] = {}
        for entity, cutoff_at, number, content_hash in documents:
            closed.setdefault((entity, cutoff_at), []).append((number, content_hash))
        names, closes = self._rows("closes", "billing_entity, close_number")
        self.counts["closes"] = len(closes)
        hash_before: dict[str, str] = {}
        number_before: dict[str, int] = {}
        cutoff_before: dict[str, datetime] = {}
        for values in closes:
            close = dict(zip(names, values, strict=True))
            entity, cutoff_at = close["billing_entity"], close["cutoff_at"]
            own = closed.pop((entity, cutoff_at), [])
            before = number_before.get(entity, 0)
            documents_hash = digest("".join(content_hash for _, content_hash in own))
            texts = (
                entity,
                value_text(close["close_number"]),
                value_text(cutoff_at),
                documents_hash,
                hash_before.get(entity, ""),
            )
            stands = (
                [number for number, _ in own] == list(range(before + 1, before + len(own) + 1))
                and close["document_count"] == len(own)
                and close["last_sequence_number"] == before + len(own)
                and close["documents_hash"] == documents_hash
                and close["previous_hash"] == hash_before.get(entity, "")
                and close["close_hash"] == digest(SEPARATOR.join(texts))
                and cutoff_at > cutoff_before.get(entity, datetime.min)
            )
            if not stands:
                yield Alteration(
                    (entity, cutoff_at),
                    f"close {close['close_number']} of {entity} ({cutoff_at:%Y-%m-%d}): it is not "
                    "the link that its documents and the close before it make",
                )
            hash_before[entity] = close["close_hash"]
            number_before[entity] = close["last_sequence_number"]
            cutoff_before[entity] = cutoff_at
        for entity, cutoff_at in sorted(closed):
            yield Alteration(
                (entity, cutoff_at),
                f"documents of {entity} cut off at {cutoff_at:%Y-%m-%d}: no close has them",
            )

    def find_altered_days(self) -> Iterator[Alteration]:
        """Sealed load days whose raw rows are not those that were sealed."""
        _, days = self._rows("sealed_days", "load_day")
        self.counts["sealed days"] = len(days)
        midnight = sealed_until(self.warehouse, self.prefix)
        sealed = {day[0]: tuple(int(number) for number in day[1:]) for day in days}
        found = dict(self._raw_days(midnight))
        for day in sorted(sealed.keys() | found.keys()):
            was, now = sealed.get(day), found.get(day)
            if was == now:
                continue
            if was is None or now is None or was[0] != now[0]:
                counts = [str(one[0]) if one else "no" for one in (was, now)]
                yield Alteration(
                    day, f"load day {day}: sealed with {counts[0]} raw rows, now it has {counts[1]}"
                )
            else:
                yield Alteration(day, f"load day {day}: a raw row was altered after it was sealed")
        last = max(sealed, default=None)
        if last and midnight < datetime.combine(last + timedelta(days=1), datetime.min.time()):
            yield Alteration(last, f"load day {last}: it is sealed by no seal")

    def _raw_days(self, midnight: datetime) -> Iterator[tuple[date, tuple[int, ...]]]:
        """Each load day of raw before `midnight`, with the count and digests of its rows."""
        events = raw_table("usage_events", self.prefix)
        _, days = self.warehouse.query(
            f"select distinct cast(loaded_at as date) from {events} where loaded_at < ? order by 1",
            [midnight],
        )
        names = (
            "load_id", "line_number", "loaded_at", "customer_id", "event_name", "occurred_at",
            "event_key", "voids_key", "subscription_id", "subscription_item_id", "properties",
            "unread_record",
        )  # fmt: skip
        for (day,) in days:
            start = datetime.combine(day, datetime.min.time())
            totals = [0] * (NUMBERS + 1)
            for row in self._stream(
                f"select {', '.join(names)} from {events} where loaded_at >= ? and loaded_at < ?",
                [start, start + timedelta(days=1)],
            ):
                hexadecimal = digest(content_text(names, row))
                totals[0] += 1
                for place in range(NUMBERS):
                    part = hexadecimal[place * DIGITS : (place + 1) * DIGITS]
                    totals[place + 1] += int(part, 16)
            yield day, tuple(totals)

    def _stream(self, sql: str, parameters: list[Any]) -> Iterator[tuple]:
        """The rows of a query, a batch at a time where the driver can."""
        if self.warehouse.kind == "duckdb":
            cursor = self.warehouse.connection.execute(sql, parameters)
            while rows := cursor.fetchmany(BATCH):
                yield from rows
        else:
            yield from self.warehouse.query(sql, parameters)[1]

    def find_altered_archive(self) -> Iterator[Alteration]:
        """Archived rows of the catalogue that are not what their hash was made of."""
        _, rows = self._rows("catalog_rows", "table_name, row_hash")
        self.counts["catalogue rows"] = len(rows)
        for table, row_hash, text, _ in rows:
            if digest(text) != row_hash:
                shown = text.replace(SEPARATOR, ", ")
                yield Alteration(
                    (table, text),
                    f"archived row of {table}: it was altered after it was sealed: {shown}",
                    row_hash,
                    digest(text),
                )

    def find_altered_credits(self) -> Iterator[Alteration]:
        """Days whose credit entries are not those that were sealed, and balances beside them."""
        names, entries = self._rows("credit_entries", "posted_date")
        _, days = self._rows("credit_days", "posted_date")
        self.counts["credit entries"] = len(entries)
        hashes: dict[date, list[str]] = {}
        moved: dict[str, dict[date, Decimal]] = {}
        places = [names.index(name) for name in ("posted_date", "grant_id", "amount")]
        # Python, too, compares texts by their code points.
        for values in sorted(entries, key=lambda entry: entry[names.index("entry_id")]):
            day, grant_id, amount = (values[place] for place in places)
            hashes.setdefault(day, []).append(digest(content_text(names, values)))
            by_day = moved.setdefault(grant_id, {})
            by_day[day] = by_day.get(day, Decimal(0)) + amount
        sealed = {day: (count, entries_hash) for day, count, entries_hash in days}
        for day in sorted(sealed.keys() | hashes.keys()):
            own = hashes.get(day, [])
            if sealed.get(day) != (len(own), digest("".join(own))):
                yield Alteration(
                    day, f"credits of {day}: its entries are not those that were sealed"
                )
        yield from self._odd_balances(moved)

    def _odd_balances(self, moved: dict[str, dict[date, Decimal]]) -> Iterator[Alteration]:
        """Balances that the entries up to their day do not make."""
        _, rows = self.warehouse.query(
            "select grant_id, balance_date, balance_total"
            f" from {ledger_table('credit_balances', self.prefix)} order by 1, 2"
        )
        left: dict[str, Decimal] = {}
        for grant_id, day, total in rows:
            by_day = moved.get(grant_id, {})
            left[grant_id] = left.get(grant_id, Decimal(0)) + by_day.pop(day, Decimal(0))
            if left[grant_id] != total:
                yield Alteration(
                    (grant_id, day),
                    f"balance of grant {grant_id} on {day}: {total}, its entries make"
                    f" {left[grant_id]}",
                )
                left[grant_id] = total
        for grant_id in sorted(grant_id for grant_id, by_day in moved.items() if by_day):
            yield Alteration(
                (grant_id, None), f"grant {grant_id}: a day on which it moved has no balance"
            )


def verify(
    warehouse: Warehouse,
    source: Source | None = None,
    on_part: Callable[[str], None] | None = None,
) -> tuple[list[str], dict[str, int]]:
    """Every fault, one line each, and how many rows of each kind were looked at.

    With `source`, the catalogue as it stands is compared with the archive, too. Raises UserError
    when nothing was closed here yet.
    """
    if not has_ledger(warehouse):
        raise UserError("nothing has been built here yet: run tally build")
    verification = Verification(warehouse)
    parts = {
        "documents": verification.find_altered_documents,
        "closes": verification.find_broken_links,
        "raw rows": verification.find_altered_days,
        "archived catalogue": verification.find_altered_archive,
        "credits": verification.find_altered_credits,
    }
    faults: list[str] = []
    for part, find in parts.items():
        if on_part:
            on_part(part)
        faults += map(str, find())
    if source is not None:
        faults += [str(fault) for fault in archive_faults(source.read(warehouse), warehouse)]
    return faults, verification.counts


def run_verify(arguments: argparse.Namespace) -> int:
    """`tally verify`: a line a fault; the exit code is 1 if there is one."""
    from rich.console import Console

    from orchestration.catalog import choose_source
    from orchestration.house import find_project

    source = choose_source(arguments, find_project())
    console = Console(stderr=True)
    with connect(arguments.target, read_only=True) as warehouse, console.status("") as status:
        faults, counts = verify(warehouse, source, lambda part: status.update(f"reading {part}"))
    if arguments.format == "json":
        print(json.dumps({"faults": faults, "counts": counts}, indent=2, ensure_ascii=False))
    else:
        for fault in faults:
            print(fault)
        shown = ", ".join(f"{count:,} {name}" for name, count in counts.items())
        end = f"{len(faults)} fault{'' if len(faults) == 1 else 's'}" if faults else "all stand"
        print(f"{shown}: {end}")
    return 1 if faults else 0
