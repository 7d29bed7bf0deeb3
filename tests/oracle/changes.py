"""What happens to a subscription while it runs: plans, terms, pauses, seats, its trial and end.

A *phase* is a stretch on one plan with one pin. A *term* is a stretch on one grid of cycles: a
plan with another cycle, alignment or anchor begins a new one (section 3, *Time*, *Plans*).
"""

from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from fractions import Fraction

from .catalog import Catalog, Change, Migration, Plan, Subscription, customer_instant, state_at
from .clock import (
    EPOCH,
    add_cycles,
    cycles_before,
    first_instant,
    local_date,
    midnight_after,
    midnight_at_or_after,
)

CALENDAR_ANCHOR = date(1970, 1, 1)
CALENDAR_WEEK_ANCHOR = date(1970, 1, 5)
ONE = Fraction(1)


@dataclass(frozen=True)
class Phase:
    """A stretch on one plan with one pin; `end` is None while it runs on."""

    number: int
    plan_id: str
    begin: datetime
    end: datetime | None
    pin: date | None
    recorded_at: datetime

    def holds(self, instant: datetime) -> bool:
        return self.begin <= instant and (self.end is None or instant < self.end)


@dataclass(frozen=True)
class Term:
    """A stretch on one grid of cycles. What began and ended it became known when it says;
    the subscription itself begins the first term, and `ends_at` of its row ends the last.
    """

    number: int
    cycle: tuple[str, int]
    anchor: date
    begin: datetime
    end: datetime | None
    begun_at: datetime
    ended_at: datetime


@dataclass(frozen=True)
class Pause:
    begin: datetime
    end: datetime | None

    def holds(self, instant: datetime) -> bool:
        return self.begin <= instant and (self.end is None or instant < self.end)


@dataclass
class Life:
    """Everything that the known changes make of one subscription.

    `recorded` tells of an instant when the changes that took effect there became known, those
    of seats by charge.
    """

    subscription: Subscription
    ends_at: datetime | None
    phases: list[Phase]
    terms: list[Term]
    pauses: list[Pause]
    quantities: dict[str, list[tuple[datetime, Fraction]]]
    trial_to: datetime
    start_date: date
    recorded: dict[datetime, list[datetime]]
    seats_recorded: dict[tuple[str, datetime], datetime]
    #: What was worked out once: cycles by term, periods by term and cycle, parts by period,
    #: what was measured by part and usage, fees by the number of periods.
    cycles: dict[int, tuple] = field(default_factory=dict)
    periods: dict[tuple[int, int], object] = field(default_factory=dict)
    parts: dict[int, list] = field(default_factory=dict)
    measured: dict[tuple, object] = field(default_factory=dict)
    fees: dict[int, object] = field(default_factory=dict)

    def is_active(self, instant: datetime) -> bool:
        begins_at = self.subscription.starts_at
        return begins_at <= instant and (self.ends_at is None or instant < self.ends_at)

    def is_paused(self, instant: datetime) -> bool:
        return any(pause.holds(instant) for pause in self.pauses)

    def phase_at(self, instant: datetime) -> Phase:
        """The phase that holds an instant of the subscription's life."""
        return next(phase for phase in reversed(self.phases) if phase.begin <= instant)

    def phases_in(self, begin: datetime, end: datetime) -> list[Phase]:
        return [
            phase
            for phase in self.phases
            if phase.begin < end and (phase.end is None or phase.end > begin)
        ]

    def quantity_at(self, charge_id: str, instant: datetime) -> Fraction:
        """Seats of a charge: those of the latest change at or before the instant, else one."""
        known = [one for one in self.quantities.get(charge_id, []) if one[0] <= instant]
        return known[-1][1] if known else ONE

    def known_at(self, charge_id: str, instant: datetime) -> datetime:
        """When what changes at an instant for a charge became known."""
        seats = self.seats_recorded.get((charge_id, instant), EPOCH)
        return max([seats, *self.recorded.get(instant, [])])

    def slices(self, begin: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
        """[begin, end) less the pauses."""
        found = []
        for pause in self.pauses:
            pause_end = end if pause.end is None else pause.end
            if pause_end <= begin or pause.begin >= end:
                continue
            if begin < pause.begin:
                found.append((begin, pause.begin))
            begin = pause_end
        if begin < end:
            found.append((begin, end))
        return found


def anchor_of(plan: Plan, subscription: Subscription, zone_name: str) -> date:
    if plan.alignment == "anniversary":
        return subscription.anchor_date or local_date(subscription.starts_at, zone_name)
    return CALENDAR_WEEK_ANCHOR if plan.cycle == ("day", 7) else CALENDAR_ANCHOR


def life_of(catalog: Catalog, subscription: Subscription) -> Life:
    """The subscription's life; worked out once a catalogue."""
    name = subscription.subscription_id
    if name not in catalog.lives:
        catalog.lives[name] = live(catalog, subscription)
    return catalog.lives[name]


def live(catalog: Catalog, subscription: Subscription) -> Life:
    states = catalog.customers[subscription.customer_id]
    starts_at = subscription.starts_at
    zone_name = state_at(states, starts_at).time_zone
    changes = sorted(
        catalog.changes.get(subscription.subscription_id, []), key=lambda one: one.changes_at
    )
    recorded: dict[datetime, list[datetime]] = {}
    ends_at, ended_at = end_of_life(subscription, changes)
    if ends_at is not None:
        recorded.setdefault(ends_at, []).append(ended_at)
    inside = [
        one
        for one in changes
        if starts_at < one.changes_at and (ends_at is None or one.changes_at < ends_at)
    ]
    moves: list[tuple[datetime, int, bytes, Change | Migration]] = [
        (one.changes_at, 0, b"", one) for one in inside if one.kind == "plan"
    ]
    for one in catalog.migrations:
        at = customer_instant(one.migrates_at, states)
        if starts_at < at and (ends_at is None or at < ends_at):
            moves.append((at, 1, one.from_plan_id.encode(), one))
    moves.sort(key=lambda move: move[:3])
    phases, terms = walk_plans(catalog, subscription, zone_name, moves, (ends_at, ended_at))
    if ends_at is not None:
        earlier = earlier_end(subscription, changes, ends_at, ended_at)
        terms[-1] = leave_closed(catalog, subscription, states, phases, terms[-1], earlier)
    for phase in phases[1:]:
        recorded.setdefault(phase.begin, []).append(phase.recorded_at)
    quantities: dict[str, list[tuple[datetime, Fraction]]] = {}
    seats_recorded = {}
    for one in changes:
        if one.kind == "quantity":
            quantities.setdefault(one.charge_id, []).append((one.changes_at, one.quantity))
            seats_recorded[one.charge_id, one.changes_at] = one.recorded_at
    trial_days = subscription.trial_days
    if trial_days is None:
        trial_days = catalog.plans[subscription.plan_id].trial_days
    start_date = local_date(starts_at, zone_name)
    trial_to = starts_at
    if trial_days:
        trial_to = first_instant(start_date + timedelta(days=trial_days), zone_name)
    return Life(
        subscription=subscription,
        ends_at=ends_at,
        phases=phases,
        terms=terms,
        pauses=list_pauses(inside, recorded, ends_at),
        quantities=quantities,
        trial_to=trial_to,
        start_date=start_date,
        recorded=recorded,
        seats_recorded=seats_recorded,
    )


def earlier_end(
    subscription: Subscription, changes: list[Change], ends_at: datetime, ended_at: datetime
) -> tuple[datetime, datetime] | None:
    """The end that the subscription had before its own became known, and when that did."""
    ends = [(one.changes_at, one.recorded_at) for one in changes if one.kind == "end"]
    if subscription.ends_at is not None:
        ends.append((subscription.ends_at, subscription.recorded_at))
    return min((one for one in ends if one[0] > ends_at and one[1] < ended_at), default=None)


def leave_closed(
    catalog: Catalog,
    subscription: Subscription,
    states: list,
    phases: list[Phase],
    term: Term,
    earlier: tuple[datetime, datetime] | None,
) -> Term:
    """The term past its end to the last boundary whose cutoff had passed when that became known.

    A boundary or cutoff that has passed does not move: periods that closed are rated again, not
    cut (*Time*, *Closing*).
    """
    plan = catalog.plans[phases[-1].plan_id]
    zone_name = state_at(states, term.end).time_zone
    known = max(
        subscription.recorded_at, plan.recorded_at, min(state.recorded_at for state in states)
    )
    count = cycles_before(term.anchor, term.cycle, local_date(term.end, zone_name))
    passed = None
    while True:
        boundary = first_instant(add_cycles(term.anchor, term.cycle, count), zone_name)
        is_over = earlier is not None and boundary >= earlier[0]
        if is_over:
            boundary, known = earlier[0], max(known, earlier[1])
        closing = midnight_at_or_after(boundary + timedelta(days=plan.grace_days))
        if known >= closing:
            closing = midnight_after(known)
        if boundary > term.end and closing > term.ended_at:
            break
        if boundary > term.end:
            passed = boundary
        if is_over:
            break
        count += 1
    return term if passed is None else replace(term, end=passed, ended_at=EPOCH)


def end_of_life(
    subscription: Subscription, changes: list[Change]
) -> tuple[datetime | None, datetime]:
    """The earliest of `ends_at` and the first `end`, and when it became known."""
    ends = [
        (one.changes_at, one.recorded_at)
        for one in changes
        if one.kind == "end" and one.changes_at > subscription.starts_at
    ][:1]
    if subscription.ends_at is not None:
        ends.append((subscription.ends_at, subscription.recorded_at))
    return min(ends) if ends else (None, subscription.recorded_at)


def walk_plans(
    catalog: Catalog,
    subscription: Subscription,
    zone_name: str,
    moves: list[tuple[datetime, int, bytes, Change | Migration]],
    end: tuple[datetime | None, datetime],
) -> tuple[list[Phase], list[Term]]:
    """Phases and terms: every move that takes effect begins a phase, an unlike plan a term."""
    plan = catalog.plans[subscription.plan_id]
    pin, anchor = subscription.prices_as_of, anchor_of(plan, subscription, zone_name)
    begun = subscription.recorded_at
    starts: list[tuple[datetime, str, date | None, datetime]] = [
        (subscription.starts_at, plan.plan_id, pin, begun)
    ]
    grids = [(subscription.starts_at, plan, anchor, begun)]
    for at in sorted({move[0] for move in moves}):
        known: list[datetime] = []
        given = None
        for _, _, _, move in (one for one in moves if one[0] == at):
            if isinstance(move, Change):
                plan, pin, given = catalog.plans[move.plan_id], move.prices_as_of, move
            elif move.from_plan_id == plan.plan_id:
                plan, pin, given = catalog.plans[move.to_plan_id], None, None
            else:
                continue
            known.append(move.recorded_at)
        # To the plan in force only another pin, or none, or another anchor is a change.
        is_anchored = given is not None and given.anchor_date not in (None, grids[-1][2])
        if (plan.plan_id, pin) == starts[-1][1:3] and not is_anchored:
            continue
        starts.append((at, plan.plan_id, pin, max(known)))
        running = grids[-1][1]
        is_unlike = (plan.cycle, plan.alignment) != (running.cycle, running.alignment)
        anchor = None
        if plan.alignment == "anniversary" and given is not None:
            anchor = given.anchor_date
        if is_unlike or anchor not in (None, grids[-1][2]):
            anchor = anchor or anchor_of(plan, subscription, zone_name)
            grids.append((at, plan, anchor, max(known)))
    ends_at, ended_at = end
    phases = [
        Phase(number, plan_id, at, following, phase_pin, recorded_at)
        for number, ((at, plan_id, phase_pin, recorded_at), following) in enumerate(
            zip(starts, [*(one[0] for one in starts[1:]), ends_at], strict=True), start=1
        )
    ]
    endings = [*((one[0], one[3]) for one in grids[1:]), (ends_at, ended_at)]
    terms = [
        Term(number, grid_plan.cycle, grid_anchor, at, following, recorded_at, following_known)
        for number, ((at, grid_plan, grid_anchor, recorded_at), (following, following_known)) in (
            enumerate(zip(grids, endings, strict=True), start=1)
        )
    ]
    return phases, terms


def list_pauses(
    changes: list[Change], recorded: dict[datetime, list[datetime]], ends_at: datetime | None
) -> list[Pause]:
    """From each pause to the next resume or the end; a pause of the paused says nothing."""
    pauses: list[Pause] = []
    paused_at = None
    for one in changes:
        if one.kind == "pause" and paused_at is None:
            paused_at = one.changes_at
        elif one.kind == "resume" and paused_at is not None:
            if one.changes_at > paused_at:
                pauses.append(Pause(paused_at, one.changes_at))
            paused_at = None
        else:
            continue
        recorded.setdefault(one.changes_at, []).append(one.recorded_at)
    if paused_at is not None:
        pauses.append(Pause(paused_at, ends_at))
    return pauses
