"""`tally`: what people do with a house, on a command line.

Each command is a function of its arguments that returns an exit code. What the person can
mend reaches them as one line: exit code 1, or 2 for a command line that cannot be read.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

from orchestration.causes import UNHARMED, find_cause
from orchestration.dbt_commands import Window, read_day
from orchestration.errors import UserError
from orchestration.house import find_project

QUIETLY = {
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "DAGSTER_DISABLE_TELEMETRY": "yes",
    "GX_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
}


class _Parser(argparse.ArgumentParser):
    """argparse, with its faults on one line."""

    def error(self, message: str) -> None:  # type: ignore[override]
        self.exit(2, f"{self.prog}: {message} (try: {self.prog} --help)\n")


def _day(text: str):
    try:
        return read_day(text)
    except ValueError as fault:
        raise argparse.ArgumentTypeError(str(fault)) from None


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"not a whole number: {text!r}")
    return int(text)


def _add_house_arguments(parser: argparse.ArgumentParser) -> None:
    """--target and the catalogue's options, for a command that does not state them itself."""
    stated = {option for action in parser._actions for option in action.option_strings}
    if "--target" not in stated:
        parser.add_argument(
            "--target",
            help="an output of profiles.yml: duckdb or postgres (default: the profile's own)",
        )
    if "--catalog" not in stated:
        from orchestration.catalog import add_catalog_arguments

        add_catalog_arguments(parser)


def run_build(arguments: argparse.Namespace) -> int:
    from orchestration.house import project_variable
    from orchestration.sole_build import sole_build

    try:
        window = Window(arguments.from_day, arguments.through_day)
    except ValueError as fault:
        raise UserError(str(fault)) from None
    project = find_project()
    prefix = project_variable(project, "schema_prefix")
    with sole_build(arguments.target, arguments.wait, prefix):
        return _build_alone(arguments, project, window)


def _build_alone(arguments: argparse.Namespace, project: Path, window: Window) -> int:
    from orchestration.building import build_on
    from orchestration.catalog import choose_source

    source = choose_source(arguments, project)
    faults = source.check(arguments.target) or source.check_archive(arguments.target)
    for fault in faults:
        print(fault, file=sys.stderr)
    if faults:
        count = f"{len(faults)} fault{'' if len(faults) == 1 else 's'}"
        print(f"tally: the catalogue has {count}; nothing was built", file=sys.stderr)
        return 1
    if window.through_day is None:
        # A day that is named is said to be over; the running one is not.
        window = replace(window, open_day=find_open_day(arguments.target))
    print(build_on(source, project, arguments.target, window, arguments.full))
    return 0


def find_open_day(target: str | None) -> date | None:
    from orchestration.ledger import open_day
    from orchestration.warehouse import connect, has_warehouse

    if not has_warehouse(target):
        return None
    with connect(target, read_only=True) as warehouse:
        return open_day(warehouse)


def run_invoice(arguments: argparse.Namespace) -> int:
    from orchestration.invoice_view import run_invoice

    return run_invoice(arguments)


def run_explain(arguments: argparse.Namespace) -> int:
    from orchestration.explanation import run_explain

    return run_explain(arguments)


def run_verify(arguments: argparse.Namespace) -> int:
    from orchestration.verification import run_verify

    return run_verify(arguments)


def run_demo(arguments: argparse.Namespace) -> int:
    from orchestration.demonstration import run_demo

    return run_demo(arguments)


def _add_build(parser: argparse.ArgumentParser) -> Callable[[argparse.Namespace], int]:
    from orchestration.sole_build import add_wait_argument

    parser.add_argument(
        "--through",
        dest="through_day",
        type=_day,
        metavar="DAY",
        help="the last load day to build, which is then over (default: the last one landed)",
    )
    parser.add_argument(
        "--from",
        dest="from_day",
        type=_day,
        metavar="DAY",
        help="the first load day to build (default: the first one not yet built)",
    )
    parser.add_argument(
        "--full", action="store_true", help="build everything anew, and check everything"
    )
    add_wait_argument(parser)
    return run_build


def _add_invoice(parser: argparse.ArgumentParser) -> Callable[[argparse.Namespace], int]:
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("number", nargs="?", help="an invoice number, or an invoice_id")
    which.add_argument(
        "--customer", metavar="ID", help="list a customer's invoices and show the newest"
    )
    parser.add_argument("--format", choices=("table", "json"), default="table")
    return run_invoice


def _add_balance(parser: argparse.ArgumentParser) -> Callable[[argparse.Namespace], int]:
    from orchestration.credit_balance import run_balance

    parser.add_argument("customer", metavar="CUSTOMER", help="a customer_id")
    parser.add_argument(
        "--on",
        type=_day,
        metavar="DAY",
        help="at the end of this day, in UTC (default: the last one that is built)",
    )
    parser.add_argument("--format", choices=("table", "json"), default="table")
    return run_balance


def _add_explain(parser: argparse.ArgumentParser) -> Callable[[argparse.Namespace], int]:
    parser.add_argument("line", help="a line_id, such as sub_1@2026-02-01#3")
    parser.add_argument(
        "--events",
        type=_count,
        default=20,
        metavar="N",
        help="how many of the line's events to show (default: 20)",
    )
    parser.add_argument("--format", choices=("tree", "table", "json"), default="tree")
    return run_explain


def _add_verify(parser: argparse.ArgumentParser) -> Callable[[argparse.Namespace], int]:
    parser.add_argument("--format", choices=("table", "json"), default="table")
    return run_verify


def _add_replay(parser: argparse.ArgumentParser) -> Callable[[argparse.Namespace], int]:
    from orchestration.replay import add_replay_arguments, run_replay

    add_replay_arguments(parser)
    return run_replay


def _add_preview(parser: argparse.ArgumentParser) -> Callable[[argparse.Namespace], int]:
    from orchestration.preview import add_preview_arguments

    return add_preview_arguments(parser)


def _add_simulate(parser: argparse.ArgumentParser) -> Callable[[argparse.Namespace], int]:
    from orchestration.simulation import add_simulate_arguments

    return add_simulate_arguments(parser)


def _add_land(parser: argparse.ArgumentParser) -> Callable[[argparse.Namespace], int]:
    from orchestration.landing import add_land_arguments, run_land
    from orchestration.sole_build import add_wait_argument

    add_land_arguments(parser)
    add_wait_argument(parser)
    return run_land


def _add_check(parser: argparse.ArgumentParser) -> Callable[[argparse.Namespace], int]:
    from orchestration.catalog import run_check

    return run_check


def _add_export(parser: argparse.ArgumentParser) -> Callable[[argparse.Namespace], int]:
    from orchestration.exports.commands import add_export_arguments

    return add_export_arguments(parser)


def _add_receivables(parser: argparse.ArgumentParser) -> Callable[[argparse.Namespace], int]:
    from orchestration.exports.commands import add_receivables_arguments

    return add_receivables_arguments(parser)


def _add_webhooks(parser: argparse.ArgumentParser) -> Callable[[argparse.Namespace], int]:
    from orchestration.webhooks.commands import add_webhook_arguments

    return add_webhook_arguments(parser)


def _add_demo(parser: argparse.ArgumentParser) -> Callable[[argparse.Namespace], int]:
    return run_demo


COMMANDS = {
    "land": ("append files of usage events to the raw tables", _add_land),
    "check": ("check the catalogue as a whole", _add_check),
    "build": ("make invoices from what has been landed", _add_build),
    "invoice": ("show an invoice", _add_invoice),
    "balance": ("what is left of a customer's prepaid credits", _add_balance),
    "explain": ("trace an invoice line to its steps, days and events", _add_explain),
    "preview": ("a customer's next invoices, also after a change of plan", _add_preview),
    "simulate": ("bill the past again under another catalogue, and compare", _add_simulate),
    "export": ("final documents as JSON, CSV, Parquet, HTML, PDF and receivables", _add_export),
    "receivables": ("read back what the receivables ledger says of documents", _add_receivables),
    "webhooks": ("tell other systems of invoices, credits and usage", _add_webhooks),
    "verify": ("check that nothing that was closed has been altered", _add_verify),
    "replay": ("build what was closed again, and compare", _add_replay),
    "demo": ("land and build three months of an AI API business", _add_demo),
}


def parse_arguments(words: Sequence[str]) -> argparse.Namespace:
    """The command and its options. Exits with 2 and one line when they make no sense."""
    parser = _Parser(prog="tally", description="Usage events to invoices, in the warehouse.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, (summary, add_arguments) in COMMANDS.items():
        # Only the command that is asked for is imported: `tally --help` stays quick.
        command = commands.add_parser(name, help=summary, description=summary)
        if name in words[:1]:
            command.set_defaults(run=add_arguments(command))
            _add_house_arguments(command)
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """Run one command. Returns its exit code."""
    for name, value in QUIETLY.items():
        os.environ.setdefault(name, value)
    try:
        arguments = parse_arguments(sys.argv[1:] if words is None else list(words))
        return arguments.run(arguments)
    except BrokenPipeError:
        # The reader (head, less) has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("tally: stopped", file=sys.stderr)
        return 130
    except Exception as fault:
        if os.environ.get("TALLY_DEBUG") == "1":
            raise
        text = " ".join(str(fault).split()) or type(fault).__name__
        if not type(fault).__module__.startswith("orchestration."):
            # Not one that a module of ours raised for a person to read.
            cause = find_cause(fault)
            text = cause.sentence(UNHARMED) if cause else f"{text} (TALLY_DEBUG=1 shows where)"
        print(f"tally: {text}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
