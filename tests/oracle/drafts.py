"""Lines of an invoice before they have their numbers."""

from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction

from .catalog import Charge
from .fees import FeeCredit, FeeLine
from .parts import Part
from .periods import Period
from .pricing import Step
from .rating import RatedLine

FEES, USAGE, COMMITMENTS = 0, 1, 2


@dataclass
class Draft:
    """A line before it has its number.

    `gross` is rounded; `discounted` and `capped` are what discounts and the charge's maximum take
    off. `period_number` is the line's own period, whose invoice need not be this one.
    """

    order: tuple
    kind: str
    charge_id: str
    plan_id: str
    part_number: int
    period_number: int
    from_date: date
    price_position: int | None
    dimension_values: str | None
    period_from: datetime
    period_to: datetime
    quantity: Fraction | None
    rated_quantity: Fraction | None
    event_count: int | None
    amount: Fraction
    gross: Fraction
    steps: tuple[Step, ...]
    #: None of what commitments add.
    charge: Charge | None = None
    discounted: Fraction = Fraction(0)
    capped: Fraction = Fraction(0)
    #: Of a credit: invoice, charge and begin of the fee that it gives back.
    billed: tuple[int, str, datetime] | None = None
    #: The unit of credit in which its charge is priced, and how many it comes to.
    unit: str = ""
    unit_total: Fraction | None = None

    @property
    def left(self) -> Fraction:
        return self.gross - self.capped - self.discounted


def fee_draft(fee: FeeLine) -> Draft:
    return Draft(
        order=(FEES, fee.charge.position, fee.charge.charge_id.encode(), fee.begin, 0),
        kind=fee.charge.charge_type,
        charge_id=fee.charge.charge_id,
        plan_id=fee.charge.plan_id,
        part_number=1,
        period_number=fee.period_number,
        from_date=fee.begin_date,
        price_position=None,
        dimension_values=None,
        period_from=fee.begin,
        period_to=fee.end,
        quantity=None,
        rated_quantity=None,
        event_count=None,
        amount=fee.amount,
        gross=fee.total,
        steps=(("fee", fee.amount),),
        charge=fee.charge,
    )


def credit_draft(credit: FeeCredit, total: Fraction) -> Draft:
    charge = credit.billed.charge
    return Draft(
        order=(FEES, charge.position, charge.charge_id.encode(), credit.begin, 1),
        kind="credit",
        charge_id=charge.charge_id,
        plan_id=charge.plan_id,
        part_number=1,
        period_number=credit.period_number,
        from_date=credit.begin_date,
        price_position=None,
        dimension_values=None,
        period_from=credit.begin,
        period_to=credit.end,
        quantity=None,
        rated_quantity=None,
        event_count=None,
        amount=total,
        gross=total,
        steps=(("credit", total),),
        charge=charge,
        billed=(credit.billed.invoice_index, charge.charge_id, credit.billed.begin),
    )


def usage_order(part: Part, within: tuple) -> tuple:
    charge = part.charge
    return (USAGE, charge.position, charge.charge_id.encode(), part.number, *within)


def usage_draft(line: RatedLine) -> Draft:
    part, row = line.part, line.row
    return Draft(
        order=usage_order(part, (0, row.position, row.dimension_values.encode())),
        kind="usage",
        charge_id=part.charge.charge_id,
        plan_id=part.charge.plan_id,
        part_number=part.number,
        period_number=part.period.number,
        from_date=part.begin_date,
        price_position=row.position,
        dimension_values=row.dimension_values,
        period_from=part.begin,
        period_to=part.end,
        quantity=line.quantity,
        rated_quantity=line.rated_quantity,
        event_count=line.event_count,
        amount=line.amount,
        gross=line.total,
        steps=line.steps,
        charge=part.charge,
        unit=part.unit.unit if part.unit else "",
        unit_total=line.unit_total,
    )


def minimum_draft(part: Part, top_up: Fraction) -> Draft:
    return Draft(
        order=usage_order(part, (1, 0, b"")),
        kind="minimum",
        charge_id=part.charge.charge_id,
        plan_id=part.charge.plan_id,
        part_number=part.number,
        period_number=part.period.number,
        from_date=part.begin_date,
        price_position=None,
        dimension_values=None,
        period_from=part.begin,
        period_to=part.end,
        quantity=None,
        rated_quantity=None,
        event_count=None,
        amount=top_up,
        gross=top_up,
        steps=(("minimum", top_up),),
        charge=part.charge,
    )


def commitment_draft(kind: str, commitment_id: str, period: Period, total: Fraction) -> Draft:
    return Draft(
        order=(COMMITMENTS, commitment_id.encode(), kind),
        kind=kind,
        charge_id=commitment_id,
        plan_id=period.plan_id,
        part_number=1,
        period_number=period.number,
        from_date=period.from_date,
        price_position=None,
        dimension_values=None,
        period_from=period.period_from,
        period_to=period.period_to,
        quantity=None,
        rated_quantity=None,
        event_count=None,
        amount=total,
        gross=total,
        steps=((kind, total),),
    )
