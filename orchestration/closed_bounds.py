"""Changes that come too late: a boundary or cutoff that has passed is not moved.

A change recorded after a period closed is rated with it, and corrects it. One that would have cut
the period otherwise (a plan of other cycles, another anchor, an end that is taken back) holds from
what is open on, and must say so.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from orchestration.archive import row_text
from orchestration.catalog_fields import read_instant
from orchestration.catalog_files import Catalog, Fault, Row
from orchestration.ledger import has_ledger, ledger_table
from orchestration.warehouse import Warehouse

#: What of a plan bounds periods and says when they close.
GRID = ("cycle", "alignment", "grace_days")


def bound_faults(catalog: Catalog, warehouse: Warehouse, schema_prefix: str = "") -> list[Fault]:
    """New rows of subscription_changes that would move what has closed, with their lines."""
    if not has_ledger(warehouse, schema_prefix):
        return []
    _, closed = warehouse.query(
        "select subscription_id, max(period_to)"
        f" from {ledger_table('documents', schema_prefix)}"
        " where period_number > 0 group by subscription_id"
    )
    _, archived = warehouse.query(
        f"select row_text from {ledger_table('catalog_rows', schema_prefix)}"
        " where table_name = 'subscription_changes'"
    )
    known = {text for (text,) in archived}
    new = [row for row in catalog["subscription_changes"] if row_text(row) not in known]
    return list(_faults(new, catalog, dict(closed)))


def _faults(rows: Iterable[Row], catalog: Catalog, closed: dict[str, datetime]) -> Iterable[Fault]:
    plans = {row["plan_id"]: row for row in catalog["plans"]}
    for row in rows:
        closed_to = closed.get(row["subscription_id"])
        if closed_to is None or not _is_before(row["changes_at"], closed_to):
            continue
        moves_grid = row["change"] == "plan" and (
            row["anchor_date"] != ""
            or _grid(plans, row["plan_id"]) != _grid(plans, _plan_before(row, catalog))
        )
        if row["withdrawn"] == "true":
            if row["change"] == "end" or moves_grid:
                expected = (
                    f"a change from {closed_to:%Y-%m-%dT%H:%M:%SZ} on: closed invoices were made by"
                    " this one, so it is not taken back (say anew what holds from then)"
                )
                yield Fault(f"{row.file}.csv", row.line, "withdrawn", row["withdrawn"], expected)
        elif moves_grid:
            expected = (
                f"{closed_to:%Y-%m-%dT%H:%M:%SZ} or later: until then invoices have closed,"
                " and this plan has other cycles, another anchor or grace"
            )
            yield Fault(f"{row.file}.csv", row.line, "changes_at", row["changes_at"], expected)


def _plan_before(change: Row, catalog: Catalog) -> str:
    """The plan that the subscription's rows say for the time before a change."""
    name = change["subscription_id"]
    plan_id = next(
        (row["plan_id"] for row in catalog["subscriptions"] if row["subscription_id"] == name), ""
    )
    earlier = [
        row
        for row in catalog["subscription_changes"]
        if row["subscription_id"] == name
        and row["change"] == "plan"
        and row["withdrawn"] != "true"
        and row["changes_at"] < change["changes_at"]
    ]
    latest = max(earlier, key=lambda row: row["changes_at"], default=None)
    return latest["plan_id"] if latest else plan_id


def _grid(plans: dict[str, Row], plan_id: str) -> tuple[str, ...]:
    row = plans.get(plan_id)
    return tuple(row[name] or "1" for name in GRID) if row else ()


def _is_before(text: str, instant: datetime) -> bool:
    """Whether a local date or an instant lies before `instant`, as far as the day says it."""
    if len(text) == 10:
        return text < instant.date().isoformat()
    at = read_instant(text)
    return at is not None and at.replace(tzinfo=None) < instant
