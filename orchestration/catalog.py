"""The check of a whole catalogue before a build: every fault in one list, file and line named."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from orchestration.catalog_fields import check_fields
from orchestration.catalog_files import COLUMNS, OPTIONAL_FILES, Fault, read_catalog
from orchestration.catalog_reference import PROJECT, read_reference
from orchestration.catalog_rules import check_rules

__all__ = [
    "Fault",
    "add_check_arguments",
    "check_catalog",
    "format_faults",
    "run_check",
    "write_missing_files",
]


def check_catalog(directory: Path | str, project: Path | str = PROJECT) -> list[Fault]:
    """All faults of the catalogue in `directory`, by file and line; none: it can be built.

    Zones, currencies and derived properties are those of `project`. Only reads; what is wrong
    with a file's content is a fault, never an exception.
    """
    catalog = read_catalog(Path(directory))
    check_fields(catalog)
    check_rules(catalog, read_reference(Path(project)))
    rows = (row for name in COLUMNS for row in catalog[name])
    faults = [*catalog.faults, *(fault for row in rows for fault in row.faults)]
    order = {f"{name}.csv": position for position, name in enumerate(COLUMNS)}
    return sorted(faults, key=lambda fault: (order[fault.file], fault.line))


def format_faults(faults: Iterable[Fault]) -> str:
    """One line a fault, and how many there are."""
    lines = [str(fault) for fault in faults]
    count = f"{len(lines)} fault{'' if len(lines) == 1 else 's'}"
    return "\n".join([*lines, f"the catalogue has {count}" if lines else "no fault"])


def write_missing_files(directory: Path) -> list[Path]:
    """Write the optional files that `directory` lacks, with their first line only.

    dbt needs each seed to exist. Returns the files written.
    """
    written = []
    for name in OPTIONAL_FILES:
        path = directory / f"{name}.csv"
        if not path.exists():
            path.write_text(",".join(COLUMNS[name]) + "\n", encoding="utf-8")
            written.append(path)
    return written


def add_check_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--catalog",
        type=Path,
        default=None,
        help="folder of the catalogue's CSV files (default: seeds/catalog)",
    )


def run_check(arguments: argparse.Namespace) -> int:
    """`tally check`: print every fault; the exit code is 1 if there is one."""
    directory = arguments.catalog or PROJECT / "seeds" / "catalog"
    if not directory.is_dir():
        print(f"tally: there is no folder {directory}", file=sys.stderr)
        return 1
    faults = check_catalog(directory)
    if faults:
        print(format_faults(faults), file=sys.stderr)
        return 1
    print(f"{directory}: no fault")
    return 0
