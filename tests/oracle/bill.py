"""A bill as a pure function of raw events, catalogue and day (section 1, principle 1)."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from .allowances import cover
from .catalog import Catalog, Rows, Subscription, read_catalog
from .corrections import correct_customer
from .invoices import Invoice, Line, invoice_subscription, number_invoices
from .metering import Usage, meter
from .periods import Period, list_periods
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


@dataclass
class RatedSubscription:
    """Periods of a subscription and what rating found in the started ones."""

    periods: list[Period]
    rated: dict[int, PeriodUsage]


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
    for customer_id, owned in catalog.by_customer.items():
        usages = by_customer.get(customer_id, [])
        subscriptions |= rate_customer(catalog, owned, usages, as_of_at)
        for subscription in owned:
            rated = subscriptions[subscription.subscription_id].rated
            for found in rated.values():
                billed |= found.billed
        own = {
            one.subscription_id: invoice_subscription(
                catalog, one, subscriptions[one.subscription_id].rated, as_of_at
            )
            for one in owned
        }

        again: dict[datetime, dict[str, RatedSubscription]] = {}

        def restate(
            restated_at: datetime,
            owned: list[Subscription] = owned,
            usages: list[Usage] = usages,
            again: dict[datetime, dict[str, RatedSubscription]] = again,
        ) -> dict[str, list[Invoice]]:
            found = rate_customer(catalog, owned, usages, as_of_at, restated_at)
            again[restated_at] = found
            return {
                one.subscription_id: invoice_subscription(
                    catalog, one, found[one.subscription_id].rated, as_of_at
                )
                for one in owned
            }

        restated = correct_customer(catalog, owned, usages, own, restate, as_of_at)
        for restated_at, name, number in restated:
            found = again[restated_at][name].rated[number]
            billed |= found.billed
            out_of_range |= found.out_of_range
        for documents in own.values():
            invoices += documents
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
    )
