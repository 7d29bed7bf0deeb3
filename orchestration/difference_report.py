"""A simulation for people: a summary in the terminal, every difference as CSV."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path

from orchestration.differences import (
    Difference,
    by_currency,
    by_customer,
    by_meter,
    by_plan,
    sum_by,
)
from orchestration.marts import grouped, grouped_money, money
from orchestration.terminal import make_console

#: Biggest differences of a currency that the terminal shows; the CSV has all.
BIGGEST = 5
COLUMNS = ("customer_id", "customer_name", "plan_id", "meter", "currency", "before_total",
           "after_total", "difference_total")  # fmt: skip
#: What spreadsheet programs take for the beginning of a formula.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def is_change(one: Difference) -> bool:
    """Whether the totals differ, or only one side has any line."""
    return bool(one.difference) or (one.before is None) != (one.after is None)


@dataclass(frozen=True)
class Simulation:
    """What was compared, and what came of it.

    `missing` and `added` are subscriptions that the other catalogue, or the house, does not have;
    `unknown_count` is how many of its rows were recorded too late to be known.
    """

    catalog: str
    from_day: date
    to_day: date
    as_of_day: date
    differences: list[Difference]
    names: dict[str, str] = field(default_factory=dict)
    exponents: dict[str, int] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    unknown_count: int = 0

    @property
    def changed(self) -> list[Difference]:
        """Those that are not nothing, a line that only one side has among them."""
        return self._in_order(one for one in self.differences if is_change(one))

    def sums(self, key: Callable[[Difference], tuple[str, str, str]]) -> list[Difference]:
        """The differences summed by currency and key."""
        return self._in_order(sum_by(self.differences, key))

    def _in_order(self, rows: Iterable[Difference]) -> list[Difference]:
        """The currency of the most customers first; else as they are."""
        pairs = {(one.currency, one.customer_id) for one in self.differences}
        counts = Counter(currency for currency, _ in pairs)
        return sorted(rows, key=lambda one: (-counts[one.currency], one.currency))

    def amount(self, value: Decimal | None, currency: str) -> str:
        """An amount for people, at its currency's exponent; blank for none."""
        return "" if value is None else grouped_money(value, self.exponents[currency])

    def signed(self, value: Decimal, currency: str) -> str:
        """A difference for people, with its sign."""
        return f"{'+' if value > 0 else ''}{self.amount(value, currency)}"

    def title(self, customer: str) -> str:
        """A customer for people."""
        name = self.names.get(customer)
        return f"{name} ({customer})" if name else customer

    def remarks(self) -> list[str]:
        """What a reader must know to read the differences right."""
        found = []
        for words, subscriptions in (
            ("not in this catalogue, and billed nothing in it", self.missing),
            ("only in this catalogue", self.added),
        ):
            if subscriptions:
                count = f"{grouped(len(subscriptions))} subscription"
                plural = "s are" if len(subscriptions) > 1 else " is"
                more = ", ..." if len(subscriptions) > 5 else ""
                found.append(f"{count}{plural} {words}: {', '.join(subscriptions[:5])}{more}")
        if self.unknown_count:
            found.append(
                f"{grouped(self.unknown_count)} rows of this catalogue have a recorded_at after "
                f"{self.as_of_day} and are not known to it (blank: from the beginning)"
            )
        return found


def percent_text(one: Difference) -> str:
    """The difference in percent, with its sign; blank where nothing was before."""
    if one.percent is None:
        return ""
    return f"{'+' if one.percent > 0 else ''}{one.percent or Decimal('0.0'):,f} %"


def print_simulation(simulation: Simulation) -> None:
    """Totals by currency, plan and meter, and the biggest differences."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    console = make_console()
    console.print(
        f"Periods that begin from {simulation.from_day} to before {simulation.to_day}, as known at "
        f"the end of {simulation.as_of_day}:\nas billed, and under {escape(simulation.catalog)}"
    )
    for remark in simulation.remarks():
        console.print(f"[yellow]note[/yellow] {escape(remark)}")
    changed = simulation.changed
    tables: list[tuple[str, tuple[str, ...], list[Difference], Callable]] = [
        ("In all", ("Currency",), simulation.sums(by_currency), lambda one: (one.currency,)),
    ]
    if changed:
        plans = [one for one in simulation.sums(by_plan) if is_change(one)]
        meters = [one for one in simulation.sums(by_meter) if is_change(one)]
        places = Counter[str]()
        biggest = []
        for one in changed:
            places[one.currency] += 1
            if places[one.currency] <= BIGGEST:
                biggest.append(one)
        tables += [
            ("By plan", ("Plan",), plans, lambda one: (one.plan_id,)),
            ("By meter", ("Meter",), meters, lambda one: (one.meter,)),
            (
                "Biggest differences",
                ("Customer", "Plan", "Meter"),
                biggest,
                lambda one: (simulation.title(one.customer_id), one.plan_id, one.meter),
            ),
        ]
    for title, names, rows, cells in tables:
        table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
        for name in names:
            table.add_column(name)
        for name in ("Before", "After", "Difference", "%", ""):
            table.add_column(name, justify="right")
        for one in rows:
            table.add_row(
                *(escape(text) for text in cells(one)),
                simulation.amount(one.before, one.currency),
                simulation.amount(one.after, one.currency),
                simulation.signed(one.difference, one.currency) if one.difference else "",
                percent_text(one) if one.difference else "",
                one.currency,
            )
        console.print(table)
    if not changed:
        console.print("No difference.")
        return
    moved = sum(1 for one in simulation.sums(by_customer) if one.difference)
    console.print(
        f"{grouped(moved)} customers' totals differ, in {grouped(len(changed))} differences by"
        " customer, plan and meter (--csv has all)"
    )


def cell(text: str) -> str:
    """A text that no spreadsheet program runs as a formula."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def write_csv(simulation: Simulation, file: Path) -> None:
    """Every customer, plan, meter and currency, those without a difference too. Raises OSError."""
    with file.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(COLUMNS)
        for one in simulation.differences:
            exponent = simulation.exponents[one.currency]
            texts = (
                one.customer_id,
                simulation.names.get(one.customer_id, ""),
                one.plan_id,
                one.meter,
                one.currency,
            )
            totals = (one.before, one.after, one.difference)
            writer.writerow(
                [
                    *map(cell, texts),
                    *("" if total is None else money(total, exponent) for total in totals),
                ]
            )
