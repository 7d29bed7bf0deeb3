"""Parts and slices of usage charges (section 3, *Plans*): where a charge's own terms change.

A part runs from a period's or plan phase's start to the next one at which the charge's price, tiers
or allowance are others; a slice is what the pauses leave of it.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from fractions import Fraction

from .amounts import QUANTITY_DIGITS, exponent, half_away
from .catalog import Allowance, Catalog, Charge, Limit, PriceRow, UnitRate
from .changes import Life, Phase
from .periods import Period
from .prices import limit_of, moment_of, price_rows
from .units import rates_at

MICROSECOND = timedelta(microseconds=1)
ADDITIVE = ("sum", "count", "weighted_sum")
ONE = Fraction(1)


@dataclass(frozen=True)
class Candidate:
    """A usage charge of one plan phase within one period, with the terms in force."""

    phase: Phase
    charge: Charge
    begin: datetime
    end: datetime
    rows: tuple[PriceRow, ...]
    limit: Limit | None
    allowance: Allowance | None


@dataclass(frozen=True)
class Part:
    """A stretch of a period in which a usage charge is rated alone."""

    period: Period
    number: int
    phase: Phase
    charge: Charge
    aggregation: str
    begin: datetime
    end: datetime
    begin_date: date
    end_date: date
    rows: tuple[PriceRow, ...]
    limit: Limit | None
    pool: Allowance | None
    slices: tuple[tuple[datetime, datetime], ...]
    is_split: bool
    #: Of a charge that is priced in a unit of credit.
    unit: UnitRate | None = None

    @property
    def asset(self) -> str:
        """The currency or the unit of credit that it is priced in."""
        return self.unit.unit if self.unit else self.period.subscription.currency

    @property
    def exponent(self) -> int:
        return self.unit.exponent if self.unit else exponent(self.asset)

    def holds(self, instant: datetime) -> bool:
        return self.begin <= instant < self.end

    def share_by(self, proration: str) -> Fraction:
        """The part's days, or microseconds, over those of the full cycle."""
        period = self.period
        if proration == "seconds":
            full = (period.cycle_to - period.cycle_from) // MICROSECOND
            return Fraction((self.end - self.begin) // MICROSECOND, full)
        full = (period.cycle_to_date - period.cycle_from_date).days
        return Fraction((self.end_date - self.begin_date).days, full)

    @property
    def share(self) -> Fraction:
        if not self.is_split and self.charge.proration == "none":
            return ONE
        return self.share_by(self.charge.proration)

    @property
    def is_rated_in_full(self) -> bool:
        """Whether the amount is multiplied by the share, and not what goes into it."""
        return self.aggregation not in ADDITIVE and self.charge.pricing_model != "dynamic"

    @property
    def amount_factor(self) -> Fraction:
        return self.share if self.is_rated_in_full and self.charge.split != "full" else ONE

    @property
    def fee_factor(self) -> Fraction:
        return ONE if self.is_rated_in_full else self.share

    @property
    def own_allowance(self) -> Fraction:
        return half_away(self.charge.allowance * self.fee_factor, QUANTITY_DIGITS)

    @property
    def pool_quantity(self) -> Fraction:
        """What the part brings to its shared allowance."""
        is_prorated = self.is_split or self.pool.proration != "none"
        share = self.share_by(self.pool.proration) if is_prorated else ONE
        return half_away(self.pool.quantity * share, QUANTITY_DIGITS)

    def limit_total(self, total: Fraction | None) -> Fraction | None:
        if total is None:
            return None
        return half_away(total * self.share, exponent(self.period.subscription.currency))


def list_candidates(catalog: Catalog, life: Life, period: Period) -> list[list[Candidate]]:
    """The candidates of each plan phase of a period, in time."""
    found = []
    rates = rates_at(catalog, period.subscription.currency, period)
    for phase in life.phases_in(period.period_from, period.period_to):
        begin = max(period.period_from, phase.begin)
        end = period.period_to if phase.end is None else min(period.period_to, phase.end)
        own = []
        for charge in catalog.charges.get(phase.plan_id, []):
            if charge.charge_type != "usage" or charge.recorded_at > begin:
                continue
            moment = moment_of(
                life,
                phase,
                charge,
                (begin, period.date_of(begin)),
                (end, period.time_zone),
                period.cutoff_at,
            )
            moment = replace(moment, units=frozenset(rates))
            own.append(
                Candidate(
                    phase=phase,
                    charge=charge,
                    begin=begin,
                    end=end,
                    rows=tuple(price_rows(catalog, charge, moment)),
                    limit=limit_of(catalog, charge, moment),
                    allowance=next(
                        (
                            one
                            for one in catalog.allowances.get(phase.plan_id, [])
                            if charge.charge_id in one.charge_ids
                        ),
                        None,
                    ),
                )
            )
        found.append(own)
    return found


def own_terms(candidate: Candidate | None) -> tuple | None:
    """What must not change inside a part."""
    if candidate is None:
        return None
    charge, limit = candidate.charge, candidate.limit
    return (
        charge.profile_id,
        charge.pricing_model,
        charge.allowance,
        charge.flat_fee_at_zero,
        charge.proration,
        charge.split,
        [(row.dimension_values, row.position, row.bands) for row in candidate.rows],
        limit and (limit.minimum, limit.maximum),
    )


def allowance_terms(allowance: Allowance | None) -> tuple | None:
    if allowance is None:
        return None
    return (
        allowance.allowance_id,
        set(allowance.charge_ids),
        allowance.quantity,
        allowance.proration,
        allowance.rollover_periods,
        allowance.rollover_cap,
        allowance.is_pooled,
    )


def find(candidates: list[Candidate], charge_id: str) -> Candidate | None:
    return next((one for one in candidates if one.charge.charge_id == charge_id), None)


def is_same(charge_id: str, before: list[Candidate], after: list[Candidate]) -> bool:
    """Whether a charge goes on unchanged from one phase to the next."""
    here, there = find(before, charge_id), find(after, charge_id)
    if own_terms(here) != own_terms(there):
        return False
    if allowance_terms(here.allowance) != allowance_terms(there.allowance):
        return False
    others = here.allowance.charge_ids if here.allowance else ()
    return all(own_terms(find(before, one)) == own_terms(find(after, one)) for one in others)


def list_parts(catalog: Catalog, life: Life, period: Period) -> list[Part]:
    """Parts of all usage charges of a period, charge by charge in time; worked out once."""
    if period.number not in life.parts:
        life.parts[period.number] = split_charges(catalog, life, period)
    return life.parts[period.number]


def split_charges(catalog: Catalog, life: Life, period: Period) -> list[Part]:
    """The parts of `list_parts`."""
    by_phase = list_candidates(catalog, life, period)
    charge_ids = {one.charge.charge_id for own in by_phase for one in own}
    rates = rates_at(catalog, period.subscription.currency, period)
    parts = []
    for charge_id in sorted(charge_ids):
        runs: list[list[Candidate]] = []
        for place, own in enumerate(by_phase):
            candidate = find(own, charge_id)
            if candidate is None:
                continue
            before = by_phase[place - 1] if place else []
            if find(before, charge_id) is not None and is_same(charge_id, before, own):
                runs[-1].append(candidate)
            else:
                runs.append([candidate])
        is_everywhere = all(find(own, charge_id) is not None for own in by_phase)
        is_split = len(runs) > 1 or not is_everywhere
        for number, run in enumerate(runs, start=1):
            first, last = run[0], run[-1]
            begin_date = period.date_of(first.begin)
            parts.append(
                Part(
                    period=period,
                    number=number,
                    phase=first.phase,
                    charge=first.charge,
                    aggregation=catalog.profiles[first.charge.profile_id].aggregation,
                    begin=first.begin,
                    end=last.end,
                    begin_date=begin_date,
                    end_date=max(begin_date, period.date_of(last.end)),
                    rows=first.rows,
                    limit=first.limit,
                    pool=first.allowance,
                    slices=tuple(life.slices(first.begin, last.end)),
                    is_split=is_split,
                    unit=rates.get(first.rows[0].currency) if first.rows else None,
                )
            )
    return parts
