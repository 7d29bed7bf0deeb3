"""Customer balance: what documents below zero leave, and who takes it (*Closing*)."""

from fractions import Fraction

from .amounts import fixed
from .catalog import Action
from .invoices import TOTAL_DIGITS, Invoice, number_order

Owner = tuple[str, str, str]


def owner_of(invoice: Invoice) -> Owner:
    """A balance is what one billing entity owes a customer in a currency."""
    return invoice.customer_id, invoice.billing_entity, invoice.currency


def settle(
    invoices: list[Invoice], refunds: list[tuple[Action, Invoice]]
) -> tuple[dict[Owner, Fraction], set[str]]:
    """Document by document in the order of their numbers, drafts last, each net of what credits
    paid: below zero it adds to the balance, above it takes what there is. A refund of more than
    there is is not made.

    Adds the refunds to `invoices`. Returns the balances after the final documents, and the ids of
    the refunds that were not made.
    """
    balances: dict[Owner, Fraction] = {}
    settled: dict[Owner, Fraction] = {}
    refused = set()
    asked = {document.invoice_id: action for action, document in refunds}
    waiting = invoices + [document for _, document in refunds]
    waiting.sort(key=lambda one: (one.status != "final", number_order(one)))
    for document in waiting:
        owner = owner_of(document)
        balance = balances.get(owner, Fraction(0))
        total = document.net
        if document.invoice_id in asked:
            if total > balance:
                refused.add(asked[document.invoice_id].action_id)
                continue
            invoices.append(document)
        applied = min(balance, max(total, Fraction(0)))
        document.balance_applied = fixed(applied, TOTAL_DIGITS)
        balances[owner] = balance - applied + max(-total, Fraction(0))
        if document.status == "final":
            settled[owner] = balances[owner]
    return settled, refused
