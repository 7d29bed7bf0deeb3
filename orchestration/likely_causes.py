"""Why a closed document is not what raw and the catalogue make of it now: the likely cause.

The digests that were taken at the close tell. They are computed again only once something
differs, and each kind only where the one before has not explained it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime
from functools import cached_property
from typing import Any

from orchestration.archive import archive_faults, read_text
from orchestration.catalog import Source
from orchestration.ledger import sealed_until
from orchestration.ledger_comparison import Difference, Row
from orchestration.verification import Alteration, Verification

LEDGER = "ledger altered"
CATALOG = "catalogue edited"
EVENT = "event altered"
RULES = "rules changed"
UNKNOWN = "rules changed or cause unknown: ledger, archive and sealed usage are as they were closed"
#: How much of what was edited is shown.
LONGEST = 120


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


class Causes:
    """What was altered in one house, as far as digests and the catalogue of `source` tell."""

    def __init__(
        self,
        verification: Verification,
        source: Source,
        rules_version: int,
        days: Iterable[date] | None = None,
        where: str = "",
        on_part: Callable[[str], None] = lambda part: None,
    ) -> None:
        """`days` are the load days with altered rows, where they are known already; `where` is SQL
        that chooses the documents that are asked about."""
        self.verification = verification
        self.source = source
        self.rules_version = rules_version
        self.known_days = days
        self.where = where
        self.on_part = on_part

    @cached_property
    def altered_documents(self) -> dict[str, Alteration]:
        self.on_part("documents")
        found = self.verification.find_altered_documents(self.where)
        return {alteration.subject: alteration for alteration in found}

    @cached_property
    def broken_closes(self) -> set[tuple[str, datetime]]:
        return {found.subject for found in self.verification.find_broken_links()}

    @cached_property
    def altered_rows(self) -> list[tuple[Row, str]]:
        """Archived rows that were altered, or are no longer in the catalogue: values, and words."""
        self.on_part("the catalogue")
        rows: list[tuple[Row, str]] = []
        for found in self.verification.find_altered_archive():
            table, text = found.subject
            values = read_text(text)
            rows.append((values, f"archived row of {table}: {', '.join(values.values())}"))
        if rows:
            # What the catalogue says otherwise follows from these.
            return rows
        warehouse = self.verification.warehouse
        catalog = self.source.read(warehouse)
        for fault in archive_faults(catalog, warehouse):
            table = catalog[fault.file.removesuffix(".csv")]
            values = next((row.values for row in table if row.line == fault.line), {})
            rows.append((values, str(fault)))
        return rows

    @cached_property
    def altered_days(self) -> list[date]:
        if self.known_days is not None:
            return sorted(self.known_days)
        self.on_part("raw rows")
        return sorted({found.subject for found in self.verification.find_altered_days()})

    @cached_property
    def altered_credit_days(self) -> set[Any]:
        """Days whose credit entries were altered, and (grant, day) of altered balances."""
        return {found.subject for found in self.verification.find_altered_credits()}

    @cached_property
    def sealed_until(self) -> datetime:
        return sealed_until(self.verification.warehouse)

    def name(self, difference: Difference) -> str:
        """The likely cause of `difference`, in words."""
        about = difference.about
        if difference.kind == "archived row":
            return CATALOG
        if difference.kind == "load day":
            return EVENT if about["load_day"] < self.sealed_until.date() else LEDGER
        cutoff_at = about.get("cutoff_at")
        if difference.kind == "credit" and not self.altered_credit_days.isdisjoint(
            {about["posted_date"], (about.get("grant_id"), about["posted_date"])}
        ):
            return LEDGER
        if (
            about.get("invoice_id") in self.altered_documents
            or (about.get("billing_entity"), cutoff_at) in self.broken_closes
            or cutoff_at is None
            or cutoff_at > self.sealed_until
        ):
            return LEDGER
        causes = []
        if rows := [text for values, text in self.altered_rows if is_about(values, about)]:
            causes.append(f"{CATALOG}: {_counted([_short(text) for text in rows])}")
        if days := [str(day) for day in self.altered_days if day < cutoff_at.date()]:
            causes.append(f"{EVENT}: load day {_counted(days)}")
        rules_version = about.get("rules_version", self.rules_version)
        if rules_version != self.rules_version:
            causes.append(f"{RULES}: version {rules_version}, now {self.rules_version}")
        return " or ".join(causes) or UNKNOWN


def is_about(values: Row, about: Row) -> bool:
    """Whether a row of the catalogue can concern a document: it names no other's."""
    return all(
        not values.get(name) or about.get(name) in (None, values[name])
        for name in ("customer_id", "subscription_id")
    )


def _counted(texts: list[Any]) -> str:
    more = f" and {len(texts) - 1} more" if len(texts) > 1 else ""
    return f"{texts[0]}{more}"
