"""What a run changed for the customer: two looks at the documents, before it and after it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orchestration.ledger import BEGINNING, has_ledger, has_table, ledger_table, sealed_until
from orchestration.warehouse import Warehouse, quote_identifier


@dataclass(frozen=True)
class Documents:
    """The documents as they stand: what is closed, and what drafts come to."""

    sealed_until: datetime
    #: Of each closed document its kind and the hash of its content.
    closed: Mapping[str, tuple[str, str]]
    #: Of each draft its total and its currency, number of lines and cutoff.
    drafts: Mapping[str, tuple[Any, ...]]

    def closed_hash(self, known: Mapping[str, Any] | None = None) -> str:
        """One hash of the closed documents, or of those among them that are `known`."""
        digest = hashlib.sha256()
        for invoice_id in sorted(self.closed):
            if known is None or invoice_id in known:
                digest.update(f"{invoice_id}\x1f{self.closed[invoice_id]}\n".encode())
        return digest.hexdigest()


@dataclass(frozen=True)
class Changes:
    """What lies between two looks."""

    closed: Mapping[str, int]
    kept_count: int
    altered_count: int
    new_drafts: int
    changed_drafts: int
    same_drafts: int
    gone_drafts: int

    def metadata(self) -> dict[str, Any]:
        """As a materialization or a run says it."""
        altered = f", {self.altered_count} ALTERED" if self.altered_count else ", unchanged"
        return {
            "closed invoices": f"{self.kept_count} were closed before{altered}",
            "documents closed": ", ".join(
                f"{count} {kind}" for kind, count in sorted(self.closed.items())
            )
            or "none",
            "corrections posted": self.closed.get("adjustment", 0),
            "drafts changed": self.changed_drafts,
            "drafts new": self.new_drafts,
            "drafts unchanged": self.same_drafts,
            "drafts closed or gone": self.gone_drafts,
        }

    def sentence(self) -> str:
        """The same on one line."""
        return "; ".join(f"{name}: {value}" for name, value in self.metadata().items())


def look(warehouse: Warehouse, schema_prefix: str = "") -> Documents:
    """The documents of the house as they stand now; none where nothing has been built."""
    if not has_ledger(warehouse, schema_prefix):
        return Documents(BEGINNING, {}, {})
    seal = sealed_until(warehouse, schema_prefix)
    _, rows = warehouse.query(
        "select invoice_id, document_kind, content_hash"
        f" from {ledger_table('documents', schema_prefix)}"
    )
    closed = {invoice_id: (kind, content) for invoice_id, kind, content in rows}
    drafts: dict[str, tuple[Any, ...]] = {}
    schema = f"{schema_prefix}invoicing"
    if has_table(warehouse, schema, "int_invoicing__documents"):
        _, rows = warehouse.query(
            "select invoice_id, invoice_total, currency, line_count, cutoff_at"
            f" from {quote_identifier(schema)}.int_invoicing__documents where cutoff_at > ?",
            [seal],
        )
        drafts = {row[0]: tuple(row[1:]) for row in rows}
    return Documents(seal, closed, drafts)


def compare(before: Documents, after: Documents) -> Changes:
    """What a run made of the documents."""
    kept = before.closed.keys() & after.closed.keys()
    altered = sum(before.closed[each] != after.closed[each] for each in kept)
    altered += len(before.closed.keys() - after.closed.keys())
    both = before.drafts.keys() & after.drafts.keys()
    changed = sum(before.drafts[each] != after.drafts[each] for each in both)
    kinds = Counter(
        kind for invoice_id, (kind, _) in after.closed.items() if invoice_id not in before.closed
    )
    return Changes(
        closed=dict(kinds),
        kept_count=len(before.closed),
        altered_count=altered,
        new_drafts=len(after.drafts.keys() - before.drafts.keys()),
        changed_drafts=changed,
        same_drafts=len(both) - changed,
        gone_drafts=len(before.drafts.keys() - after.drafts.keys()),
    )
