"""A bill as a pure function of raw events, catalogue and day (section 1, principle 1)."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from fractions import Fraction

from .actions import ordered
from .allowances import cover
from .balances import Owner, settle
from .catalog import Action, Catalog, Rows, Subscription, read_catalog
from .corrections import Cutoffs, Outcomes, correct_customer
from .credits import Credits, draw_credits
from .fee_credits import FeeCredits
from .invoices import Invoice, Line, invoice_subscription, number_invoices
from .knowledge import LateRow, knowledge_stops, late_rows
from .metering import Usage, meter
from .periods import Period, corrected_until, list_periods
from .rating import (
    PeriodUsage,
    choose_row,
    measure_period,
    place_of,
    rate_period,
    resolve,
)
from .staging import Event, stage

Place = tuple[str, int]
#: The reason of an event that several profiles took is the one that came closest to a bill.
RATING_REASONS = (
    "out_of_range",
    "too_late",
    "ambiguous_subscription",
    "no_charge",
    "paused",
    "no_subscription",
    "unknown_subscription",
    "unknown_customer",
)


@dataclass
class Bill:
    """Everything a build through one day makes. Places are (load_id, line_number).

    `accepted` holds voids too: landed = accepted + duplicate + rejects.
    """

    accepted: list[Place]
    duplicate: list[Place]
    rejects: list[tuple[str, int, str]]
    unbilled: list[tuple[str, int, str]]
    invoices: list[Invoice]
    lines: list[Line]
    #: Why each action was refused that was.
    refused: dict[str, str]
    #: By customer, billing entity and currency.
    balances: dict[Owner, Fraction]
    #: What prepaid grants pay.
    credits: Credits


@dataclass
class RatedSubscription:
    """Periods of a subscription and what rating found in the started ones."""

    periods: list[Period]
    rated: dict[int, PeriodUsage]


@dataclass
class Account:
    """What a customer has been billed so far: documents by subscription, and places of events by
    the subscription and number of the period that billed them, or could not.
    """

    documents: dict[str, list[Invoice]] = field(default_factory=dict)
    billed: dict[tuple[str, int], set[Place]] = field(default_factory=dict)
    out_of_range: dict[tuple[str, int], set[Place]] = field(default_factory=dict)
    subscriptions: dict[str, RatedSubscription] = field(default_factory=dict)

    def rated(self, name: str, number: int, found: PeriodUsage) -> None:
        self.billed[name, number] = found.billed
        self.out_of_range[name, number] = found.out_of_range


def actions_by_subscription(
    catalog: Catalog, orders: dict[str, int]
) -> dict[str, list[tuple[int, Action]]]:
    """What is done to the invoices of each subscription, in order, each with its place."""
    found: dict[str, list[tuple[int, Action]]] = {}
    for action in ordered(catalog.actions):
        name = (action.invoice_id or action.line_id).rpartition("@")[0]
        found.setdefault(name, []).append((orders[action.action_id], action))
    return found


def bill_customer(
    catalog: Catalog,
    owned: list[Subscription],
    usages: list[Usage],
    late: list[LateRow],
    account: Account,
    cutoffs: Cutoffs,
    since: datetime,
    as_of_at: datetime,
    outcomes: Outcomes,
) -> None:
    """Close what is due after `since`, by the catalogue as known at `as_of_at`, and draft the rest.

    What has closed by `since` stands in the account, and is corrected by what closes now.
    """
    account.subscriptions = rate_customer(catalog, owned, usages, as_of_at)
    own: dict[str, list[Invoice]] = {}
    closed = {
        (name, period.number)
        for name, rated in account.subscriptions.items()
        for period in rated.periods
        if period.cutoff_at <= since
    }
    # What was a draft then is rated anew, or is no period any more.
    for found in (account.billed, account.out_of_range):
        for key in found.keys() - closed:
            del found[key]
    for one in owned:
        name = one.subscription_id
        rated = account.subscriptions[name]
        for period in rated.periods:
            if period.cutoff_at > since and period.number in rated.rated:
                account.rated(name, period.number, rated.rated[period.number])
        posted = [each for each in account.documents.get(name, []) if each.cutoff <= since]
        own[name] = posted + [
            each
            for each in invoice_subscription(catalog, one, rated.rated, as_of_at)
            if each.cutoff > since
        ]
    again: dict[datetime, dict[str, RatedSubscription]] = {}

    def restate(restated_at: datetime) -> dict[str, list[Invoice]]:
        found = rate_customer(catalog, owned, usages, as_of_at, restated_at)
        again[restated_at] = found
        return {
            one.subscription_id: invoice_subscription(
                catalog, one, found[one.subscription_id].rated, as_of_at
            )
            for one in owned
        }

    def remake(name: str, fees: FeeCredits) -> list[Invoice]:
        subscription = next(one for one in owned if one.subscription_id == name)
        rated = account.subscriptions[name].rated
        corrected = {bill: (fees.gross[bill], net) for bill, net in fees.bills.items()}
        return invoice_subscription(catalog, subscription, rated, as_of_at, corrected)

    restated = correct_customer(
        catalog, owned, usages, late, own, restate, remake, cutoffs, since, as_of_at, outcomes
    )
    for restated_at, name, number in sorted(restated):
        # A draft's corrections reach periods that have not started.
        if number in again[restated_at][name].rated:
            account.rated(name, number, again[restated_at][name].rated[number])
    account.documents = own


def rate_customer(
    catalog: Catalog,
    owned: list[Subscription],
    usages: list[Usage],
    as_of_at: datetime,
    restated_at: datetime | None = None,
) -> dict[str, RatedSubscription]:
    """Started periods of all of a customer's subscriptions, which may share allowances.

    Those that have closed by `restated_at` are rated on all that is known then.
    """
    by_profile: dict[str, list[Usage]] = {}
    for usage in usages:
        by_profile.setdefault(usage.profile.profile_id, []).append(usage)
    rated = {}
    for subscription in owned:
        periods = list_periods(catalog, subscription, as_of_at)
        rated[subscription.subscription_id] = RatedSubscription(
            periods,
            {
                period.number: measure_period(catalog, period, by_profile, as_of_at, restated_at)
                for period in periods
                if period.period_from < as_of_at
            },
        )
    found = [period for one in rated.values() for period in one.rated.values()]
    cover(found)
    for period in found:
        rate_period(period)
    return rated


def reason_of(
    catalog: Catalog,
    subscriptions: dict[str, RatedSubscription],
    usage: Usage,
    as_of_at: datetime,
    out_of_range: set[Place],
) -> set[str]:
    """Why no charge billed the usage; empty if its period has not started yet."""
    event = usage.event
    owner, charges, reason = resolve(catalog, usage, event.occurred_at, as_of_at)
    if owner is None:
        return {reason}
    rated = subscriptions[owner.subscription_id]
    period = next((one for one in rated.periods if one.holds(event.occurred_at)), None)
    if period is None or period.period_from >= as_of_at:
        return set()
    reasons = set()
    found = rated.rated[period.number]
    for charge in charges:
        part = next(
            (
                part
                for part in found.parts
                if part.charge.charge_id == charge.charge_id and part.holds(event.occurred_at)
            ),
            None,
        )
        if part is None or choose_row(part.rows, usage) is None:
            reasons.add("no_charge")
        elif event.loaded_at >= max(
            period.cutoff_at, corrected_until(catalog, period)
        ) and place_of(usage) not in (found.out_of_range | out_of_range):
            reasons.add("too_late")
        elif event.loaded_at >= period.cutoff_at and place_of(usage) not in out_of_range:
            # A correction of its period bills it.
            return set()
        elif place_of(usage) in found.out_of_range or place_of(usage) in out_of_range:
            reasons.add("out_of_range")
        else:
            reasons.add("ambiguous_subscription")
    return reasons


def bill(catalog_rows: Rows, raw_rows: list[dict], as_of_day: date) -> Bill:
    """Bill everything known at the midnight that ends `as_of_day`.

    `catalog_rows` maps a file's stem to its rows of text; `raw_rows` are rows of
    `raw.usage_events`, loaded_at a naive UTC datetime, other fields text or None.
    """
    as_of_at = datetime(as_of_day.year, as_of_day.month, as_of_day.day) + timedelta(days=1)
    catalog = read_catalog(catalog_rows, as_of_at)
    staged = stage(raw_rows, as_of_at)
    profiles = list(catalog.profiles.values())
    metered: list[tuple[Event, list[Usage], str | None]] = []
    by_customer: dict[str, list[Usage]] = {}
    for event in staged.events:
        usages, reason = meter(event, profiles)
        metered.append((event, usages, reason))
        by_customer.setdefault(event.customer_id, []).extend(usages)
    subscriptions: dict[str, RatedSubscription] = {}
    billed: set[Place] = set()
    out_of_range: set[Place] = set()
    invoices: list[Invoice] = []
    landed = [row["loaded_at"].date() for row in raw_rows if row["loaded_at"] < as_of_at]
    stops = [
        *knowledge_stops(catalog_rows, min(landed, default=None), as_of_at),
        as_of_at,
    ]
    catalogs = {stop: read_catalog(catalog_rows, stop) for stop in stops[:-1]} | {as_of_at: catalog}

    def cutoffs(name: str, known_at: datetime) -> list[datetime]:
        """Of a subscription's periods, as known then (what is to come is known by now)."""
        then = min(known_at, as_of_at)
        if then not in catalogs:
            catalogs[then] = read_catalog(catalog_rows, then)
        found = [one for one in catalogs[then].subscriptions if one.subscription_id == name]
        return [
            period.cutoff_at for one in found for period in list_periods(catalogs[then], one, then)
        ]

    outcomes = Outcomes()
    orders = {one.action_id: order for order, one in enumerate(ordered(catalog.actions), start=1)}
    for customer_id in catalog.by_customer:
        usages = by_customer.get(customer_id, [])
        account = Account()
        late = late_rows(catalog, catalog_rows, customer_id, as_of_at)
        since = datetime.min
        days = {one.recorded_at.date() for one in late}
        for stop in stops:
            if stop != as_of_at and stop.date() not in days:
                continue
            known = catalogs[stop].by_customer.get(customer_id, [])
            if known:
                recent = [one for one in late if one.recorded_at < stop]
                outcomes.actions = actions_by_subscription(catalogs[stop], orders)
                bill_customer(
                    catalogs[stop], known, usages, recent, account, cutoffs, since, stop, outcomes
                )
            since = stop
        subscriptions |= account.subscriptions
        billed |= set().union(*account.billed.values())
        out_of_range |= set().union(*account.out_of_range.values())
        for documents in account.documents.values():
            invoices += documents
    credits = draw_credits(catalog, catalog_rows, by_customer, invoices, as_of_at)
    balances, unpaid = settle(invoices, outcomes.refunds)
    number_invoices(invoices)
    unbilled = []
    for event, usages, reason in metered:
        place = (event.load_id, event.line_number)
        if event.voided_at is not None or place in billed:
            continue
        if reason is None:
            found = set()
            for usage in usages:
                found |= reason_of(catalog, subscriptions, usage, as_of_at, out_of_range)
            reason = next((one for one in RATING_REASONS if one in found), None)
        if reason is not None:
            unbilled.append((*place, reason))
    invoices.sort(key=lambda invoice: invoice.invoice_id.encode())
    accepted = [(event.load_id, event.line_number) for event in staged.events + staged.voids]
    return Bill(
        accepted=sorted(accepted),
        duplicate=sorted(staged.duplicates),
        rejects=sorted(staged.rejects),
        unbilled=sorted(unbilled),
        invoices=invoices,
        lines=[line for invoice in invoices for line in invoice.lines],
        refused=outcomes.refused | dict.fromkeys(unpaid, "over_balance"),
        balances=balances,
        credits=credits,
    )
