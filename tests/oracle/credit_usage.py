"""What lines of usage come to through each usage day, as known at an instant (*Credits*)."""

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from fractions import Fraction

from .allowances import consume, row_order
from .amounts import AMOUNT_LIMIT, QUANTITY_LIMIT, half_away
from .catalog import Catalog, PriceRow
from .clock import local_date
from .discounts import Discounter
from .metering import Usage
from .parts import Part
from .pricing import rate
from .rating import (
    EMPTY_IS_ZERO,
    Measured,
    Slice,
    aggregate,
    choose_row,
    is_visible,
    place_of,
    resolve,
)

#: Quantities that more usage never lowers.
GROWING = (*EMPTY_IS_ZERO, "max")

#: What credits may have paid of each usage day of a line.
Target = dict[date, Fraction]
ZERO = Fraction(0)


def steps_of(running: dict[date, Fraction]) -> Target:
    """The steps of a running sum; a day on which it falls asks nothing."""
    target, before = {}, ZERO
    for day in sorted(running):
        if running[day] > before:
            target[day] = running[day] - before
        before = running[day]
    return target


def complete(vector: Target, net: Fraction, own_day: date) -> Target:
    """A vector that adds up to `net`: the latest days lose first, a rest is on the own day."""
    target, left = {}, max(net, ZERO)
    for day in sorted(vector):
        target[day] = min(vector[day], left)
        left -= target[day]
    if left > 0:
        target[own_day] = target.get(own_day, ZERO) + left
    return target


# -- usage by day --------------------------------------------------------------------------------


@dataclass
class DailyLine:
    """What a price row comes to through a day, as discounts of level line see it."""

    part: Part
    row: PriceRow
    gross: Fraction
    discounted: Fraction = ZERO
    kind: str = "usage"
    unit: str = ""

    @property
    def left(self) -> Fraction:
        return self.gross - self.discounted

    @property
    def charge_id(self) -> str:
        return self.part.charge.charge_id

    @property
    def plan_id(self) -> str:
        return self.part.charge.plan_id

    @property
    def from_date(self) -> date:
        return self.part.begin_date

    @property
    def period_number(self) -> int:
        return self.part.period.number


@dataclass
class DailyPart:
    """A part whose lines draw day by day, its usage by day, and what it came to so far."""

    catalog: Catalog
    part: Part
    usages: list[tuple[Usage, PriceRow, date]] = field(default_factory=list)
    #: Rounded cumulative amounts by price row and usage day, as last worked out.
    running: dict[str, dict[date, Fraction]] = field(default_factory=dict)
    #: The charge's parts that discounts act on together, this one among them, and who acts.
    together: list["DailyPart"] = field(default_factory=list)
    discounter: Discounter | None = None

    @property
    def rows(self) -> list[PriceRow]:
        return list(self.part.rows)

    @property
    def moving(self) -> list[tuple[Usage, PriceRow, date]]:
        """The usage that moves what the part comes to."""
        return [usage for each in self.together or [self] for usage in each.usages]

    def touched(self) -> dict[date, date]:
        """Load days on which usage came in or was voided, each with the earliest usage day."""
        found: dict[date, date] = {}
        for usage, _, day in self.moving:
            event = usage.event
            loaded = [event.loaded_at]
            if event.voided_at is not None:
                loaded.append(max(event.voided_at, event.loaded_at))
            for at in loaded:
                found[at.date()] = min(day, found.get(at.date(), day))
        return found

    def work_out(self, known_until: datetime, since: date) -> None:
        """Cumulative amounts through every usage day from `since` on, as known then."""
        days = {day for usage, _, day in self.moving if usage.event.loaded_at < known_until}
        for day in sorted(one for one in days if one >= since):
            totals = self.totals_through(day, known_until)
            for row in self.rows:
                if row.dimension_values in totals:
                    own = self.running.setdefault(row.dimension_values, {})
                    own[day] = totals[row.dimension_values]

    def totals_through(self, day: date, known_until: datetime) -> dict[str, Fraction]:
        """What each price row with usage through a day comes to, after the charge's line discounts
        and under the maximum."""
        lines = [
            line for each in self.together or [self] for line in each.gross_lines(day, known_until)
        ]
        if self.discounter is not None:
            self.take_discounts_off(lines, known_until)
        part = self.part
        maximum = part.limit_total(part.limit.maximum) if part.limit else None
        totals, spent = {}, ZERO
        for line in lines:
            if line.part is not part:
                continue
            total = line.left if maximum is None else min(line.left, maximum - spent)
            spent += total
            totals[line.row.dimension_values] = total
        return totals

    def gross_lines(self, day: date, known_until: datetime) -> list[DailyLine]:
        """What each price row with usage through a day is rated at, in line order."""
        part, charge = self.part, self.part.charge
        profile = self.catalog.profiles[charge.profile_id]
        totals: dict[str, Fraction] = {}
        measured = []
        for row in self.rows:
            own = [
                usage
                for usage, its_row, its_day in self.usages
                if its_row is row and its_day <= day and usage.event.loaded_at < known_until
            ]
            if not own:
                continue
            totals[row.dimension_values] = ZERO
            seen = [usage for usage in own if is_visible(usage, known_until)]
            slices = [Slice(part.begin, part.end, inside=seen)]
            quantity = aggregate(profile, slices, part.period, part.end)
            if quantity is None:
                continue
            amount = sum((usage.amount for usage in seen if usage.amount), ZERO)
            if abs(quantity) >= QUANTITY_LIMIT or abs(amount) >= QUANTITY_LIMIT:
                continue
            places = {place_of(usage) for usage in seen}
            measured.append(Measured(part, row, quantity, len(seen), amount, places))
        measured.sort(key=row_order)
        consume(part.own_allowance, measured)
        for one in measured:
            rated = rate(
                one.row,
                charge,
                one.billable - one.covered,
                one.event_count,
                one.event_amount,
                part.fee_factor,
            )
            if abs(rated.amount) < AMOUNT_LIMIT:
                totals[one.row.dimension_values] = half_away(
                    rated.amount * part.amount_factor, part.exponent
                )
        rows = {row.dimension_values: row for row in self.rows}
        found = [DailyLine(part, rows[values], total) for values, total in totals.items()]
        return sorted(
            found, key=lambda line: (line.row.position, line.row.dimension_values.encode())
        )

    def take_discounts_off(self, lines: list[DailyLine], known_until: datetime) -> None:
        """By the invoice alone: what is used up over several waits for the close. A discount that
        is told after the close is none of the period, whenever that is rated again."""
        known_until = min(known_until, self.part.period.cutoff_at)
        for one in self.discounter.own:
            is_known = one.recorded_at < known_until
            if one.level != "line" or one.total_amount is not None or not is_known:
                continue
            taken = [line for line in lines if self.discounter.takes(one, line)]
            self.discounter.take_off(one, self.part.charge.charge_id, taken)

    def targets(self) -> dict[str, Target]:
        return {values: steps_of(running) for values, running in self.running.items()}

    def target_known(self, values: str | None, known_until: datetime) -> Target:
        """The target of one price row on all that is known at an instant, worked out anew."""
        again = replace(self, running={})
        again.work_out(known_until, date.min)
        return again.targets().get(values or "", {})


def discount_together(parts: list[DailyPart], discounter: Discounter) -> None:
    """Where a charge of a period has line discounts by the invoice, its parts are worked out
    together. What is priced in a unit of credit has none."""
    groups: dict[tuple[int, str], list[DailyPart]] = {}
    for each in parts:
        if each.part.unit is None:
            key = (each.part.period.number, each.part.charge.charge_id)
            groups.setdefault(key, []).append(each)
    for group in groups.values():
        group.sort(key=lambda each: (each.part.charge.position, each.part.number))
        for each in group:
            each.together, each.discounter = group, discounter


def draws_daily(catalog: Catalog, part: Part) -> bool:
    """Whether what the part comes to cannot fall but by a void or a value below zero."""
    profile = catalog.profiles[part.charge.profile_id]
    return (
        bool(part.rows and part.slices)
        and profile.aggregation in GROWING
        and part.charge.pricing_model != "volume"
        and profile.multiplier >= 0
        and part.pool is None
    )


def daily_part(catalog: Catalog, part: Part, usages: list[Usage]) -> DailyPart:
    """The part with the usage that is ever its own; `usages` are the customer's."""
    period, found = part.period, DailyPart(catalog, part)
    for usage in usages:
        event, at = usage.event, usage.event.occurred_at
        if usage.profile.profile_id != part.charge.profile_id or not part.holds(at):
            continue
        # Days are known at their ends: what came and went within one was never there.
        if event.voided_at is not None and event.voided_at.date() <= event.loaded_at.date():
            continue
        if not any(begin <= at < end for begin, end in part.slices):
            continue
        row = choose_row(part.rows, usage)
        owner, charges, _ = resolve(catalog, usage, at, period.cutoff_at)
        is_own = owner is period.subscription and any(
            charge.charge_id == part.charge.charge_id for charge in charges
        )
        if row is not None and is_own:
            day = max(local_date(at, period.time_zone), period.from_date)
            found.usages.append((usage, row, day))
    return found
