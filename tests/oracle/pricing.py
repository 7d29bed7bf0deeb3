"""Pricing models on a rated quantity (section 3, *Pricing*): exact amounts with their steps."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

from .amounts import QUANTITY_DIGITS, half_away
from .catalog import Band, Charge, PriceRow

Step = tuple[str, Fraction]


@dataclass(frozen=True)
class Rated:
    """The exact amount of a price row, and the steps that add up to it."""

    amount: Fraction
    steps: tuple[Step, ...]


def is_entered(band: Band, quantity: Fraction, flat_fee_at_zero: bool) -> bool:
    if band.tier_from == 0 and quantity <= 0:
        return flat_fee_at_zero
    return quantity > band.tier_from


def units_in(band: Band, quantity: Fraction) -> Fraction:
    top = quantity if band.tier_to is None else min(quantity, band.tier_to)
    return max(top - band.tier_from, Fraction(0))


def per_unit(row: PriceRow, charge: Charge, quantity: Fraction, events: int) -> list[Step]:
    return [("units", quantity * row.bands[0].unit_price)]


def flat(row: PriceRow, charge: Charge, quantity: Fraction, events: int) -> list[Step]:
    return [("flat fee", row.bands[0].flat_fee)] if events else []


def tiers(row: PriceRow, charge: Charge, quantity: Fraction, rate: Callable) -> list[Step]:
    steps = []
    for number, band in enumerate(row.bands, start=1):
        steps.append((f"band {number}", units_in(band, quantity) * rate(band)))
        if is_entered(band, quantity, charge.flat_fee_at_zero):
            steps.append((f"band {number} flat fee", band.flat_fee))
    return steps


def tiered(row: PriceRow, charge: Charge, quantity: Fraction, events: int) -> list[Step]:
    return tiers(row, charge, quantity, lambda band: band.unit_price)


def tiered_percentage(row: PriceRow, charge: Charge, quantity: Fraction, events: int) -> list[Step]:
    return tiers(row, charge, quantity, lambda band: band.percent / 100)


def volume(row: PriceRow, charge: Charge, quantity: Fraction, events: int) -> list[Step]:
    band = next(
        band
        for band in row.bands
        if quantity <= 0 or band.tier_to is None or band.tier_from < quantity <= band.tier_to
    )
    steps = [("units", quantity * band.unit_price)]
    if quantity > 0 or charge.flat_fee_at_zero:
        steps.append(("flat fee", band.flat_fee))
    return steps


def stairstep(row: PriceRow, charge: Charge, quantity: Fraction, events: int) -> list[Step]:
    return [
        (f"band {number}", band.flat_fee)
        for number, band in enumerate(row.bands, start=1)
        if is_entered(band, quantity, charge.flat_fee_at_zero)
    ]


def package(row: PriceRow, charge: Charge, quantity: Fraction, events: int) -> list[Step]:
    band = row.bands[0]
    return [("packages", (quantity / band.package_size).__ceil__() * band.unit_price)]


def percentage(row: PriceRow, charge: Charge, quantity: Fraction, events: int) -> list[Step]:
    band = row.bands[0]
    return [
        ("percent", max(quantity - band.free_amount, Fraction(0)) * band.percent / 100),
        ("events", max(events - band.free_events, Fraction(0)) * band.event_fee),
    ]


MODELS = {
    model.__name__: model
    for model in (
        per_unit,
        flat,
        tiered,
        volume,
        stairstep,
        package,
        percentage,
        tiered_percentage,
    )
}


def prorate_bands(row: PriceRow, share: Fraction) -> PriceRow:
    """A price row whose fees and free parts are for a share of the cycle."""
    bands = [
        replace(
            band,
            flat_fee=band.flat_fee * share,
            free_amount=half_away(band.free_amount * share, QUANTITY_DIGITS),
            free_events=half_away(band.free_events * share, QUANTITY_DIGITS),
        )
        for band in row.bands
    ]
    return replace(row, bands=tuple(bands))


def rate(
    row: PriceRow,
    charge: Charge,
    quantity: Fraction,
    events: int,
    event_amount: Fraction,
    fee_factor: Fraction = Fraction(1),
) -> Rated:
    """The amount of a rated quantity; `event_amount` is what the events' own prices add up to.

    Flat fees and free parts are multiplied by `fee_factor`, a part's share of its cycle.
    """
    if charge.pricing_model == "dynamic":
        steps = [("prices of the events", event_amount)]
    else:
        row = prorate_bands(row, fee_factor) if fee_factor != 1 else row
        steps = MODELS[charge.pricing_model](row, charge, quantity, events)
    return Rated(sum((amount for _, amount in steps), Fraction(0)), tuple(steps))
