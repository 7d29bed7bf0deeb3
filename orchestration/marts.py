"""Reading the marts: rows as mappings, values as exact text.

Nothing here passes money or a quantity through a float: a decimal is text or a Decimal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any

from orchestration.errors import UserError
from orchestration.warehouse import Warehouse, connect

Row = dict[str, Any]
#: What is more than ten years counts microseconds.
LONGEST_CYCLE_DAYS = 3660


class Marts:
    """The public tables of the target, or of another house, read only.

    Raises UserError where they are not built yet.
    """

    def __init__(self, target: str | None, warehouse: Warehouse | None = None) -> None:
        self.warehouse: Warehouse = warehouse or connect(target, read_only=True)
        self._exponents: dict[str, int] | None = None
        self._unit_exponents: dict[str, int] | None = None

    def __enter__(self) -> Marts:
        return self

    def __exit__(self, *_: object) -> None:
        self.warehouse.close()

    def rows(self, sql: str, *parameters: Any) -> list[Row]:
        """The rows of one query, each a mapping by column name."""
        try:
            columns, rows = self.warehouse.query(sql, list(parameters))
        except Exception as fault:
            if "does not exist" in str(fault):
                raise UserError("nothing has been built here yet: run tally build") from fault
            raise
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def exponent(self, currency: str) -> int:
        """The number of decimals of `currency`, or of a unit of credit."""
        if self._exponents is None:
            self._exponents = {
                row["currency"]: row["exponent"]
                for row in self.rows("select currency, exponent from reference.currencies")
            }
        if currency in self._exponents:
            return self._exponents[currency]
        if self._unit_exponents is None:
            self._unit_exponents = {
                row["unit"]: row["exponent"]
                for row in self.rows("select unit, exponent from staging.stg_catalog__credit_units")
            }
        return self._unit_exponents[currency]

    def is_unit(self, currency: str) -> bool:
        """Whether it is a unit of credit and no currency."""
        self.exponent(currency)
        return currency not in (self._exponents or {})


def exact_text(value: Any) -> Any:
    """`value` as JSON holds it: decimals as plain text without trailing zeros, instants in UTC."""
    if isinstance(value, Decimal):
        if not value:
            return "0"
        text = format(value, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    if isinstance(value, datetime):
        return _instant_text(value)
    if isinstance(value, date):
        return value.isoformat()
    return value


# The same few instants stand in very many rows.
@lru_cache(maxsize=65_536)
def _instant_text(instant: datetime) -> str:
    return instant.isoformat(timespec="auto") + "Z"


@lru_cache
def _smallest(exponent: int) -> Decimal:
    return Decimal(1).scaleb(-exponent)


def money(amount: Decimal, exponent: int) -> str:
    """A rounded amount at its currency's exponent, without separators."""
    return format(amount.quantize(_smallest(exponent)), "f")


def grouped_money(amount: Decimal, exponent: int) -> str:
    """A rounded amount for people: exponent and thousands separators."""
    return format(amount.quantize(_smallest(exponent)), ",f")


def grouped(value: Any) -> str:
    """A number for people: thousands separators, no trailing zeros; blank for none."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        text = format(value, ",f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    if isinstance(value, int) and not isinstance(value, bool):
        return format(value, ",d")
    return str(value)


def part_of_cycle(numerator: int | None, denominator: int | None) -> str:
    """A share of a cycle for people: `11/31` of its days, a percentage of its microseconds.

    Blank where there is none, or where it is the whole cycle.
    """
    if numerator is None or not denominator or numerator == denominator:
        return ""
    share = Fraction(numerator, denominator)
    if denominator <= LONGEST_CYCLE_DAYS:
        return f"{numerator}/{denominator}"
    if share.denominator <= LONGEST_CYCLE_DAYS:
        return str(share)
    hundredths = round(share * 10_000)
    return f"{hundredths // 100}.{hundredths % 100:02d} %"


def document(row: Mapping[str, Any], totals: Sequence[str], exponent: int) -> Row:
    """`row` as JSON holds it; the columns `totals` are money at the currency's exponent."""
    return {
        name: money(value, exponent)
        if name in totals and isinstance(value, Decimal)
        else exact_text(value)
        for name, value in row.items()
    }
