"""From usage to rated lines (section 3, *Meters*, *Pricing*, *What is known when*)."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fractions import Fraction

from .amounts import AMOUNT_LIMIT, QUANTITY_DIGITS, QUANTITY_LIMIT, exponent, half_away
from .catalog import Catalog, Charge, PriceRow, Profile, Subscription
from .changes import life_of
from .metering import Usage
from .parts import Part, list_parts
from .periods import Period, corrected_until
from .pricing import Rated, Step, rate

EMPTY_IS_ZERO = ("count", "sum", "count_unique")
Place = tuple[str, int]


@dataclass
class Measured:
    """The usage of one price row of a part; what allowances cover of it is filled in later.

    `rated` keeps what it was rated to, by the quantity: measured again, it is the same.
    """

    part: Part
    row: PriceRow
    quantity: Fraction
    event_count: int
    event_amount: Fraction
    places: set[Place]
    covered: Fraction = Fraction(0)
    rated: dict[Fraction, Rated] = field(default_factory=dict)

    @property
    def billable(self) -> Fraction:
        return max(self.quantity, Fraction(0))


@dataclass
class RatedLine:
    """One price row's usage in a part, rated and rounded, before discounts and limits."""

    part: Part
    row: PriceRow
    quantity: Fraction
    rated_quantity: Fraction
    event_count: int
    amount: Fraction
    total: Fraction
    steps: tuple[Step, ...]
    #: Of a line priced in a unit of credit: how many, rounded; the amount is what they are worth.
    unit_total: Fraction | None = None


@dataclass
class PeriodUsage:
    """What a period's rating reads and leaves: parts, lines, events billed or out of range."""

    parts: list[Part] = field(default_factory=list)
    measured: list[Measured] = field(default_factory=list)
    lines: list[RatedLine] = field(default_factory=list)
    billed: set[Place] = field(default_factory=set)
    out_of_range: set[Place] = field(default_factory=set)


def place_of(usage: Usage) -> Place:
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


def resolve(
    catalog: Catalog, usage: Usage, instant: datetime, known_until: datetime
) -> tuple[Subscription | None, list[Charge], str | None]:
    """The subscription and its charges that bill the usage at an instant, or the reason if none.

    Only subscriptions recorded before `known_until` are seen: a closed period is not made
    ambiguous by a subscription recorded after its close. The paused bill nothing and make nothing
    ambiguous.
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
    active = [one for one in own if life_of(catalog, one).is_active(instant)]
    if not active:
        return None, [], "no_subscription"
    running = [one for one in active if not life_of(catalog, one).is_paused(instant)]
    if not running:
        return None, [], "paused"
    found = []
    for one in running:
        plan_id = life_of(catalog, one).phase_at(instant).plan_id
        charges = usage_charges(catalog, plan_id, profile_id, event.item_id)
        if charges:
            found.append((one, charges))
    if not found:
        return None, [], "no_charge"
    if len(found) > 1:
        return None, [], "ambiguous_subscription"
    return (*found[0], None)


def choose_row(rows: tuple[PriceRow, ...], usage: Usage) -> PriceRow | None:
    """The row that names most values, all of them the usage's; then row order."""
    values = dict(usage.dimensions)
    matching = [row for row in rows if all(values.get(name) == value for name, value in row.named)]
    return max(matching, key=lambda row: len(row.named)) if matching else None


def seconds_in(start: datetime, end: datetime) -> Fraction:
    """Real seconds between two instants, to the microsecond, exact."""
    return Fraction((end - start) // timedelta(microseconds=1), 10**6)


@dataclass
class Slice:
    """A stretch of a part that is not paused, with a price row's usage in and before it."""

    begin: datetime
    end: datetime
    inside: list[Usage] = field(default_factory=list)
    before: list[Usage] = field(default_factory=list)


def integrate(one: Slice, is_carried: bool, until: datetime) -> Fraction:
    """Integral of the level over a slice, in value x seconds, up to an instant.

    A level is kept per subscription reference and dimension values, and the levels add up.
    """
    total = Fraction(0)
    end = max(min(one.end, until), one.begin)
    keys: dict[tuple, list[Usage]] = {}
    for usage in (one.before if is_carried else []) + one.inside:
        event = usage.event
        key = (event.subscription_id, event.item_id, usage.dimensions)
        keys.setdefault(key, []).append(usage)
    for members in keys.values():
        level, since = Fraction(0), one.begin
        for usage in sorted(members, key=event_order):
            at = min(max(usage.event.occurred_at, one.begin), end)
            total += level * seconds_in(since, at)
            since = at
            level = usage.value if usage.profile.weighted_mode == "reading" else level + usage.value
        total += level * seconds_in(since, end)
    return total


def aggregate(
    profile: Profile, slices: list[Slice], period: Period, until: datetime
) -> Fraction | None:
    """The quantity of a price row's usage in a part; None if there is none."""
    usages = [usage for one in slices for usage in one.inside]
    carried = [usage for one in slices for usage in one.before] if profile.carry_over else []
    values = [usage.value for usage in usages]
    kind = profile.aggregation
    if kind == "count":
        return Fraction(len(usages))
    if kind == "sum":
        return sum(values, Fraction(0))
    if kind == "count_unique":
        return Fraction(len({usage.text for usage in usages}))
    if not usages and not carried:
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
        return max(usages + carried, key=event_order).value
    if kind == "weighted_sum":
        total = sum(integrate(one, profile.carry_over, until) for one in slices)
        seconds = seconds_in(period.cycle_from, period.cycle_to)
        return half_away(Fraction(total) / seconds, QUANTITY_DIGITS)
    raise ValueError(f"not an aggregation: {kind}")


def is_visible(usage: Usage, known_until: datetime) -> bool:
    """Loaded, and not yet voided, before an instant."""
    voided_at = usage.event.voided_at
    return usage.event.loaded_at < known_until and (voided_at is None or voided_at >= known_until)


def measure_part(
    catalog: Catalog,
    part: Part,
    usages: list[Usage],
    as_of_at: datetime,
    found: PeriodUsage,
    restated_at: datetime | None = None,
) -> None:
    """Quantities of one part, as known at the earlier of its cutoff and `as_of_at`.

    A period that has closed by `restated_at` is seen as known then.
    """
    if not part.rows or not part.slices:
        return
    period, subscription = part.period, part.period.subscription
    known_until = min(period.cutoff_at, as_of_at)
    if restated_at is not None and period.cutoff_at < restated_at:
        known_until = min(restated_at, as_of_at, corrected_until(catalog, period))
    profile = catalog.profiles[part.charge.profile_id]
    seen = [
        usage
        for usage in usages
        if usage.event.occurred_at < part.end and is_visible(usage, known_until)
    ]
    # Known at another instant, the same usage measures the same.
    own = catalog.subscriptions_of(subscription.customer_id)
    key = (
        (period.number, part.charge.charge_id, part.number),
        tuple(map(place_of, seen)),
        tuple(one.subscription_id for one in own if one.recorded_at < known_until),
    )
    kept = life_of(catalog, subscription).measured
    if key not in kept:
        kept[key] = PeriodUsage()
        measure_seen(catalog, part, profile, seen, (known_until, as_of_at), kept[key])
    found.measured += [replace(one) for one in kept[key].measured]
    found.out_of_range |= kept[key].out_of_range


def measure_seen(
    catalog: Catalog,
    part: Part,
    profile: Profile,
    usages: list[Usage],
    known: tuple[datetime, datetime],
    found: PeriodUsage,
) -> None:
    """Quantities of one part from the usage that is seen of it; `known` as in `measure_part`."""
    known_until, as_of_at = known
    period, subscription = part.period, part.period.subscription
    slices = {
        row.dimension_values: [Slice(begin, end) for begin, end in part.slices] for row in part.rows
    }

    def is_own(usage: Usage, instant: datetime) -> bool:
        owner, charges, _ = resolve(catalog, usage, instant, known_until)
        own = part.charge.charge_id
        return owner is subscription and any(charge.charge_id == own for charge in charges)

    def carries(one: Slice) -> bool:
        return profile.carry_over and one.begin < as_of_at

    for usage in usages:
        occurred_at = usage.event.occurred_at
        row = choose_row(part.rows, usage)
        if row is None:
            continue
        for one in slices[row.dimension_values]:
            # Usage before a slice carries its level to whom the reference names at its start.
            if one.begin <= occurred_at < one.end and is_own(usage, occurred_at):
                one.inside.append(usage)
            elif occurred_at < one.begin and carries(one) and is_own(usage, one.begin):
                one.before.append(usage)
    is_closed = period.cutoff_at <= as_of_at
    until = part.end if is_closed else min(part.end, as_of_at)
    for row in part.rows:
        events = [usage for one in slices[row.dimension_values] for usage in one.inside]
        places = {place_of(usage) for usage in events}
        quantity = aggregate(profile, slices[row.dimension_values], period, until)
        if quantity is None:
            continue
        event_amount = sum((usage.amount for usage in events if usage.amount), Fraction(0))
        if abs(quantity) >= QUANTITY_LIMIT or abs(event_amount) >= QUANTITY_LIMIT:
            found.out_of_range |= places
            continue
        found.measured.append(Measured(part, row, quantity, len(events), event_amount, places))


def measure_period(
    catalog: Catalog,
    period: Period,
    usages: dict[str, list[Usage]],
    as_of_at: datetime,
    restated_at: datetime | None = None,
) -> PeriodUsage:
    """Parts and quantities of a period; usages are the customer's by profile."""
    life = life_of(catalog, period.subscription)
    found = PeriodUsage(parts=list_parts(catalog, life, period))
    for part in found.parts:
        own = usages.get(part.charge.profile_id, [])
        measure_part(catalog, part, own, as_of_at, found, restated_at)
    return found


def rate_period(found: PeriodUsage) -> None:
    """Lines of what was measured in a period and not covered."""
    for one in found.measured:
        part = one.part
        rated_quantity = one.billable - one.covered
        rated = one.rated.get(rated_quantity)
        if rated is None:
            rated = one.rated[rated_quantity] = rate(
                one.row,
                part.charge,
                rated_quantity,
                one.event_count,
                one.event_amount,
                part.fee_factor,
            )
        worth = rated.amount * (part.unit.rate if part.unit else 1)
        if max(abs(rated.amount), abs(worth)) >= AMOUNT_LIMIT:
            found.out_of_range |= one.places
            continue
        found.billed |= one.places
        is_carried = part.aggregation not in EMPTY_IS_ZERO
        if not one.event_count and not is_carried and rated.amount * part.amount_factor == 0:
            continue
        factor = part.amount_factor
        amount, units = rated.amount * factor, None
        if part.unit:
            units = half_away(amount, part.unit.exponent)
            amount = units * part.unit.rate
        found.lines.append(
            RatedLine(
                part=part,
                row=one.row,
                quantity=one.quantity,
                rated_quantity=rated_quantity,
                event_count=one.event_count,
                amount=amount,
                total=half_away(amount, exponent(part.period.subscription.currency)),
                steps=tuple((name, step * factor) for name, step in rated.steps),
                unit_total=units,
            )
        )
