"""Numbers beside what is usual for them. Shares are statistics for a person: never money."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from statistics import median
from typing import Any

#: The trailing weeks that a day is compared with, and how many days of them there must be.
TRAILING_DAYS = 28
LEAST_DAYS = 7

Number = int | Decimal
#: Of a subject (a meter, a customer) its number on each day on which it has one.
Series = Mapping[Hashable, Mapping[date, Number]]


def share(number: Number | None, usual: Number | None) -> float | None:
    """`number` as a multiple of `usual`; none where there is nothing to compare."""
    if number is None or usual is None or usual == 0:
        return None
    return round(float(Decimal(number) / Decimal(usual)), 4)


def by_subject(rows: Iterable[Sequence[Any]]) -> dict[Hashable, dict[date, Number]]:
    """Rows of (day, subject..., number) as series; a number that is null is left out."""
    series: dict[Hashable, dict[date, Number]] = defaultdict(dict)
    for day, *subject, number in rows:
        if number is not None:
            series[tuple(subject)][day] = number
    return series


class Kind(Enum):
    """What a day without a row means of a series."""

    #: None, from the first day on that the subject was seen.
    COUNT = "count"
    #: None, on every day.
    SHARE = "share"
    #: Nothing is known of it.
    MEASURE = "measure"


def usual(
    numbers: Mapping[date, Number], day: date, earlier: Sequence[date], kind: Kind
) -> Decimal | None:
    """The median of the days before `day`; none where there are too few of them."""
    if kind is Kind.MEASURE:
        values = [numbers[each] for each in earlier if each in numbers]
    else:
        seen = min(numbers, default=day) if kind is Kind.COUNT else date.min
        values = [numbers.get(each, 0) for each in earlier if each >= seen]
    return median(map(Decimal, values)) if len(values) >= LEAST_DAYS else None


def day_rows(
    series: Series,
    names: Sequence[str],
    days: Sequence[date],
    known_days: Sequence[date],
    number: str,
    least: Number,
    kind: Kind = Kind.COUNT,
) -> list[dict[str, Any]]:
    """A row for each subject and day: its number, what is usual, and the share of it.

    The share is left blank where what is usual is less than `least`: few events prove nothing.
    """
    rows = []
    span = timedelta(days=TRAILING_DAYS)
    before = {day: [each for each in known_days if day - span <= each < day] for day in days}
    for subject in sorted(series, key=str):
        for day in days:
            expected = usual(series[subject], day, before[day], kind)
            found = series[subject].get(day, None if kind is Kind.MEASURE else 0)
            if expected is None or expected < least:
                expected_share = None
            else:
                expected_share = share(found, expected)
            rows.append(
                {
                    "day": day,
                    **dict(zip(names, subject, strict=True)),
                    number: found,
                    "usual": expected,
                    "share_of_usual": expected_share,
                }
            )
    return rows
