"""What late usage changes of closed periods, and on which document (*Closing*, Adjustments)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from fractions import Fraction

from .amounts import fixed
from .catalog import Catalog, Subscription
from .changes import life_of
from .clock import add_cycles
from .invoices import TOTAL_DIGITS, Invoice, Line
from .metering import Usage
from .periods import Period, list_periods

MONTH = ("month", 1)
DAY = timedelta(days=1)
BUCKET = timedelta(minutes=15)
EPOCH = datetime(1970, 1, 1)
FEES = ("recurring", "one_time")
MEASURES = ("quantity", "rated_quantity", "event_count", "amount", "discount_total", "line_total")
Key = tuple[int, str]
#: All invoices of some subscriptions, as if closed periods were known at an instant.
Restate = Callable[[datetime], dict[str, list[Invoice]]]


def midnight_after(instant: datetime) -> datetime:
    """The midnight that ends the instant's day: from it on what was loaded then is known."""
    return datetime(instant.year, instant.month, instant.day) + DAY


def late_facts(
    periods: list[Period], usages: list[Usage], as_of_at: datetime
) -> set[tuple[int, datetime]]:
    """(period, when it was known) of usage and voids that came in after the period's cutoff.

    A quarter of an hour that a period's bound cuts is held for both.
    """
    facts = set()
    for usage in usages:
        event = usage.event
        begin = event.occurred_at - (event.occurred_at - EPOCH) % BUCKET
        known = [midnight_after(event.loaded_at)]
        if event.voided_at is not None:
            known.append(midnight_after(event.voided_at))
        for known_at in known:
            for period in periods:
                if (
                    known_at <= as_of_at
                    and begin < known_at - DAY
                    and period.cutoff_at <= known_at - DAY
                    and begin < period.period_to
                    and begin > period.period_from - BUCKET
                ):
                    facts.add((period.number, known_at))
    return facts


def close_of(periods: list[Period], known_at: datetime) -> datetime:
    """The next invoice's cutoff; if that is over a month off, the first of the next month."""
    coming = [period.cutoff_at for period in periods if period.cutoff_at >= known_at]
    day = add_cycles(known_at.date(), MONTH, 1)
    if coming and min(coming) <= datetime(day.year, day.month, day.day):
        return min(coming)
    if known_at.day == 1:
        return known_at
    first = add_cycles(date(known_at.year, known_at.month, 1), MONTH, 1)
    return datetime(first.year, first.month, 1)


def shares_a_pool(catalog: Catalog, subscription: Subscription) -> bool:
    plans = {phase.plan_id for phase in life_of(catalog, subscription).phases}
    return any(one.is_pooled for plan in plans for one in catalog.allowances.get(plan, []))


def dependents(catalog: Catalog, subscription: Subscription) -> str:
    """Which periods follow when one changes: "none", the "later" ones, or "all"."""
    plans = {phase.plan_id for phase in life_of(catalog, subscription).phases}
    pools = [one for plan in plans for one in catalog.allowances.get(plan, [])]
    discounts = [
        one
        for one in catalog.discounts
        if one.total_amount is not None
        and one.customer_id in ("", subscription.customer_id)
        and one.subscription_id in ("", subscription.subscription_id)
        and any(
            one.plan_id in ("", plan) and one.product_id in ("", catalog.plans[plan].product_id)
            for plan in plans
        )
    ]
    committed = any(
        one.subscription_id == subscription.subscription_id or one.plan_id in plans
        for one in catalog.commitments
    )
    if committed or discounts or any(one.is_pooled or one.rollover_periods for one in pools):
        return "all"
    profiles = [
        catalog.profiles[charge.profile_id]
        for plan in plans
        for charge in catalog.charges.get(plan, [])
        if charge.charge_type == "usage"
    ]
    return "later" if any(profile.carry_over for profile in profiles) else "none"


def line_key(subscription_id: str, number: int, line: Line) -> Key:
    """What makes it the same line in every state of its period; text, for it is ordered by it."""
    if line.kind in FEES:
        detail = "/" + (line.from_date.isoformat() if line.from_date else "")
    else:
        detail = f"/{line.dimension_values}" if line.dimension_values else ""
    part = f".{line.part_number}" if line.part_number > 1 else ""
    return number, f"{subscription_id}/{number}/{line.charge_id}/{line.kind}{part}{detail}"


def measures_of(line: Line) -> dict[str, Fraction | None]:
    found = {}
    for name in MEASURES:
        value = getattr(line, name)
        found[name] = None if value is None else Fraction(value)
    return found


def lines_of(invoices: list[Invoice], numbers: set[int]) -> dict[Key, Line]:
    """Their own lines of documents by key; a credit of a fee stands as it was posted."""
    found = {}
    for invoice in invoices:
        if invoice.cycle in numbers:
            for line in invoice.lines:
                if line.kind != "credit" and not line.adjusts:
                    key = line_key(invoice.subscription_id, invoice.cycle, line)
                    found[key] = line
    return found


def difference(line: Line, now: dict, before: dict) -> dict:
    changed = {}
    for name in MEASURES:
        if getattr(line, name) is None:
            changed[name] = None
            continue
        delta = (now.get(name) or Fraction(0)) - (before.get(name) or Fraction(0))
        if name in ("quantity", "rated_quantity"):
            changed[name] = fixed(delta, 10)
        elif name in ("discount_total", "line_total"):
            changed[name] = fixed(delta, TOTAL_DIGITS)
        else:
            changed[name] = int(delta) if name == "event_count" else delta
    return changed


def correct_customer(
    catalog: Catalog,
    owned: list[Subscription],
    usages: list[Usage],
    invoices: dict[str, list[Invoice]],
    restate: Restate,
    as_of_at: datetime,
) -> set[tuple[datetime, str, int]]:
    """Put onto the documents of a customer's subscriptions what late usage changes.

    At each close that corrects, every affected period is rated on all that is known then; what
    differs from what has been posted so far is posted. Returns the closes, subscriptions and
    periods that were rated again.
    """
    periods = {one.subscription_id: list_periods(catalog, one, as_of_at) for one in owned}
    facts = {name: late_facts(own, usages, as_of_at) for name, own in periods.items()}
    closes = {
        name: {close_of(periods[name], known_at) for _, known_at in own}
        for name, own in facts.items()
    }
    pool = [one.subscription_id for one in owned if shares_a_pool(catalog, one)]
    shared = set().union(*(closes[name] for name in pool)) if pool else set()
    for name in pool:
        closes[name] = shared
    stated: dict[datetime, dict[str, list[Invoice]]] = {}
    restated: set[tuple[datetime, str, int]] = set()
    for subscription in owned:
        name = subscription.subscription_id
        depending = dependents(catalog, subscription)
        posted: dict[Key, dict[str, Fraction | None]] = {}
        described: dict[Key, Line] = {}
        taken: set[tuple[int, datetime]] = set()
        own_closes = closes[name]
        if depending == "all" and own_closes:
            # What earlier periods come to as known by now is what the next ones go on from.
            first_close = min(own_closes)
            coming = {one.cutoff_at for one in periods[name] if one.cutoff_at >= first_close}
            own_closes = own_closes | coming
        for close in sorted(own_closes):
            if close not in stated:
                stated[close] = restate(close)
            own = {fact for fact in facts[name] if fact[1] <= close} - taken
            taken |= own
            late = {number for number, _ in own}
            closed = {one.number for one in periods[name] if one.cutoff_at < close}
            first = min(late, default=1)
            if depending == "all":
                late = closed
            elif depending == "later":
                late |= {number for number in closed if number >= first}
            if depending == "all":
                closing = {one.number for one in periods[name] if one.cutoff_at == close}
                replace_own_lines(invoices[name], stated[close][name], closing)
            if not late:
                continue
            restated |= {(close, name, number) for number in late}
            for key, line in lines_of(invoices[name], late).items():
                if key not in posted:
                    posted[key] = measures_of(line)
                    described[key] = line
            found = lines_of(stated[close][name], late)
            added = []
            for key in sorted(found.keys() | {one for one in posted if one[0] in late}):
                line = found.get(key) or described[key]
                now = measures_of(found[key]) if key in found else {}
                before = posted.get(key, {})
                if (now.get("line_total") or 0) == (before.get("line_total") or 0):
                    continue
                described[key] = line
                added.append((key, replace(line, **difference(line, now, before))))
                posted[key] = now
            post(subscription, periods[name], invoices[name], close, added, as_of_at)
    return restated


def replace_own_lines(invoices: list[Invoice], stated: list[Invoice], closing: set[int]) -> None:
    """The documents that close now, as they are after all that was corrected before them."""
    for number in closing:
        found = [one for one in stated if one.cycle == number]
        invoices[:] = [one for one in invoices if one.cycle != number] + found


def post(
    subscription: Subscription,
    periods: list[Period],
    invoices: list[Invoice],
    close: datetime,
    added: list[tuple[Key, Line]],
    as_of_at: datetime,
) -> None:
    """Add lines to the document that closes then, or to one of their own."""
    if not added:
        return
    name = subscription.subscription_id
    number = min((one.number for one in periods if one.cutoff_at == close), default=None)
    document = next((one for one in invoices if number and one.cycle == number), None)
    if document is None:
        header = next(
            one for one in periods if one.number == (number or max(key[0] for key, _ in added))
        )
        document = Invoice(
            invoice_id=(
                f"{name}@{header.to_date.isoformat()}"
                if number
                else f"{name}@{close.date().isoformat()}.adjustments"
            ),
            status="final" if close <= as_of_at else "draft",
            cutoff=close,
            invoice_number=None,
            customer_id=subscription.customer_id,
            subscription_id=name,
            currency=subscription.currency,
            billing_entity=header.billing_entity,
            period_start=header.period_from,
            cycle=number,
            total="0.0000",
        )
        invoices.append(document)
    dates = {one.number: one.to_date for one in periods}
    for key, line in sorted(added, key=lambda one: (one[0][0], one[0][1].encode())):
        place = len(document.lines) + 1
        document.lines.append(
            replace(
                line,
                invoice_id=document.invoice_id,
                line_number=place,
                line_id=f"{document.invoice_id}#{place}",
                adjusts=f"{name}@{dates[key[0]].isoformat()}",
            )
        )
    total = sum((Fraction(line.line_total) for line in document.lines), Fraction(0))
    document.total = fixed(total, TOTAL_DIGITS)
