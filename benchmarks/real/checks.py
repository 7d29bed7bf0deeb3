"""What is compared, and the table that says how it came out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any


@dataclass(frozen=True)
class Check:
    """One comparison: `expected` was found outside the project, `found` is read from its marts."""

    name: str
    expected: Any
    found: Any
    is_ok: bool


@dataclass
class Result:
    """One data set: its checks, and the seconds that each part took."""

    name: str
    checks: list[Check] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def is_ok(self) -> bool:
        return bool(self.checks) and all(check.is_ok for check in self.checks)


def equal(name: str, expected: Any, found: Any) -> Check:
    """Both are the same value; numbers are compared exactly."""
    return Check(name, expected, found, expected == found)


def all_equal(name: str, expected: Mapping[Any, Any], found: Mapping[Any, Any]) -> Check:
    """Every key has the same value on both sides; shows how many, and the first that has not."""
    wrong = sorted(
        (key for key in {*expected, *found} if expected.get(key) != found.get(key)), key=str
    )
    count = f"{len(expected):,} of {len(expected):,}"
    if not expected or not wrong:
        return Check(name, count, count if expected else "nothing to compare", bool(expected))
    first = wrong[0]
    return Check(
        name,
        f"{count}; {as_text(first)}: {as_text(expected.get(first))}",
        f"{len(wrong):,} differ; {as_text(found.get(first))}",
        False,
    )


def all_within(
    name: str,
    expected: Mapping[Any, Decimal],
    found: Mapping[Any, Decimal],
    tolerance: Decimal,
) -> Check:
    """As all_equal, where a difference of up to `tolerance` is the source's own rounding."""
    far = {
        key
        for key in {*expected, *found}
        if key not in expected or key not in found or abs(expected[key] - found[key]) > tolerance
    }
    near = {key: expected[key] for key in found if key in expected and key not in far}
    return all_equal(name, expected, {**found, **near})


def largest_gap(expected: Mapping[Any, Decimal], found: Mapping[Any, Decimal]) -> Decimal:
    """The largest difference of a key that both sides have."""
    return max(
        (abs(value - found[key]) for key, value in expected.items() if key in found),
        default=Decimal(0),
    )


def as_text(value: Any) -> str:
    """A value as a person reads it: thousands apart, no exponent, decimals as they are."""
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, Fraction) and value.denominator > 1:
        whole = value.numerator // value.denominator
        return f"{whole:,} + {value - whole}"
    if isinstance(value, Decimal):
        text = f"{value:,f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    if isinstance(value, (int, Fraction)):
        return f"{int(value):,}"
    if isinstance(value, tuple):
        return ", ".join(as_text(part) for part in value)
    return str(value)


def table(result: Result) -> Iterable[str]:
    """The checks of one data set, a line each."""
    rows = [
        (check.name, as_text(check.expected), as_text(check.found), "ok" if check.is_ok else "NO")
        for check in result.checks
    ]
    head = (result.name, "expected", "found", "")
    widths = [max(len(row[place]) for row in [head, *rows]) for place in range(3)]
    for name, expected, found, verdict in [head, *rows]:
        yield (
            f"{name:<{widths[0]}}  {expected:>{widths[1]}}  {found:>{widths[2]}}  {verdict}"
        ).rstrip()
