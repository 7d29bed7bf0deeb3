"""Numbers: JSON's grammar, rounding and text (section 3, *Events*; section 1, principle 4)."""

import re
from fractions import Fraction

NUMBER = re.compile(r"(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?")
QUANTITY_DIGITS = 10
NUMBER_LIMIT = 10**12
QUANTITY_LIMIT = 10**15
AMOUNT_LIMIT = 10**13
LONGEST_NUMBER = 100

EXPONENTS = {
    **dict.fromkeys(["CLP", "ISK", "JPY", "KRW", "PYG", "UGX", "VND", "XAF", "XOF", "XPF"], 0),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
}


def exponent(currency: str) -> int:
    """Minor digits of a currency (ISO 4217); two unless listed."""
    return EXPONENTS.get(currency, 2)


def floor_at(value: Fraction, digits: int) -> Fraction:
    scale = Fraction(10) ** digits
    return Fraction((value * scale).__floor__()) / scale


def ceiling_at(value: Fraction, digits: int) -> Fraction:
    return -floor_at(-value, digits)


def half_away(value: Fraction, digits: int) -> Fraction:
    """Round half away from zero, the only rounding of money and quantities."""
    scale = 10**digits
    # floor(|value| * scale + 1/2) in whole numbers.
    rounded = (2 * abs(value.numerator) * scale + value.denominator) // (2 * value.denominator)
    return Fraction(-rounded if value < 0 else rounded, scale)


def fixed(value: Fraction, digits: int) -> str:
    """Text with exactly `digits` decimals; the value must have no more than these."""
    scaled, rest = divmod(value.numerator * 10**digits, value.denominator)
    if rest:
        raise ValueError(f"{value} has more than {digits} decimals")
    sign = "-" if scaled < 0 else ""
    text = str(abs(scaled)).rjust(digits + 1, "0")
    return f"{sign}{text[:-digits]}.{text[-digits:]}" if digits else sign + text


class OutOfRange(ValueError):
    """A number with more than 12 whole digits, or with a text of more than 100 characters."""


def parse_number(text: str) -> Fraction | None:
    """The number a text states, to 10 decimals; None if it is not in JSON's number grammar."""
    match = NUMBER.fullmatch(text)
    if match is None:
        return None
    if len(text) > LONGEST_NUMBER:
        raise OutOfRange(text[:LONGEST_NUMBER])
    sign, whole, decimals, power = match.groups()
    digits = int(whole + (decimals or ""))
    shift = int(power or 0) - len(decimals or "")
    if digits == 0:
        return Fraction(0)
    magnitude = len(str(digits)) + shift
    if magnitude > 13:
        raise OutOfRange(text)
    if magnitude < -QUANTITY_DIGITS - 1:
        return Fraction(0)
    value = half_away(Fraction(digits) * Fraction(10) ** shift, QUANTITY_DIGITS)
    if value >= NUMBER_LIMIT:
        raise OutOfRange(text)
    return -value if sign else value


def canonical_number(text: str) -> str | None:
    """A JSON number without exponent, trailing zeros or a negative zero: 1.50 is 1.5, 1e3 1000.

    A whole number written out keeps its digits, however many; any other is rounded to 10 decimals
    like every number (section 3, *Events*) and is none with more than 28 whole digits.
    """
    sign, whole, decimals, power = NUMBER.fullmatch(text).groups()
    if decimals is None and power is None:
        return "0" if whole == "0" else sign + whole
    digits = int(whole + (decimals or ""))
    shift = int(power or 0) - len(decimals or "")
    magnitude = len(str(digits)) + shift
    if digits == 0 or magnitude < -QUANTITY_DIGITS - 1:
        return "0"
    if magnitude > 28:
        return None
    rounded = half_away(Fraction(digits) * Fraction(10) ** shift, QUANTITY_DIGITS)
    head, tail = divmod(int(rounded * 10**QUANTITY_DIGITS), 10**QUANTITY_DIGITS)
    tail_text = str(tail).rjust(QUANTITY_DIGITS, "0").rstrip("0")
    text = str(head) + ("." + tail_text if tail_text else "")
    return "0" if text == "0" else sign + text
