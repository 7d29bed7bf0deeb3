"""`tally preview`: a customer's next invoices, as they stand or after a change of plan.

The customer's part of the house is carried into a file of its own and built there, so that
nothing is written to the warehouse or to the catalogue.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from orchestration.archive import archive_faults
from orchestration.catalog import Source, choose_source, find_faults
from orchestration.catalog_files import COLUMNS, Catalog, Fault, Row
from orchestration.closed_bounds import bound_faults
from orchestration.customer_house import CustomerHouse, customer_catalog, open_customer_house
from orchestration.dbt_commands import read_day
from orchestration.errors import UserError
from orchestration.house import find_project
from orchestration.invoice_reductions import read_credits, read_discounts
from orchestration.invoice_view import INVOICE_SQL, describe_period, read_lines
from orchestration.marts import Marts
from orchestration.preview_view import Draft, Preview, preview_json, print_preview
from orchestration.warehouse import Warehouse, connect, has_warehouse


@dataclass(frozen=True)
class PlanChange:
    """A change of plan that nobody has written yet: on the local midnight that begins a day."""

    subscription: str
    plan: str
    at: date

    def row(self, known_on: date) -> Row:
        """The row of subscription_changes.csv that would say so, had it been recorded that day."""
        values = {
            "subscription_id": self.subscription,
            "changes_at": self.at.isoformat(),
            "change": "plan",
            "plan_id": self.plan,
            "recorded_at": f"{known_on}T00:00:00Z",
        }
        return Row("subscription_changes", 0, {**dict.fromkeys(COLUMNS[CHANGES], ""), **values})


CHANGES = "subscription_changes"


def read_sound_catalog(source: Source, warehouse: Warehouse, is_archived: bool = True) -> Catalog:
    """The catalogue, fit to be built from. Raises UserError where a build would refuse it.

    One that is another than the house's is not compared with what the house has archived.
    """
    if not source.schema and not source.folder.is_dir():
        raise UserError(f"no such catalogue folder: {source.folder}")
    catalog = source.read(warehouse)
    faults = find_faults(catalog)
    if is_archived and not faults:
        faults = archive_faults(catalog, warehouse) + bound_faults(catalog, warehouse)
    if faults and source.schema:
        from orchestration.catalog_tables import name_tables

        faults = name_tables(faults, catalog, source.schema)
    if faults:
        count = f"{len(faults)} fault{'' if len(faults) == 1 else 's'}"
        raise UserError(f"the catalogue has {count}, the first: {faults[0]}")
    return catalog


def choose_subscription(catalog: Catalog, customer: str, subscription: str | None) -> str | None:
    """The subscription that is asked for, or the customer's only one; None: they have several.

    Raises UserError for a customer or subscription that the catalogue does not have.
    """
    if all(row["customer_id"] != customer for row in catalog["customers"]):
        raise UserError(f"no customer {customer} in the catalogue")
    own = sorted(
        row["subscription_id"] for row in catalog["subscriptions"] if row["customer_id"] == customer
    )
    if not own:
        raise UserError(f"customer {customer} has no subscription")
    if subscription is None:
        return own[0] if len(own) == 1 else None
    if subscription not in own:
        raise UserError(
            f"customer {customer} has no subscription {subscription} (they have {', '.join(own)})"
        )
    return subscription


def plan_change(
    catalog: Catalog, customer: str, subscription: str | None, plan: str, at: date
) -> PlanChange:
    """The change that is asked for. Raises UserError where it is not clear whose or to what."""
    if subscription is None:
        own = sorted(
            row["subscription_id"]
            for row in catalog["subscriptions"]
            if row["customer_id"] == customer
        )
        raise UserError(
            f"customer {customer} has several subscriptions, say which changes with"
            f" --subscription: {', '.join(own)}"
        )
    if all(row["plan_id"] != plan for row in catalog["plans"]):
        raise UserError(f"no plan {plan} in the catalogue")
    return PlanChange(subscription, plan, at)


def changed_catalog(catalog: Catalog, change: PlanChange, known_on: date) -> Catalog:
    """`catalog` with the change. Raises UserError where the check would refuse it."""
    # Rows of their own: a row keeps the faults that a check has found in it.
    changed = Catalog(
        {name: [Row(row.file, row.line, row.values) for row in catalog[name]] for name in COLUMNS}
    )
    changed[CHANGES].append(change.row(known_on))
    faults = find_faults(changed)
    if faults:
        raise UserError(
            f"{change.subscription} cannot change to {change.plan} on {change.at}:"
            f" {_reason(faults[0], change.plan)}"
        )
    return changed


def _reason(fault: Fault, plan: str) -> str:
    """A fault that the change made, without the line of the row that is nowhere written."""
    expected = fault.expected.split(f" ({CHANGES}.csv:0")[0]
    if fault.file == "charges.csv":
        return f"its charge {fault.found} lacks {expected}"
    if fault.line == 0:
        return f"{fault.field}: found {fault.found!r}, expected {expected}"
    return str(fault)


def check_day(house: CustomerHouse, warehouse: Warehouse, change: PlanChange) -> None:
    """Raises UserError where the subscription does not run that day, or its period is closed."""
    _, periods = warehouse.query(
        "select period_from_date, period_to_date, cutoff_at"
        " from subscriptions.int_subscriptions__periods where subscription_id = ?"
        " order by period_number",
        [change.subscription],
    )
    held = [row for row in periods if row[0] <= change.at < row[1]]
    who = f"{change.subscription} cannot change on {change.at}"
    if not held:
        if periods and change.at < periods[0][0]:
            raise UserError(f"{who}: it starts on {periods[0][0]}")
        raise UserError(f"{who}: it does not run then")
    begin, end, cutoff_at = held[-1]
    if cutoff_at <= house.close_at:
        opens = next((row[0] for row in periods if row[2] > house.close_at), None)
        hint = f"; {opens} is the first day on which it can" if opens else ""
        raise UserError(f"{who}: the period {describe_period(begin, end)} is closed{hint}")


def read_drafts(house: CustomerHouse) -> list[Draft]:
    """The customer's documents that are not closed, in the order in which they close."""
    with Marts(None, house.connect()) as marts:
        invoices = marts.rows(
            INVOICE_SQL + "where invoices.customer_id = ? and invoices.status = 'draft'"
            " and invoices.cutoff_at > ? order by invoices.cutoff_at, invoices.invoice_id",
            house.customer,
            house.close_at,
        )
        return [
            Draft(
                invoice,
                read_lines(marts, invoice["invoice_id"]),
                read_discounts(marts, "invoice_id", invoice["invoice_id"]),
                read_credits(marts, invoice["invoice_id"]),
                marts.exponent(invoice["currency"]),
            )
            for invoice in invoices
        ]


def make_preview(
    source: Source,
    project: Path,
    target: str | None,
    customer: str,
    subscription: str | None = None,
    plan: str | None = None,
    at: date | None = None,
) -> Preview:
    """The drafts of `customer`, and those after a change to `plan` on the day `at`.

    Raises UserError for a customer, subscription, plan or day that cannot be.
    """
    if not has_warehouse(target):
        raise UserError("nothing has been landed here yet: run tally land")
    with connect(target, read_only=True) as warehouse:
        catalog = read_sound_catalog(source, warehouse)
        chosen = choose_subscription(catalog, customer, subscription)
        own = customer_catalog(catalog, customer)
        change = plan_change(catalog, customer, chosen, plan, at) if plan and at else None
        with open_customer_house(project, warehouse, own, customer, at) as house:
            changed = changed_catalog(own, change, house.as_of_day) if change else None
            house.build(own)
            before = read_drafts(house)
            after = None
            if change and changed:
                with house.connect() as built:
                    check_day(house, built, change)
                house.build(changed, [CHANGES])
                after = read_drafts(house)
    shown = chosen if change else subscription
    facts = {
        "customer_id": customer,
        "subscription_id": shown,
        "as_of_date": house.through_day,
        "plan_id": plan,
        "changes_at": at,
    }
    return Preview(facts, before, after)


def add_preview_arguments(
    parser: argparse.ArgumentParser,
) -> Callable[[argparse.Namespace], int]:
    """The options of `tally preview`."""
    parser.add_argument("--customer", metavar="ID", required=True, help="whose invoices")
    parser.add_argument("--subscription", metavar="ID", help="one of the customer's subscriptions")
    parser.add_argument("--plan", metavar="ID", help="the plan that it changes to")
    parser.add_argument("--at", metavar="DAY", type=day_argument, help="the first day on that plan")
    parser.add_argument("--format", choices=("table", "json"), default="table")

    def run(arguments: argparse.Namespace) -> int:
        if (arguments.plan is None) != (arguments.at is None):
            parser.error("--plan and --at go together")
        return run_preview(arguments)

    return run


def day_argument(text: str) -> date:
    """A day on the command line. Raises what argparse shows."""
    try:
        return read_day(text)
    except ValueError as fault:
        raise argparse.ArgumentTypeError(str(fault)) from None


def run_preview(arguments: argparse.Namespace) -> int:
    """Print the drafts, and what the change would make of them."""
    project = find_project()
    preview = make_preview(
        choose_source(arguments, project),
        project,
        arguments.target,
        arguments.customer,
        arguments.subscription,
        arguments.plan,
        arguments.at,
    )
    if arguments.format == "json":
        print(preview_json(preview))
    else:
        print_preview(preview)
    return 0
