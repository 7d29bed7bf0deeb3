"""What `tally preview` shows: drafts before and after a change, and their difference by line."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from orchestration.invoice_view import (
    KINDS,
    describe_line,
    describe_period,
    invoice_document,
    print_invoice,
)
from orchestration.marts import Row, exact_text, grouped_money, money
from orchestration.terminal import make_console

if TYPE_CHECKING:
    from rich.table import Table

#: What tells one line of an invoice from another, whatever its number.
LINE_KEY = (
    "line_kind", "charge_id", "period_from", "period_to", "dimension_values", "adjusts_line_id",
)  # fmt: skip
CHARGE_COLUMNS = ("currency", "line_kind", "charge_id", "dimension_values")


@dataclass(frozen=True)
class Draft:
    """A document that is not closed: its header, lines, what discounts took and credits paid."""

    invoice: Row
    lines: list[Row]
    discounts: list[Row]
    credits: list[Row]
    exponent: int

    @property
    def invoice_id(self) -> str:
        return self.invoice["invoice_id"]


@dataclass(frozen=True)
class Preview:
    """The drafts of a customer; `after` is None where no change was asked for.

    `facts`: customer_id, subscription_id (None: all), as_of_date, plan_id, changes_at.
    """

    facts: Row
    before: list[Draft]
    after: list[Draft] | None = None

    def of_subscription(self) -> list[Draft]:
        """The drafts that are asked for, as they stand."""
        wanted = self.facts["subscription_id"]
        return [d for d in self.before if wanted in (None, d.invoice["subscription_id"])]


@dataclass(frozen=True)
class Comparison:
    """One document before and after; None where it is not there. `lines` are pairs of lines."""

    before: Draft | None
    after: Draft | None
    lines: list[tuple[Row | None, Row | None]]

    @property
    def draft(self) -> Draft:
        draft = self.after or self.before
        assert draft is not None
        return draft

    @property
    def totals(self) -> tuple[Decimal, Decimal]:
        """Before and after."""
        return total(self.before), total(self.after)

    @property
    def is_changed(self) -> bool:
        return any(amount(one) != amount(other) for one, other in self.lines)


def total(draft: Draft | None) -> Decimal:
    return draft.invoice["invoice_total"] if draft else Decimal(0)


def amount(line: Row | None) -> Decimal | None:
    return line["line_total"] if line else None


def pair_lines(before: Iterable[Row], after: Iterable[Row]) -> list[tuple[Row | None, Row | None]]:
    """Lines of one document that are the same one, side by side.

    Lines of one charge stand together, what is only in `before` first.
    """
    left, right = _keyed(before), _keyed(after)
    pairs: list[tuple[Row | None, Row | None]] = [
        *((line, None) for key, line in left.items() if key not in right),
        *((left.get(key), line) for key, line in right.items()),
    ]
    # A charge stands where it stood before, a new one where it stands now.
    places: dict[tuple, int] = {}
    for line in (*left.values(), *right.values()):
        places.setdefault(_charge(line), line["line_number"])

    def order(pair: tuple[Row | None, Row | None]) -> tuple:
        line = pair[1] or pair[0]
        assert line is not None
        charge = _charge(line)
        texts = [str(part) for part in charge]
        return places[charge], texts, pair[1] is not None, line["line_number"]

    return sorted(pairs, key=order)


def _charge(line: Row) -> tuple:
    return line["line_kind"], line["charge_id"], line["dimension_values"]


def _keyed(lines: Iterable[Row]) -> dict[tuple, Row]:
    keyed: dict[tuple, Row] = {}
    for line in lines:
        key = tuple(line[column] for column in LINE_KEY)
        repeated = sum(known[:-1] == key for known in keyed)
        keyed[(*key, repeated)] = line
    return keyed


def compare(preview: Preview) -> list[Comparison]:
    """Each document of the changed subscription, and others that the change bears on."""
    before = {draft.invoice_id: draft for draft in preview.before}
    after = {draft.invoice_id: draft for draft in preview.after or []}
    found = []
    for key in sorted({*before, *after}, key=lambda one: _order(after.get(one) or before[one])):
        one, other = before.get(key), after.get(key)
        lines = pair_lines(one.lines if one else [], other.lines if other else [])
        comparison = Comparison(one, other, lines)
        is_own = comparison.draft.invoice["subscription_id"] == preview.facts["subscription_id"]
        if is_own or comparison.is_changed:
            found.append(comparison)
    return found


def _order(draft: Draft) -> tuple:
    return draft.invoice["cutoff_at"], draft.invoice_id


def sum_up(comparisons: Iterable[Comparison]) -> dict[str, tuple[int, Decimal, Decimal]]:
    """Currency -> its decimals, total before, total after."""
    sums: dict[str, tuple[int, Decimal, Decimal]] = {}
    for comparison in comparisons:
        currency = comparison.draft.invoice["currency"]
        _, before, after = sums.get(currency, (0, Decimal(0), Decimal(0)))
        one, other = comparison.totals
        sums[currency] = (comparison.draft.exponent, before + one, after + other)
    return sums


@dataclass
class ChargeSum:
    """What one charge and its dimension values come to on all documents, before and after."""

    line: Row
    exponent: int
    before: Decimal = Decimal(0)
    after: Decimal = Decimal(0)


def sum_charges(comparisons: Iterable[Comparison]) -> list[ChargeSum]:
    """The sums by kind of line, charge and dimension values: periods may be cut differently."""
    sums: dict[tuple, ChargeSum] = {}
    for comparison in comparisons:
        for one, other in comparison.lines:
            for line, side in ((one, "before"), (other, "after")):
                if line is None:
                    continue
                key = tuple(line[column] for column in CHARGE_COLUMNS)
                charge = sums.setdefault(key, ChargeSum(line, comparison.draft.exponent))
                setattr(charge, side, getattr(charge, side) + line["line_total"])
    return list(sums.values())


# JSON


def preview_json(preview: Preview) -> str:
    """Everything, exact: decimals are text."""
    facts = {name: exact_text(value) for name, value in preview.facts.items()}
    if preview.after is None:
        shown = {**facts, "invoices": [_document(draft) for draft in preview.of_subscription()]}
        return json.dumps(shown, indent=2, ensure_ascii=False)
    comparisons = compare(preview)
    shown = {
        **facts,
        "before": [_document(each.before) for each in comparisons if each.before],
        "after": [_document(each.after) for each in comparisons if each.after],
        "differences": [row for each in comparisons for row in _line_documents(each)],
        "charges": [
            {
                **{name: exact_text(each.line[name]) for name in CHARGE_COLUMNS},
                **_amounts(each.before, each.after, each.exponent),
            }
            for each in sum_charges(comparisons)
        ],
        "totals": [
            {"currency": currency, **_amounts(before, after, exponent)}
            for currency, (exponent, before, after) in sum_up(comparisons).items()
        ],
    }
    return json.dumps(shown, indent=2, ensure_ascii=False)


def _document(draft: Draft) -> Row:
    return invoice_document(
        draft.invoice, draft.lines, draft.discounts, draft.credits, draft.exponent
    )


def _amounts(before: Decimal | None, after: Decimal | None, exponent: int) -> Row:
    difference = (after or Decimal(0)) - (before or Decimal(0))
    return {
        "before_total": None if before is None else money(before, exponent),
        "after_total": None if after is None else money(after, exponent),
        "difference_total": money(difference, exponent),
    }


def _line_documents(comparison: Comparison) -> list[Row]:
    draft = comparison.draft
    rows = []
    for before, after in comparison.lines:
        line = after or before
        assert line is not None
        rows.append(
            {
                "invoice_id": draft.invoice_id,
                **{name: exact_text(line[name]) for name in (*LINE_KEY[:-1], "name", "currency")},
                **_amounts(amount(before), amount(after), draft.exponent),
            }
        )
    return rows


# For people


def print_preview(preview: Preview) -> None:
    """Drafts in full; with a change those before, those after, and the difference by line."""
    from rich.markup import escape

    console = make_console()
    facts = preview.facts
    as_of = f"as known on {facts['as_of_date']}, nothing is written"
    if preview.after is None:
        drafts = preview.of_subscription()
        if not drafts:
            console.print(f"no invoice of {escape(facts['customer_id'])} is open, {as_of}")
        else:
            console.print(f"[dim]Next invoices, {as_of}[/dim]\n")
        _print_drafts(drafts)
        return
    comparisons = compare(preview)
    change = f"{facts['subscription_id']} on {facts['plan_id']} from {facts['changes_at']}"
    console.print(f"[bold]{escape(change)}[/bold] [dim]({as_of})[/dim]\n")
    if not comparisons:
        console.print("no invoice is open, before or after")
        return
    console.print("[bold]As it stands[/bold]\n")
    _print_drafts([each.before for each in comparisons if each.before])
    console.print("[bold]After the change[/bold]\n")
    _print_drafts([each.after for each in comparisons if each.after])
    console.print("[bold]Difference[/bold]\n")
    for each in comparisons:
        if each.before and each.after:
            console.print(_lines_table(each))
    if any(not each.before or not each.after for each in comparisons):
        console.print(_documents_table(comparisons))
    if any(not one or not other for each in comparisons for one, other in each.lines):
        # Lines that are cut otherwise are told together.
        console.print(_charges_table(comparisons))
    for currency, (exponent, before, after) in sum_up(comparisons).items():
        console.print(
            f"[bold]In all[/bold] {grouped_money(before, exponent)} before,"
            f" {grouped_money(after, exponent)} after:"
            f" [bold]{_signed(after - before, exponent)} {currency}[/bold]"
        )


def _print_drafts(drafts: Iterable[Draft]) -> None:
    for draft in drafts:
        print_invoice(
            draft.invoice,
            draft.lines,
            draft.discounts,
            draft.credits,
            draft.exponent,
            is_made=False,
        )


def _signed(value: Decimal, exponent: int) -> str:
    return f"{'+' if value > 0 else ''}{grouped_money(value, exponent)}"


def _shown(value: Decimal | None, exponent: int) -> str:
    return "" if value is None else grouped_money(value, exponent)


def _moved(before: Decimal | None, after: Decimal | None, exponent: int) -> str:
    moved = (after or Decimal(0)) - (before or Decimal(0))
    return _signed(moved, exponent) if moved else ""


def _difference_table(title: str, first: str, unit: str, totals: tuple[str, ...] = ()) -> Table:
    """An empty table of before, after and difference; `totals` is its last line."""
    from rich import box
    from rich.table import Table

    table = Table(
        title=title, title_justify="left", box=box.SIMPLE_HEAD, show_footer=bool(totals),
        pad_edge=False,
    )  # fmt: skip
    before, after, moved = totals or ("", "", "")
    table.add_column(first, "Total")
    table.add_column("Before", before, justify="right")
    table.add_column("After", after, justify="right")
    table.add_column(f"Difference{unit}", moved, justify="right", footer_style="bold")
    return table


def _lines_table(comparison: Comparison) -> Table:
    from rich.markup import escape

    draft = comparison.draft
    invoice = draft.invoice
    before, after = comparison.totals
    period = describe_period(invoice["period_from_date"], invoice["period_to_date"])
    table = _difference_table(
        f"{escape(draft.invoice_id)} [dim]{period}[/dim]",
        "Line",
        f" {invoice['currency']}",
        (
            grouped_money(before, draft.exponent),
            grouped_money(after, draft.exponent),
            _signed(after - before, draft.exponent),
        ),
    )
    for one, other in comparison.lines:
        line = other or one
        assert line is not None
        table.add_row(
            describe_line(line, invoice),
            _shown(amount(one), draft.exponent),
            _shown(amount(other), draft.exponent),
            _moved(amount(one), amount(other), draft.exponent),
        )
    return table


def _documents_table(comparisons: Iterable[Comparison]) -> Table:
    from rich.markup import escape

    table = _difference_table("By invoice", "Invoice", "")
    for each in comparisons:
        exponent = each.draft.exponent
        before, after = (total(d) if d else None for d in (each.before, each.after))
        table.add_row(
            escape(each.draft.invoice_id),
            _shown(before, exponent),
            _shown(after, exponent),
            f"{_moved(before, after, exponent)} {each.draft.invoice['currency']}",
        )
    return table


def _charges_table(comparisons: Iterable[Comparison]) -> Table:
    from rich.markup import escape

    table = _difference_table("By charge", "Charge", "")
    for each in sum_charges(comparisons):
        line = each.line
        text = escape(str(line["name"] or line["charge_id"]))
        if line["line_kind"] in KINDS:
            text += f": {KINDS[line['line_kind']]}"
        if line["dimension_values"]:
            text += f" [dim]{escape(line['dimension_values'].replace('|', ', '))}[/dim]"
        table.add_row(
            text,
            _shown(each.before, each.exponent),
            _shown(each.after, each.exponent),
            f"{_moved(each.before, each.after, each.exponent)} {line['currency']}",
        )
    return table
