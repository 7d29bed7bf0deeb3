"""Invoices: fees and rated usage of a cycle, numbered once closed (*Plans*, *Closing*)."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime
from fractions import Fraction

from .amounts import exponent, fixed, half_away
from .catalog import Catalog, Charge, Subscription
from .commitments import commitment_drafts
from .discounts import Discounter
from .drafts import Draft, credit_draft, fee_draft, minimum_draft, usage_draft
from .fees import FeeCredit, rate_fees
from .parts import Part
from .periods import Period, cutoff, known_at, list_periods
from .pricing import Step
from .rating import PeriodUsage

TOTAL_DIGITS = 4


@dataclass(frozen=True)
class Line:
    """One invoice line. Quantities are text with 10 decimals, totals with 4.

    `line_total` is after discounts and the charge's maximum.
    """

    invoice_id: str
    line_number: int
    line_id: str
    kind: str
    charge_id: str
    part_number: int
    price_position: int | None
    dimension_values: str | None
    period_from: datetime
    period_to: datetime
    quantity: str | None
    rated_quantity: str | None
    event_count: int | None
    amount: Fraction
    discount_total: str
    line_total: str
    steps: tuple[Step, ...]
    from_date: date
    plan_id: str
    charge: Charge | None
    #: The place among fees, or credits, of its charge that begin on the same date.
    date_rank: int = 1
    #: The invoice whose period a correction belongs to; blank for other lines.
    adjusts: str = ""
    #: Of a credit: invoice, charge and begin of the fee that it gives back.
    billed: tuple[int, str, datetime] | None = None
    #: The unit of credit in which its charge is priced, and how many it comes to.
    unit: str = ""
    unit_total: str | None = None


@dataclass
class Invoice:
    """One document of a subscription and cycle; `cycle` is 0 for the opening invoice, None for a
    document of corrections alone.
    """

    invoice_id: str
    status: str
    cutoff: datetime
    invoice_number: str | None
    customer_id: str
    subscription_id: str
    currency: str
    billing_entity: str
    period_start: datetime
    cycle: int | None
    total: str
    lines: list[Line] = field(default_factory=list)
    #: What somebody did that it posts; blank for other documents.
    action: str = ""
    action_order: int = 0
    #: What prepaid credits pay of it, less what was given back.
    credits_total: str = "0.0000"
    #: What customer balance pays of the rest.
    balance_applied: str = "0.0000"

    @property
    def kind(self) -> str:
        if self.action:
            return self.action
        if self.total.startswith("-"):
            return "credit_note"
        return "adjustment" if self.cycle is None else "invoice"

    @property
    def net(self) -> Fraction:
        """What is left for customer balance, or becomes it."""
        return Fraction(self.total) - Fraction(self.credits_total)

    @property
    def due(self) -> Fraction:
        return max(self.net, Fraction(0)) - Fraction(self.balance_applied)


def quantity_text(quantity: Fraction | None) -> str | None:
    return None if quantity is None else fixed(quantity, 10)


def number_lines(invoice_id: str, drafts: list[Draft]) -> list[Line]:
    lines = []
    ranks: Counter[tuple] = Counter()
    for number, draft in enumerate(sorted(drafts, key=lambda draft: draft.order), start=1):
        begun = (draft.kind, draft.charge_id, draft.from_date)
        ranks[begun] += 1
        lines.append(
            Line(
                invoice_id=invoice_id,
                line_number=number,
                line_id=f"{invoice_id}#{number}",
                kind=draft.kind,
                charge_id=draft.charge_id,
                part_number=draft.part_number,
                price_position=draft.price_position,
                dimension_values=draft.dimension_values,
                period_from=draft.period_from,
                period_to=draft.period_to,
                quantity=quantity_text(draft.quantity),
                rated_quantity=quantity_text(draft.rated_quantity),
                event_count=draft.event_count,
                amount=draft.amount,
                discount_total=fixed(draft.discounted, TOTAL_DIGITS),
                line_total=fixed(draft.left, TOTAL_DIGITS),
                steps=draft.steps,
                from_date=draft.from_date,
                plan_id=draft.plan_id,
                charge=draft.charge,
                date_rank=ranks[begun],
                billed=draft.billed,
                unit=draft.unit,
                unit_total=None
                if draft.unit_total is None
                else fixed(draft.unit_total, TOTAL_DIGITS),
            )
        )
    return lines


def limit_usage(parts: list[Part], drafts: list[Draft]) -> list[Draft]:
    """Cap each part's lines at its maximum, and top them up to its minimum (*Pricing*)."""
    top_ups = []
    for part in parts:
        if part.limit is None or not part.rows or not part.slices:
            continue
        maximum = part.limit_total(part.limit.maximum)
        minimum = part.limit_total(part.limit.minimum)
        own = [
            draft
            for draft in drafts
            if draft.kind == "usage"
            and (draft.charge_id, draft.part_number) == (part.charge.charge_id, part.number)
            and draft.period_number == part.period.number
        ]
        running = Fraction(0)
        for draft in sorted(own, key=lambda draft: draft.order):
            if maximum is not None:
                draft.capped = draft.left - min(draft.left, maximum - running)
            running += draft.left
        if minimum is not None and minimum > running:
            top_ups.append(minimum_draft(part, minimum - running))
    return top_ups


def credit_total(credit: FeeCredit, gross: Fraction, net: Fraction, currency: str) -> Fraction:
    """- (net billed - net used): never more than was billed, never a charge."""
    used = credit.used_total
    if gross != net:
        exact = used * net / gross if gross else Fraction(0)
        used = half_away(exact, exponent(currency))
    return -min(max(net - used, Fraction(0)), net)


@dataclass(frozen=True)
class Document:
    """An invoice to be: `number` counts in the subscription, 0 is the opening one."""

    number: int
    period: Period
    day: date
    cutoff_at: datetime
    is_closed: bool


def list_documents(
    catalog: Catalog, subscription: Subscription, periods: list[Period], as_of_at: datetime
) -> list[Document]:
    """The opening invoice and one a period, of those that have begun or closed."""
    first = periods[0]
    opening_cutoff = cutoff(first.period_from, known_at(catalog, subscription))
    found = [(0, first, first.from_date, opening_cutoff)]
    found += [(one.number, one, one.to_date, one.cutoff_at) for one in periods]
    return [
        Document(number, period, day, cutoff_at, cutoff_at <= as_of_at)
        for number, period, day, cutoff_at in found
        if period.period_from < as_of_at or (number == 0 and cutoff_at <= as_of_at)
    ]


def invoice_subscription(
    catalog: Catalog,
    subscription: Subscription,
    rated: dict[int, PeriodUsage],
    as_of_at: datetime,
    corrected: dict[tuple[int, str, datetime], tuple[Fraction, Fraction]] | None = None,
) -> list[Invoice]:
    """The opening invoice and one a started period; a cycle without lines has no document.

    `corrected` says, by invoice, charge and begin, what fees came to in corrections, before and
    after discounts: a credit is of that.
    """
    periods = list_periods(catalog, subscription, as_of_at, beyond=1)
    if not periods:
        return []
    fees = rate_fees(catalog, subscription, periods)
    documents = list_documents(catalog, subscription, periods, as_of_at)
    discounter = Discounter(catalog, subscription, periods)
    drafts: dict[int, list[Draft]] = {}
    billed: dict[int, Draft] = {}
    for document in documents:
        own = drafts[document.number] = []
        for fee in fees.lines:
            if fee.invoice_index == document.number:
                billed[id(fee)] = fee_draft(fee)
                own.append(billed[id(fee)])
        found = rated[document.number] if document.number else PeriodUsage()
        own += [usage_draft(line) for line in found.lines]
        known_until = min(document.cutoff_at, as_of_at)
        own.sort(key=lambda draft: draft.order)
        discounter.apply("line", own, known_until)
        own += limit_usage(found.parts, own)
        own.sort(key=lambda draft: draft.order)
        discounter.apply("product", own, known_until)
        discounter.apply("invoice", own, known_until)
    for credit in fees.credits:
        if id(credit.billed) in billed and credit.invoice_index in drafts:
            fee, bill = credit.billed, billed[id(credit.billed)]
            gross, net = (corrected or {}).get(
                (fee.invoice_index, fee.charge.charge_id, fee.begin), (bill.gross, bill.left)
            )
            total = credit_total(credit, gross, net, subscription.currency)
            if total != 0:
                drafts[credit.invoice_index].append(credit_draft(credit, total))
    started = [period for period in periods if period.number in drafts]
    shown = [(number, draft) for number, own in drafts.items() for draft in own]
    for number, own in commitment_drafts(catalog, subscription, started, shown).items():
        drafts[number] += own
    return [
        write_invoice(subscription, document, drafts[document.number])
        for document in documents
        if drafts[document.number]
    ]


def write_invoice(subscription: Subscription, document: Document, drafts: list[Draft]) -> Invoice:
    invoice_id = f"{subscription.subscription_id}@{document.day.isoformat()}"
    return Invoice(
        invoice_id=invoice_id,
        status="final" if document.is_closed else "draft",
        cutoff=document.cutoff_at,
        invoice_number=None,
        customer_id=subscription.customer_id,
        subscription_id=subscription.subscription_id,
        currency=subscription.currency,
        billing_entity=document.period.billing_entity,
        period_start=document.period.period_from,
        cycle=document.number,
        total=fixed(sum((draft.left for draft in drafts), Fraction(0)), TOTAL_DIGITS),
        lines=number_lines(invoice_id, drafts),
    )


def number_order(invoice: Invoice) -> tuple:
    """Cutoff, kind (of corrections alone after the invoices, then those below zero, then those of
    actions), customer, subscription, period start; of one invoice's actions their own order.
    """
    return (
        invoice.cutoff,
        {"invoice": 1, "adjustment": 2, "credit_note": 3}.get(invoice.kind, 4),
        invoice.customer_id.encode(),
        invoice.subscription_id.encode(),
        invoice.period_start,
        invoice.cycle is None,
        invoice.cycle or 0,
        invoice.action_order,
    )


def number_invoices(invoices: list[Invoice]) -> None:
    """Gapless numbers per billing entity."""
    counts: dict[str, int] = {}
    finals = [invoice for invoice in invoices if invoice.status == "final"]
    for invoice in sorted(finals, key=number_order):
        entity = invoice.billing_entity
        counts[entity] = counts.get(entity, 0) + 1
        invoice.invoice_number = f"{entity}-{counts[entity]:06d}"
