"""What was given back of fees, and what stays of it when their bills are rated again (*Plans*)."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from fractions import Fraction

from .amounts import fixed
from .invoices import TOTAL_DIGITS, Line

Key = tuple[int, str]
#: Invoice, charge and begin of a fee's line.
Bill = tuple[int, str, datetime]


@dataclass
class FeeCredits:
    """Of one subscription: what each credit gave back when it was made, and what each fee in
    advance comes to, also before discounts. A void moves neither: the fee counts also while its
    invoice is void.
    """

    given: dict[Key, Fraction] = field(default_factory=dict)
    bills: dict[Bill, Fraction] = field(default_factory=dict)
    gross: dict[Bill, Fraction] = field(default_factory=dict)

    def note(self, key: Key, line: Line, measures: dict[str, Fraction | None]) -> None:
        """A line comes to this from now on."""
        total = measures.get("line_total") or Fraction(0)
        if line.kind == "credit" and total != 0:
            self.given.setdefault(key, total)
        if line.kind == "recurring":
            bill = (key[0], line.charge_id, line.period_from)
            self.bills[bill] = total
            self.gross[bill] = total + (measures.get("discount_total") or Fraction(0))

    def standing(self, key: Key, line: Line) -> Line:
        """A line as rated again: what was given back stays, but never more than is billed."""
        if line.kind != "credit" or key not in self.given:
            return line
        total = self.given[key]
        if line.billed in self.bills:
            total = -min(-total, max(self.bills[line.billed], Fraction(0)))
        return replace(line, amount=total, line_total=fixed(total, TOTAL_DIGITS))
