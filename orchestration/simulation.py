"""`tally simulate`: bill the past again under another catalogue, and say what would differ.

The other catalogue is billed in a side house over the same raw events; the house's own tables
and its ledger stay as they are.
"""

from __future__ import annotations

import argparse
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from orchestration.catalog import Source, choose_source
from orchestration.catalog_fields import read_instant
from orchestration.catalog_files import COLUMNS, Catalog
from orchestration.dbt_commands import Window
from orchestration.difference_report import Simulation, print_simulation, write_csv
from orchestration.differences import BilledLine, compare_lines, meter_label
from orchestration.errors import UserError
from orchestration.house import find_project
from orchestration.landing import raw_table
from orchestration.ledger import has_table
from orchestration.preview import day_argument, read_sound_catalog
from orchestration.side_house import SideHouse, open_side_house
from orchestration.warehouse import Warehouse, connect, has_warehouse, quote_identifier

PREFIX = "simulated_"
#: What a side house is built for: the lines of all its documents; no ledger needs to be written.
LINES = ("+int_invoicing__document_lines", "invoice_lines")
#: The same, and all that lets a next run go on from there.
HOUSE = ("+house_state",)


def _table(prefix: str, room: str, name: str) -> str:
    return f"{quote_identifier(prefix + room)}.{quote_identifier(name)}"


def read_billed_lines(
    warehouse: Warehouse, prefix: str, from_day: date, to_day: date
) -> list[BilledLine]:
    """What was billed for periods that begin on the customer's days `from_day` to before `to_day`.

    `prefix` says of which house. A line counts with its own period,
    wherever it is invoiced: a fee in advance with the period that it is for, a correction with
    the one that it corrects. Its plan is the one that the subscription was on when it began.
    """
    lines = _table(prefix, "marts", "invoice_lines")
    phases = _table(prefix, "subscriptions", "int_subscriptions__plan_phases")
    charges = _table(prefix, "staging", "stg_catalog__charges")
    lives = _table(prefix, "subscriptions", "int_subscriptions__lives")
    _, rows = warehouse.query(
        f"""
        select
            lines.customer_id,
            lines.subscription_id,
            coalesce(phases.plan_id, lives.plan_id, '') as plan_id,
            lines.line_kind,
            charges.meter,
            lines.currency,
            lines.period_from,
            sum(lines.line_total) as line_total
        from {lines} as lines
        left join {lives} as lives
            on lines.subscription_id = lives.subscription_id
        left join {phases} as phases
            on
                lines.subscription_id = phases.subscription_id
                and lines.period_from >= phases.phase_from
                and (phases.phase_to is null or lines.period_from < phases.phase_to)
        left join {charges} as charges
            on
                coalesce(phases.plan_id, lives.plan_id) = charges.plan_id
                and lines.charge_id = charges.charge_id
        where lines.period_from >= ? and lines.period_from < ?
        group by 1, 2, 3, 4, 5, 6, 7
        """,
        # No zone's day begins further than one from the UTC one.
        [next_midnight(from_day) - timedelta(days=2), next_midnight(to_day)],
    )
    zones = _Zones(warehouse, prefix)
    return [
        BilledLine(customer, plan, meter_label(kind, meter), currency, total)
        for customer, subscription, plan, kind, meter, currency, begins, total in rows
        if from_day <= zones.local_date(subscription, begins) < to_day
    ]


class _Zones:
    """The zone of each subscription at each instant, as its periods have it."""

    def __init__(self, warehouse: Warehouse, prefix: str) -> None:
        periods = _table(prefix, "subscriptions", "int_subscriptions__periods")
        _, rows = warehouse.query(
            f"select subscription_id, period_from, time_zone from {periods} order by 1, 2"
        )
        self.begins: dict[str, list[datetime]] = defaultdict(list)
        self.names: dict[str, list[str]] = defaultdict(list)
        for subscription, begin, zone in rows:
            self.begins[subscription].append(begin)
            self.names[subscription].append(zone)

    def local_date(self, subscription: str, instant: datetime) -> date:
        place = bisect_right(self.begins.get(subscription, []), instant) - 1
        names = self.names.get(subscription)
        zone = ZoneInfo(names[max(place, 0)]) if names else UTC
        return instant.replace(tzinfo=UTC).astimezone(zone).date()


def next_midnight(day: date) -> datetime:
    """The midnight (UTC) that ends a day."""
    return datetime.combine(day, datetime.min.time()) + timedelta(days=1)


def read_house_window(warehouse: Warehouse) -> tuple[date, Window]:
    """The as-of day, and the window under which a house built at once would be what this one is.

    Raises UserError where it is not built, or usage has been landed since.
    """
    if not has_table(warehouse, "builds", "house_state"):
        raise UserError("nothing has been built here yet: run tally build")
    _, rows = warehouse.query("select as_of_day, close_at from builds.house_state")
    if not rows:
        raise UserError("nothing has been built here yet: run tally build")
    as_of_day, close_at = rows[0]
    as_of_at = next_midnight(as_of_day)
    _, counted = warehouse.query(
        f"select (select count(*) from {raw_table('usage_events')} where loaded_at < ?),"
        " (select coalesce(sum(landed_count), 0) from builds.built_days)",
        [as_of_at],
    )
    landed, built = counted[0]
    if landed != built:
        raise UserError(
            f"of {landed} rows of usage {built} are built: run tally build, then simulate"
        )
    open_day = close_at.date() if close_at < as_of_at else None
    return as_of_day, Window(through_day=as_of_day, open_day=open_day)


def count_unknown(catalog: Catalog, through_day: date) -> int:
    """Rows that were recorded after the day, and that a bill as known then does not see."""
    end = next_midnight(through_day).replace(tzinfo=UTC)
    known = (read_instant(row["recorded_at"]) for name in COLUMNS for row in catalog[name])
    return sum(instant is not None and instant >= end for instant in known)


def read_names(warehouse: Warehouse, prefix: str) -> tuple[dict[str, str], set[str]]:
    """The newest name of each customer, and the subscriptions, of one house."""
    customers = _table(prefix, "staging", "stg_catalog__customers")
    subscriptions = _table(prefix, "staging", "stg_catalog__subscriptions")
    _, named = warehouse.query(
        f"select customer_id, name from {customers} order by valid_from_date, recorded_at"
    )
    _, subscribed = warehouse.query(f"select subscription_id from {subscriptions}")
    return {customer: name or "" for customer, name in named}, {row[0] for row in subscribed}


def build_lines(side: SideHouse, source: Source, window: Window) -> None:
    """Bill under the catalogue of `source`. Raises UserError as dbt does.

    Where the catalogue changed late, a run ends before that day: closes are then made too, so that
    the next run can go on from there.
    """
    side.build(source, window, select=LINES)
    _, rows = side.warehouse.query(f"select stop_day from {side.table('builds', 'build_window')}")
    if rows[0][0] is not None:
        side.build(source, window, select=HOUSE)


def simulate(
    source: Source, project: Path, target: str | None, from_day: date, to_day: date
) -> Simulation:
    """The difference between what the house billed and what it would have under `source`.

    Raises UserError for a catalogue with faults, and where the house is not built.
    """
    if not has_warehouse(target):
        raise UserError("nothing has been built here yet: run tally build")
    with connect(target, read_only=True) as warehouse:
        as_of_day, window = read_house_window(warehouse)
        catalog = read_sound_catalog(source, warehouse, is_archived=False)
    with open_side_house(PREFIX, project, target) as side:
        side.show_raw(until=next_midnight(as_of_day))
        build_lines(side, source, window)
        house = side.warehouse
        before = read_billed_lines(house, "", from_day, to_day)
        after = read_billed_lines(house, PREFIX, from_day, to_day)
        names, subscriptions = read_names(house, "")
        other_names, other_subscriptions = read_names(house, PREFIX)
        _, exponents = house.query(
            f"select currency, exponent from {side.table('reference', 'currencies')}"
        )
    return Simulation(
        catalog=str(source),
        from_day=from_day,
        to_day=to_day,
        as_of_day=as_of_day,
        differences=compare_lines(before, after),
        names={**other_names, **names},
        exponents=dict(exponents),
        missing=sorted(subscriptions - other_subscriptions),
        added=sorted(other_subscriptions - subscriptions),
        unknown_count=count_unknown(catalog, as_of_day),
    )


def add_simulate_arguments(
    parser: argparse.ArgumentParser,
) -> Callable[[argparse.Namespace], int]:
    """The options of `tally simulate`, but for the catalogue's, which every command has."""
    parser.add_argument(
        "--from", dest="from_day", type=day_argument, metavar="DAY", required=True,
        help="periods that begin on this day or later",
    )  # fmt: skip
    parser.add_argument(
        "--to", dest="to_day", type=day_argument, metavar="DAY", required=True,
        help="and before this one",
    )  # fmt: skip
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write every difference")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with a picture")

    def run(arguments: argparse.Namespace) -> int:
        if arguments.catalog is None and arguments.catalog_schema is None:
            parser.error("say which catalogue: --catalog DIR or --catalog-schema NAME")
        return run_simulate(arguments)

    return run


def run_simulate(arguments: argparse.Namespace) -> int:
    """Print the differences, and write those files that are asked for."""
    from orchestration.difference_page import write_page

    if arguments.from_day >= arguments.to_day:
        raise UserError(f"--from {arguments.from_day} is not before --to {arguments.to_day}")
    # What cannot be written is said before it is computed.
    for file in (arguments.csv, arguments.html):
        if file and not file.parent.is_dir():
            raise UserError(f"cannot write {file}: no folder {file.parent}")
        if file and file.is_dir():
            raise UserError(f"cannot write {file}: it is a folder")
    project = find_project()
    simulation = simulate(
        choose_source(arguments, project),
        project,
        arguments.target,
        arguments.from_day,
        arguments.to_day,
    )
    print_simulation(simulation)
    for file, write in ((arguments.csv, write_csv), (arguments.html, write_page)):
        if file:
            try:
                write(simulation, file)
            except OSError as fault:
                raise UserError(f"cannot write {file}: {fault.strerror}") from fault
            print(f"{file} written")
    return 0
