"""`tally explain`: an invoice line traced to its rating steps, its usage per day, its events."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from orchestration.errors import UserError
from orchestration.invoice_view import TOTALS, discount_texts, read_discounts
from orchestration.line_usage import count_events, list_days, list_events
from orchestration.marts import (
    Marts,
    Row,
    document,
    exact_text,
    grouped,
    grouped_money,
    part_of_cycle,
)
from orchestration.terminal import make_console

if TYPE_CHECKING:
    from rich.console import Console

EVENTS_SHOWN = 20
#: What a step that is no band is.
STEPS = {
    "share": "of it not due for this part of the cycle",
    "minimum": "up to the minimum",
    "billed": "billed before",
    "used": "used of it",
    "counted": "counted",
    "shortfall": "units that lack",
    "overage": "over the commitment",
}


def read_line(marts: Marts, line_id: str) -> Row:
    """The invoice line that `line_id` names. Raises UserError when there is none."""
    found = marts.rows("select * from marts.invoice_lines where line_id = ?", line_id)
    if not found:
        raise UserError(f"no line {line_id} (tally invoice NUMBER shows the lines of an invoice)")
    return found[0]


def read_steps(marts: Marts, line: Row) -> list[Row]:
    """The rating steps of a line, in order; their amounts add up to the line's amount."""
    return marts.rows(
        "select * from marts.rating_steps where rated_line_id = ? order by step_number",
        line["rated_line_id"],
    )


def explain(marts: Marts, line_id: str) -> Row:
    """The line, its steps, its days, how many events it has and the first of them."""
    line = read_line(marts, line_id)
    has_usage = line["line_kind"] == "usage"
    return {
        "line": line,
        "steps": read_steps(marts, line),
        "discounts": read_discounts(marts, "line_id", line_id),
        "days": list_days(marts, line) if has_usage else [],
        "event_count": count_events(marts, line) if has_usage else 0,
        "events": list_events(marts, line, EVENTS_SHOWN) if has_usage else [],
    }


def _as_json(explained: Row, exponent: int) -> str:
    shown = {
        "line": document(explained["line"], TOTALS, exponent),
        **{
            part: [{name: exact_text(value) for name, value in row.items()} for row in rows]
            for part, rows in explained.items()
            if isinstance(rows, list)
        },
        "event_count": explained["event_count"],
    }
    return json.dumps(shown, indent=2, ensure_ascii=False)


def _tier(step: Row) -> str:
    if step["tier_from"] is None:
        return STEPS.get(step["step_kind"], str(step["step_kind"]))
    to = f" to {grouped(step['tier_to'])}" if step["tier_to"] is not None else " and more"
    return f"over {grouped(step['tier_from'])}{to}"


def _print_steps(console: Console, explained: Row) -> None:
    from rich import box
    from rich.table import Table

    table = Table(title="Steps", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Step")
    for name in ("Units", "Rate", "Fixed", "Part", "Amount"):
        table.add_column(name, justify="right", overflow="fold")
    for step in explained["steps"]:
        table.add_row(
            _tier(step),
            grouped(step["units"]) if step["units"] else "",
            grouped(step["rate"]) if step["units"] else "",
            grouped(step["fixed_amount"]) if step["fixed_amount"] else "",
            part_of_cycle(step["billed_days"], step["full_days"]),
            grouped(step["amount"]),
        )
    console.print(table)


def _print_total(console: Console, explained: Row, exponent: int) -> None:
    """From the rounded amount to what is billed, where something lies between them."""
    from rich.markup import escape

    line = explained["line"]
    if not line["over_maximum_total"] and not line["discount_total"]:
        return
    for name in ("rounded_total", "over_maximum_total", "discount_total", "line_total"):
        sign = 1 if name in ("rounded_total", "line_total") else -1
        if line[name] or sign == 1:
            words = name.removesuffix("_total").replace("_", " ").replace("line", "billed")
            amount = grouped_money(sign * line[name], exponent)
            console.print(f"[dim]{words:>12}[/dim] {amount} {line['currency']}")
        if name == "discount_total":
            for text in discount_texts(explained["discounts"], line["currency"], exponent):
                console.print(f"[dim]{'':>12} {escape(text)}[/dim]")
    console.print()


def _print_usage(console: Console, explained: Row) -> None:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(title="Days (UTC)", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Day")
    table.add_column("Events", justify="right")
    table.add_column("Sum of values", justify="right")
    for day in explained["days"]:
        values = day["quantity_sum"]
        table.add_row(
            str(day["usage_date"]),
            grouped(day["event_count"]),
            "" if values is None else grouped(values),
        )
    console.print(table)

    table = Table(title="Events", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("Occurred at (UTC)", "Key", "File", "Line", "Properties"):
        table.add_column(name, overflow="fold", justify="right" if name == "Line" else "left")
    for event in explained["events"]:
        table.add_row(
            str(event["occurred_at"]),
            escape(str(event["event_key"])),
            escape(str(event["file_name"] or event["load_id"])),
            str(event["line_number"]),
            escape(str(event["properties"] or "")[:200]),
        )
    console.print(table)
    more = explained["event_count"] - len(explained["events"])
    if more > 0:
        console.print(f"[dim]and {grouped(more)} more[/dim]")


def _print(explained: Row, exponent: int) -> None:
    from rich.markup import escape

    line = explained["line"]
    console = make_console()
    total = grouped_money(line["line_total"], exponent)
    dimensions = f", {line['dimension_values']}" if line["dimension_values"] else ""
    console.print(
        f"[bold]{escape(line['line_id'])}[/bold]  {escape(line['name'])}{escape(dimensions)}: "
        f"[bold]{total} {line['currency']}[/bold]"
    )
    console.print(
        f"[dim]{escape(line['line_kind'].replace('_', '-'))} from[/dim] {line['period_from']} "
        f"[dim]to before[/dim] {line['period_to']} [dim]UTC[/dim]"
    )
    if line["quantity"] is not None:
        console.print(
            f"[dim]quantity[/dim] {grouped(line['quantity'])} [dim]- included[/dim] "
            f"{grouped(line['covered_quantity'] or 0)} [dim]= rated[/dim] "
            f"{grouped(line['rated_quantity'])}"
        )
    _print_steps(console, explained)
    _print_total(console, explained, exponent)
    if line["line_kind"] == "usage":
        _print_usage(console, explained)


def run_explain(arguments: argparse.Namespace) -> int:
    """Print how the line came about."""
    with Marts(arguments.target) as marts:
        explained = explain(marts, arguments.line)
        exponent = marts.exponent(explained["line"]["currency"])
    if arguments.format == "json":
        print(_as_json(explained, exponent))
    else:
        _print(explained, exponent)
    return 0
