"""Commitments (section 3, *Plans*): true-up at a window's end, overage along the way."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from .amounts import QUANTITY_DIGITS, exponent, half_away
from .catalog import Catalog, Commitment, Subscription
from .changes import life_of
from .clock import add_cycles
from .drafts import Draft, commitment_draft
from .periods import Period, end_date, list_periods, planned_end

#: The number of an invoice, and a line on it.
Placed = tuple[int, Draft]
COUNTED = ("recurring", "one_time", "usage", "minimum", "credit")


@dataclass(frozen=True)
class Window:
    """Cycles of a term that a commitment counts together.

    `periods` are those that have begun, `last` is the last one as far as is known.
    """

    periods: list[Period]
    last: Period
    share: Fraction


def list_windows(
    catalog: Catalog, subscription: Subscription, size: int, started: list[Period]
) -> list[Window]:
    life = life_of(catalog, subscription)
    groups: dict[tuple[int, int], list[Period]] = {}
    for period in started:
        groups.setdefault((period.term.number, period.cycle_index // size), []).append(period)
    windows = []
    for (_, group), members in groups.items():
        term = members[0].term
        full_to, to_date = planned_end(catalog, life, term, (group + 1) * size)
        end = full_to
        if term.end is not None and term.end < full_to:
            end, to_date = term.end, end_date(catalog, life, term)
        full_from_date, full_to_date = (
            add_cycles(term.anchor, term.cycle, index * size) for index in (group, group + 1)
        )
        days = (to_date - members[0].from_date).days
        listed = list_periods(catalog, subscription, end)
        last = next(one for one in listed if one.term is term and one.period_to >= end)
        windows.append(Window(members, last, Fraction(days, (full_to_date - full_from_date).days)))
    return windows


def binds(one: Commitment, subscription: Subscription, window: Window) -> bool:
    if one.subscription_id:
        return one.subscription_id == subscription.subscription_id
    return one.plan_id == window.last.plan_id


def commitment_drafts(
    catalog: Catalog, subscription: Subscription, started: list[Period], drafts: list[Placed]
) -> dict[int, list[Draft]]:
    """True-up and overage lines by invoice, from the lines of all invoices that are shown."""
    found: dict[int, list[Draft]] = {}

    def add(kind: str, one: Commitment, period: Period, total: Fraction) -> None:
        if total != 0:
            draft = commitment_draft(kind, one.commitment_id, period, total)
            found.setdefault(period.number, []).append(draft)

    digits = exponent(subscription.currency)
    plans = {phase.plan_id for phase in life_of(catalog, subscription).phases}
    for one in catalog.commitments:
        if one.subscription_id != subscription.subscription_id and one.plan_id not in plans:
            continue
        if one.currency != subscription.currency:
            continue
        counted = [
            (max(number, draft.period_number), draft)
            for number, draft in drafts
            if draft.kind in COUNTED
            and not draft.unit
            and (not one.charge_ids or draft.charge_id in one.charge_ids)
        ]
        for window in list_windows(catalog, subscription, one.window_cycles, started):
            if not binds(one, subscription, window):
                continue
            last = window.periods[-1]
            is_over = last.number == window.last.number
            if one.amount is None:
                committed = half_away(one.quantity * window.share, QUANTITY_DIGITS)
                used = sum_until(counted, window, last, quantity_of)
                short = max(committed - used, Fraction(0))
                if is_over:
                    add("true_up", one, last, half_away(short * one.unit_price, digits))
                continue
            committed = half_away(one.amount * window.share, digits)
            if is_over:
                spent = sum_until(counted, window, last, total_of)
                add("true_up", one, last, max(committed - spent, Fraction(0)))
            if one.overage_factor is None:
                continue
            before = Fraction(0)
            for period in window.periods:
                over = max(sum_until(counted, window, period, total_of) - committed, Fraction(0))
                total = half_away((one.overage_factor - 1) * (over - before), digits)
                add("overage", one, period, total)
                before = over
    return found


def total_of(draft: Draft) -> Fraction:
    return draft.left


def quantity_of(draft: Draft) -> Fraction:
    return draft.quantity if draft.kind == "usage" else Fraction(0)


def sum_until(
    drafts: list[tuple[int, Draft]],
    window: Window,
    until: Period,
    value: Callable[[Draft], Fraction],
) -> Fraction:
    """What the lines that count with a window's periods add up to, until one of them."""
    numbers = {period.number for period in window.periods if period.number <= until.number}
    return sum((value(draft) for number, draft in drafts if number in numbers), Fraction(0))
