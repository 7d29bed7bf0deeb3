"""The trace of an invoice line as a tree for people, readable without colour."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from orchestration.invoice_reductions import discount_texts
from orchestration.invoice_view import KINDS
from orchestration.marts import Row, grouped, grouped_money, part_of_cycle
from orchestration.terminal import make_console

if TYPE_CHECKING:
    from rich.tree import Tree

LINES_SHOWN = 20
#: What a step that is no band is.
STEPS = {
    "fee": "fee",
    "share": "of it not due for this part of the cycle",
    "minimum": "up to the minimum",
    "billed": "billed before",
    "used": "used of it",
    "committed": "committed",
    "counted": "counted",
    "shortfall": "units that lack",
    "overage": "over the commitment",
    "unit": "in money",
}
#: What a price says, in the words of the catalogue.
PRICE_COLUMNS = (
    "up_to",
    "unit_price",
    "flat_fee",
    "package_size",
    "percent_fraction",
    "event_fee",
    "free_amount",
    "free_events",
)


def print_tree(explained: Row, exponent: int) -> None:
    """The tree on the terminal, or in a pipe."""
    make_console().print(explanation_tree(explained, exponent))


def explanation_tree(explained: Row, exponent: int) -> Tree:
    """Line, what was before, steps, where they come from, days, rollups, events."""
    from rich.markup import escape
    from rich.tree import Tree

    line = explained["line"]
    kind = KINDS.get(line["line_kind"], line["line_kind"].replace("_", "-"))
    dimensions = f", {line['dimension_values']}" if line["dimension_values"] else ""
    number = line["invoice_number"] or f"{line['invoice_id']} (draft)"
    tree = Tree(
        f"[bold]{escape(line['line_id'])}[/bold]  {escape(line['name'] + dimensions)}: "
        f"[bold]{_money(line['line_total'], line, exponent)}[/bold]"
    )
    tree.add(f"{kind} of invoice {escape(number)}, customer {escape(line['customer_id'])}")
    tree.add(f"from {line['period_from']} to before {line['period_to']} UTC")
    if explained["before"] is None:
        _add_quantity(tree, line)
        _add_steps(tree.add("steps"), explained["steps"], line, exponent)
        _add_totals(tree, line, explained["discounts"], exponent)
    else:
        _add_states(tree, explained, exponent)
    _add_sources(tree, explained["sources"], line, exponent)
    _add_usage(tree, explained)
    _add_corrections(tree, explained, exponent)
    return tree


def _money(amount: Decimal, line: Row, exponent: int) -> str:
    return f"{grouped_money(amount, exponent)} {line['currency']}"


def _add_quantity(tree: Tree, state: Row) -> None:
    if state["quantity"] is not None:
        tree.add(
            f"quantity {grouped(state['quantity'])} - included "
            f"{grouped(state['covered_quantity'] or 0)} = rated {grouped(state['rated_quantity'])}"
        )


def _tier(step: Row) -> str:
    if step["tier_from"] is None:
        return STEPS.get(step["step_kind"], str(step["step_kind"]))
    to = f" to {grouped(step['tier_to'])}" if step["tier_to"] is not None else " and more"
    return f"over {grouped(step['tier_from'])}{to}"


def step_text(step: Row) -> str:
    """A step as arithmetic: `over 10 and more: 2 x 1 + 5 = 7`."""
    terms = []
    if step["units"]:
        terms.append(f"{grouped(step['units'])} x {grouped(step['rate'])}")
    if step["fixed_amount"]:
        terms.append(grouped(step["fixed_amount"]))
    text = " + ".join(terms) or "0"
    part = part_of_cycle(step["billed_days"], step["full_days"])
    return f"{_tier(step)}: {text}{f', {part} of it' if part else ''} = {grouped(step['amount'])}"


def _add_steps(branch: Tree, steps: list[Row], line: Row, exponent: int) -> None:
    if not steps:
        branch.add("none: nothing is left of it")
    for step in steps:
        # Bands of what is priced in a unit of credit are in it, and then money.
        branch.add(step_text(step) + (f" {step['currency']}" if line["unit"] else ""))


def _add_totals(tree: Tree, line: Row, discounts: list[Row], exponent: int) -> None:
    """From the rounded amount to what is billed, where something lies between them."""
    from rich.markup import escape

    if not line["over_maximum_total"] and not line["discount_total"]:
        return
    branch = tree.add(f"rounded {_money(line['rounded_total'], line, exponent)}")
    if line["over_maximum_total"]:
        branch.add(f"over maximum {_money(-line['over_maximum_total'], line, exponent)}")
    if line["discount_total"]:
        under = branch.add(f"discount {_money(-line['discount_total'], line, exponent)}")
        for text in discount_texts(discounts, line["currency"], exponent):
            under.add(escape(text))
    branch.add(f"billed {_money(line['line_total'], line, exponent)}")


def _add_states(tree: Tree, explained: Row, exponent: int) -> None:
    """Of a correction: what was posted, what the period comes to now, and the difference."""
    from rich.markup import escape

    line, before, after = explained["line"], explained["before"], explained["after"]
    total = _money(before["line_total"], line, exponent)
    branch = tree.add(f"before: {total}, posted until now")
    for posted in before["lines"]:
        what = "corrected by" if posted["adjusts_rated_line_id"] else "line"
        branch.add(
            f"{what} {escape(posted['line_id'])}: {_money(posted['line_total'], line, exponent)}"
        )
    if before["lines"]:
        _add_quantity(branch, before)
        _add_steps(branch.add("steps"), before["steps"], line, exponent)
    else:
        branch.add("no line: the period had no such usage")
    branch = tree.add(
        f"after: {_money(after['line_total'], line, exponent)}, "
        f"rated again on what was known at {line['cutoff_at']} UTC"
    )
    _add_quantity(branch, after)
    _add_steps(branch.add("steps"), explained["steps"], line, exponent)
    _add_totals(branch, after | {"currency": line["currency"]}, explained["discounts"], exponent)
    branch = tree.add(f"difference: {_money(line['line_total'], line, exponent)}")
    if line["quantity"] is not None:
        branch.add(f"quantity {grouped(line['quantity'])}")


def _add_sources(tree: Tree, sources: dict[str, list[Row]], line: Row, exponent: int) -> None:
    from rich.markup import escape

    for price in sources.get("prices", []):
        terms = [
            f"{name} {grouped(price[name])}"
            for name in PRICE_COLUMNS
            if price[name] and not (name == "package_size" and price[name] == 1)
        ]
        whose = f", for {price['customer_id']} alone" if price["customer_id"] else ""
        tree.add(
            escape(
                f"price of {price['plan_id']}, {price['charge_id']}{whose}: "
                f"{', '.join(terms) or 'nothing'}{_known(price, 'valid_from_date')}"
            )
        )
    for change in sources.get("quantities", []):
        taken = " (withdrawn)" if change["is_withdrawn"] else ""
        quantity = "" if change["quantity"] is None else grouped(change["quantity"])
        tree.add(escape(f"quantity {quantity}{taken} from {change['changes_at']}{_known(change)}"))
    for limit in sources.get("limits", []):
        terms = [
            f"{name} {_money(limit[name], line, exponent)}"
            for name in ("minimum", "maximum")
            if limit[name] is not None
        ]
        tree.add(f"limit: {', '.join(terms)}{_known(limit, 'valid_from_date')}")
    for commitment in sources.get("commitments", []):
        due = (
            _money(commitment["amount"], line, exponent)
            if commitment["amount"] is not None
            else f"{grouped(commitment['quantity'])} units"
        )
        factor = commitment["overage_factor"]
        over = f", beyond it x {grouped(factor)}" if factor is not None else ""
        tree.add(
            escape(
                f"commitment {commitment['commitment_id']}: {due} in "
                f"{commitment['window_cycles']} cycles{over}{_known(commitment)}"
            )
        )
    _add_lines(tree, sources.get("lines", []), line, exponent)
    for discount in sources.get("discounts", []):
        what = (
            f"{grouped(discount['percent_fraction'] * 100)} %"
            if discount["percent_fraction"] is not None
            else f"{grouped(discount['amount'] or discount['total_amount'])} {line['currency']}"
        )
        text = f"discount {discount['discount_id']}: {what} off, level {discount['level']}"
        tree.add(escape(text + _known(discount, "valid_from_date")))


def _known(row: Row, valid_from: str | None = None) -> str:
    """From when a row of the catalogue holds and when it was recorded, where it says so."""
    since = f", valid from {row[valid_from]}" if _is_stated(row.get(valid_from or "")) else ""
    return since + (
        f", recorded {row['recorded_at']}" if _is_stated(row.get("recorded_at")) else ""
    )


def _is_stated(value: Any) -> bool:
    """A blank date or instant of the catalogue is one of the beginning."""
    return value is not None and value.year > 1970


def _add_lines(tree: Tree, lines: list[Row], line: Row, exponent: int) -> None:
    from rich.markup import escape

    if not lines:
        return
    total = sum((one["line_total"] for one in lines), Decimal(0))
    branch = tree.add(f"{_count(len(lines), 'line')}: {_money(total, line, exponent)}")
    for one in lines[:LINES_SHOWN]:
        dimensions = f", {one['dimension_values']}" if one["dimension_values"] else ""
        branch.add(
            escape(f"{one['line_id']}  {one['name']}{dimensions}: ")
            + _money(one["line_total"], line, exponent)
        )
    if len(lines) > LINES_SHOWN:
        branch.add(f"and {grouped(len(lines) - LINES_SHOWN)} more")


def _count(number: int, noun: str) -> str:
    return f"{grouped(number)} {noun}{'' if number in (1, -1) else 's'}"


def _add_usage(tree: Tree, explained: Row) -> None:
    if explained["line"]["line_kind"] != "usage":
        return
    is_correction = explained["before"] is not None
    counted = _count(explained["event_count"], "event")
    title = f"late usage, net {counted}" if is_correction else f"usage, {counted}"
    branch = tree.add(title)
    if not explained["days"]:
        branch.add(
            "none of its own: what the period depends on was corrected"
            if is_correction
            else "none: what was carried over, or what is due at zero usage"
        )
    for day in explained["days"]:
        under = branch.add(f"{day['usage_date']}: {_sums(day)}")
        for rollup in day["rollups"]:
            dimensions = f", {rollup['dimensions']}" if rollup["dimensions"] else ""
            node = under.add(
                f"{rollup['bucket_from']:%H:%M} loaded {rollup['load_day']}{dimensions}: "
                f"{_sums(rollup)}"
            )
            _add_events(node, rollup["events"])
        if day["events"]:
            node = under.add("read one by one: a bound of the period cuts their quarter of an hour")
            _add_events(node, day["events"])
    if explained["more_events"]:
        branch.add(f"and {_count(explained['more_events'], 'more event')} (--events N)")


def _sums(row: Row) -> str:
    quantity = row["quantity_sum"]
    return _count(row["event_count"], "event") + (
        "" if quantity is None else f", {grouped(quantity)}"
    )


def event_text(event: Row) -> str:
    """An event on one line: when, key, value, file and line."""
    value = event["quantity"] if event["quantity"] is not None else event["value_text"]
    shown = "" if value is None else f"  {grouped(value)}"
    voided = f"  voided {event['voided_day']}" if event["voided_day"] is not None else ""
    place = f"{event['file_name'] or event['load_id']}:{event['line_number']}"
    return f"{event['occurred_at']}  {event['event_key']}{shown}  {place}{voided}"


def _add_events(branch: Tree, events: list[Row]) -> None:
    from rich.markup import escape

    for event in events:
        sign = "- " if event.get("direction", 1) < 0 else ""
        branch.add(escape(sign + event_text(event)))


def _add_corrections(tree: Tree, explained: Row, exponent: int) -> None:
    """What became of the line after it was posted."""
    from rich.markup import escape

    line = explained["line"]
    if explained["corrections"]:
        branch = tree.add("corrected since")
        for one in explained["corrections"]:
            branch.add(f"{escape(one['line_id'])}: {_money(one['line_total'], line, exponent)}")
    if explained["late_count"]:
        counted = _count(explained["late_count"], "event")
        branch = tree.add(f"came in after it had closed: {counted}")
        _add_events(branch, explained["late"])
        if explained["late_count"] > len(explained["late"]):
            branch.add(f"and {grouped(explained['late_count'] - len(explained['late']))} more")
