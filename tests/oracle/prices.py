"""Which price rows bind a charge from an instant on (section 3, *Plans*)."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from .catalog import Catalog, Charge, Limit, PriceRow
from .changes import Life, Phase
from .clock import add_cycles, local_date

MONTH = ("month", 1)
MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class Moment:
    """When prices are looked at: a local day, the instant by which a row has to be recorded
    (None: a pin looks at all that is known), and the cutoff of the invoice for late rows. What is
    billed before that instant sees what was told before it was (`billed_at`).
    """

    customer_id: str
    currency: str
    day: date
    instant: datetime | None
    cutoff_at: datetime
    contract_month: int
    billed_at: datetime | None = None
    #: Units of credit in which a price may be, as they have a rate.
    units: frozenset[str] = frozenset()


def contract_month(start: date, day: date) -> int:
    """1 in the first month of the contract, counted from its local start date."""
    months = (day.year - start.year) * 12 + day.month - start.month
    return months + (1 if add_cycles(start, MONTH, months) <= day else 0)


def moment_of(
    life: Life,
    phase: Phase,
    charge: Charge,
    begin: tuple[datetime, date],
    end: tuple[datetime, str],
    cutoff_at: datetime,
) -> Moment:
    """The moment of a stretch: its begin with its local date, its end with the zone there."""
    instant, day = begin
    month_day = day
    if phase.pin is not None:
        instant, day = None, phase.pin
    elif charge.price_at == "close":
        instant = end[0]
        day = month_day = local_date(end[0] - MICROSECOND, end[1])
    return Moment(
        customer_id=life.subscription.customer_id,
        currency=life.subscription.currency,
        day=day,
        instant=instant,
        cutoff_at=cutoff_at,
        contract_month=contract_month(life.start_date, month_day),
    )


def is_known(row: PriceRow | Limit, moment: Moment, applies_to: str) -> bool:
    is_told = moment.billed_at is None or row.recorded_at < moment.billed_at
    if moment.instant is not None and applies_to != "closed" and not is_told:
        return False
    if moment.instant is None or row.recorded_at <= moment.instant or applies_to == "closed":
        return True
    return applies_to == "open" and row.recorded_at < moment.cutoff_at


def price_rows(catalog: Catalog, charge: Charge, moment: Moment) -> list[PriceRow]:
    """Price rows in force at a moment, one per dimension values, in row order."""
    winners: dict[str, PriceRow] = {}

    def rank(row: PriceRow) -> tuple:
        return (bool(row.customer_id), row.contract_month, row.valid_from, row.recorded_at)

    for row in catalog.price_rows.get((charge.plan_id, charge.charge_id), []):
        if (
            (row.currency == moment.currency or row.currency in moment.units)
            and row.customer_id in ("", moment.customer_id)
            and row.valid_from <= moment.day
            and row.contract_month <= moment.contract_month
            and is_known(row, moment, row.applies_to)
        ):
            best = winners.get(row.dimension_values)
            if best is None or rank(best) < rank(row):
                winners[row.dimension_values] = row
    return sorted(winners.values(), key=lambda row: (row.position, row.dimension_values.encode()))


def limit_of(catalog: Catalog, charge: Charge, moment: Moment) -> Limit | None:
    """The charge's minimum and maximum: of those valid on the day and recorded, the newest."""
    rows = [
        row
        for row in catalog.limits
        if (row.plan_id, row.charge_id, row.currency)
        == (charge.plan_id, charge.charge_id, moment.currency)
        and row.valid_from <= moment.day
        and is_known(row, moment, "")
    ]
    return max(rows, key=lambda row: (row.valid_from, row.recorded_at)) if rows else None
