"""Recurring and one-time fees: stretches of equal price and seats, and what is credited (*Plans*).

Inside a fee period every change that the fee feels is a *boundary*. In advance a boundary that was
known in time stands on the invoice that begins the fee period; one known later leaves the bill as
it was and is made good on a later invoice: a credit of what is unused, and the new fee from there.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from fractions import Fraction

from .amounts import exponent, half_away
from .catalog import Catalog, Charge, PriceRow, Subscription
from .changes import Phase, Term, life_of
from .clock import local_date
from .periods import (
    FeePeriod,
    Period,
    cutoff,
    cycles_of,
    known_at,
    list_fee_periods,
    list_periods,
    period_holding,
)
from .prices import moment_of, price_rows

MICROSECOND = timedelta(microseconds=1)
Track = tuple[str, str, int]


@dataclass
class FeeLine:
    """One bill line of a fee; `period_number` is that of the period which holds its start."""

    charge: Charge
    invoice_index: int
    period_number: int
    begin: datetime
    end: datetime
    begin_date: date
    end_date: date
    quantity: Fraction
    unit_price: Fraction
    amount: Fraction
    total: Fraction


@dataclass
class FeeCredit:
    """What a bill line turned out not to be worth; `used_total` is before discounts.

    `period_number` is that of the period which the change cut or ended.
    """

    billed: FeeLine
    invoice_index: int
    period_number: int
    begin: datetime
    end: datetime
    begin_date: date
    used_total: Fraction


@dataclass(frozen=True)
class State:
    """What a fee is at an instant; two are equal if price, quantity and proration are."""

    unit_price: Fraction
    quantity: Fraction
    charge: Charge

    def same(self, other: "State | None") -> bool:
        return other is not None and self.terms == other.terms

    @property
    def terms(self) -> tuple:
        return (self.unit_price, self.quantity, self.charge.proration)


@dataclass(frozen=True)
class Boundary:
    """Posted on an invoice not before those of earlier boundaries; its own is `known_index`."""

    instant: datetime
    day: date
    state: State | None
    invoice_index: int
    known_index: int


def track_of(charge: Charge) -> Track:
    return (charge.charge_id, charge.timing, charge.every_cycles)


def recurring(catalog: Catalog, phase: Phase, track: Track) -> Charge | None:
    """The phase's charge on a track."""
    return next(
        (
            charge
            for charge in catalog.charges.get(phase.plan_id, [])
            if charge.charge_type == "recurring" and track_of(charge) == track
        ),
        None,
    )


class FeeRater:
    """Fees of one subscription."""

    def __init__(self, catalog: Catalog, subscription: Subscription, periods: list[Period]) -> None:
        self.catalog = catalog
        self.subscription = subscription
        self.life = life_of(catalog, subscription)
        self.periods = periods
        self.far = periods
        self.lines: list[FeeLine] = []
        self.credits: list[FeeCredit] = []

    def rate(self) -> None:
        self.rate_one_time()
        for term in self.life.terms:
            own = [period for period in self.periods if period.term is term]
            tracks: dict[Track, Charge] = {}
            for phase in self.life.phases:
                if phase.begin < term.begin or (term.end and phase.begin >= term.end):
                    continue
                for charge in self.catalog.charges.get(phase.plan_id, []):
                    if charge.charge_type == "recurring":
                        tracks.setdefault(track_of(charge), charge)
            for track, charge in tracks.items():
                for fee in list_fee_periods(self.catalog, self.subscription, charge, own):
                    self.rate_fee_period(term, track, fee)

    def cutoff_of(self, invoice_index: int) -> datetime:
        if invoice_index == 0:
            known = known_at(self.catalog, self.subscription)
            return cutoff(self.subscription.starts_at, known)
        return self.far[invoice_index - 1].cutoff_at

    def zone_at(self, term: Term, instant: datetime) -> str:
        """The zone of the term's cycle that holds an instant."""
        for cycle in cycles_of(self.catalog, self.life, term):
            if instant < cycle.cycle_to:
                return cycle.time_zone
        raise AssertionError("a grid has no end")

    def price(self, phase: Phase, charge: Charge, fee: FeePeriod, index: int) -> PriceRow | None:
        """The price of a charge from its fee period's start, or from its phase's in it."""
        begin = max(fee.fee_from, phase.begin)
        end = fee.fee_to if phase.end is None else min(fee.fee_to, phase.end)
        if charge.recorded_at > begin:
            return None
        term = fee.begin.term
        moment = moment_of(
            self.life,
            phase,
            charge,
            (begin, self.date_at(fee, begin)),
            (end, self.zone_at(term, end - MICROSECOND)),
            self.cutoff_of(index),
        )
        is_ahead = charge.timing == "advance" and moment.instant and moment.instant > fee.fee_from
        if is_ahead and phase.recorded_at < moment.cutoff_at:
            moment = replace(moment, billed_at=moment.cutoff_at)
        rows = price_rows(self.catalog, charge, moment)
        return next((row for row in rows if not row.dimension_values), None)

    def date_at(self, fee: FeePeriod, instant: datetime) -> date:
        """The local date of an instant in a fee period; a boundary of the grid has the grid's."""
        if instant == fee.fee_from:
            return fee.from_date
        if instant == fee.fee_to:
            return fee.to_date
        for cycle in cycles_of(self.catalog, self.life, fee.begin.term):
            if instant == cycle.begin:
                return cycle.begin_date
            if instant < cycle.cycle_to:
                return local_date(instant, cycle.time_zone)
        raise AssertionError("a grid has no end")

    def rate_one_time(self) -> None:
        """Once with the first period, in full, by the first phase's plan."""
        phase = self.life.phases[0]
        for charge in self.catalog.charges.get(phase.plan_id, []):
            if charge.charge_type != "one_time":
                continue
            for fee in list_fee_periods(self.catalog, self.subscription, charge, self.periods):
                row = self.price(phase, charge, fee, fee.invoice_index)
                if row is None:
                    continue
                amount = row.bands[0].unit_price
                # As a fee in advance: to the end that was known when it was billed.
                known_until = self.cutoff_of(fee.invoice_index)
                is_known = not fee.ends_early or fee.begin.term.ended_at < known_until
                self.lines.append(
                    FeeLine(
                        charge=charge,
                        invoice_index=fee.invoice_index,
                        period_number=1,
                        begin=fee.fee_from,
                        end=fee.fee_to if is_known else fee.full_to,
                        begin_date=fee.from_date,
                        end_date=fee.to_date if is_known else fee.full_to_date,
                        quantity=Fraction(1),
                        unit_price=amount,
                        amount=amount,
                        total=self.rounded(amount),
                    )
                )

    def rounded(self, amount: Fraction) -> Fraction:
        return half_away(amount, exponent(self.subscription.currency))

    def invoice_of(
        self, fee: FeePeriod, charge_id: str, instant: datetime, known: datetime | None = None
    ) -> int:
        """The invoice on which a boundary is posted, before those of earlier boundaries."""
        if fee.charge.timing == "arrears" or instant == fee.fee_from:
            return fee.invoice_index
        opened = fee.invoice_index
        started = self.started_before(instant)
        posted = opened
        known = known or self.life.known_at(charge_id, instant)
        if known >= self.cutoff_of(opened):
            closing = [one.number for one in self.far if one.cutoff_at > known]
            posted = max(started, min(closing, default=self.far[-1].number))
        if instant == self.life.trial_to:
            posted = max(posted, opened, started)
        return posted

    def started_before(self, instant: datetime) -> int:
        """The number of the period that an instant cuts or ends."""
        return len([one for one in self.far if one.period_from < instant])

    def state_at(self, track: Track, fee: FeePeriod, instant: datetime) -> State | None:
        """What the fee is: nothing while paused, in trial, without charge or price."""
        phase = self.life.phase_at(instant)
        charge = recurring(self.catalog, phase, track)
        if charge is None or instant < self.life.trial_to:
            return None
        # Past an end that became known when the period had closed.
        if self.life.ends_at is not None and instant >= self.life.ends_at:
            return None
        since = max(fee.fee_from, phase.begin)
        # Without proration neither seats nor pauses inside the fee period are seen.
        seen = since if charge.proration == "none" else instant
        if self.life.is_paused(seen):
            return None
        # A price that applies to what is open asks for the fee period's own invoice.
        row = self.price(phase, charge, fee, fee.invoice_index)
        if row is None:
            return None
        quantity = self.life.quantity_at(charge.charge_id, seen)
        return State(row.bands[0].unit_price, quantity, charge)

    def boundaries(self, track: Track, fee: FeePeriod) -> list[Boundary]:
        """The fee period's begin, every real change of state, and its end if the term ends."""
        life = self.life
        instants = {fee.fee_from, life.trial_to}
        instants |= {phase.begin for phase in life.phases}
        instants |= {instant for instant, _ in life.quantities.get(track[0], [])}
        if life.ends_at is not None:
            instants.add(life.ends_at)
        for pause in life.pauses:
            instants |= {pause.begin} if pause.end is None else {pause.begin, pause.end}
        found: list[Boundary] = []

        def add(instant: datetime, state: State | None, known: datetime | None = None) -> None:
            day = self.date_at(fee, instant)
            posted = known_index = self.invoice_of(fee, track[0], instant, known)
            if found:
                day = max(day, found[-1].day)
                posted = max(posted, found[-1].invoice_index)
            found.append(Boundary(instant, day, state, posted, known_index))

        for instant in sorted(instants):
            if not fee.fee_from <= instant < fee.fee_to:
                continue
            state = self.state_at(track, fee, instant)
            before = found[-1].state if found else None
            if not found or (state is not before and not (state and state.same(before))):
                phase = life.phase_at(instant)
                # Without proration only the plan is seen, so only it can have become known late.
                is_seen = state is None or state.charge.proration != "none"
                known = None if is_seen or phase.begin != instant else phase.recorded_at
                add(instant, state, known)
        if fee.ends_early:
            # What else is said of that instant has nothing left to change.
            add(fee.fee_to, None, fee.begin.term.ended_at)
        return found

    def rate_fee_period(self, term: Term, track: Track, fee: FeePeriod) -> None:
        if self.far[-1].period_to < fee.fee_to:
            self.far = list_periods(self.catalog, self.subscription, fee.fee_to, beyond=1)
        boundaries = self.boundaries(track, fee)
        for place, here in enumerate(boundaries):
            after = boundaries[place + 1] if place + 1 < len(boundaries) else None
            if here.state is None or here.instant >= fee.fee_to:
                continue
            # Billed to the next boundary that its invoice knows, be there others before it.
            known = [
                one for one in boundaries[place + 1 :] if one.known_index <= here.invoice_index
            ]
            end, end_date = fee.full_to, fee.full_to_date
            if known:
                end, end_date = known[0].instant, known[0].day
            is_cut = bool(known) and known[0] is after
            amount = self.prorate(fee, here, end, end_date)
            billed = FeeLine(
                charge=here.state.charge,
                invoice_index=here.invoice_index,
                period_number=period_holding(self.far, here.instant).number,
                begin=here.instant,
                end=end,
                begin_date=here.day,
                end_date=end_date,
                quantity=here.state.quantity,
                unit_price=here.state.unit_price,
                amount=amount,
                total=self.rounded(amount),
            )
            self.lines.append(billed)
            if after is not None and not is_cut and here.state.charge.proration != "none":
                used = self.prorate(fee, here, after.instant, after.day)
                self.credits.append(
                    FeeCredit(
                        billed=billed,
                        invoice_index=after.invoice_index,
                        period_number=self.started_before(after.instant),
                        begin=after.instant,
                        end=billed.end,
                        begin_date=after.day,
                        used_total=self.rounded(used),
                    )
                )

    def prorate(self, fee: FeePeriod, here: Boundary, end: datetime, end_date: date) -> Fraction:
        """Price x quantity from a boundary to an end, by days, by microseconds or in full."""
        price = here.state.unit_price * here.state.quantity
        if here.state.charge.proration == "days":
            return price * max((end_date - here.day).days, 0) / fee.full_days
        if here.state.charge.proration == "seconds":
            used = (end - here.instant) // MICROSECOND
            return price * used / ((fee.full_to - fee.full_from) // MICROSECOND)
        return price


def rate_fees(catalog: Catalog, subscription: Subscription, periods: list[Period]) -> FeeRater:
    """The fees of a subscription's periods; worked out once, for usage does not move them."""
    fees = life_of(catalog, subscription).fees
    if len(periods) not in fees:
        fees[len(periods)] = FeeRater(catalog, subscription, periods)
        fees[len(periods)].rate()
    return fees[len(periods)]
