"""`tally replay`: what was closed, made again from raw and the archived catalogue, and compared.

The whole range of days is built as one run in schemas of its own (`replay_*`), on what was known
at each cutoff; it must give the ledger to the last byte. Nothing is written to the house.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from orchestration.archive import read_archive, read_text, rows_of_customers
from orchestration.catalog import Source
from orchestration.dbt_commands import Window
from orchestration.errors import UserError
from orchestration.ledger import BEGINNING, has_ledger, ledger_table, sealed_until
from orchestration.ledger_comparison import Difference, LedgerComparison, Row
from orchestration.likely_causes import CATALOG, LEDGER, Causes, is_about
from orchestration.side_house import SideHouse, open_side_house
from orchestration.verification import Verification
from orchestration.warehouse import Warehouse

PREFIX = "replay_"
#: The ledger, what it is made of, and what a run leaves for the next one; marts that only people
#: read are left out.
LEDGER_MODELS = (
    "+int_invoicing__closes", "+int_invoicing__sealed_days", "+int_invoicing__sealed_catalog_rows",
    "+int_credits__days", "+int_credits__balances", "int_invoicing__seal", "+line_discounts",
    "+int_rating__allowance_lots",
    "int_metering__built_levels", "int_metering__built_profiles", "stg_raw__load_counts",
    "built_days", "house_state",
)  # fmt: skip


@dataclass(frozen=True)
class Scope:
    """Which documents are replayed: one, those of a period, some by chance, or (nothing) all.

    `period` is the beginning of an ISO date: documents whose period began in it. The same `seed`
    gives the same sample of the same ledger.
    """

    invoice: str | None = None
    period: str | None = None
    sample: int | None = None
    seed: int = 0

    @property
    def is_whole(self) -> bool:
        return self.invoice is None and self.period is None and self.sample is None

    def choose(self, documents: Sequence[Row]) -> list[Row]:
        """Its documents of these. Raises UserError when there is none."""
        if self.is_whole:
            return list(documents)
        if self.invoice is not None:
            names = ("invoice_number", "invoice_id")
            found = [row for row in documents if self.invoice in (row[name] for name in names)]
            missing = f"no closed invoice {self.invoice}"
        elif self.period is not None:
            found = [row for row in documents if self.has(row)]
            missing = f"no closed invoice whose period began in {self.period}"
        else:
            drawn = sorted(documents, key=self._draw)
            found, missing = drawn[: self.sample], "no closed invoice"
        if not found:
            raise UserError(missing)
        return found

    def has(self, document: Row) -> bool:
        """Whether a document's period began in the period asked for."""
        return self.period is not None and str(document["period_from_date"]).startswith(self.period)

    def _draw(self, document: Row) -> str:
        text = f"{self.seed}\x1f{document['invoice_id']}"
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Replay:
    """What a replay found. `fault` says why it could not be built, if so."""

    differences: list[Difference]
    counts: dict[str, int]
    through: datetime
    seconds: float
    fault: str = ""

    @property
    def stands(self) -> bool:
        return not self.differences and not self.fault

    def summary(self) -> str:
        """What was compared, how long it took, and how many differences there are."""
        counted = ", ".join(
            f"{count:,} {name.removesuffix('s') if count == 1 else name}"
            for name, count in self.counts.items()
        )
        end = "no difference"
        if self.differences:
            own = sum(not difference.follows for difference in self.differences)
            rest = len(self.differences) - own
            end = f"{own} difference{'' if own == 1 else 's'}"
            end += f" (and {rest} digests, numbers or lines that follow from them)" if rest else ""
        if self.fault:
            end = f"{end}, and the rest could not be built: {self.fault}"
        last = self.through - timedelta(days=1)
        return f"{counted}, through {last:%Y-%m-%d}, in {self.seconds:.1f} s: {end}"


def replay(
    scope: Scope,
    source: Source,
    project: Path,
    target: str | None = None,
    is_kept: bool = False,
    on_part: Callable[[str], None] = lambda part: None,
) -> Replay:
    """Build what `scope` chooses again, and compare it with the ledger.

    `source` is the catalogue as it stands: it takes no part, but tells whether it was edited.
    Raises UserError when nothing is closed, or when it cannot be built though nothing was altered.
    """
    started = time.monotonic()
    with open_side_house(PREFIX, project, target, is_kept) as side:
        midnight, documents = _read_ledger(side.warehouse)
        chosen = scope.choose(documents)
        altered = _altered_archive(side.warehouse, chosen)
        if not scope.is_whole:
            # What a document says was known by its cutoff.
            midnight = min(midnight, max(row["cutoff_at"] for row in chosen))
        counts, differences, fault = {"documents": len(chosen)}, altered, ""
        try:
            _build(side, scope, chosen, midnight)
        except UserError as error:
            if not altered:
                raise
            fault = str(error)
        else:
            comparison = _compare(side, scope, chosen, midnight, on_part)
            differences = altered + _explain(side, scope, source, comparison, on_part)
            counts = comparison.counts
        return Replay(differences, counts, midnight, time.monotonic() - started, fault)


def _read_ledger(warehouse: Warehouse) -> tuple[datetime, list[Row]]:
    """The midnight until which all is sealed, and the header of each document."""
    if not has_ledger(warehouse):
        raise UserError("nothing has been built here yet: run tally build")
    midnight = sealed_until(warehouse)
    names, rows = warehouse.query(f"select * from {ledger_table('documents')}")
    if midnight == BEGINNING:
        raise UserError(
            f"the ledger has {len(rows)} documents and no seal: run tally verify"
            if rows
            else "nothing was closed here yet"
        )
    return midnight, [dict(zip(names, row, strict=True)) for row in rows]


def _altered_archive(warehouse: Warehouse, documents: Sequence[Row]) -> list[Difference]:
    """Rows of the archived catalogue, from which all is built, that are not what was archived.

    Those that can only concern others than these documents are not looked at.
    """
    found = []
    for alteration in Verification(warehouse).find_altered_archive():
        table, text = alteration.subject
        if not any(is_about(read_text(text), document) for document in documents):
            continue
        subject = f"archived row of {table} ({', '.join(read_text(text).values())})"
        digests = alteration.closed_digest, alteration.digest
        found.append(Difference("archived row", subject, "row_hash", *digests, cause=CATALOG))
    return found


def _build(side: SideHouse, scope: Scope, chosen: Sequence[Row], midnight: datetime) -> None:
    rows: dict[str, Any] = read_archive(side.warehouse)
    customers = None
    if not scope.is_whole:
        # By the archive, too: what the ledger says of a document may be what was altered.
        subscriptions = {row["subscription_id"] for row in chosen}
        customers = {row["customer_id"] for row in chosen} | {
            row["customer_id"]
            for row in rows["subscriptions"]
            if row.get("subscription_id") in subscriptions and "customer_id" in row
        }
        rows = rows_of_customers(rows, customers)
    side.show_raw(customers, midnight)
    through = (midnight - timedelta(days=1)).date()
    side.build(side.restore_catalog(rows), Window(through_day=through), LEDGER_MODELS)


def _compare(
    side: SideHouse,
    scope: Scope,
    chosen: Sequence[Row],
    midnight: datetime,
    on_part: Callable[[str], None],
) -> LedgerComparison:
    on_part("comparing")
    if scope.is_whole:
        if sealed_until(side.warehouse) != midnight:
            raise UserError("a build has closed more in the meantime: run tally replay again")
        return LedgerComparison(side)
    invoice_ids = {row["invoice_id"] for row in chosen}
    if scope.period is not None:
        made = side.table("ledger", "documents")
        _, rows = side.warehouse.query(f"select invoice_id, period_from_date from {made}")
        invoice_ids |= {one for one, day in rows if scope.has({"period_from_date": day})}
    table = side.make_list("chosen_documents", "invoice_id", invoice_ids)
    return LedgerComparison(side, f"invoice_id in (select invoice_id from {table})")


def _explain(
    side: SideHouse,
    scope: Scope,
    source: Source,
    comparison: LedgerComparison,
    on_part: Callable[[str], None],
) -> list[Difference]:
    """The differences, each with its likely cause."""
    found = comparison.find()
    causes = Causes(
        Verification(side.warehouse),
        source,
        _rules_version(side),
        # All days were digested again where all was built.
        {one.about["load_day"] for one in found if one.kind == "load day"}
        if scope.is_whole
        else None,
        f"where {comparison.chosen}" if comparison.chosen else "",
        on_part,
    )
    if not scope.is_whole:
        found = found + _altered_hashes(causes, {one.about.get("invoice_id") for one in found})
    return [replace(difference, cause=causes.name(difference)) for difference in found]


def _altered_hashes(causes: Causes, explained: set[str]) -> list[Difference]:
    """Documents that are what they should be, but for their number or hash."""
    return [
        Difference(
            "document",
            f"document {invoice_id}",
            "content_hash",
            alteration.closed_digest,
            alteration.digest,
            {"invoice_id": invoice_id},
            cause=LEDGER,
        )
        for invoice_id, alteration in causes.altered_documents.items()
        if invoice_id not in explained
    ]


def _rules_version(side: SideHouse) -> int:
    """The version of the rules that the replay was made by."""
    seals = side.table("ledger", "seals")
    _, rows = side.warehouse.query(f"select max(rules_version) from {seals}")
    return rows[0][0] or 0


def _period(text: str) -> str:
    if not re.fullmatch(r"\d{4}(-\d{2}(-\d{2})?)?", text):
        raise argparse.ArgumentTypeError(f"not a year, month or day (YYYY[-MM[-DD]]): {text!r}")
    return text


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"not a whole number from 1 on: {text!r}")
    return int(text)


def add_replay_arguments(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--invoice", metavar="N", help="one document, by its number or invoice_id")
    which.add_argument(
        "--period",
        type=_period,
        metavar="P",
        help="documents whose period began in a year, month or on a day (YYYY[-MM[-DD]])",
    )
    which.add_argument("--sample", type=_count, metavar="N", help="so many documents, by chance")
    which.add_argument(
        "--all", action="store_true", help="everything, numbers and digests too (the default)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="S", help="another sample for each number"
    )
    parser.add_argument(
        "--keep", action="store_true", help=f"leave the schemas {PREFIX}* to be looked at"
    )
    parser.add_argument("--format", choices=("table", "json"), default="table")


def run_replay(arguments: argparse.Namespace) -> int:
    """`tally replay`: a line for each difference; the exit code is 1 if there is one."""
    from rich.console import Console

    from orchestration.catalog import choose_source
    from orchestration.house import find_project

    project = find_project()
    scope = Scope(arguments.invoice, arguments.period, arguments.sample, arguments.seed)
    console = Console(stderr=True)
    done = replay(
        scope,
        choose_source(arguments, project),
        project,
        arguments.target,
        arguments.keep,
        lambda part: console.print(f"{part} ...") if console.is_terminal else None,
    )
    if arguments.format == "json":
        shown = {
            "differences": [difference.as_json() for difference in done.differences],
            "counts": done.counts,
            "sealed_until": done.through.isoformat(),
            "seconds": round(done.seconds, 1),
            "fault": done.fault or None,
        }
        print(json.dumps(shown, indent=2, ensure_ascii=False))
    else:
        for difference in done.differences:
            if not difference.follows:
                print(difference)
        print(done.summary())
    return 0 if done.stands else 1
