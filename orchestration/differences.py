"""What two ways of billing the same usage come to: differences by customer, plan and meter.

Nothing here reads a warehouse. Amounts of different currencies are never added up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

#: What stands for the meter of a line that has none.
FEES = "(fees)"
COMMITMENTS = "(commitments)"
UNKNOWN = "(unknown)"
WITHOUT_METER = {
    "recurring": FEES,
    "one_time": FEES,
    "credit": FEES,
    "true_up": COMMITMENTS,
    "overage": COMMITMENTS,
}


@dataclass(frozen=True)
class BilledLine:
    """What was billed to a customer for a meter under a plan, or part of it; in one currency."""

    customer_id: str
    plan_id: str
    meter: str
    currency: str
    total: Decimal


@dataclass(frozen=True)
class Difference:
    """Two totals of one key in one currency; None where a side has no line at all.

    A key part that was summed over is blank.
    """

    currency: str
    customer_id: str = ""
    plan_id: str = ""
    meter: str = ""
    before: Decimal | None = None
    after: Decimal | None = None

    @property
    def difference(self) -> Decimal:
        return (self.after or Decimal(0)) - (self.before or Decimal(0))

    @property
    def percent(self) -> Decimal | None:
        """The difference in percent of what was, to one digit; None where nothing was."""
        if not self.before or self.before < 0:
            return None
        return (100 * self.difference / self.before).quantize(Decimal("0.1"))


def meter_label(line_kind: str, meter: str | None) -> str:
    """The meter of a line, or what stands in its place: fees and commitments have none."""
    return WITHOUT_METER.get(line_kind) or meter or UNKNOWN


def compare_lines(before: Iterable[BilledLine], after: Iterable[BilledLine]) -> list[Difference]:
    """One difference a customer, plan, meter and currency, also where there is none.

    By currency, the biggest movers first.
    """
    sums: dict[tuple[str, ...], Difference] = {}
    for side, lines in (("before", before), ("after", after)):
        for line in lines:
            key = (line.currency, line.customer_id, line.plan_id, line.meter)
            found = sums.get(key) or Difference(*key)
            total = (getattr(found, side) or Decimal(0)) + line.total
            sums[key] = replace(found, **{side: total})
    return in_order(sums.values())


def in_order(differences: Iterable[Difference]) -> list[Difference]:
    """By currency, the biggest movers first, then by key."""
    return sorted(
        differences,
        key=lambda d: (d.currency, -abs(d.difference), d.customer_id, d.plan_id, d.meter),
    )


def sum_by(
    differences: Iterable[Difference], key: Callable[[Difference], tuple[str, str, str]]
) -> list[Difference]:
    """The differences summed by currency and `key`: customer, plan and meter, blank if summed over.

    A side is None only where every one summed is.
    """
    sums: dict[tuple[str, ...], Difference] = {}
    for one in differences:
        found = sums.get((one.currency, *key(one))) or Difference(one.currency, *key(one))
        sums[(one.currency, *key(one))] = replace(
            found, before=_plus(found.before, one.before), after=_plus(found.after, one.after)
        )
    return in_order(sums.values())


def by_customer(one: Difference) -> tuple[str, str, str]:
    return (one.customer_id, "", "")


def by_plan(one: Difference) -> tuple[str, str, str]:
    return ("", one.plan_id, "")


def by_meter(one: Difference) -> tuple[str, str, str]:
    return ("", "", one.meter)


def by_currency(one: Difference) -> tuple[str, str, str]:
    return ("", "", "")


def _plus(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return None if one is None and other is None else (one or Decimal(0)) + (other or Decimal(0))
