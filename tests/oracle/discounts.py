"""Discounts (section 3, *Pricing*): which lines they take, in what order, how they spread."""

from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction

from .amounts import exponent, half_away
from .catalog import Catalog, Discount, Subscription
from .drafts import Draft
from .periods import Period

LEVELS = ("line", "product", "invoice")
DISCOUNTED = {
    "line": ("recurring", "one_time", "usage"),
    "product": ("recurring", "one_time", "usage", "minimum"),
    "invoice": ("recurring", "one_time", "usage", "minimum"),
}


@dataclass
class Discounter:
    """The discounts of one subscription, invoice by invoice.

    `bases` adds up what each discount of a total has met so far, by charge where it acts on each
    charge alone.
    """

    catalog: Catalog
    subscription: Subscription
    periods: list[Period]
    bases: dict[tuple[str, str], Fraction] = field(default_factory=dict)

    def __post_init__(self) -> None:
        subscription = self.subscription
        own = [
            one
            for one in self.catalog.discounts
            if one.customer_id in ("", subscription.customer_id)
            and one.subscription_id in ("", subscription.subscription_id)
            and one.currency in ("", subscription.currency)
        ]
        self.own = sorted(own, key=lambda one: (one.position, one.discount_id.encode()))

    def apply(self, level: str, drafts: list[Draft], known_until: datetime) -> None:
        """Take every discount of a level off an invoice's lines, which are in line order."""
        for one in self.own:
            if one.level != level or one.recorded_at >= known_until:
                continue
            matching = [draft for draft in drafts if self.takes(one, draft)]
            if level != "line":
                self.take_off(one, "", matching)
                continue
            for charge_id in {draft.charge_id for draft in matching}:
                self.take_off(
                    one, charge_id, [draft for draft in matching if draft.charge_id == charge_id]
                )

    def takes(self, one: Discount, draft: Draft) -> bool:
        wanted = (
            (one.plan_id, draft.plan_id),
            (one.product_id, self.catalog.plans[draft.plan_id].product_id),
            (one.charge_id, draft.charge_id),
        )
        if draft.kind not in DISCOUNTED[one.level] or draft.left <= 0 or draft.unit:
            return False
        if any(name not in ("", own) for name, own in wanted):
            return False
        if one.valid_from is not None and draft.from_date < one.valid_from:
            return False
        if one.valid_to is not None and draft.from_date >= one.valid_to:
            return False
        return one.periods is None or self.count_of(one, draft) < one.periods

    def count_of(self, one: Discount, draft: Draft) -> int:
        """How many periods the line's is after the first that begins in the discount's time."""
        for period in self.periods:
            if one.valid_from is None or period.from_date >= one.valid_from:
                return draft.period_number - period.number
        return -1

    def take_off(self, one: Discount, charge_id: str, drafts: list[Draft]) -> None:
        base = sum((draft.left for draft in drafts), Fraction(0))
        if base <= 0:
            return
        digits = exponent(self.subscription.currency)
        if one.percent is not None:
            total = half_away(base * one.percent / 100, digits)
        elif one.amount is not None:
            total = min(one.amount, base)
        else:
            key = (one.discount_id, charge_id)
            before = self.bases.get(key, Fraction(0))
            self.bases[key] = before + base
            total = min(before + base, one.total_amount) - min(before, one.total_amount)
        shares = spread(total, [draft.left for draft in drafts], digits)
        for draft, share in zip(drafts, shares, strict=True):
            draft.discounted += share


def spread(total: Fraction, weights: list[Fraction], digits: int) -> list[Fraction]:
    """`total` by weights in minor units: whole parts first, the rest to the largest remainders.

    Of equal remainders the earlier one is served.
    """
    units, whole = total * 10**digits, sum(weights)
    exact = [units * weight / whole for weight in weights]
    parts = [one.__floor__() for one in exact]
    order = sorted(range(len(exact)), key=lambda place: (parts[place] - exact[place], place))
    for place in order[: int(units - sum(parts))]:
        parts[place] += 1
    return [Fraction(part, 10**digits) for part in parts]
