"""Invoices: fees and rated usage of a cycle, numbered once closed (*Plans*, *Closing*)."""

from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction

from .amounts import exponent, fixed, half_away
from .catalog import Catalog, Subscription
from .periods import FeePeriod, Period, cutoff, known_at, list_fee_periods, list_periods
from .pricing import Step
from .rating import PeriodUsage, RatedLine, price_rows

TOTAL_DIGITS = 4


@dataclass(frozen=True)
class Line:
    """One invoice line. Quantities are text with 10 decimals, the total with 4."""

    invoice_id: str
    line_number: int
    line_id: str
    kind: str
    charge_id: str
    price_position: int | None
    dimension_values: str | None
    period_from: datetime
    period_to: datetime
    quantity: str | None
    rated_quantity: str | None
    event_count: int | None
    amount: Fraction
    line_total: str
    steps: tuple[Step, ...]


@dataclass
class Invoice:
    """One document of a subscription and cycle; `cycle` is 0 for the opening invoice."""

    invoice_id: str
    status: str
    cutoff: datetime
    invoice_number: str | None
    customer_id: str
    subscription_id: str
    currency: str
    billing_entity: str
    period_start: datetime
    cycle: int
    total: str
    lines: list[Line] = field(default_factory=list)


@dataclass(frozen=True)
class Draft:
    """A line before it has its number; fees sort before usage."""

    order: tuple
    kind: str
    charge_id: str
    price_position: int | None
    dimension_values: str | None
    period_from: datetime
    period_to: datetime
    quantity: Fraction | None
    rated_quantity: Fraction | None
    event_count: int | None
    amount: Fraction
    total: Fraction
    steps: tuple[Step, ...]


def fee_draft(catalog: Catalog, subscription: Subscription, fee: FeePeriod) -> Draft | None:
    """A fee: the full price, or the price x billed days / days of the full fee cycle."""
    rows = price_rows(catalog, fee.charge, subscription.currency, fee.from_date, fee.fee_from)
    row = next((row for row in rows if not row.dimension_values), None)
    if row is None:
        return None
    amount = row.bands[0].unit_price
    if fee.charge.charge_type == "recurring":
        amount = amount * fee.billed_days / fee.full_days
    total = half_away(amount, exponent(subscription.currency))
    return Draft(
        order=(0, fee.charge.position, fee.charge.charge_id.encode()),
        kind=fee.charge.charge_type,
        charge_id=fee.charge.charge_id,
        price_position=None,
        dimension_values=None,
        period_from=fee.fee_from,
        period_to=fee.fee_to,
        quantity=None,
        rated_quantity=None,
        event_count=None,
        amount=amount,
        total=total,
        steps=(("fee", amount),),
    )


def usage_draft(period: Period, line: RatedLine) -> Draft:
    charge, row = line.charge, line.row
    within = (1, 0, b"") if row is None else (0, row.position, row.dimension_values.encode())
    return Draft(
        order=(1, charge.position, charge.charge_id.encode(), *within),
        kind="minimum" if row is None else "usage",
        charge_id=charge.charge_id,
        price_position=row.position if row else None,
        dimension_values=row.dimension_values if row else None,
        period_from=period.period_from,
        period_to=period.period_to,
        quantity=line.quantity,
        rated_quantity=line.rated_quantity,
        event_count=line.event_count if row else None,
        amount=line.amount,
        total=line.total,
        steps=line.steps,
    )


def quantity_text(quantity: Fraction | None) -> str | None:
    return None if quantity is None else fixed(quantity, 10)


def number_lines(invoice_id: str, drafts: list[Draft]) -> list[Line]:
    lines = []
    for number, draft in enumerate(sorted(drafts, key=lambda draft: draft.order), start=1):
        lines.append(
            Line(
                invoice_id=invoice_id,
                line_number=number,
                line_id=f"{invoice_id}#{number}",
                kind=draft.kind,
                charge_id=draft.charge_id,
                price_position=draft.price_position,
                dimension_values=draft.dimension_values,
                period_from=draft.period_from,
                period_to=draft.period_to,
                quantity=quantity_text(draft.quantity),
                rated_quantity=quantity_text(draft.rated_quantity),
                event_count=draft.event_count,
                amount=draft.amount,
                line_total=fixed(draft.total, TOTAL_DIGITS),
                steps=draft.steps,
            )
        )
    return lines


def invoice_subscription(
    catalog: Catalog,
    subscription: Subscription,
    rated: dict[int, PeriodUsage],
    as_of_at: datetime,
) -> list[Invoice]:
    """The opening invoice and one a started period; a cycle without lines has no document."""
    periods = list_periods(catalog, subscription, as_of_at, beyond=1)
    if not periods:
        return []
    fees: dict[int, list[Draft]] = {}
    for charge in catalog.charges.get(subscription.plan_id, []):
        if charge.charge_type == "usage":
            continue
        for fee in list_fee_periods(catalog, subscription, charge, periods):
            draft = fee_draft(catalog, subscription, fee)
            if draft is not None and charge.recorded_at <= fee.fee_from:
                fees.setdefault(fee.invoice_index, []).append(draft)
    first = periods[0]
    opening_cutoff = cutoff(first.period_from, known_at(catalog, subscription))
    documents = [(0, first, first.from_date, opening_cutoff, [])]
    for period in periods:
        if period.period_from < as_of_at:
            drafts = [usage_draft(period, line) for line in rated[period.number].lines]
            documents.append((period.number, period, period.to_date, period.cutoff_at, drafts))
    invoices = []
    for cycle, period, day, cutoff_at, drafts in documents:
        drafts = drafts + fees.get(cycle, [])
        is_closed = cutoff_at <= as_of_at
        if not drafts or not (is_closed or period.period_from < as_of_at):
            continue
        invoice_id = f"{subscription.subscription_id}@{day.isoformat()}"
        invoices.append(
            Invoice(
                invoice_id=invoice_id,
                status="final" if is_closed else "draft",
                cutoff=cutoff_at,
                invoice_number=None,
                customer_id=subscription.customer_id,
                subscription_id=subscription.subscription_id,
                currency=subscription.currency,
                billing_entity=period.billing_entity,
                period_start=period.period_from,
                cycle=cycle,
                total=fixed(sum((draft.total for draft in drafts), Fraction(0)), TOTAL_DIGITS),
                lines=number_lines(invoice_id, drafts),
            )
        )
    return invoices


def number_invoices(invoices: list[Invoice]) -> None:
    """Gapless numbers per billing entity: by cutoff, customer, subscription, period start."""
    counts: dict[str, int] = {}
    finals = [invoice for invoice in invoices if invoice.status == "final"]
    finals.sort(
        key=lambda invoice: (
            invoice.cutoff,
            invoice.customer_id.encode(),
            invoice.subscription_id.encode(),
            invoice.period_start,
            invoice.cycle,
        )
    )
    for invoice in finals:
        entity = invoice.billing_entity
        counts[entity] = counts.get(entity, 0) + 1
        invoice.invoice_number = f"{entity}-{counts[entity]:06d}"
