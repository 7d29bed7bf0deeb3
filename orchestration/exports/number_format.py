"""How a customer's country writes money, numbers and dates (CLDR's rules, from Babel).

The country is that of the customer's time zone. Pages are in English, so a country that does not
write Latin letters has its numbers as English is written there.
"""

from __future__ import annotations

import re
from copy import copy
from datetime import date
from decimal import Decimal
from functools import lru_cache

from babel import Locale, UnknownLocaleError
from babel.core import get_global
from babel.dates import format_date
from babel.numbers import NumberPattern, parse_pattern

#: Signs that few typefaces have, and those that stand for them.
SIGNS = str.maketrans({"\u202f": "\u00a0", "\uffe5": "\u00a5", "\u200e": "", "\u200f": ""})
#: Decimals of a unit price, a quantity, a step's amount.
PRICE_DIGITS, QUANTITY_DIGITS, STEP_DIGITS = 12, 10, 8


def is_locale(text: str) -> bool:
    """Whether Babel knows the locale."""
    try:
        Locale.parse(text)
    except (UnknownLocaleError, ValueError, TypeError):
        return False
    return True


@lru_cache(maxsize=1024)
def choose_locale(time_zone: str) -> str:
    """The locale of a time zone's country: its main language if Latin is written, else English."""
    territory = get_global("zone_territories").get(time_zone, "ZZ")
    if territory in ("ZZ", "001"):
        return "en"
    likely = get_global("likely_subtags").get(f"und_{territory}", "")
    language, script = [*likely.split("_"), "", ""][:2]
    wanted = f"{language if script == 'Latn' else 'en'}_{territory}"
    for name in (wanted, f"en_{territory}"):
        if is_locale(name):
            return name
    return "en"


class NumberFormat:
    """Texts of one locale and currency. `exponent` is the currency's, whatever CLDR says."""

    def __init__(self, locale: str, currency: str, exponent: int) -> None:
        self.locale = Locale.parse(locale)
        self.currency = currency
        self.exponent = exponent
        self._money = self.locale.currency_formats["standard"]
        self._number = self.locale.decimal_formats[None]
        self._percent = self.locale.percent_formats[None]

    def money(self, amount: Decimal) -> str:
        """A rounded total."""
        return self._apply(self._money, amount, self.exponent, self.exponent, self.currency)

    def price(self, amount: Decimal) -> str:
        """A price or an unrounded amount: as many decimals as it has, the currency's at least."""
        digits = max(self.exponent, PRICE_DIGITS)
        return self._apply(self._money, amount, self.exponent, digits, self.currency)

    def step(self, amount: Decimal) -> str:
        """An amount of a step: exact where that is short, else near to it."""
        digits = max(self.exponent, STEP_DIGITS)
        shown = self._apply(self._money, amount, self.exponent, digits, self.currency)
        is_exact = amount == round(amount, digits)
        return shown if is_exact else f"\u2248 {shown}"

    def of_unit(self, unit: str) -> NumberFormat:
        """The same for amounts of a unit of credit, which are numbers with its name behind."""
        return _UnitFormat(self, unit)

    def number(self, quantity: Decimal | int) -> str:
        return self._apply(self._number, Decimal(quantity), 0, QUANTITY_DIGITS, None)

    def percent(self, fraction: Decimal) -> str:
        return self._apply(self._percent, fraction, 0, QUANTITY_DIGITS, None)

    def day(self, day: date) -> str:
        """In English, and in the order in which the customer's English is written."""
        if self.locale.language == "en" and self.locale.territory:
            return format_date(day, "long", locale=self.locale)
        return format_date(day, "d MMMM y", locale="en")

    def _apply(
        self, pattern: NumberPattern, value: Decimal, least: int, most: int, currency: str | None
    ) -> str:
        shown = _with_decimals(pattern.pattern, least, most)
        text = shown.apply(
            value,
            self.locale,
            currency=currency,
            currency_digits=False,
            numbering_system="latn",
        )
        # CLDR keeps letters of a currency from the digits beside them.
        return re.sub(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])", "\u00a0", text.translate(SIGNS))


class _UnitFormat(NumberFormat):
    """Texts of a locale and a unit of credit."""

    def __init__(self, shown: NumberFormat, unit: str) -> None:
        super().__init__(str(shown.locale), shown.currency, shown.exponent)
        self.unit = unit

    def money(self, amount: Decimal) -> str:
        return f"{self.number(amount)} {self.unit}"

    def price(self, amount: Decimal) -> str:
        return f"{self._apply(self._number, amount, 0, PRICE_DIGITS, None)} {self.unit}"

    def step(self, amount: Decimal) -> str:
        digits = STEP_DIGITS
        text = f"{self._apply(self._number, amount, 0, digits, None)} {self.unit}"
        return text if amount == round(amount, digits) else f"\u2248 {text}"


@lru_cache(maxsize=4096)
def _with_decimals(pattern: str, least: int, most: int) -> NumberPattern:
    made = copy(parse_pattern(pattern))
    made.frac_prec = (least, most)
    return made
