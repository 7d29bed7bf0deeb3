"""What is seen of a customer's credits, in the marts or in the oracle's bill, for peer cases."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction

from tests.oracle import Bill
from tests.peer_world import Check

#: What a check may be about.
FIELDS = ("balance", "entries", "due")


@dataclass
class CreditRows:
    """Rows of one customer, as the marts credit_ledger_entries, credit_balances_daily and invoices
    have them.
    """

    entries: list[Mapping] = field(default_factory=list)
    balances: list[Mapping] = field(default_factory=list)
    invoices: list[Mapping] = field(default_factory=list)


def is_of(row: Mapping, grant_id: str) -> bool:
    """Whether a row is of a grant, or of an occurrence of it."""
    return str(row["grant_id"]).partition("#")[0] == grant_id


def day_text(value: object) -> str:
    return str(value)[:10]


def observe_credits(rows: CreditRows, check: Check) -> str:
    """What a customer's credits show: a balance at the end of a day, entries summed, or what is
    due on all documents once credits have paid.
    """
    select = check["select"]

    def total(found: Iterable[Mapping], column: str) -> Fraction:
        return sum((Fraction(str(row[column] or 0)) for row in found), Fraction(0))

    if check["field"] == "due":
        return str(total(rows.invoices, "invoice_total") - total(rows.invoices, "credits_total"))
    found = rows.balances if check["field"] == "balance" else rows.entries
    if "grant" in select:
        found = [row for row in found if is_of(row, select["grant"])]
    if check["field"] == "balance":
        found = [row for row in found if day_text(row["balance_date"]) == select["day"]]
        return str(total(found, "balance_total"))
    kinds = select["kinds"].split()
    found = [row for row in found if row["entry_kind"] in kinds]
    if "posted" in select:
        found = [row for row in found if day_text(row["posted_date"]) == select["posted"]]
    return str(total(found, "amount"))


def rows_of(bill: Bill, as_of_day: date) -> dict[str, CreditRows]:
    """What the oracle's bill has of credits, by customer."""
    found: dict[str, CreditRows] = {}
    for entry in bill.credits.entries:
        row = {
            "grant_id": entry.grant_id,
            "entry_kind": entry.kind,
            "posted_date": entry.posted_date,
            "amount": entry.amount,
        }
        found.setdefault(entry.customer_id, CreditRows()).entries.append(row)
    for one in bill.credits.balances(as_of_day):
        row = {
            "grant_id": one.grant_id,
            "balance_date": one.balance_date,
            "balance_total": one.total,
        }
        found.setdefault(one.customer_id, CreditRows()).balances.append(row)
    for invoice in bill.invoices:
        row = {"invoice_total": invoice.total, "credits_total": invoice.credits_total}
        found.setdefault(invoice.customer_id, CreditRows()).invoices.append(row)
    return found
