"""Included quantities (section 3, *Pricing*, *Plans*): own, shared, carried over, pooled."""

from fractions import Fraction

from .parts import Part
from .rating import Measured, PeriodUsage


def row_order(one: Measured) -> tuple:
    charge, row = one.part.charge, one.row
    return (
        charge.position,
        charge.charge_id.encode(),
        row.position,
        row.dimension_values.encode(),
    )


def step_of(part: Part) -> tuple:
    """The charges of a shared allowance have their parts in common: one step for all."""
    return (part.period.number, part.begin)


def cover(periods: list[PeriodUsage]) -> None:
    """Fill in what allowances cover of one customer's usage, in all of its periods."""
    own: dict[tuple, list[Measured]] = {}
    for one in (one for found in periods for one in found.measured if one.part.pool is None):
        part = one.part
        key = (part.period.subscription.subscription_id, part.period.number)
        own.setdefault((*key, part.charge.charge_id, part.number), []).append(one)
    for members in own.values():
        consume(members[0].part.own_allowance, sorted(members, key=row_order))
    parts: dict[tuple, list[Part]] = {}
    measured: dict[tuple, list[Measured]] = {}
    for found in periods:
        for part in found.parts:
            if part.pool is not None and part.slices:
                parts.setdefault(group_of(part), []).append(part)
        for one in found.measured:
            if one.part.pool is not None:
                measured.setdefault(group_of(one.part), []).append(one)
    for group, members in parts.items():
        handle = share_pool if members[0].pool.is_pooled else roll_over
        handle(members, measured.get(group, []))


def group_of(part: Part) -> tuple:
    """A pool's members share one cycle; else a subscription's parts follow one another."""
    if part.pool.is_pooled:
        return ("pool", part.pool.allowance_id, part.period.cycle_from_date)
    return ("own", part.pool.allowance_id, part.period.subscription.subscription_id)


def consume(available: Fraction, members: list[Measured]) -> Fraction:
    """Cover members in order; what is left."""
    for one in members:
        taken = min(available, one.billable - one.covered)
        one.covered += taken
        available -= taken
    return available


def roll_over(
    parts: list[Part], measured: list[Measured], left: dict[int, Fraction] | None = None
) -> dict[int, Fraction]:
    """Each part's quantity is added to what is left of earlier ones; the oldest goes first.

    `left` is what parts before these left, by age; what these leave is given back.
    """
    steps = {step_of(part): part for part in parts}
    left = dict(left or {})
    for step in sorted(steps):
        part = steps[step]
        pool = part.pool
        members = sorted((one for one in measured if step_of(one.part) == step), key=row_order)
        left = {age: units for age, units in left.items() if age <= pool.rollover_periods}
        left[0] = part.pool_quantity
        for age in sorted(left, reverse=True):
            left[age] = consume(left[age], members)
        left = {age + 1: units for age, units in left.items() if age + 1 <= pool.rollover_periods}
        if pool.rollover_cap is not None:
            over = max(sum(left.values(), Fraction(0)) - pool.rollover_cap, Fraction(0))
            for age in sorted(left, reverse=True):
                lost = min(over, left[age])
                left[age] -= lost
                over -= lost
    return left


def share_pool(parts: list[Part], measured: list[Measured]) -> None:
    """All subscriptions of a customer in one cycle: the sum of what they bring."""
    brought = {
        (part.period.subscription.subscription_id, *step_of(part)): part.pool_quantity
        for part in parts
    }

    def order(one: Measured) -> tuple:
        subscription = one.part.period.subscription
        name = subscription.subscription_id.encode()
        return (subscription.starts_at, name, *step_of(one.part), *row_order(one))

    consume(sum(brought.values(), Fraction(0)), sorted(measured, key=order))
