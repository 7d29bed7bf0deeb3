"""Documents for the receivables ledger: lines with tax codes, terms, and links back to our lines.

That ledger does the tax and takes the payments. A file has one JSON text a line, one a document.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from orchestration.exports.billing_entities import BillingEntities
from orchestration.exports.documents import Document
from orchestration.exports.page import due_date
from orchestration.invoice_view import KINDS
from orchestration.marts import Row, document

DOCUMENT_COLUMNS = (
    "invoice_number",
    "document_kind",
    "billing_entity",
    "customer_id",
    "customer_name",
    "subscription_id",
    "currency",
    "invoice_date",
    "issued_date",
    "period_from_date",
    "period_to_date",
)
#: Columns that are money at the currency's exponent.
TOTALS = (
    "invoice_total",
    "credits_total",
    "balance_applied_total",
    "amount_due_total",
    "line_total",
    "credit_total",
)
LINE_COLUMNS = (
    "line_id",
    "line_number",
    "line_kind",
    "charge_id",
    "quantity",
    "tax_code",
    "adjusts_invoice_id",
    "adjusts_line_id",
)


def receivable_document(one: Document, terms_days: int) -> Row:
    """The document as the receivables ledger is told of it; money and quantities are texts."""
    header = document(one.header, TOTALS, one.exponent)
    return {
        "document_id": one.invoice_id,
        **{name: header[name] for name in DOCUMENT_COLUMNS},
        "terms_days": terms_days,
        "due_date": due_date(one.header["issued_date"], terms_days).isoformat(),
        "net_total": header["invoice_total"],
        "credits_total": header["credits_total"],
        "balance_applied_total": header["balance_applied_total"],
        "due_total": header["amount_due_total"],
        "adjusts_document_id": header["adjusts_invoice_id"],
        "document_hash": header["content_hash"],
        "lines": [_line(line, one) for line in one.lines],
        "credits": [document(credit, TOTALS, one.exponent) for credit in one.credits],
    }


def _line(line: Row, one: Document) -> Row:
    shown = document({name: line[name] for name in LINE_COLUMNS}, (), one.exponent)
    kind = KINDS.get(line["line_kind"])
    name = str(line["name"] or line["charge_id"])
    return {
        **shown,
        "description": f"{name}: {kind}" if kind else name,
        "dimension_values": line["dimension_values"],
        "net_total": document(line, TOTALS, one.exponent)["line_total"],
    }


class ReceivableLines:
    """Documents as JSON lines, with the terms of whoever bills."""

    def __init__(self, entities: BillingEntities) -> None:
        self._entities = entities
        self._texts: list[str] = []

    def add(self, documents: Iterable[Document]) -> None:
        for one in documents:
            terms_days = self._entities.find(one.header["billing_entity"]).terms_days
            shown = receivable_document(one, terms_days)
            self._texts.append(json.dumps(shown, ensure_ascii=False) + "\n")

    def content(self) -> bytes:
        return "".join(self._texts).encode()
