"""What late usage and late rows change of closed periods, on which document (*Adjustments*)."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from fractions import Fraction

from .actions import MARKED, Desk, Target, close_of_action
from .amounts import fixed
from .catalog import Action, Catalog, Subscription
from .changes import life_of
from .clock import add_cycles
from .fee_credits import FeeCredits, Key
from .invoices import TOTAL_DIGITS, Invoice, Line
from .knowledge import LateRow
from .metering import Usage
from .periods import Period, corrected_until, cutoff, list_fee_periods, list_periods
from .periods import known_at as known_at_first

MONTH = ("month", 1)
DAY = timedelta(days=1)
BUCKET = timedelta(minutes=15)
EPOCH = datetime(1970, 1, 1)
FEES = ("recurring", "one_time")
TOTALS = ("discount_total", "line_total", "unit_total")
MEASURES = ("quantity", "rated_quantity", "event_count", "amount", *TOTALS)
#: All invoices of some subscriptions, as if closed periods were known at an instant.
Restate = Callable[[datetime], dict[str, list[Invoice]]]
#: The invoices of a subscription, their credits made on what its fees came to.
Remake = Callable[[str, FeeCredits], list[Invoice]]
#: The cutoffs of a subscription's periods as they were known at an instant.
Cutoffs = Callable[[str, datetime], list[datetime]]


@dataclass
class Outcomes:
    """What came of actions so far: what was done by subscription, why each was refused that was,
    and the refunds, which wait for the balance. `actions` are those known, by subscription.
    """

    actions: dict[str, list[tuple[int, Action]]] = field(default_factory=dict)
    desks: dict[str, Desk] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    refunds: list[tuple[Action, Invoice]] = field(default_factory=list)


def midnight_after(instant: datetime) -> datetime:
    """The midnight that ends the instant's day: from it on what was loaded then is known."""
    return datetime(instant.year, instant.month, instant.day) + DAY


def late_facts(
    periods: list[Period], usages: list[Usage], as_of_at: datetime
) -> set[tuple[int, datetime]]:
    """(period, when it was known) of usage and voids that came in after the period's cutoff.

    A quarter of an hour that a period's bound cuts is held for both. What was before the
    subscription is held for its first period, into which a level is carried.
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
                    and (begin > period.period_from - BUCKET or period.number == 1)
                ):
                    facts.add((period.number, known_at))
    return facts


def close_of(
    periods: list[Period],
    cutoffs_known_at: Callable[[datetime], list[datetime]],
    known_at: datetime,
) -> datetime:
    """The next invoice's cutoff; if that is over a month off, the first of the next month.

    How far the invoice is counts as known on that first of a month. What waited for one that never
    came closes on the first after it: by then no invoice is within the month any more.
    """
    coming = [period.cutoff_at for period in periods if period.cutoff_at >= known_at]
    first = first_of_a_month(known_at)
    if coming and min(coming) <= first:
        return min(coming)
    day = add_cycles(known_at.date(), MONTH, 1)
    foreseen = [cutoff_at for cutoff_at in cutoffs_known_at(first) if cutoff_at >= known_at]
    if not foreseen or min(foreseen) > datetime(day.year, day.month, day.day):
        return first
    return min([*coming, first_of_a_month(first + DAY)])


def first_of_a_month(instant: datetime) -> datetime:
    """The first of a month that comes at or after a midnight."""
    if instant.day == 1:
        return instant
    day = add_cycles(date(instant.year, instant.month, 1), MONTH, 1)
    return datetime(day.year, day.month, day.day)


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
    place = line.part_number
    if line.kind in (*FEES, "credit"):
        place = line.date_rank
        detail = "/" + (line.from_date.isoformat() if line.from_date else "")
    else:
        detail = f"/{line.dimension_values}" if line.dimension_values else ""
    part = f".{place}" if place > 1 else ""
    return number, f"{subscription_id}/{number}/{line.charge_id}/{line.kind}{part}{detail}"


def measures_of(line: Line) -> dict[str, Fraction | None]:
    found = {}
    for name in MEASURES:
        value = getattr(line, name)
        found[name] = None if value is None else Fraction(value)
    return found


def lines_of(invoices: list[Invoice], numbers: set[int]) -> dict[Key, Line]:
    """Their own lines of documents by key."""
    found = {}
    for invoice in invoices:
        if invoice.cycle in numbers:
            for line in invoice.lines:
                if not line.adjusts:
                    key = line_key(invoice.subscription_id, invoice.cycle, line)
                    found[key] = line
    return found


def late_catalog_facts(
    periods: list[Period], late: list[LateRow], as_of_at: datetime
) -> set[tuple[int, datetime]]:
    """(period, when it was known) of rows that came in after the cutoff of a period they touch."""
    return {
        (period.number, midnight_after(row.recorded_at))
        for row in late
        for period in periods
        if midnight_after(row.recorded_at) <= as_of_at
        and period.cutoff_at <= row.recorded_at
        # A fee in advance stands on the invoice of the period that ends where it begins.
        and (row.holds_from is None or period.period_to >= row.holds_from)
    }


def late_fee_facts(
    catalog: Catalog,
    subscription: Subscription,
    periods: list[Period],
    late: list[LateRow],
    as_of_at: datetime,
) -> set[tuple[int, datetime]]:
    """(invoice, when it was known) of rows that came in after a fee of theirs was billed ahead."""
    life = life_of(catalog, subscription)
    charges = {
        (charge.charge_id, charge.every_cycles): charge
        for phase in life.phases
        for charge in catalog.charges.get(phase.plan_id, [])
        if charge.charge_type == "recurring" and charge.timing == "advance"
    }
    opening = cutoff(subscription.starts_at, known_at_first(catalog, subscription))
    facts = set()
    for term in life.terms:
        own = [period for period in periods if period.term is term]
        for charge in charges.values():
            for fee in list_fee_periods(catalog, subscription, charge, own) if own else []:
                number = fee.invoice_index
                closed_at = periods[number - 1].cutoff_at if number else opening
                facts |= {
                    (number, midnight_after(row.recorded_at))
                    for row in late
                    if midnight_after(row.recorded_at) <= as_of_at
                    and closed_at <= row.recorded_at
                    # A change that ends the fee's cycle is where it ends now.
                    and (row.holds_from is None or fee.fee_to >= row.holds_from)
                }
    return facts


def late_bill_facts(
    name: str,
    periods: list[Period],
    late: list[LateRow],
    documents: list[Invoice],
    as_of_at: datetime,
) -> set[tuple[int, datetime]]:
    """(invoice, when it was known) of rows that came in after a fee was billed from later on.

    A plan that was to follow may not come to be: then no fee period of today's tells of its fee.
    """
    numbers = numbers_by_document(name, periods, documents)
    facts = set()
    for document in documents:
        for line in document.lines:
            if line.kind != "recurring":
                continue
            number = numbers[line.adjusts] if line.adjusts else document.cycle
            facts |= {
                (number, midnight_after(row.recorded_at))
                for row in late
                if midnight_after(row.recorded_at) <= as_of_at
                and document.cutoff <= row.recorded_at
                and row.holds_from is not None
                and line.period_from >= row.holds_from
            }
    return facts


def numbers_by_document(
    name: str, periods: list[Period], documents: list[Invoice]
) -> dict[str, int]:
    numbers = {f"{name}@{one.to_date.isoformat()}": one.number for one in periods}
    numbers |= {f"{name}@{one.from_date.isoformat()}": 0 for one in periods[:1]}
    return numbers | {one.invoice_id: one.cycle for one in documents if one.cycle is not None}


def corrected_so_far(
    name: str, periods: list[Period], documents: list[Invoice]
) -> tuple[dict[Key, dict[str, Fraction | None]], dict[Key, Line], FeeCredits]:
    """What has been posted of each line in earlier closes, corrections included."""
    numbers = numbers_by_document(name, periods, documents)
    posted: dict[Key, dict[str, Fraction | None]] = {}
    described: dict[Key, Line] = {}
    fees = FeeCredits()
    for document in sorted(documents, key=lambda one: one.cutoff):
        for line in document.lines:
            if line.kind in MARKED:
                continue
            number = numbers[line.adjusts] if line.adjusts else document.cycle
            key = line_key(name, number, line)
            sums = posted.setdefault(key, dict.fromkeys(MEASURES))
            for measure, value in measures_of(line).items():
                if value is not None:
                    sums[measure] = (sums[measure] or Fraction(0)) + value
            described[key] = line
            if document.action != "void":
                fees.note(key, line, sums)
    return posted, described, fees


def difference(line: Line, now: dict, before: dict) -> dict:
    changed = {}
    for name in MEASURES:
        if getattr(line, name) is None:
            changed[name] = None
            continue
        delta = (now.get(name) or Fraction(0)) - (before.get(name) or Fraction(0))
        if name in ("quantity", "rated_quantity"):
            changed[name] = fixed(delta, 10)
        elif name in TOTALS:
            changed[name] = fixed(delta, TOTAL_DIGITS)
        else:
            changed[name] = int(delta) if name == "event_count" else delta
    return changed


def correct_customer(
    catalog: Catalog,
    owned: list[Subscription],
    usages: list[Usage],
    late_rows: list[LateRow],
    invoices: dict[str, list[Invoice]],
    restate: Restate,
    remake: Remake,
    cutoffs: Cutoffs,
    since: datetime,
    as_of_at: datetime,
    outcomes: Outcomes,
) -> set[tuple[datetime, str, int]]:
    """Put onto the documents of a customer's subscriptions what late usage, late rows and actions
    change.

    At each close after `since` that corrects, every affected period is rated on all that is known
    then; what differs from what has been posted so far is posted. Actions come after it, in their
    order. Returns the closes, subscriptions and periods that were rated again.
    """
    named = {one.subscription_id: one for one in owned}
    periods = {name: list_periods(catalog, one, as_of_at) for name, one in named.items()}
    facts = {
        name: {
            (number, known_at)
            for number, known_at in late_facts(own, usages, as_of_at)
            | late_catalog_facts(own, late_rows, as_of_at)
            | late_fee_facts(catalog, named[name], own, late_rows, as_of_at)
            | late_bill_facts(name, own, late_rows, invoices[name], as_of_at)
            if known_at <= corrected_until(catalog, own[max(number, 1) - 1])
        }
        for name, own in periods.items()
    }
    closes = {
        name: {
            close_of(periods[name], lambda at, name=name: cutoffs(name, at), known_at)
            for _, known_at in own
        }
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
        closed_before = [one for one in invoices[name] if one.cutoff <= since]
        posted, described, fees = corrected_so_far(name, periods[name], closed_before)
        if depending != "all" and closed_before and facts[name]:
            give_back(periods[name], invoices[name], since + DAY, fees, remake)
        taken: set[tuple[int, datetime]] = set()
        desk = outcomes.desks.setdefault(name, Desk(name))
        own_closes = closes[name]
        if depending == "all" and own_closes:
            # What earlier periods come to as known by now is what the next ones go on from.
            first_close = min(own_closes)
            coming = {one.cutoff_at for one in periods[name] if one.cutoff_at >= first_close}
            own_closes = own_closes | coming
        waiting = [one for one in outcomes.actions.get(name, []) if close_of_action(one[1]) > since]
        states = (invoices[name], stated, restate, posted, described, fees)
        for close in sorted(own_closes):
            own = {fact for fact in facts[name] if fact[1] <= close} - taken
            taken |= own
            if close <= since:
                continue
            restated |= act(desk, waiting, close, *states, outcomes, as_of_at)
            if close not in stated:
                stated[close] = restate(close)
            late = {number for number, _ in own}
            closed = {one.number for one in periods[name] if one.cutoff_at < close}
            first = min(late, default=1)
            if depending == "all":
                late = closed | (late & {0})
            elif depending == "later":
                late |= {number for number in closed if number >= first}
            if depending == "all":
                closing = {one.number for one in periods[name] if one.cutoff_at == close}
                replace_own_lines(invoices[name], stated[close][name], closing)
            if not late:
                continue
            restated |= {(close, name, number) for number in late}
            late = {number for number in late if not is_void(desk, invoices[name], number)}
            for key, line in lines_of(invoices[name], late).items():
                if key not in posted:
                    posted[key] = measures_of(line)
                    described[key] = line
                    fees.note(key, line, posted[key])
            found = lines_of(stated[close][name], late)
            added = []
            for key in sorted(found.keys() | {one for one in posted if one[0] in late}):
                # Bills come before their credits: a credit is on a later invoice.
                line = fees.standing(key, found[key]) if key in found else described[key]
                now = measures_of(line) if key in found else {}
                fees.note(key, line, now)
                now = kept(now, desk, invoices[name], key)
                before = posted.get(key, {})
                if all(
                    (now.get(name) or 0) == (before.get(name) or 0)
                    for name in ("line_total", "unit_total")
                ):
                    continue
                described[key] = line
                added.append((key, replace(line, **difference(line, now, before))))
                posted[key] = now
            if depending != "all":
                give_back(periods[name], invoices[name], close, fees, remake)
            post(subscription, periods[name], invoices[name], close, added, as_of_at)
        restated |= act(desk, waiting, datetime.max, *states, outcomes, as_of_at)
    return restated


def act(
    desk: Desk,
    waiting: list[tuple[int, Action]],
    until: datetime,
    invoices: list[Invoice],
    stated: dict[datetime, dict[str, list[Invoice]]],
    restate: Restate,
    posted: dict[Key, dict[str, Fraction | None]],
    described: dict[Key, Line],
    fees: FeeCredits,
    outcomes: Outcomes,
    as_of_at: datetime,
) -> set[tuple[datetime, str, int]]:
    """Do what closes before a close; of one midnight, actions come after it."""
    restated = set()
    while waiting and close_of_action(waiting[0][1]) < until:
        order, action = waiting.pop(0)
        close = close_of_action(action)
        if action.action == "reissue" and close not in stated:
            stated[close] = restate(close)
        restated |= perform(
            desk, action, order, invoices, stated, posted, described, fees, outcomes, as_of_at
        )
    return restated


def is_void(desk: Desk, invoices: list[Invoice], number: int) -> bool:
    return any(one.cycle == number and one.invoice_id in desk.voided for one in invoices)


def kept(now: dict, desk: Desk, invoices: list[Invoice], key: Key) -> dict:
    """What a line comes to, never less than what was credited on it."""
    own = (one for one in invoices if one.cycle == key[0])
    line_id = next(
        (
            line.line_id
            for one in own
            for line in one.lines
            if not line.adjusts and line_key(one.subscription_id, key[0], line) == key
        ),
        "",
    )
    credited = desk.credited.get(line_id, Fraction(0))
    if credited == 0:
        return now
    return now | {"line_total": max(now.get("line_total") or Fraction(0), credited)}


def perform(
    desk: Desk,
    action: Action,
    order: int,
    invoices: list[Invoice],
    stated: dict[datetime, dict[str, list[Invoice]]],
    posted: dict[Key, dict[str, Fraction | None]],
    described: dict[Key, Line],
    fees: FeeCredits,
    outcomes: Outcomes,
    as_of_at: datetime,
) -> set[tuple[datetime, str, int]]:
    """Do one action, or note why not. Returns what was rated again for it."""
    target = desk.target(action, invoices)
    if isinstance(target, str):
        outcomes.refused[action.action_id] = target
        return set()
    number, name = target.invoice.cycle, desk.subscription_id
    own = {line_key(name, number, line): line for line in target.invoice.lines if not line.adjusts}
    for key, line in own.items():
        if key not in posted:
            posted[key] = measures_of(line)
            described[key] = line
            fees.note(key, line, posted[key])
    if action.action in ("void", "reissue"):
        now, restated = own, set()
        if action.action == "reissue":
            desk.voided.discard(target.invoice.invoice_id)
            close = close_of_action(action)
            # The opening invoice is not rated again.
            if number:
                found = lines_of(stated[close][name], {number})
                now = {key: fees.standing(key, line) for key, line in sorted(found.items())}
                for key, line in now.items():
                    fees.note(key, line, measures_of(line))
                restated = {(close, name, number)}
        else:
            desk.voided.add(target.invoice.invoice_id)
        lines = turn(action, desk, target, invoices, now, posted, described)
        if lines:
            invoices.append(desk.write(action, order, target, lines, as_of_at))
        else:
            outcomes.refused[action.action_id] = "nothing_to_post"
        return restated
    if action.action == "refund":
        total = fixed(action.amount, TOTAL_DIGITS)
        paid = replace(
            target.invoice.lines[0],
            kind="refunded",
            charge_id=action.action_id,
            part_number=1,
            dimension_values=None,
            period_from=target.invoice.period_start,
            quantity=None,
            rated_quantity=None,
            event_count=None,
            amount=action.amount,
            discount_total=fixed(Fraction(0), TOTAL_DIGITS),
            line_total=total,
            unit="",
            unit_total=None,
        )
        outcomes.refunds.append((action, desk.write(action, order, target, [paid], as_of_at)))
        return set()
    key = line_key(name, number, target.line)
    line = desk.mark(action, target, posted[key].get("line_total") or Fraction(0))
    if line is None:
        outcomes.refused[action.action_id] = "over_line"
    else:
        invoices.append(desk.write(action, order, target, [line], as_of_at))
    return set()


def turn(
    action: Action,
    desk: Desk,
    target: Target,
    invoices: list[Invoice],
    now: dict[Key, Line],
    posted: dict[Key, dict[str, Fraction | None]],
    described: dict[Key, Line],
) -> list[Line]:
    """The lines of a void or a reissue: each line of the period, from what was posted of it to
    nothing, or to what it comes to now."""
    number = target.invoice.cycle
    places = {
        line_key(target.invoice.subscription_id, number, line): line.line_number
        for line in target.invoice.lines
        if not line.adjusts
    }
    keys = now.keys() | {key for key in posted if key[0] == number}
    lines = []
    for key in sorted(keys, key=lambda one: (places.get(one, 10**9), one[1].encode())):
        line = now.get(key) or described[key]
        measures = {} if action.action == "void" or key not in now else measures_of(line)
        measures = kept(measures, desk, invoices, key)
        changed = difference(line, measures, posted.get(key, {}))
        if any(Fraction(value) for value in changed.values() if value is not None):
            lines.append(replace(line, **changed))
            described[key] = line
            posted[key] = measures
    return lines


def replace_own_lines(invoices: list[Invoice], stated: list[Invoice], closing: set[int]) -> None:
    """The documents that close now, as they are after all that was corrected before them."""
    for number in closing:
        found = [one for one in stated if one.cycle == number]
        invoices[:] = [one for one in invoices if one.cycle != number] + found


def give_back(
    periods: list[Period],
    invoices: list[Invoice],
    close: datetime,
    fees: FeeCredits,
    remake: Remake,
) -> None:
    """The documents that close then or later, their credits of the fees as corrected by now."""
    coming = {one.number for one in periods if one.cutoff_at >= close}
    if coming:
        replace_own_lines(invoices, remake(periods[0].subscription.subscription_id, fees), coming)


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
        last = number or max(1, *(key[0] for key, _ in added))
        header = next(one for one in periods if one.number == last)
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
    dates = {0: periods[0].from_date} | {one.number: one.to_date for one in periods}
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
