"""`tally export` and `tally receivables`: their options, and what they print."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from datetime import date

from orchestration.dbt_commands import read_day
from orchestration.errors import UserError
from orchestration.house import find_project


def _day(text: str) -> date:
    try:
        return read_day(text)
    except ValueError as fault:
        raise argparse.ArgumentTypeError(str(fault)) from None


def _workers(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"not a number of processes: {text!r}")
    return int(text)


def add_export_arguments(
    parser: argparse.ArgumentParser,
) -> Callable[[argparse.Namespace], int]:
    """The options of `tally export`."""
    from orchestration.exports.exporting import FORMATS, USUAL_FORMATS
    from orchestration.sole_build import add_wait_argument

    parser.add_argument(
        "--to-folder",
        required=True,
        metavar="DIR",
        help="where the files go, a folder or a URL that fsspec knows; made where it is not there",
    )
    parser.add_argument(
        "--format",
        dest="formats",
        nargs="+",
        choices=FORMATS,
        default=list(USUAL_FORMATS),
        metavar="FORMAT",
        help=f"of {', '.join(FORMATS)} (default: {' '.join(USUAL_FORMATS)})",
    )
    which = parser.add_argument_group("which final documents (default: all)")
    which.add_argument(
        "--invoice", nargs="+", default=[], metavar="NUMBER", help="invoice numbers or invoice_ids"
    )
    which.add_argument(
        "--cutoff", type=_day, metavar="DAY", help="those closed at the midnight that begins DAY"
    )
    which.add_argument("--from", dest="from_day", type=_day, metavar="DAY", help="cutoffs from DAY")
    which.add_argument("--to", dest="to_day", type=_day, metavar="DAY", help="and before DAY")
    parser.add_argument(
        "--workers", type=_workers, default=2, metavar="N", help="processes that make PDFs (2)"
    )
    add_wait_argument(parser)
    return run_export


def run_export(arguments: argparse.Namespace) -> int:
    """Export, and say in a line a format what there was to do."""
    from orchestration.exports.billing_entities import read_billing_entities
    from orchestration.exports.export_log import utc_now
    from orchestration.exports.exporting import export_invoices
    from orchestration.house import project_variable
    from orchestration.sole_build import sole_build

    project = find_project()
    selection = _selection(arguments)
    entities = read_billing_entities(project)
    _expect_house(arguments.target)
    prefix = project_variable(project, "schema_prefix")
    with sole_build(arguments.target, arguments.wait, prefix) as warehouse:
        summary = export_invoices(
            warehouse,
            arguments.to_folder,
            list(dict.fromkeys(arguments.formats)),
            entities,
            utc_now(),
            selection,
            arguments.workers,
        )
    print(f"{_count(summary.documents, 'final document')}")
    for kind in dict.fromkeys(arguments.formats):
        written, present = summary.written.get(kind, 0), summary.present.get(kind, 0)
        there = f", {present:,} there already" if present else ""
        print(f"{kind:<12}{_count(written, 'file')} written{there}")
    if summary.unprintable:
        print(
            f"tally: {_count(len(summary.unprintable), 'PDF')} with letters that the typeface does"
            f" not have, such as {summary.unprintable[0]}: set TALLY_FONTS to a folder of fonts"
            " before the first export",
            file=sys.stderr,
        )
    return 0


def _selection(arguments: argparse.Namespace):
    from orchestration.exports.documents import Selection

    ways = (
        bool(arguments.invoice),
        bool(arguments.cutoff),
        bool(arguments.from_day or arguments.to_day),
    )
    if sum(ways) > 1:
        raise UserError("give --invoice, or --cutoff, or --from and --to: one of them")
    if arguments.cutoff:
        return Selection.of_cutoff(arguments.cutoff)
    if arguments.from_day and arguments.to_day and arguments.from_day >= arguments.to_day:
        raise UserError(f"--to: found {arguments.to_day}, expected a day after --from")
    return Selection(tuple(arguments.invoice), arguments.from_day, arguments.to_day)


def _expect_house(target: str | None) -> None:
    from orchestration.warehouse import has_warehouse

    if not has_warehouse(target):
        raise UserError("nothing has been built here yet: run tally build")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def add_receivables_arguments(
    parser: argparse.ArgumentParser,
) -> Callable[[argparse.Namespace], int]:
    """The options of `tally receivables`."""
    from orchestration.sole_build import add_wait_argument

    parser.add_argument(
        "action",
        choices=("acknowledge", "differences"),
        help="read what the receivables ledger answered, or list what differs",
    )
    parser.add_argument(
        "files", nargs="*", metavar="FILE", help="acknowledgements: .jsonl, .ndjson or .csv"
    )
    add_wait_argument(parser)
    return run_receivables


def run_receivables(arguments: argparse.Namespace) -> int:
    """Read acknowledgements, or list differences; exit code 1 if there is a fault or difference."""
    if arguments.action == "acknowledge":
        return _acknowledge(arguments)
    if arguments.files:
        raise UserError("tally receivables differences takes no file")
    return _print_differences(arguments)


def _acknowledge(arguments: argparse.Namespace) -> int:
    from orchestration.exports.acknowledgements import read_acknowledgements
    from orchestration.exports.export_log import utc_now
    from orchestration.sole_build import connect_when_free

    if not arguments.files:
        raise UserError("tally receivables acknowledge: expected a file")
    _expect_house(arguments.target)
    has_fault = False
    with connect_when_free(arguments.target, arguments.wait) as warehouse:
        for file in arguments.files:
            summary = read_acknowledgements(warehouse, file, utc_now())
            for fault in summary.faults:
                print(fault, file=sys.stderr)
            has_fault |= bool(summary.faults)
            old = summary.rows - summary.added - len(summary.faults)
            print(
                f"{file}: {_count(summary.added, 'acknowledgement')},"
                f" {summary.differing:,} of them with a difference"
                + (f", {old:,} read before" if old else "")
                + (f", {_count(len(summary.faults), 'row')} refused" if summary.faults else "")
            )
    return int(has_fault)


def _print_differences(arguments: argparse.Namespace) -> int:
    from orchestration.marts import Marts, grouped_money

    _expect_house(arguments.target)
    with Marts(arguments.target) as marts:
        states = {
            row["state"]: row["documents"]
            for row in marts.rows(
                "select state, count(*) as documents from marts.receivables group by state"
            )
        }
        differing = marts.rows(
            "select * from marts.receivables where state = 'differs'"
            " order by cutoff_at, invoice_number"
        )
        for row in differing:
            shown = grouped_money(row["net_difference"], marts.exponent(row["currency"]))
            print(
                f"{row['invoice_number']} ({row['external_id']}): net {shown} {row['currency']},"
                f" {row['payment_state'].replace('_', ' ')}"
            )
    names = ("not_sent", "sent", "acknowledged", "differs")
    print(", ".join(f"{states.get(name, 0):,} {name.replace('_', ' ')}" for name in names))
    return int(bool(differing))
