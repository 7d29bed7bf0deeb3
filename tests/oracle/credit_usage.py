"""What lines of usage come to through each usage day, as known at an instant (*Credits*)."""

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from fractions import Fraction

from .allowances import consume, roll_over, row_order, share_pool, step_of
from .amounts import AMOUNT_LIMIT, QUANTITY_LIMIT, half_away
from .catalog import Catalog, PriceRow
from .clock import DAY, local_date
from .discounts import Discounter
from .metering import Usage
from .parts import Part
from .periods import corrected_until
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
    #: Those that it shares an allowance with, itself among them: of the same time, or of earlier
    #: times that leave it something.
    sharing: list["DailyPart"] = field(default_factory=list)
    #: What others have measured, by when it is known.
    seen: dict[datetime, list[Measured]] = field(default_factory=dict, compare=False)

    @property
    def rows(self) -> list[PriceRow]:
        return list(self.part.rows)

    @property
    def moving(self) -> list[tuple[Usage, PriceRow, date]]:
        """The usage that moves what the part comes to."""
        own = self.together or [self]
        found = {id(each): each for one in own for each in (one, *one.leaving)}
        return [usage for each in found.values() for usage in each.usages]

    @property
    def leaving(self) -> list["DailyPart"]:
        """Those whose usage moves what its allowance has: of a pool all, else none that follow."""
        pool, own = self.part.pool, step_of(self.part)
        return [one for one in self.sharing if pool.is_pooled or step_of(one.part) <= own]

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
        # An allowance is another when a time that leaves something closes, or one begins.
        for one in self.together or [self]:
            for each in one.leaving:
                period = each.part.period
                found[(period.cutoff_at - DAY).date()] = date.min
                found[period.period_from.date()] = date.min
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
        totals: dict[str, Fraction] = dict.fromkeys(self.used_rows(day, known_until), ZERO)
        measured = self.measured_through(day, known_until)
        if part.pool is None:
            measured.sort(key=row_order)
            consume(part.own_allowance, measured)
        elif part.pool.is_pooled:
            self.share(measured, day, known_until)
        else:
            self.carry_over(measured, day, known_until)
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

    def usages_through(self, row: PriceRow, day: date, known_until: datetime) -> list[Usage]:
        return [
            usage
            for usage, its_row, its_day in self.usages
            if its_row is row and its_day <= day and usage.event.loaded_at < known_until
        ]

    def used_rows(self, day: date, known_until: datetime) -> list[str]:
        return [
            row.dimension_values for row in self.rows if self.usages_through(row, day, known_until)
        ]

    def measured_through(self, day: date, known_until: datetime) -> list[Measured]:
        """What each price row measures through a day."""
        part = self.part
        profile = self.catalog.profiles[part.charge.profile_id]
        found = []
        for row in self.rows:
            own = self.usages_through(row, day, known_until)
            if not own:
                continue
            seen = [usage for usage in own if is_visible(usage, known_until)]
            slices = [Slice(part.begin, part.end, inside=seen)]
            quantity = aggregate(profile, slices, part.period, part.end)
            if quantity is None:
                continue
            amount = sum((usage.amount for usage in seen if usage.amount), ZERO)
            if abs(quantity) >= QUANTITY_LIMIT or abs(amount) >= QUANTITY_LIMIT:
                continue
            places = {place_of(usage) for usage in seen}
            found.append(Measured(part, row, quantity, len(seen), amount, places))
        return found

    def whole(self, known_until: datetime) -> list[Measured]:
        """What all days measure, for others to go on from."""
        if known_until not in self.seen:
            self.seen[known_until] = self.measured_through(date.max, known_until)
        return [replace(one, covered=ZERO) for one in self.seen[known_until]]

    def corrected_by(self, known_until: datetime) -> datetime:
        return min(known_until, corrected_until(self.catalog, self.part.period))

    def share(self, own: list[Measured], day: date, known_until: datetime) -> None:
        """The pool of the cycle: all that has begun brings its quantity, and takes in order."""
        begun = [one for one in self.sharing if one.part.period.period_from < known_until]
        measured = list(own)
        for each in begun:
            if each is not self:
                measured += each.measured_through(day, each.corrected_by(known_until))
        share_pool([each.part for each in begun], measured)

    def carry_over(self, own: list[Measured], day: date, known_until: datetime) -> None:
        """What earlier parts leave: as their closes had it, or as known by now if they are open.
        From the close of its own period on a part goes on from all that is known of them."""
        step = step_of(self.part)
        earlier = [one for one in self.sharing if step_of(one.part) < step]
        if known_until >= self.part.period.cutoff_at:
            left = self.left_of(earlier, known_until)
        else:
            closed = [one for one in earlier if one.part.period.cutoff_at <= known_until]
            left = {}
            if closed:
                last = max(closed, key=lambda one: step_of(one.part))
                before = [one for one in earlier if step_of(one.part) <= step_of(last.part)]
                left = self.left_of(before, last.part.period.cutoff_at)
            still = [one for one in earlier if one.part.period.cutoff_at > known_until]
            measured = [one for each in still for one in each.whole(known_until)]
            left = roll_over([each.part for each in still], measured, left)
        members = [one for one in self.sharing if step_of(one.part) == step]
        measured = list(own)
        for each in members:
            if each is not self:
                measured += each.measured_through(day, known_until)
        roll_over([each.part for each in members], measured, left)

    def left_of(self, parts: list["DailyPart"], known_until: datetime) -> dict[int, Fraction]:
        measured = [one for each in parts for one in each.whole(each.corrected_by(known_until))]
        return roll_over([each.part for each in parts], measured)

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
        again.sharing = [again if each is self else each for each in self.sharing]
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
