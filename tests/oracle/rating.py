"""From usage to rated lines (section 3, *Meters*, *Pricing*, *What is known when*)."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from fractions import Fraction

from .amounts import AMOUNT_LIMIT, QUANTITY_DIGITS, QUANTITY_LIMIT, exponent, half_away
from .catalog import Catalog, Charge, Limit, PriceRow, Profile, Subscription
from .metering import Usage
from .periods import Period
from .pricing import Step, rate

EMPTY_IS_ZERO = ("count", "sum", "count_unique")


@dataclass
class RatedLine:
    """One line of a charge: a price row's usage, or the minimum's top-up (`row` is None)."""

    charge: Charge
    row: PriceRow | None
    quantity: Fraction | None
    rated_quantity: Fraction | None
    event_count: int
    amount: Fraction
    total: Fraction
    steps: tuple[Step, ...]


@dataclass
class PeriodUsage:
    """What a period's rating reads and leaves: lines, billed events, events out of range."""

    lines: list[RatedLine] = field(default_factory=list)
    billed: set[tuple[str, int]] = field(default_factory=set)
    out_of_range: set[tuple[str, int]] = field(default_factory=set)


def place_of(usage: Usage) -> tuple[str, int]:
    return (usage.event.load_id, usage.event.line_number)


def event_order(usage: Usage) -> tuple:
    """Newest last; equal times in load order."""
    return (usage.event.occurred_at, *usage.event.load_order)


def usage_charges(catalog: Catalog, plan_id: str, profile_id: str, item_id: str) -> list[Charge]:
    return [
        charge
        for charge in catalog.charges.get(plan_id, [])
        if charge.charge_type == "usage"
        and charge.profile_id == profile_id
        and item_id in ("", charge.charge_id)
    ]


def is_active(subscription: Subscription, instant: datetime) -> bool:
    ends_at = subscription.ends_at
    return subscription.starts_at <= instant and (ends_at is None or instant < ends_at)


def resolve(
    catalog: Catalog, usage: Usage, instant: datetime, known_until: datetime
) -> tuple[Subscription | None, list[Charge], str | None]:
    """The subscription and its charges that bill the usage at an instant, or the reason if none.

    Only subscriptions recorded before `known_until` are seen: a closed period is not made
    ambiguous by a subscription recorded after its close.
    """
    event, profile_id = usage.event, usage.profile.profile_id
    if event.customer_id not in catalog.customers:
        return None, [], "unknown_customer"
    own = catalog.subscriptions_of(event.customer_id)
    own = [one for one in own if one.recorded_at < known_until]
    if event.subscription_id:
        own = [one for one in own if one.subscription_id == event.subscription_id]
        if not own:
            return None, [], "unknown_subscription"
    active = [one for one in own if is_active(one, instant)]
    if not active:
        return None, [], "no_subscription"
    found = [
        (one, charges)
        for one in active
        if (charges := usage_charges(catalog, one.plan_id, profile_id, event.item_id))
    ]
    if not found:
        return None, [], "no_charge"
    if len(found) > 1:
        return None, [], "ambiguous_subscription"
    return (*found[0], None)


def newest(rows: list) -> PriceRow | Limit | None:
    return max(rows, key=lambda row: (row.valid_from, row.recorded_at)) if rows else None


def in_force(rows: list, day: date, instant: datetime) -> list:
    return [row for row in rows if row.valid_from <= day and row.recorded_at <= instant]


def price_rows(
    catalog: Catalog, charge: Charge, currency: str, day: date, instant: datetime
) -> list[PriceRow]:
    """Price rows in force at a period's start, one per dimension values, in row order."""
    rows = catalog.price_rows.get((charge.plan_id, charge.charge_id), [])
    rows = in_force([row for row in rows if row.currency == currency], day, instant)
    keys = {row.dimension_values for row in rows}
    chosen = [newest([row for row in rows if row.dimension_values == key]) for key in keys]
    return sorted(chosen, key=lambda row: (row.position, row.dimension_values.encode()))


def limit_of(catalog: Catalog, charge: Charge, period: Period) -> Limit | None:
    rows = [
        row
        for row in catalog.limits
        if (row.plan_id, row.charge_id) == (charge.plan_id, charge.charge_id)
        and row.currency == period.subscription.currency
    ]
    return newest(in_force(rows, period.from_date, period.period_from))


def choose_row(rows: list[PriceRow], usage: Usage) -> PriceRow | None:
    """The row that names most values, all of them the usage's; then row order."""
    values = dict(usage.dimensions)
    matching = [row for row in rows if all(values.get(name) == value for name, value in row.named)]
    return max(matching, key=lambda row: len(row.named)) if matching else None


def seconds_in(start: datetime, end: datetime) -> Fraction:
    """Real seconds between two instants, to the microsecond, exact."""
    return Fraction((end - start) // timedelta(microseconds=1), 10**6)


def integrate(
    usages: list[Usage], carried: list[Usage], period: Period, until: datetime
) -> Fraction:
    """Integral of the level over [period_from, until), in value x seconds.

    A level is kept per subscription reference and dimension values, and the levels add up.
    """
    total = Fraction(0)
    keys: dict[tuple, list[Usage]] = {}
    for usage in carried + usages:
        event = usage.event
        key = (event.subscription_id, event.item_id, usage.dimensions)
        keys.setdefault(key, []).append(usage)
    for members in keys.values():
        level, since = Fraction(0), period.period_from
        for usage in sorted(members, key=event_order):
            at = min(max(usage.event.occurred_at, period.period_from), until)
            total += level * seconds_in(since, at)
            since = at
            level = usage.value if usage.profile.weighted_mode == "reading" else level + usage.value
        total += level * seconds_in(since, until)
    return total


def aggregate(
    profile: Profile, usages: list[Usage], carried: list[Usage], period: Period, until: datetime
) -> Fraction | None:
    """The quantity of a price row's usage; None if there is none."""
    values = [usage.value for usage in usages]
    kind = profile.aggregation
    if kind == "count":
        return Fraction(len(usages))
    if kind == "sum":
        return sum(values, Fraction(0))
    if kind == "count_unique":
        return Fraction(len({usage.text for usage in usages}))
    if not usages and not (profile.carry_over and carried):
        return None
    if kind == "max":
        return max(values)
    if kind == "min":
        return min(values)
    if kind == "average":
        return half_away(sum(values) / len(values), QUANTITY_DIGITS)
    if kind == "percentile":
        rank = max((profile.percentile / 100 * len(values)).__ceil__(), 1)
        return sorted(values)[rank - 1]
    if kind == "latest":
        return max(usages or carried, key=event_order).value
    if kind == "weighted_sum":
        carried = carried if profile.carry_over else []
        seconds = seconds_in(period.cycle_from, period.cycle_to)
        return half_away(integrate(usages, carried, period, until) / seconds, QUANTITY_DIGITS)
    raise ValueError(f"not an aggregation: {kind}")


def is_visible(usage: Usage, known_until: datetime) -> bool:
    """Loaded, and not yet voided, before an instant."""
    voided_at = usage.event.voided_at
    return usage.event.loaded_at < known_until and (voided_at is None or voided_at >= known_until)


def rate_charge(
    catalog: Catalog,
    charge: Charge,
    period: Period,
    usages: list[Usage],
    as_of_at: datetime,
    found: PeriodUsage,
) -> None:
    """Rate one charge over one period, as known at the earlier of its cutoff and `as_of_at`."""
    subscription = period.subscription
    currency = subscription.currency
    rows = price_rows(catalog, charge, currency, period.from_date, period.period_from)
    if not rows:
        return
    known_until = min(period.cutoff_at, as_of_at)
    profile = catalog.profiles[charge.profile_id]
    inside: dict[PriceRow, list[Usage]] = {row: [] for row in rows}
    before: dict[PriceRow, list[Usage]] = {row: [] for row in rows}
    for usage in usages:
        occurred_at = usage.event.occurred_at
        if usage.profile is not profile or not is_visible(usage, known_until):
            continue
        if occurred_at >= period.period_to:
            continue
        row = choose_row(rows, usage)
        if row is None:
            continue
        # Usage before the period carries its level to whom the reference names at its start.
        at = max(occurred_at, period.period_from)
        owner, charges, _ = resolve(catalog, usage, at, known_until)
        if owner is subscription and charge in charges:
            (inside if occurred_at >= period.period_from else before)[row].append(usage)
    is_closed = period.cutoff_at <= as_of_at
    until = period.period_to if is_closed else min(period.period_to, as_of_at)
    allowance = charge.allowance
    running = Fraction(0)
    limit = limit_of(catalog, charge, period)
    for row in rows:
        events = inside[row]
        places = {place_of(usage) for usage in events}
        quantity = aggregate(profile, events, before[row], period, until)
        if quantity is None:
            continue
        event_amount = sum((usage.amount for usage in events if usage.amount), Fraction(0))
        if abs(quantity) >= QUANTITY_LIMIT or abs(event_amount) >= QUANTITY_LIMIT:
            found.out_of_range |= places
            continue
        covered = min(allowance, max(quantity, Fraction(0)))
        allowance -= covered
        rated_quantity = max(quantity, Fraction(0)) - covered
        rated = rate(row, charge, rated_quantity, len(events), event_amount)
        if abs(rated.amount) >= AMOUNT_LIMIT:
            found.out_of_range |= places
            continue
        found.billed |= places
        is_carried = profile.aggregation not in EMPTY_IS_ZERO
        if not events and not is_carried and rated.amount == 0:
            continue
        total = half_away(rated.amount, exponent(currency))
        if limit is not None and limit.maximum is not None:
            total = min(total, limit.maximum - running)
        running += total
        found.lines.append(
            RatedLine(
                charge=charge,
                row=row,
                quantity=quantity,
                rated_quantity=rated_quantity,
                event_count=len(events),
                amount=rated.amount,
                total=total,
                steps=rated.steps,
            )
        )
    if limit is not None and limit.minimum is not None and limit.minimum > running:
        top_up = limit.minimum - running
        steps = (("minimum", top_up),)
        found.lines.append(RatedLine(charge, None, None, None, 0, top_up, top_up, steps))


def rate_period(
    catalog: Catalog, period: Period, usages: list[Usage], as_of_at: datetime
) -> PeriodUsage:
    """All usage charges of a period, in catalogue order; usages are the customer's."""
    found = PeriodUsage()
    charges = [
        charge
        for charge in catalog.charges.get(period.subscription.plan_id, [])
        if charge.charge_type == "usage" and charge.recorded_at <= period.period_from
    ]
    for charge in sorted(charges, key=lambda one: (one.position, one.charge_id.encode())):
        rate_charge(catalog, charge, period, usages, as_of_at, found)
    return found
