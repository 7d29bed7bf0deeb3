"""`tally explain`: an invoice line traced to its steps, days, rollups and events.

Of a correction also what was posted before it, what the period comes to as rated again, and the
late usage or voids between the two.
"""

from __future__ import annotations

import argparse
import json
from datetime import date
from typing import Any

from orchestration.errors import UserError
from orchestration.invoice_reductions import read_discounts
from orchestration.invoice_view import TOTALS
from orchestration.line_sources import MARKING_KINDS, MEASURES, list_sources, read_chain, summed
from orchestration.line_usage import (
    QUARTER,
    bucket_of,
    list_days,
    list_events,
    list_late_events,
    list_rollups,
    usage_tree,
)
from orchestration.marts import Marts, Row, document, exact_text

EVENTS_SHOWN = 20


def read_line(marts: Marts, line_id: str) -> Row:
    """The invoice line that `line_id` names. Raises UserError when there is none."""
    found = marts.rows(
        """
        select lines.*, invoices.invoice_number, invoices.status
        from marts.invoice_lines as lines
        left join marts.invoices as invoices
            on lines.invoice_id = invoices.invoice_id
        where lines.line_id = ?
        """,
        line_id,
    )
    if not found:
        raise UserError(f"no line {line_id} (tally invoice NUMBER shows the lines of an invoice)")
    return found[0]


def read_steps(marts: Marts, rated_line_id: str) -> list[Row]:
    """The rating steps of a rated line, in order; their amounts add up to its amount."""
    return marts.rows(
        "select * from marts.rating_steps where rated_line_id = ? order by step_number",
        rated_line_id,
    )


def is_void(line: Row) -> bool:
    """Whether nothing is rated for the line: a void takes back, and an action only marks."""
    return line["rated_line_id"] is None


def explain(marts: Marts, line_id: str, event_limit: int = EVENTS_SHOWN) -> Row:
    """All that a line came from, as a tree; of its events the first `event_limit`.

    `before` and `after` are None but for a correction; `steps` are those of the line as it is
    rated, which for a correction is the whole period again.
    """
    line = read_line(marts, line_id)
    chain = read_chain(marts, line)
    place = next(n for n, one in enumerate(chain) if one["line_id"] == line_id)
    is_correction = (
        line["adjusts_rated_line_id"] is not None and line["line_kind"] not in MARKING_KINDS
    )
    before = chain[:place] if is_correction else []
    explained: Row = {
        "line": line,
        "before": None,
        "after": None,
        "steps": [] if is_void(line) else read_steps(marts, line["rated_line_id"]),
        "discounts": read_discounts(marts, "line_id", line_id),
        "sources": list_sources(marts, line),
        "corrections": chain[place + 1 :],
    }
    if is_correction:
        last = before[-1]["rated_line_id"] if before else None
        explained["before"] = {
            **summed(before),
            "lines": before,
            "steps": read_steps(marts, last) if last else [],
        }
        explained["after"] = summed(chain[: place + 1])
    return explained | _usage(marts, line, before, event_limit)


def _usage(marts: Marts, line: Row, before: list[Row], limit: int) -> Row:
    """Days, rollups and events of a line, and the counts of what is not shown."""
    found: Row = {"event_count": 0, "more_events": 0, "days": [], "late_count": 0, "late": []}
    if line["line_kind"] != "usage":
        return found
    days = list_days(marts, line)
    late_count = sum(day.pop("late_count") for day in days)
    days = [day for day in days if day["touched_count"]]
    touched = sum(day.pop("touched_count") for day in days)
    events = list_events(marts, line, limit) if touched and limit else []
    rollups: list[Row] = []
    if events:
        until = bucket_of(events[-1]["occurred_at"]) + QUARTER
        rollups = _rollups(marts, line, before, until)
    return {
        "event_count": sum(day["event_count"] for day in days),
        "more_events": touched - len(events),
        "days": usage_tree(days, rollups, events),
        "late_count": late_count,
        "late": list_late_events(marts, line, limit) if late_count and limit else [],
    }


def _rollups(marts: Marts, line: Row, before: list[Row], until: Any) -> list[Row]:
    """The rollups that rating read for the line; of a correction those of the days between."""
    first: date | None = before[-1]["cutoff_at"].date() if before else None
    to = line["cutoff_at"].date()
    rated = [line["rated_line_id"], *([before[-1]["rated_line_id"]] if before else [])]
    for rated_line_id in filter(None, rated):
        # A line that was taken back whole is rated no more: then it was where it was before.
        found = list_rollups(marts, rated_line_id, (first, to), until)
        if found:
            return found
    return []


def exact(value: Any) -> Any:
    """`value` as JSON holds it, all the way down: no number but whole ones."""
    if isinstance(value, dict):
        return {name: exact(part) for name, part in value.items()}
    if isinstance(value, list):
        return [exact(part) for part in value]
    return exact_text(value)


def explained_document(explained: Row, exponent: int) -> Row:
    """What `--format json` prints: totals at the currency's exponent, other decimals as text."""

    def line_document(line: Row) -> Row:
        return document(line, TOTALS, exponent)

    def state_document(state: Row | None) -> Row | None:
        if state is None:
            return None
        measures = document({name: state[name] for name in MEASURES}, TOTALS, exponent)
        others = {name: exact(value) for name, value in state.items() if name not in MEASURES}
        if "lines" in state:
            others["lines"] = [line_document(line) for line in state["lines"]]
        return measures | others

    sources = {
        kind: [document(row, TOTALS, exponent) for row in rows]
        for kind, rows in explained["sources"].items()
    }
    return {
        "line": line_document(explained["line"]),
        "before": state_document(explained["before"]),
        "after": state_document(explained["after"]),
        "steps": exact(explained["steps"]),
        "discounts": [document(row, TOTALS, exponent) for row in explained["discounts"]],
        "sources": sources,
        "corrections": [line_document(line) for line in explained["corrections"]],
        "event_count": explained["event_count"],
        "more_events": explained["more_events"],
        "days": exact(explained["days"]),
        "late_count": explained["late_count"],
        "late": exact(explained["late"]),
    }


def run_explain(arguments: argparse.Namespace) -> int:
    """Print how the line came about."""
    with Marts(arguments.target) as marts:
        explained = explain(marts, arguments.line, arguments.events)
        exponent = marts.exponent(explained["line"]["currency"])
    if arguments.format == "json":
        print(json.dumps(explained_document(explained, exponent), indent=2, ensure_ascii=False))
    else:
        from orchestration.explanation_tree import print_tree

        print_tree(explained, exponent)
    return 0
