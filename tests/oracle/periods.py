"""Billing and fee periods of a subscription (section 3, *Time*, *Plans*, *Closing*)."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from .catalog import Catalog, Charge, Plan, Subscription, state_at
from .clock import (
    DAY,
    add_cycles,
    cycles_before,
    first_instant,
    local_date,
    midnight_after,
    midnight_at_or_after,
)

CALENDAR_ANCHOR = date(1970, 1, 1)
CALENDAR_WEEK_ANCHOR = date(1970, 1, 5)
HORIZON = timedelta(days=2)


@dataclass(frozen=True)
class Period:
    """One invoice cycle of a subscription, clipped to [starts_at, ends_at).

    A period but the first starts at a boundary: its local date is the boundary's, whatever the
    zone read there.
    """

    subscription: Subscription
    number: int
    cycle_index: int
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


@dataclass(frozen=True)
class FeePeriod:
    """One period of a fee; `invoice_index` is 0 for the opening invoice."""

    charge: Charge
    invoice_index: int
    fee_from: datetime
    fee_to: datetime
    from_date: date
    to_date: date
    billed_days: int
    full_days: int


def known_at(catalog: Catalog, subscription: Subscription) -> datetime:
    """When the subscription, with its plan and customer, became known."""
    states = catalog.customers[subscription.customer_id]
    plan = catalog.plans[subscription.plan_id]
    first_state = min(state.recorded_at for state in states)
    return max(subscription.recorded_at, plan.recorded_at, first_state)


def cutoff(natural: datetime, known: datetime) -> datetime:
    """The natural cutoff, or the first midnight after it became known if that is later."""
    closing = midnight_at_or_after(natural)
    return closing if known < closing else midnight_after(known)


def anchor_of(plan: Plan, subscription: Subscription, zone_name: str) -> date:
    if plan.alignment == "anniversary":
        return subscription.anchor_date or local_date(subscription.starts_at, zone_name)
    return CALENDAR_WEEK_ANCHOR if plan.cycle == ("day", 7) else CALENDAR_ANCHOR


def list_periods(
    catalog: Catalog, subscription: Subscription, as_of_at: datetime, beyond: int = 0
) -> list[Period]:
    """Periods that tile [starts_at, ends_at) up to the horizon, and so many beyond it."""
    plan = catalog.plans[subscription.plan_id]
    states = catalog.customers[subscription.customer_id]
    known = known_at(catalog, subscription)
    zone_name = state_at(states, subscription.starts_at).time_zone
    anchor = anchor_of(plan, subscription, zone_name)
    periods: list[Period] = []
    start, ends_at = subscription.starts_at, subscription.ends_at
    start_date = local_date(start, zone_name)
    index = cycles_before(anchor, plan.cycle, start_date)
    while ends_at is None or start < ends_at:
        if start >= as_of_at + HORIZON:
            if beyond == 0:
                break
            beyond -= 1
        state = state_at(states, start)

        def boundary(count: int, zone_name: str = state.time_zone) -> datetime:
            return first_instant(add_cycles(anchor, plan.cycle, count), zone_name)

        # A cycle that a skipped day or a change of zone leaves without time is no period.
        while boundary(index + 1) <= start:
            index += 1
        cycle_to, cycle_to_date = boundary(index + 1), add_cycles(anchor, plan.cycle, index + 1)
        cycle_from, cycle_from_date = boundary(index), add_cycles(anchor, plan.cycle, index)
        if periods:
            cycle_from = start
        is_last = ends_at is not None and ends_at <= cycle_to
        end = ends_at if is_last else cycle_to
        ends_early = is_last and ends_at < cycle_to
        end_date = local_date(end, state.time_zone) if ends_early else cycle_to_date
        periods.append(
            Period(
                subscription=subscription,
                number=len(periods) + 1,
                cycle_index=index,
                time_zone=state.time_zone,
                billing_entity=state.billing_entity,
                period_from=start,
                period_to=end,
                from_date=start_date,
                to_date=end_date,
                cycle_from=cycle_from,
                cycle_to=cycle_to,
                cycle_from_date=cycle_from_date,
                cycle_to_date=cycle_to_date,
                is_last=is_last,
                cutoff_at=cutoff(end + plan.grace_days * DAY, known),
            )
        )
        start, start_date = end, cycle_to_date
        index += 1
    return periods


def end_of(catalog: Catalog, subscription: Subscription, index: int) -> tuple[datetime, date]:
    """Instant and local date at which the cycle before `index` ends, or the subscription."""
    plan = catalog.plans[subscription.plan_id]
    states = catalog.customers[subscription.customer_id]
    zone_name = state_at(states, subscription.starts_at).time_zone
    far = add_cycles(anchor_of(plan, subscription, zone_name), plan.cycle, index)
    horizon = datetime(far.year, far.month, far.day) + 3 * DAY
    periods = list_periods(catalog, subscription, horizon)
    last = [period for period in periods if period.cycle_index < index][-1]
    return last.period_to, last.to_date


def list_fee_periods(
    catalog: Catalog, subscription: Subscription, charge: Charge, periods: list[Period]
) -> list[FeePeriod]:
    """Fee periods: `every_cycles` cycles from the index that it divides, clipped (*Plans*).

    In advance a fee stands on the invoice that begins it, in arrears on the one that ends it.
    """
    plan = catalog.plans[subscription.plan_id]
    first = periods[0]
    anchor = anchor_of(plan, subscription, first.time_zone)
    every = charge.every_cycles if charge.charge_type == "recurring" else 1
    by_group: dict[int, list[Period]] = {}
    for period in periods:
        by_group.setdefault(period.cycle_index // every, []).append(period)
    fee_periods = []
    for group, members in sorted(by_group.items()):
        begin = members[0]
        if charge.charge_type == "one_time" and begin is not first:
            break
        fee_to, to_date = end_of(catalog, subscription, (group + 1) * every)
        closing = next((member for member in members if member.period_to == fee_to), None)
        if charge.timing == "advance":
            invoice_index = begin.number - 1
        elif closing is not None:
            invoice_index = closing.number
        else:
            continue
        full_from = add_cycles(anchor, plan.cycle, group * every)
        full_to = add_cycles(anchor, plan.cycle, (group + 1) * every)
        fee_periods.append(
            FeePeriod(
                charge=charge,
                invoice_index=invoice_index,
                fee_from=begin.period_from,
                fee_to=fee_to,
                from_date=begin.from_date,
                to_date=to_date,
                billed_days=(to_date - begin.from_date).days,
                full_days=(full_to - full_from).days,
            )
        )
    return fee_periods
