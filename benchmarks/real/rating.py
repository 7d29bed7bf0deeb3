"""Prices of a catalogue applied by hand, to compare lines with: nothing of the project's SQL."""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path


@dataclass(frozen=True)
class Band:
    """One row of prices.csv: units up to `up_to` (None: without end) at `unit_price`."""

    up_to: Fraction | None
    unit_price: Fraction
    package_size: Fraction | None


def band_prices(catalog: Path) -> dict[tuple[str, str, str], list[Band]]:
    """The bands of prices.csv by charge, currency and dimension values, in its order."""
    prices: dict[tuple[str, str, str], list[Band]] = defaultdict(list)
    with (catalog / "prices.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            key = (row["charge_id"], row["currency"], row["dimension_values"])
            prices[key].append(
                Band(
                    Fraction(row["up_to"]) if row["up_to"] else None,
                    Fraction(row["unit_price"]),
                    Fraction(row["package_size"]) if row["package_size"] else None,
                )
            )
    return dict(prices)


def package_amount(quantity: Fraction, bands: list[Band]) -> Fraction:
    """Every package that is begun is paid."""
    (band,) = bands
    assert band.package_size
    return math.ceil(quantity / band.package_size) * band.unit_price


def tiered_amount(quantity: Fraction, bands: list[Band]) -> Fraction:
    """Units of each band at the band's own price; one band is a price per unit."""
    amount, below = Fraction(0), Fraction(0)
    for band in bands:
        top = quantity if band.up_to is None else min(quantity, band.up_to)
        amount += max(top - below, Fraction(0)) * band.unit_price
        below = top
    return amount
