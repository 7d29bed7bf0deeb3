"""The check of a whole catalogue before a build: every fault in one list, file and line named."""

from __future__ import annotations

import argparse
import csv
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.catalog_columns import check_fields
from orchestration.catalog_files import (
    COLUMNS,
    OPTIONAL_COLUMNS,
    OPTIONAL_FILES,
    Catalog,
    Fault,
    read_catalog,
)
from orchestration.catalog_reference import PROJECT, read_reference
from orchestration.catalog_rules import check_rules
from orchestration.errors import UserError

if TYPE_CHECKING:
    from orchestration.warehouse import Warehouse

__all__ = [
    "Fault",
    "Source",
    "add_catalog_arguments",
    "add_missing_columns",
    "check_catalog",
    "check_tables",
    "choose_source",
    "find_faults",
    "format_faults",
    "is_complete",
    "run_check",
    "write_missing_files",
]


def check_catalog(directory: Path | str, project: Path | str = PROJECT) -> list[Fault]:
    """All faults of the catalogue in `directory`, by file and line; none: it can be built.

    Zones, currencies and derived properties are those of `project`. Only reads; what is wrong
    with a file's content is a fault, never an exception.
    """
    return find_faults(read_catalog(Path(directory)), Path(project))


def check_tables(warehouse: Warehouse, schema: str, project: Path | str = PROJECT) -> list[Fault]:
    """All faults of the catalogue in the tables of `schema`, by table and row.

    Raises UserError when the tables cannot be read.
    """
    from orchestration.catalog_tables import name_tables, read_tables

    catalog = read_tables(warehouse, schema)
    return name_tables(find_faults(catalog, Path(project)), catalog, schema)


def find_faults(catalog: Catalog, project: Path = PROJECT) -> list[Fault]:
    """All faults of a catalogue that has been read, by file and line."""
    check_fields(catalog)
    check_rules(catalog, read_reference(project))
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


def add_missing_columns(directory: Path) -> list[Path]:
    """Write the columns that may be left out, blank, into the files of `directory` without them.

    Returns the files written. A file that cannot be read as CSV is left to the check.
    """
    written = []
    for path, missing, records in _lacking_columns(directory):
        header, *rows = records
        with path.open("w", encoding="utf-8", newline="") as handle:
            writer = csv.writer(handle, lineterminator="\n")
            writer.writerow([*header, *missing])
            writer.writerows([*row, *("" for _ in missing)] for row in rows)
        written.append(path)
    return written


def is_complete(directory: Path) -> bool:
    """Whether `directory` has every file and column, also those that may be left out."""
    has_files = all((directory / f"{name}.csv").is_file() for name in COLUMNS)
    return has_files and not any(_lacking_columns(directory))


def _lacking_columns(directory: Path) -> Iterator[tuple[Path, list[str], list[list[str]]]]:
    """Each file without some of the columns that may be left out: those, and its records."""
    for name, columns in OPTIONAL_COLUMNS.items():
        path = directory / f"{name}.csv"
        try:
            with path.open(encoding="utf-8-sig", newline="") as handle:
                records = list(csv.reader(handle, strict=True))
        except (OSError, ValueError, csv.Error):
            continue
        missing = [column for column in columns if records and column not in records[0]]
        if missing:
            yield path, missing, records


@dataclass(frozen=True)
class Source:
    """Where a catalogue lies: in the CSVs of a folder, or in the tables of a schema.

    `is_stated`: someone named it for this run; else it is what the project says.
    """

    folder: Path
    schema: str = ""
    is_stated: bool = False

    def check(self, target: str | None = None, project: Path = PROJECT) -> list[Fault]:
        """All faults. Raises UserError when the catalogue cannot be read."""
        if self.schema:
            from orchestration.warehouse import connect

            with connect(target, read_only=True) as warehouse:
                return check_tables(warehouse, self.schema, project)
        if not self.folder.is_dir():
            raise UserError(f"no such catalogue folder: {self.folder}")
        return check_catalog(self.folder, project)

    def read(self, warehouse: Warehouse) -> Catalog:
        """The rows as they stand. Raises UserError when tables cannot be read."""
        if self.schema:
            from orchestration.catalog_tables import read_tables

            return read_tables(warehouse, self.schema)
        return read_catalog(self.folder)

    def check_archive(self, target: str | None = None) -> list[Fault]:
        """Where it is no longer what the closes of the target's warehouse were made from."""
        from orchestration.archive import archive_faults
        from orchestration.closed_bounds import bound_faults
        from orchestration.warehouse import connect, has_warehouse

        if not has_warehouse(target):
            return []
        with connect(target, read_only=True) as warehouse:
            catalog = self.read(warehouse)
            faults = archive_faults(catalog, warehouse) + bound_faults(catalog, warehouse)
        if not self.schema:
            return faults
        from orchestration.catalog_tables import name_tables

        return name_tables(faults, catalog, self.schema)

    def __str__(self) -> str:
        return f"the tables of {self.schema}" if self.schema else str(self.folder)


def choose_source(arguments: argparse.Namespace, project: Path) -> Source:
    """The catalogue that --catalog or --catalog-schema names, else the project's own, which is
    where plain dbt looks for it too.

    Raises UserError for a name that no schema can have.
    """
    from orchestration.catalog_tables import check_schema_name, project_schema

    folder = project / os.environ.get("TALLY_CATALOG", "seeds/catalog")
    if arguments.catalog is not None:
        return Source(arguments.catalog, is_stated=True)
    if arguments.catalog_schema is not None:
        return Source(folder, check_schema_name(arguments.catalog_schema), is_stated=True)
    schema = project_schema(project)
    return Source(folder, check_schema_name(schema) if schema else "")


def add_catalog_arguments(parser: argparse.ArgumentParser) -> None:
    """--catalog and --catalog-schema, one of them at most."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--catalog",
        type=Path,
        metavar="DIR",
        help="a folder of catalogue CSVs in the place of seeds/catalog",
    )
    which.add_argument(
        "--catalog-schema",
        metavar="NAME",
        help="a schema of the target's database whose tables are the catalogue",
    )


def run_check(arguments: argparse.Namespace) -> int:
    """`tally check`: print every fault; the exit code is 1 if there is one."""
    source = choose_source(arguments, PROJECT)
    faults = source.check(arguments.target)
    if faults:
        print(format_faults(faults), file=sys.stderr)
        return 1
    print(f"{source}: no fault")
    return 0
