"""Prepaid credits: what grants pay of lines, posted day by day (section 3, *Credits*).

Everything is worked out from the documents of a bill and the usage behind them, for customers
that have grants. What is posted on a day never changes.
"""

from collections.abc import Callable, Container
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from fractions import Fraction

from .amounts import exponent, fixed, half_away
from .catalog import Catalog, Rows
from .credit_demand import Asked, Change, Demand, Moment
from .credit_grants import Grant, Transfer, read_grants
from .credit_versions import catalogs_of, version_of
from .invoices import TOTAL_DIGITS, Invoice
from .metering import Usage
from .units import rates_at

ZERO = Fraction(0)
#: What a document shows of credits.
SHOWN = ("draw", "give_back", "to_balance")


@dataclass(frozen=True)
class Entry:
    """One posting. `amount` is what it does to the grant's balance; k is 0 for a grant, and None
    for what comes after the day's last moment.
    """

    posted_date: date
    moment: int | None
    grant_id: str
    customer_id: str
    currency: str
    kind: str
    amount: Fraction
    line_key: str = ""
    usage_date: date | None = None
    invoice_id: str = ""


@dataclass(frozen=True)
class Balance:
    """A grant's balance at the end of a day on which it is not zero, or moved."""

    balance_date: date
    grant_id: str
    customer_id: str
    wallet: str
    currency: str
    total: Fraction


@dataclass
class Credits:
    """Entries in the order in which they post, and the grants that they are about."""

    grants: dict[str, Grant] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    #: Every change of a line's target, for tests to look at.
    changes: list[tuple[Moment, Change]] = field(default_factory=list)

    def totals(self, units: Container[str]) -> dict[str, Fraction]:
        """What credits in money pay of each document."""
        found: dict[str, Fraction] = {}
        for entry in self.entries:
            if entry.kind in SHOWN and entry.currency not in units:
                found[entry.invoice_id] = found.get(entry.invoice_id, ZERO) - entry.amount
        return found

    def covered(self, unit: str) -> dict[tuple[str, str], Fraction]:
        """Units that credits cover of a line on a document."""
        found: dict[tuple[str, str], Fraction] = {}
        for entry in self.entries:
            if entry.kind in SHOWN and entry.currency == unit:
                place = (entry.line_key, entry.invoice_id)
                found[place] = found.get(place, ZERO) - entry.amount
        return found

    def balances(self, as_of_day: date) -> list[Balance]:
        """Balances by grant and day, through the as-of day."""
        moved: dict[str, dict[date, Fraction]] = {}
        for entry in self.entries:
            own = moved.setdefault(entry.grant_id, {})
            own[entry.posted_date] = own.get(entry.posted_date, ZERO) + entry.amount
        found = []
        for grant_id, own in moved.items():
            grant, balance, day = self.grants[grant_id], ZERO, min(own)
            while day <= as_of_day:
                balance += own.get(day, ZERO)
                if balance or day in own:
                    owner = (grant.customer_id, grant.wallet, grant.currency)
                    found.append(Balance(day, grant_id, *owner, balance))
                day += timedelta(days=1)
        return found


class Purse:
    """The grants of one customer and currency."""

    def __init__(self, grants: list[Grant], transfers: list[Transfer]) -> None:
        self.grants = {one.grant_id: one for one in sorted(grants, key=lambda one: one.order)}
        self.transfers = transfers
        self.left = dict.fromkeys(self.grants, ZERO)
        #: What each grant has paid of a line's usage day.
        self.drawn: dict[tuple[str, date], dict[str, Fraction]] = {}
        self.entries: list[Entry] = []

    def enter(
        self,
        day: date,
        moment: int | None,
        grant: Grant,
        kind: str,
        amount: Fraction,
        line: tuple = (),
    ) -> None:
        if amount == 0:
            return
        self.left[grant.grant_id] += amount
        owner = (grant.grant_id, grant.customer_id, grant.currency)
        self.entries.append(Entry(day, moment, *owner, kind, amount, *line))

    def run(self, changes: dict[Moment, list[Change]], as_of_day: date) -> None:
        days = {moment[0] for moment in changes}
        days |= {one.posting for one in self.transfers}
        for grant in self.grants.values():
            days |= {grant.first_posting, grant.expiry_posting, grant.voided_on}
        for day in sorted(one for one in days if one is not None and one <= as_of_day):
            for grant in self.grants.values():
                if grant.first_posting == day:
                    self.enter(day, 0, grant, "grant", grant.amount)
            for moment in sorted(one for one in changes if one[0] == day):
                self.post(moment, changes[moment])
            self.move(day)
            self.roll_over(day)
            self.end(day)

    def post(self, moment: Moment, changes: list[Change]) -> None:
        """Give-backs of a moment, then its demands: by usage day, then line."""
        day, order = moment
        demands: list[tuple[date, tuple, Change, Fraction]] = []
        for change in sorted(changes, key=lambda one: one.line.order):
            for usage_date in sorted(change.before.keys() | change.after.keys()):
                now = change.after.get(usage_date, ZERO)
                delta = now - change.before.get(usage_date, ZERO)
                if delta < 0:
                    self.give_back(day, order, change, usage_date, now)
                elif delta > 0:
                    demands.append((usage_date, change.line.order, change, delta))
        for usage_date, _, change, delta in sorted(demands, key=lambda one: one[:2]):
            self.draw(day, order, change, usage_date, delta)

    def give_back(
        self, day: date, order: int, change: Change, usage_date: date, now: Fraction
    ) -> None:
        """What credits paid above the target: the grants that pay last get it first."""
        drawn = self.drawn.get((change.line.key, usage_date), {})
        over = sum(drawn.values(), ZERO) - now
        place = (change.line.key, usage_date, change.invoice_id)
        for grant in reversed(self.grants.values()):
            amount = min(over, drawn.get(grant.grant_id, ZERO))
            if amount <= 0:
                continue
            over -= amount
            drawn[grant.grant_id] -= amount
            self.enter(day, order, grant, "give_back", amount, place)
            if grant.is_over(day):
                kind = "to_balance" if grant.is_paid else "expiry"
                self.enter(day, order, grant, kind, -amount, place)

    def draw(
        self, day: date, order: int, change: Change, usage_date: date, asked: Fraction
    ) -> None:
        drawn = self.drawn.setdefault((change.line.key, usage_date), {})
        place = (change.line.key, usage_date, change.invoice_id)
        for grant in self.grants.values():
            if not (covers(grant, change.line) and grant.has_day(usage_date)):
                continue
            if not grant.can_post(day):
                continue
            amount = min(asked, self.left[grant.grant_id])
            if amount <= 0:
                continue
            asked -= amount
            drawn[grant.grant_id] = drawn.get(grant.grant_id, ZERO) + amount
            self.enter(day, order, grant, "draw", -amount, place)

    def move(self, day: date) -> None:
        """Transfers of a day, in order."""
        for one in self.transfers:
            if one.posting != day:
                continue
            sides = [self.grants[one.grant_id], self.grants[one.to_grant_id]]
            if any(grant.is_over(day) for grant in sides):
                continue
            amount = min(one.amount, self.left[one.grant_id])
            self.enter(day, None, sides[0], "transfer", -amount)
            self.enter(day, None, sides[1], "transfer", amount)

    def roll_over(self, day: date) -> None:
        """What goes on into the next occurrence when one ends in time."""
        for grant in self.grants.values():
            after = self.grants.get(grant.next_id)
            if grant.last_day != day or after is None or grant.first_posting > day:
                continue
            if grant.voided_on is not None and grant.voided_on <= day:
                continue
            if after.voided_on is not None and after.voided_on < day:
                continue
            amount = min(self.left[grant.grant_id], grant.rollover_cap)
            self.enter(day, None, grant, "transfer", -amount)
            self.enter(day, None, after, "transfer", amount)

    def end(self, day: date) -> None:
        for grant in self.grants.values():
            if grant.voided_on == day:
                self.enter(day, None, grant, "void", -self.left[grant.grant_id])
        for grant in self.grants.values():
            if grant.expiry_posting == day:
                self.enter(day, None, grant, "expiry", -self.left[grant.grant_id])


def covers(grant: Grant, line: Asked) -> bool:
    """Whether a grant may pay a line at all."""
    if line.kind in ("true_up", "overage") and not grant.covers_true_up:
        return False
    own = {
        "all": "",
        "subscription": line.subscription_id,
        "product": line.product_id,
        "meter": line.meter,
    }
    return grant.currency == line.currency and grant.scope_id == own[grant.scope]


def add_money(
    totals: dict[str, Fraction],
    demand: Demand,
    documents: list[Invoice],
    covered: dict[tuple[str, str], Fraction],
) -> None:
    """What credits in a unit pay of each document of a subscription: of a line, its worth less the
    worth of what no grant covers, as it stands with the document, less the same before it.
    """
    used: dict[tuple[str, str], Fraction] = {}
    for document in documents:
        for line in document.lines:
            if line.unit == demand.asset and line.kind == "usage":
                place = (demand.key_of(document, line), document.invoice_id)
                used[place] = used.get(place, ZERO) + Fraction(line.unit_total)
    name = demand.subscription.subscription_id
    own = [one for one in documents if one.action != "refund"]
    own.sort(key=lambda one: (one.cutoff, one.action_order))
    ids = {one.invoice_id for one in own}
    keys = {key for key, invoice_id in used.keys() | covered.keys() if invoice_id in ids}
    for key in keys:
        number = int(key[len(name) + 1 :].partition("/")[0])
        worth = worth_of(demand, number)
        all_used, all_covered, before = ZERO, ZERO, ZERO
        for document in own:
            place = (key, document.invoice_id)
            all_used += used.get(place, ZERO)
            all_covered += covered.get(place, ZERO)
            paid = worth(all_used) - worth(all_used - all_covered)
            totals[document.invoice_id] = totals.get(document.invoice_id, ZERO) + paid - before
            before = paid


def worth_of(demand: Demand, number: int) -> Callable[[Fraction], Fraction]:
    """What so many units are worth in a period, rounded."""
    currency = demand.subscription.currency
    rate = rates_at(demand.catalog, currency, demand.periods[number])[demand.asset].rate
    return lambda units: half_away(units * rate, exponent(currency))


def draw_credits(
    catalog: Catalog,
    rows: Rows,
    usages: dict[str, list[Usage]],
    invoices: list[Invoice],
    as_of_at: datetime,
) -> Credits:
    """All entries through a midnight, given the documents of all customers and their usage.

    Writes on each document what credits pay of it.
    """
    found = Credits()
    found.grants, transfers = read_grants(rows, as_of_at)
    as_of_day = (as_of_at - timedelta(days=1)).date()
    purses: dict[tuple[str, str], list[Grant]] = {}
    for grant in found.grants.values():
        purses.setdefault((grant.customer_id, grant.currency), []).append(grant)
    documents: dict[str, list[Invoice]] = {}
    for invoice in invoices:
        documents.setdefault(invoice.subscription_id, []).append(invoice)
    priced: list[tuple[Demand, list[Invoice]]] = []
    for (customer_id, currency), grants in sorted(purses.items()):
        known_from = min(one.recorded_on for one in grants)
        changes: dict[Moment, list[Change]] = {}
        used = usages.get(customer_id, [])
        catalogs = catalogs_of(catalog, rows, customer_id, used, as_of_at)
        for subscription in catalog.subscriptions_of(customer_id):
            own = documents.get(subscription.subscription_id, [])
            asked = (subscription.currency, *catalog.units)
            if currency not in asked or subscription.starts_at >= as_of_at:
                continue
            versions = [
                version_of(since, known, subscription, used, as_of_at) for since, known in catalogs
            ]
            demand = Demand(subscription, versions, own, currency, known_from, as_of_at)
            for moment, made in demand.make().items():
                changes.setdefault(moment, []).extend(made)
            if currency in catalog.units:
                priced.append((demand, own))
        ids = {one.grant_id for one in grants}
        purse = Purse(grants, [one for one in transfers if one.grant_id in ids])
        purse.run(changes, as_of_day)
        found.entries += purse.entries
        found.changes += [(moment, one) for moment in sorted(changes) for one in changes[moment]]
    found.entries.sort(key=lambda entry: entry.posted_date)
    totals = found.totals(catalog.units)
    for demand, own in priced:
        add_money(totals, demand, own, found.covered(demand.asset))
    for invoice in invoices:
        invoice.credits_total = fixed(totals.get(invoice.invoice_id, ZERO), TOTAL_DIGITS)
    return found
