"""What people do to closed invoices: void, reissue, credit, dispute (*Closing*), line by line."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fractions import Fraction

from .amounts import fixed
from .catalog import Action
from .invoices import TOTAL_DIGITS, Invoice, Line

MARKS = {"credit": "credited", "dispute": "disputed", "resolve": "resolved"}
#: Lines that say nothing of what a period comes to.
MARKED = (*MARKS.values(), "refunded")


def close_of_action(action: Action) -> datetime:
    """The first midnight after it was recorded."""
    at = action.recorded_at
    return datetime(at.year, at.month, at.day) + timedelta(days=1)


def ordered(actions: list[Action]) -> list[Action]:
    return sorted(
        actions,
        key=lambda one: (close_of_action(one), one.recorded_at, one.action_id.encode()),
    )


@dataclass
class Target:
    """The closed invoice of a period that an action is about, and its line if it is about one."""

    invoice: Invoice
    line: Line | None


@dataclass
class Desk:
    """What has been done to the invoices of one subscription so far."""

    subscription_id: str
    voided: set[str] = field(default_factory=set)
    disputed: set[str] = field(default_factory=set)
    #: What was credited on each line, by its id.
    credited: dict[str, Fraction] = field(default_factory=dict)

    def target(self, action: Action, invoices: list[Invoice]) -> Target | str:
        """What it acts on, or why it cannot."""
        unknown = "unknown_line" if action.line_id else "unknown_invoice"
        found = next(
            (
                Target(one, line if action.line_id else None)
                for one in invoices
                if one.cycle is not None
                for line in one.lines
                if not line.adjusts
                and (line.line_id if action.line_id else one.invoice_id)
                == (action.line_id or action.invoice_id)
            ),
            None,
        )
        if found is None:
            return unknown
        if found.invoice.cutoff >= close_of_action(action):
            return "not_closed"
        if action.action == "credit" and found.line.unit:
            return "priced_in_units"
        invoice_id = found.invoice.invoice_id
        reasons = {
            "void": "already_void" if invoice_id in self.voided else "",
            "reissue": "not_void" if invoice_id not in self.voided else "",
            "dispute": "already_disputed" if action.line_id in self.disputed else "",
            "resolve": "not_disputed" if action.line_id not in self.disputed else "",
        }
        return reasons.get(action.action, "") or found

    def mark(self, action: Action, target: Target, line_total: Fraction) -> Line | None:
        """The line of a credit, dispute or its end; None where there is not enough to credit."""
        line = target.line
        total = Fraction(0)
        if action.action == "credit":
            before = self.credited.get(line.line_id, Fraction(0))
            if before + action.amount > line_total:
                return None
            self.credited[line.line_id] = before + action.amount
            total = -action.amount
        elif action.action == "dispute":
            self.disputed.add(line.line_id)
        else:
            self.disputed.discard(line.line_id)
        return replace(
            line,
            kind=MARKS[action.action],
            quantity=None,
            rated_quantity=None,
            event_count=None,
            amount=total,
            discount_total=fixed(Fraction(0), TOTAL_DIGITS),
            line_total=fixed(total, TOTAL_DIGITS),
            unit_total=None,
        )

    def write(
        self,
        action: Action,
        order: int,
        target: Target,
        lines: list[Line],
        as_of_at: datetime,
    ) -> Invoice:
        """The document of an action, dated and headed as the invoice that it is about."""
        about = target.invoice
        close = close_of_action(action)
        invoice_id = f"{about.invoice_id}.{action.action}.{action.action_id}"
        total = sum((Fraction(line.line_total) for line in lines), Fraction(0))
        return replace(
            about,
            invoice_id=invoice_id,
            status="final" if close <= as_of_at else "draft",
            cutoff=close,
            cycle=None,
            total=fixed(total, TOTAL_DIGITS),
            action=action.action,
            action_order=order,
            lines=[
                replace(
                    line,
                    invoice_id=invoice_id,
                    line_number=place,
                    line_id=f"{invoice_id}#{place}",
                    adjusts=about.invoice_id,
                )
                for place, line in enumerate(lines, start=1)
            ],
        )
