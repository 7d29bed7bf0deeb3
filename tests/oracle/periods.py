"""Billing and fee periods of a subscription (section 3, *Time*, *Plans*, *Closing*)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from .catalog import Catalog, Charge, Plan, Subscription, state_at
from .changes import Life, Term, life_of
from .clock import (
    DAY,
    add_cycles,
    cycles_before,
    first_instant,
    local_date,
    midnight_after,
    midnight_at_or_after,
)

HORIZON = timedelta(days=2)


@dataclass(frozen=True)
class Cycle:
    """One cycle of a term's grid from the term's begin on, as if the term never ended.

    The first one begins with the term, wherever in its cycle; every other at a boundary: its local
    date is the boundary's, whatever the zone read there.
    """

    index: int
    time_zone: str
    billing_entity: str
    begin: datetime
    begin_date: date
    cycle_from: datetime
    cycle_from_date: date
    cycle_to: datetime
    cycle_to_date: date


@dataclass(frozen=True)
class Period:
    """One invoice cycle of a subscription, clipped to its term, whose last one it may be."""

    subscription: Subscription
    term: Term
    number: int
    cycle_index: int
    plan_id: str
    time_zone: str
    billing_entity: str
    period_from: datetime
    period_to: datetime
    from_date: date
    to_date: date
    cycle_from: datetime
    cycle_to: datetime
    cycle_from_date: date
    cycle_to_date: date
    is_last: bool
    cutoff_at: datetime

    def holds(self, instant: datetime) -> bool:
        return self.period_from <= instant < self.period_to

    def date_of(self, instant: datetime) -> date:
        """The local date of an instant of the period; its ends have their own.

        A customer who moved west may read an earlier date than the one on which the period began
        in the old zone: no part of a period begins before it.
        """
        if instant == self.period_from:
            return self.from_date
        if instant == self.period_to:
            return self.to_date
        return max(self.from_date, local_date(instant, self.time_zone))


@dataclass(frozen=True)
class FeePeriod:
    """One period of a fee, clipped to the term; `invoice_index` is 0 for the opening invoice.

    `to_date` is that of `fee_to`; [full_from_date, full_to_date) is the full fee cycle, and
    `full_to` the instant at which it would end if the term did not.
    """

    charge: Charge
    begin: Period
    invoice_index: int | None
    fee_from: datetime
    fee_to: datetime
    from_date: date
    to_date: date
    full_from: datetime
    full_to: datetime
    full_from_date: date
    full_to_date: date
    ends_early: bool

    @property
    def billed_days(self) -> int:
        return (self.to_date - self.from_date).days

    @property
    def full_days(self) -> int:
        return (self.full_to_date - self.full_from_date).days


def known_at(catalog: Catalog, subscription: Subscription, plan: Plan | None = None) -> datetime:
    """When the subscription, with its plan (the first, unless given) and customer, became known."""
    states = catalog.customers[subscription.customer_id]
    plan = plan or catalog.plans[subscription.plan_id]
    first_state = min(state.recorded_at for state in states)
    return max(subscription.recorded_at, plan.recorded_at, first_state)


def cutoff(natural: datetime, known: datetime) -> datetime:
    """The natural cutoff, or the first midnight after it became known if that is later."""
    closing = midnight_at_or_after(natural)
    return closing if known < closing else midnight_after(known)


def make_cycles(catalog: Catalog, life: Life, term: Term) -> Iterator[Cycle]:
    """The cycles of a term's grid without end; zone and entity are read at each one's begin."""
    states = catalog.customers[life.subscription.customer_id]
    start = term.begin
    start_date = local_date(start, state_at(states, start).time_zone)
    index = cycles_before(term.anchor, term.cycle, start_date)
    while True:
        state = state_at(states, start)

        def boundary(count: int, zone_name: str = state.time_zone) -> datetime:
            return first_instant(add_cycles(term.anchor, term.cycle, count), zone_name)

        # A cycle that a skipped day or a change of zone leaves without time is no period.
        while boundary(index + 1) <= start:
            index += 1
        cycle = Cycle(
            index=index,
            time_zone=state.time_zone,
            billing_entity=state.billing_entity,
            begin=start,
            begin_date=start_date,
            cycle_from=boundary(index) if start == term.begin else start,
            cycle_from_date=add_cycles(term.anchor, term.cycle, index),
            cycle_to=boundary(index + 1),
            cycle_to_date=add_cycles(term.anchor, term.cycle, index + 1),
        )
        yield cycle
        start, start_date = cycle.cycle_to, cycle.cycle_to_date
        index += 1


def cycles_of(catalog: Catalog, life: Life, term: Term) -> Iterator[Cycle]:
    """The same, each worked out once."""
    made, source = life.cycles.setdefault(term.number, ([], make_cycles(catalog, life, term)))
    count = 0
    while True:
        if count == len(made):
            made.append(next(source))
        yield made[count]
        count += 1


def has_pool(catalog: Catalog, plan_id: str) -> bool:
    return any(one.is_pooled for one in catalog.allowances.get(plan_id, []))


def list_periods(
    catalog: Catalog, subscription: Subscription, as_of_at: datetime, beyond: int = 0
) -> list[Period]:
    """Periods that tile the subscription's life up to the horizon, and so many beyond it."""
    life = life_of(catalog, subscription)
    periods: list[Period] = []
    for term in life.terms:
        for cycle in cycles_of(catalog, life, term):
            if term.end is not None and cycle.begin >= term.end:
                break
            if cycle.begin >= as_of_at + HORIZON:
                if beyond == 0:
                    return periods
                beyond -= 1
            key = (term.number, cycle.index)
            if key not in life.periods:
                period = clip(catalog, life, term, cycle, len(periods) + 1)
                # No period of a subscription closes before an earlier one.
                if periods and period.cutoff_at < periods[-1].cutoff_at:
                    period = replace(period, cutoff_at=periods[-1].cutoff_at)
                life.periods[key] = period
            periods.append(life.periods[key])
    return periods


def clip(catalog: Catalog, life: Life, term: Term, cycle: Cycle, number: int) -> Period:
    """A cycle as a period of its term, with its plan and cutoff (*Closing*)."""
    ends_term = term.end is not None and term.end <= cycle.cycle_to
    end, to_date = cycle.cycle_to, cycle.cycle_to_date
    if ends_term and term.end < cycle.cycle_to:
        end, to_date = term.end, local_date(term.end, cycle.time_zone)
    plan = catalog.plans[life.phase_at(cycle.begin).plan_id]
    known = max(known_at(catalog, life.subscription, plan), term.begun_at)
    if end < cycle.cycle_to:
        # On the cycle's own end nothing moves: that cutoff may have passed when it was told.
        known = max(known, term.ended_at)
    closing = cycle.cycle_to if has_pool(catalog, plan.plan_id) else end
    return Period(
        subscription=life.subscription,
        term=term,
        number=number,
        cycle_index=cycle.index,
        plan_id=plan.plan_id,
        time_zone=cycle.time_zone,
        billing_entity=cycle.billing_entity,
        period_from=cycle.begin,
        period_to=end,
        from_date=cycle.begin_date,
        to_date=to_date,
        cycle_from=cycle.cycle_from,
        cycle_to=cycle.cycle_to,
        cycle_from_date=cycle.cycle_from_date,
        cycle_to_date=cycle.cycle_to_date,
        is_last=ends_term,
        cutoff_at=cutoff(closing + plan.grace_days * DAY, known),
    )


def corrected_until(catalog: Catalog, period: Period) -> datetime:
    """Until when what becomes known of a closed period corrects it; its plan may say so."""
    days = catalog.plans[period.plan_id].correction_days
    return datetime.max if days is None else period.cutoff_at + days * DAY


def period_holding(periods: list[Period], instant: datetime) -> Period:
    """The period that holds an instant, or the last one listed before it."""
    return next(one for one in reversed(periods) if one.period_from <= instant)


def planned_end(catalog: Catalog, life: Life, term: Term, index: int) -> tuple[datetime, date]:
    """Instant and date at which the cycle before `index` ends, if the term ran on."""
    end = None
    for cycle in cycles_of(catalog, life, term):
        if cycle.index >= index:
            break
        end = cycle.cycle_to, cycle.cycle_to_date
    return end


def end_date(catalog: Catalog, life: Life, term: Term) -> date:
    """The local date of a term's end, in the zone of its last period."""
    for cycle in cycles_of(catalog, life, term):
        if term.end == cycle.cycle_to:
            return cycle.cycle_to_date
        if term.end < cycle.cycle_to:
            return local_date(term.end, cycle.time_zone)
    raise AssertionError("a grid has no end")


def end_zone(catalog: Catalog, life: Life, term: Term) -> str:
    """The zone of a term's last period."""
    for cycle in cycles_of(catalog, life, term):
        if term.end <= cycle.cycle_to:
            return cycle.time_zone
    raise AssertionError("a grid has no end")


def list_fee_periods(
    catalog: Catalog, subscription: Subscription, charge: Charge, periods: list[Period]
) -> list[FeePeriod]:
    """Fee periods: `every_cycles` cycles of a term from the index that it divides (*Plans*).

    In advance a fee stands on the invoice that begins it, in arrears on the one that ends it,
    which is not listed while it is far away.
    """
    life = life_of(catalog, subscription)
    is_once = charge.charge_type == "one_time"
    every = 1 if is_once else charge.every_cycles
    groups: dict[tuple[int, int], list[Period]] = {}
    for period in periods:
        groups.setdefault((period.term.number, period.cycle_index // every), []).append(period)
    fee_periods = []
    for (_, group), members in list(groups.items())[: 1 if is_once else None]:
        begin, last, term = members[0], members[-1], members[0].term
        full_to, grid_date = planned_end(catalog, life, term, (group + 1) * every)
        ends_early = term.end is not None and term.end < full_to
        full_from_date, full_to_date = (
            add_cycles(term.anchor, term.cycle, index * every) for index in (group, group + 1)
        )
        fee_to = term.end if ends_early else full_to
        if ends_early:
            # Past the term's end nothing is read any more: the zone is its last period's.
            full_to = first_instant(full_to_date, end_zone(catalog, life, term))
        is_closing = last.period_to == fee_to
        to_date = end_date(catalog, life, term) if ends_early else grid_date
        invoice_index = begin.number - 1
        if charge.timing == "arrears":
            if not is_closing:
                continue
            invoice_index = last.number
        fee_periods.append(
            FeePeriod(
                charge=charge,
                begin=begin,
                invoice_index=invoice_index,
                fee_from=begin.period_from,
                fee_to=fee_to,
                from_date=begin.from_date,
                to_date=to_date,
                # A period but a term's first begins where the one before ended, zone or no zone.
                full_from=begin.period_from
                if begin.period_from != term.begin
                else min(first_instant(full_from_date, begin.time_zone), begin.period_from),
                full_to=full_to,
                full_from_date=full_from_date,
                full_to_date=full_to_date,
                ends_early=ends_early,
            )
        )
    return fee_periods
