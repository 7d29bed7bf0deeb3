"""Exports final documents: `export_invoices` is what the command line and schedules call.

A document is written in a format once for a folder. The table of exports says which are there, and
its rows come after the files: a run that was killed leaves files that the next one finds and lists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import groupby
from typing import Any

from orchestration.errors import UserError
from orchestration.exports.billing_entities import BillingEntities
from orchestration.exports.documents import (
    Document,
    Selection,
    choose_documents,
    read_documents,
)
from orchestration.exports.export_log import ExportLog
from orchestration.exports.folder import ExportFolder, WrittenFile
from orchestration.exports.invoice_json import json_bytes
from orchestration.exports.line_tables import CsvLines, ParquetLines
from orchestration.exports.page import make_page
from orchestration.exports.page_files import PdfPress, html_bytes, is_printable, open_press
from orchestration.exports.receivable_documents import ReceivableLines
from orchestration.marts import Marts
from orchestration.warehouse import Warehouse

#: A file for each document, and a file for all documents of a cutoff.
DOCUMENT_FORMATS = ("json", "html", "pdf")
BATCH_FORMATS = ("csv", "parquet", "receivables")
FORMATS = (*DOCUMENT_FORMATS, *BATCH_FORMATS)
#: What `tally export` writes unless it is told; `receivables` are said to be sent.
USUAL_FORMATS = ("json", "csv", "parquet", "html", "pdf")
#: Documents of a cutoff beyond so many begin a further file.
BATCH = 10_000
STEMS = {"csv": "lines", "parquet": "lines", "receivables": "receivables"}
ENDINGS = {"receivables": "receivables/jsonl"}


@dataclass
class ExportSummary:
    """What an export came to; files by format."""

    documents: int = 0
    written: dict[str, int] = field(default_factory=dict)
    present: dict[str, int] = field(default_factory=dict)
    bytes_written: int = 0
    #: Numbers of PDFs with letters that no typeface at hand has.
    unprintable: list[str] = field(default_factory=list)

    def count(self, kind: str, file: WrittenFile) -> None:
        counted = self.written if file.is_new else self.present
        counted[kind] = counted.get(kind, 0) + 1
        self.bytes_written += file.byte_count if file.is_new else 0


@dataclass(frozen=True)
class Batch:
    """Documents that share their files of lines: those of a cutoff, or one that was named."""

    stem: str
    cutoff_at: datetime
    invoice_ids: tuple[str, ...]


def export_invoices(
    warehouse: Warehouse,
    folder: str,
    formats: Sequence[str],
    entities: BillingEntities,
    exported_at: datetime,
    selection: Selection = Selection(),  # noqa: B008 (it is frozen)
    workers: int = 2,
    say: Callable[[str], None] = lambda _: None,
) -> ExportSummary:
    """Write the final documents of a selection to a folder, in each format, and list the files.

    `warehouse` is open for writing; `exported_at` is UTC. What is listed and there is left alone.
    Raises UserError where a document that is named is not there, or a file cannot be written.
    """
    for kind in formats:
        if kind not in FORMATS:
            raise UserError(f"format: found {kind!r}, expected one of {', '.join(FORMATS)}")
    marts = Marts(None, warehouse)
    chosen = choose_documents(marts, selection)
    summary = ExportSummary(documents=len(chosen))
    with ExportFolder(folder) as target, open_press(workers) as press:
        log = ExportLog(warehouse, target.location)
        run = _Run(marts, target, log, entities, exported_at, press, summary)
        for window in _windows(_batches(chosen, bool(selection.invoices))):
            run.export_window(window, formats)
            say(f"cutoffs until {window[-1].cutoff_at:%Y-%m-%d} exported")
    return summary


def _batches(chosen: Iterable[tuple[datetime, str]], are_named: bool) -> Iterator[Batch]:
    for cutoff_at, members in groupby(chosen, lambda one: one[0]):
        ids = [invoice_id for _, invoice_id in members]
        if are_named:
            yield from (Batch("", cutoff_at, (one,)) for one in ids)
            continue
        for part, place in enumerate(range(0, len(ids), BATCH), start=1):
            stem = _stem(cutoff_at.date(), part)
            yield Batch(stem, cutoff_at, tuple(ids[place : place + BATCH]))


def _windows(batches: Iterable[Batch]) -> Iterator[list[Batch]]:
    """Batches that are looked up and read together."""
    window: list[Batch] = []
    for batch in batches:
        window.append(batch)
        if sum(len(one.invoice_ids) for one in window) >= BATCH:
            yield window
            window = []
    if window:
        yield window


def _stem(cutoff: date, part: int) -> str:
    return str(cutoff) if part == 1 else f"{cutoff}.{part}"


#: A row of the table of exports without its folder.
LogRow = tuple[Any, ...]


@dataclass
class _Run:
    """One export at work."""

    marts: Marts
    target: ExportFolder
    log: ExportLog
    entities: BillingEntities
    exported_at: datetime
    press: PdfPress
    summary: ExportSummary

    def export_window(self, window: Sequence[Batch], formats: Sequence[str]) -> None:
        self.log.read(window[0].cutoff_at, window[-1].cutoff_at)
        missing = {
            kind: set().union(*(self._missing(batch, kind) for batch in window)) for kind in formats
        }
        wanted = set().union(*missing.values())
        batch_of = {one: batch for batch in window for one in batch.invoice_ids}
        sheets: dict[str, _Sheet] = {}
        for documents in read_documents(self.marts, [one for one in batch_of if one in wanted]):
            rows = self._write_documents(documents, missing)
            for batch, grouped in groupby(documents, lambda one: batch_of[one.invoice_id]):
                members = list(grouped)
                for kind in BATCH_FORMATS:
                    if members[0].invoice_id not in missing.get(kind, ()):
                        continue
                    sheet = sheets.setdefault(kind, _Sheet(self._sheet(kind)))
                    sheet.add(members)
                    if members[-1].invoice_id == batch.invoice_ids[-1]:
                        rows += self._write_sheet(batch, kind, sheets.pop(kind))
            self.target.settle()
            self.log.append(rows)

    def _write_documents(
        self, documents: Sequence[Document], missing: Mapping[str, set[str]]
    ) -> list[LogRow]:
        """The files of one document each."""
        rows: list[LogRow] = []
        for kind in DOCUMENT_FORMATS:
            of_kind = [one for one in documents if one.invoice_id in missing.get(kind, ())]
            for one, content in zip(of_kind, self._contents(kind, of_kind), strict=True):
                rows.append(self._row(self._write(one.number, kind, content), kind, _about(one)))
        return rows

    def _write_sheet(self, batch: Batch, kind: str, sheet: _Sheet) -> list[LogRow]:
        """The file of all documents of a batch, which is written last."""
        stem = f"{STEMS[kind]}-{batch.stem}" if batch.stem else sheet.about[0][1]
        file = self._write(stem, kind, sheet.lines.content())
        return [self._row(file, kind, about) for about in sheet.about]

    def _missing(self, batch: Batch, kind: str) -> set[str]:
        """The documents of the batch that are to be written in a format."""
        if kind in BATCH_FORMATS:
            return set() if self._is_there(batch.invoice_ids, kind) else set(batch.invoice_ids)
        return {one for one in batch.invoice_ids if not self._is_there((one,), kind)}

    def _is_there(self, invoice_ids: Sequence[str], kind: str) -> bool:
        for listed in self.log.files_of(invoice_ids, kind):
            if self.target.holds(listed.file, listed.byte_count):
                self.summary.present[kind] = self.summary.present.get(kind, 0) + 1
                return True
        return False

    def _sheet(self, kind: str) -> CsvLines | ParquetLines | ReceivableLines:
        if kind == "receivables":
            return ReceivableLines(self.entities)
        return CsvLines() if kind == "csv" else ParquetLines()

    def _contents(self, kind: str, documents: Sequence[Document]) -> Iterable[bytes]:
        if kind == "json":
            return map(json_bytes, documents)
        pages = [
            make_page(one, self.entities.find(one.header["billing_entity"])) for one in documents
        ]
        if kind == "html":
            return map(html_bytes, pages)
        self.summary.unprintable += [page.number for page in pages if not is_printable(page)]
        return self.press.print_pages(pages)

    def _write(self, stem: str, kind: str, content: bytes) -> WrittenFile:
        file = self.target.write(stem, ENDINGS.get(kind, kind), content)
        self.summary.count(kind, file)
        return file

    def _row(
        self, file: WrittenFile, kind: str, about: tuple[str, str, str, datetime]
    ) -> tuple[Any, ...]:
        invoice_id, number, document_hash, cutoff_at = about
        return (
            file.file,
            invoice_id,
            number,
            kind,
            file.content_hash,
            file.byte_count,
            document_hash,
            cutoff_at,
            self.exported_at,
        )


@dataclass
class _Sheet:
    """Lines of several documents, and what is listed of each."""

    lines: CsvLines | ParquetLines | ReceivableLines
    about: list[tuple[str, str, str, datetime]] = field(default_factory=list)

    def add(self, documents: Sequence[Document]) -> None:
        self.lines.add(documents)
        self.about += [_about(one) for one in documents]


def _about(one: Document) -> tuple[str, str, str, datetime]:
    return one.invoice_id, one.number, one.header["content_hash"], one.header["cutoff_at"]
