"""Units of credit: what one is worth in money (section 3, *Credits*)."""

from .catalog import Catalog, UnitRate
from .periods import Period


def rates_at(catalog: Catalog, currency: str, period: Period) -> dict[str, UnitRate]:
    """The rates of a period by unit: of those valid on its first day and recorded by its start,
    the newest. A unit without one has no worth in the currency.
    """
    found = {}
    for unit, rates in catalog.units.items():
        own = [
            one
            for one in rates
            if one.currency == currency
            and one.valid_from <= period.from_date
            and one.recorded_at <= period.period_from
        ]
        if own:
            found[unit] = max(own, key=lambda one: (one.valid_from, one.recorded_at))
    return found
