"""What lines ask of credits: targets by usage day, moment by moment (section 3, *Credits*).

A moment is (posting day, k): 0 is the day's usage as it is loaded, 1 what closes at the midnight
after it, k = 1 + its order what an action posts then. A target says of a line how much credits may
have paid of each usage day.
"""

from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction

from .actions import MARKED
from .catalog import Catalog, PriceRow, Subscription
from .clock import DAY, local_date, midnight_after
from .corrections import line_key
from .credit_usage import ZERO, DailyPart, Target, complete
from .credit_versions import Version
from .invoices import Invoice, Line
from .parts import MICROSECOND, Part
from .periods import Period, corrected_until

Moment = tuple[date, int]
FEES = ("recurring", "one_time")
RANKS = {"recurring": 1, "one_time": 1, "usage": 2, "minimum": 2, "true_up": 3, "overage": 3}


@dataclass(frozen=True)
class Asked:
    """A line, as grants and the order of draws see it."""

    key: str
    subscription_id: str
    currency: str
    product_id: str
    meter: str
    kind: str
    order: tuple


@dataclass(frozen=True)
class Change:
    """A line's target before and after a moment."""

    line: Asked
    invoice_id: str
    before: Target
    after: Target


def asked_line(
    catalog: Catalog,
    subscription: Subscription,
    key: str,
    line: Line,
) -> Asked:
    charge = line.charge
    return Asked(
        key=key,
        subscription_id=subscription.subscription_id,
        currency=line.unit or subscription.currency,
        product_id=catalog.plans[line.plan_id].product_id,
        meter=charge.profile_id.rpartition("@")[0] if charge else "",
        kind=line.kind,
        order=(
            RANKS[line.kind],
            subscription.subscription_id.encode(),
            charge.position if charge else 0,
            line.charge_id.encode(),
            line.part_number,
            line.kind == "minimum",
            line.price_position or 0,
            (line.dimension_values or "").encode(),
            key.encode(),
        ),
    )


def usage_line(catalog: Catalog, part: Part, row: PriceRow) -> Asked:
    """The line of a price row that no document has yet."""
    subscription, charge = part.period.subscription, part.charge
    name, number = subscription.subscription_id, part.period.number
    key = f"{name}/{number}/{charge.charge_id}/usage"
    key += f".{part.number}" if part.number > 1 else ""
    key += f"/{row.dimension_values}" if row.dimension_values else ""
    values = row.dimension_values.encode()
    place = (charge.position, charge.charge_id.encode(), part.number, False, row.position, values)
    return Asked(
        key=key,
        subscription_id=name,
        currency=part.asset,
        product_id=catalog.plans[charge.plan_id].product_id,
        meter=charge.profile_id.rpartition("@")[0],
        kind="usage",
        order=(RANKS["usage"], name.encode(), *place, key.encode()),
    )


# -- one subscription's changes ------------------------------------------------------------------


@dataclass
class LineState:
    """What a line has come to so far.

    `vector` is what its usage days came to when it was rated last, if a grant was known then.
    """

    line: Asked
    own_day: date
    net: Fraction = ZERO
    vector: Target | None = None
    #: The document of its period, as long as it draws day by day.
    invoice_id: str = ""
    is_closed: bool = False
    begins: datetime | None = None
    charge_id: str = ""


class Demand:
    """The changes of one subscription's targets, in order of moments."""

    def __init__(
        self,
        subscription: Subscription,
        versions: list[Version],
        documents: list[Invoice],
        asset: str,
        known_from: date,
        as_of_at: datetime,
    ) -> None:
        self.subscription = subscription
        #: Lines priced in this currency or unit ask; others do not.
        self.asset = asset
        #: The subscription under the catalogue as it was known; the last one is as known now.
        self.versions = versions
        self.catalog = versions[-1].catalog
        self.periods = versions[-1].periods
        self.documents = [
            one for one in documents if one.status == "final" and one.action != "refund"
        ]
        #: The day on which the first grant became known.
        self.known_from = known_from
        self.as_of_at = as_of_at
        name = subscription.subscription_id
        self.numbers = {f"{name}@{self.periods[1].from_date.isoformat()}": 0}
        self.numbers |= {self.invoice_id(one): one.number for one in self.periods.values()}
        self.numbers |= {one.invoice_id: one.cycle for one in documents if one.cycle is not None}
        self.states: dict[str, LineState] = {}
        #: What is credited of a fee counts with the fee.
        self.credits: dict[str, str] = {}
        self.changes: dict[Moment, list[Change]] = {}

    def invoice_id(self, period: Period) -> str:
        return f"{self.subscription.subscription_id}@{period.to_date.isoformat()}"

    def version_at(self, day: date) -> Version:
        return next(one for one in reversed(self.versions) if one.since <= day)

    def is_open(self, period: Period, day: date) -> bool:
        return midnight_after(at_midnight(day)) <= min(period.cutoff_at, self.as_of_at)

    def make(self) -> dict[Moment, list[Change]]:
        """Day by day: usage as it is loaded, and what else is known by now; then documents."""
        loads: dict[date, list[tuple[DailyPart, date]]] = {}
        posts: dict[Moment, list[Invoice]] = {}
        for version in self.versions:
            if version.since != date.min:
                loads.setdefault(version.since, [])
            for _, daily in sorted(version.parts.items(), key=lambda item: item[0]):
                period = daily.part.period
                if daily.part.asset != self.asset:
                    continue
                if period.cutoff_at <= self.as_of_at:
                    posts.setdefault(((period.cutoff_at - DAY).date(), 1), [])
                for loaded, since in daily.touched().items():
                    is_its = self.version_at(loaded) is version
                    if is_its and loaded != version.since and self.is_open(period, loaded):
                        loads.setdefault(loaded, []).append((daily, since))
        for document in self.documents:
            order = 1 + document.action_order if document.action else 1
            posts.setdefault(((document.cutoff - DAY).date(), order), []).append(document)
        for moment in sorted({(day, 0) for day in loads} | posts.keys()):
            if moment[1] == 0:
                version = self.version_at(moment[0])
                if version.since == moment[0]:
                    self.begin(moment, version)
                for daily, since in loads[moment[0]]:
                    self.load(moment, version, daily, since)
            else:
                self.post(moment, posts[moment])
        return self.changes

    def begin(self, moment: Moment, version: Version) -> None:
        """Another catalogue is known: what is open is rated by it."""
        rated = set()
        for daily in version.parts.values():
            is_its = daily.part.asset == self.asset
            if is_its and self.is_open(daily.part.period, moment[0]):
                rated |= self.load(moment, version, daily, date.min)
        for key, state in self.states.items():
            if key not in rated and not state.is_closed and state.vector:
                self.move(moment, state, state.invoice_id, state.vector, {})
                state.vector = {}

    def load(self, moment: Moment, version: Version, daily: DailyPart, since: date) -> set[str]:
        """A part as known at the end of a day, from a usage day on; the keys of its lines."""
        daily.work_out(midnight_after(at_midnight(moment[0])), since)
        part, keys = daily.part, set()
        for row in daily.rows:
            target = daily.targets().get(row.dimension_values)
            if target is None:
                continue
            line = usage_line(version.catalog, part, row)
            state = self.states.setdefault(
                line.key, LineState(line, self.last_day(part.period, part.end))
            )
            if state.is_closed:
                continue
            keys.add(line.key)
            state.invoice_id = self.invoice_id(part.period)
            self.move(moment, state, state.invoice_id, state.vector or {}, target)
            state.vector = target
        return keys

    def move(
        self, moment: Moment, state: LineState, invoice_id: str, before: Target, after: Target
    ) -> None:
        change = Change(state.line, invoice_id, before, after)
        self.changes.setdefault(moment, []).append(change)

    def last_day(self, period: Period, end: datetime) -> date:
        return max(local_date(end - MICROSECOND, period.time_zone), period.from_date)

    def own_day(self, line: Line) -> date:
        """Where what no usage day has is: a fee in advance at its begin, all else at its end."""
        if line.charge and line.kind in FEES and line.charge.timing == "advance":
            return line.from_date
        at = line.period_to - MICROSECOND
        period = next(
            (one for one in reversed(list(self.periods.values())) if one.period_from <= at),
            self.periods[1],
        )
        return self.last_day(period, line.period_to)

    # -- documents -----------------------------------------------------------------------------

    def post(self, moment: Moment, documents: list[Invoice]) -> None:
        """What closes, is corrected or done at a moment: nets first, then targets."""
        before: dict[str, Fraction] = {}
        where: dict[str, str] = {}
        kinds: dict[str, str] = {}
        lines = [(document, line) for document in documents for line in document.lines]
        lines.sort(key=lambda pair: pair[1].kind == "credit")
        for document, line in lines:
            if line.kind in ("disputed", "resolved", "refunded"):
                continue
            if (line.unit or self.subscription.currency) != self.asset:
                continue
            key = self.key_of(document, line)
            if line.kind == "credit":
                key = self.fee_of(key, line)
                if key is None:
                    continue
            elif key not in self.states:
                asked = asked_line(self.catalog, self.subscription, key, line)
                self.states[key] = LineState(asked, self.own_day(line))
            state = self.states[key]
            if line.kind in FEES and state.begins is None:
                state.begins, state.charge_id = line.period_from, line.charge_id
            before.setdefault(key, state.net)
            state.net += Fraction(line.unit_total if line.unit else line.line_total)
            # Where a fee and its credit are posted at once, the fee's own document has it.
            if line.kind == "credit" and key in where:
                continue
            where[key] = document.invoice_id
            how = "own" if not line.adjusts else document.action or "correction"
            kinds[key] = "credited" if line.kind == "credit" else how
        for key in sorted(where, key=str.encode):
            self.settle(moment, key, before[key], kinds[key], where[key])
        self.give_up(moment)

    def key_of(self, document: Invoice, line: Line) -> str:
        if line.kind in MARKED:
            return self.credited_key(document)
        number = self.numbers[line.adjusts] if line.adjusts else document.cycle
        return line_key(self.subscription.subscription_id, number, line)[1]

    def credited_key(self, document: Invoice) -> str:
        """The key of the own line that the action of a document credits."""
        line_ids = {
            f"{one.line_id.rpartition('#')[0]}.{one.action}.{one.action_id}": one.line_id
            for one in self.catalog.actions
            if one.line_id
        }
        line_id = line_ids[document.invoice_id]
        for own in self.documents:
            for line in own.lines:
                if line.line_id == line_id and not line.adjusts:
                    key = self.key_of(own, line)
                    return self.credits.get(key, key)
        raise AssertionError(f"no line {line_id}")

    def fee_of(self, key: str, line: Line) -> str | None:
        """The fee that a credit is of: of its charge, the last one begun before the credit."""
        if key not in self.credits:
            fees = [
                (state.begins, one)
                for one, state in self.states.items()
                if state.begins is not None
                and state.charge_id == line.charge_id
                and state.begins < line.period_from
            ]
            if not fees:
                return None
            self.credits[key] = max(fees, key=lambda fee: (fee[0], fee[1].encode()))[1]
        return self.credits[key]

    def settle(
        self, moment: Moment, key: str, net_before: Fraction, how: str, invoice_id: str
    ) -> None:
        """The target before and after a line's net has changed."""
        state = self.states[key]
        state.is_closed = True
        vector = state.vector or {}
        if how in ("correction", "reissue"):
            vector = self.rated_again(key, moment)
        # Where none was kept, only what changes of the net is asked for.
        kept = vector if state.vector is None else state.vector
        before = kept if how == "own" else complete(kept, net_before, state.own_day)
        after = complete(vector, state.net, state.own_day)
        self.move(moment, state, invoice_id, before, after)
        if how in ("own", "correction", "reissue"):
            state.vector = vector if self.known_from <= moment[0] else None

    def rated_again(self, key: str, moment: Moment) -> Target:
        known_until = midnight_after(at_midnight(moment[0]))
        version = self.version_at(moment[0])
        for daily in version.parts.values():
            for row in daily.rows:
                if usage_line(version.catalog, daily.part, row).key == key:
                    ends = corrected_until(version.catalog, daily.part.period)
                    return daily.target_known(row.dimension_values, min(known_until, ends))
        return {}

    def give_up(self, moment: Moment) -> None:
        """What asked day by day and is no line of what its period closed with asks nothing."""
        if moment[1] != 1:
            return
        version = self.version_at(moment[0])
        for daily in version.parts.values():
            if (daily.part.period.cutoff_at - DAY).date() != moment[0]:
                continue
            for row in daily.rows:
                state = self.states.get(usage_line(version.catalog, daily.part, row).key)
                if state is not None and not state.is_closed:
                    before, state.is_closed = state.vector or {}, True
                    self.move(moment, state, state.invoice_id, before, {})
                    state.vector = None


def at_midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)
