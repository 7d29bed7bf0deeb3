"""What the rows of invoice_actions.csv must hold: what each acts on, and how much it grants.

Which invoices are closed is the ledger's to say: an action that finds none is listed by the build
(`refused_invoice_actions`).
"""

from __future__ import annotations

import re

from orchestration.catalog_files import Catalog, Row, quote
from orchestration.catalog_index import Index, known_at, refuse_blank, refuse_filled
from orchestration.catalog_reference import Reference

INVOICE = re.compile(r"(?P<subscription>.+)@[0-9]{4}-[0-9]{2}-[0-9]{2}(\.[0-9]+)?")
LINE = re.compile(rf"{INVOICE.pattern}#[1-9][0-9]*")
ON_LINES = ("credit", "dispute", "resolve")
WITH_AMOUNT = ("credit", "refund")


def check_actions(catalog: Catalog, reference: Reference) -> None:
    """Check the actions by themselves and against the subscriptions whose invoices they name."""
    _Actions(catalog, reference).check()


class _Actions(Index):
    def check(self) -> None:
        self.check_keys("invoice_actions", "action_id")
        voided: dict[str, list[Row]] = {}
        for row in self.catalog["invoice_actions"]:
            if row["action"] == "void":
                voided.setdefault(row["invoice_id"], []).append(row)
        for row in self.catalog["invoice_actions"]:
            if row["action"] and row.holds("action"):
                self._check_target(row)
                self._check_reissue(row, voided)

    def _check_target(self, row: Row) -> None:
        where = f"with the action {row['action']}"
        if row["action"] in ON_LINES:
            column, other, pattern, example = "line_id", "invoice_id", LINE, "#3"
        else:
            column, other, pattern, example = "invoice_id", "line_id", INVOICE, ""
        refuse_blank(row, [column], where)
        refuse_filled(row, [other], where)
        if row["action"] in WITH_AMOUNT:
            refuse_blank(row, ["amount"], where)
        else:
            refuse_filled(row, ["amount"], where)
        if not row[column] or not row.holds(column):
            return
        found = pattern.fullmatch(row[column])
        if found is None:
            row.refuse(column, f"an id like sub_0017@2026-02-01{example} of an invoice of a period")
            return
        subscription = self.subscriptions.get((found["subscription"],))
        if subscription is None:
            row.refuse(column, "an id that begins with a subscription_id of subscriptions.csv")
        else:
            self._check_amount(row, subscription)

    def _check_amount(self, row: Row, subscription: Row) -> None:
        homes = self.customers.get(subscription["customer_id"])
        currency = subscription["currency"] or (homes[0]["currency"] if homes else "")
        exponent = self.reference.exponents.get(currency)
        if exponent is None or not row["amount"] or not row.holds("amount"):
            return
        if len(row["amount"].partition(".")[2]) > exponent:
            row.refuse("amount", f"at most {exponent} decimals, as {currency} has")

    def _check_reissue(self, row: Row, voided: dict[str, list[Row]]) -> None:
        if row["action"] != "reissue" or not row.holds("invoice_id", "recorded_at"):
            return
        if not row["invoice_id"] or not row["recorded_at"]:
            return
        if not any(
            void.holds("recorded_at") and known_at(void) <= known_at(row)
            for void in voided.get(row["invoice_id"], [])
        ):
            row.refuse("action", f"a void of {quote(row['invoice_id'])} before it", "reissue")
