"""The folder that usage files are put into: a local one, or a place that fsspec knows (s3://...).

A file under `loaded_on=2026-02-07/` belongs to that load day, which is how history is handed in.
Any other belongs to the day on which it is landed.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

from orchestration.dbt_commands import read_day
from orchestration.defs.dbt_project import PROJECT
from orchestration.errors import UserError
from orchestration.landing import LandingResult, land
from orchestration.records import file_format
from orchestration.warehouse import Warehouse

VARIABLE = "TALLY_LANDING"
DEFAULT = "landing"
DAY_FOLDER = re.compile(r"(?:^|/)loaded_on=([^/]+)/")


@dataclass(frozen=True)
class UsageFile:
    """A file of the folder: its path, what changes when it does, its load day where stated."""

    path: str
    version: str
    load_day: date | None


@dataclass(frozen=True)
class LandingFolder:
    """A folder of usage files at `url`."""

    url: str

    @classmethod
    def from_variables(cls, variables: Mapping[str, str] = os.environ) -> LandingFolder:
        """The folder that TALLY_LANDING names; else `landing` in the project."""
        return cls(variables.get(VARIABLE) or DEFAULT)

    def _open(self) -> tuple[Any, str]:
        import fsspec

        url = self.url if "://" in self.url else str(PROJECT / self.url)
        try:
            return fsspec.core.url_to_fs(url)
        except (ImportError, ValueError) as fault:
            raise UserError(f"{VARIABLE} is {self.url!r}: {fault}") from fault

    def files(self) -> list[UsageFile]:
        """All usage files, in the order of their paths. Raises UserError for a day that is none."""
        system, root = self._open()
        if not system.exists(root):
            return []
        found = []
        for path, facts in sorted(system.find(root, detail=True).items()):
            name = path.removeprefix(root).lstrip("/")
            if name.rpartition("/")[2].startswith(".") or not file_format(name):
                continue
            marks = (facts.get("ETag"), facts.get("mtime"), facts.get("LastModified"))
            version = f"{facts.get('size')} {next((mark for mark in marks if mark), '')}"
            found.append(UsageFile(name, version, _stated_day(name)))
        return found

    @contextlib.contextmanager
    def local(self, file: UsageFile) -> Iterator[Path]:
        """The file where it can be read from."""
        system, root = self._open()
        path = f"{root.rstrip('/')}/{file.path}"
        if "file" in (system.protocol if isinstance(system.protocol, tuple) else ()):
            yield Path(path)
            return
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / file.path
            copy.parent.mkdir(parents=True)
            system.get(path, str(copy))
            yield copy


def _stated_day(path: str) -> date | None:
    found = DAY_FOLDER.search(path)
    if not found:
        return None
    try:
        return read_day(found.group(1))
    except ValueError as fault:
        raise UserError(f"{path}: {fault}") from None


def load_time(day: date, now: datetime) -> datetime:
    """When a file of this load day is landed: now, or at the end of a day that is over."""
    if day >= now.date():
        return now.replace(tzinfo=None)
    return datetime.combine(day, time(23, 59, 59))


def files_of(
    files: Sequence[UsageFile], days: Sequence[date], today: date
) -> list[tuple[UsageFile, date]]:
    """The files that belong to some days, each with its own."""
    wanted = set(days)
    dated = [(file, file.load_day or today) for file in files]
    return [(file, day) for file, day in dated if day in wanted]


def land_files(
    folder: LandingFolder, days: Sequence[date], warehouse: Warehouse, now: datetime | None = None
) -> list[LandingResult]:
    """Land what the folder has for these days; what has been landed is passed by.

    A file's fault is in its result, which names the file by its path in the folder.
    """
    now = (now or datetime.now(UTC)).astimezone(UTC)
    results = []
    for file, day in files_of(folder.files(), days, now.date()):
        with folder.local(file) as path:
            (result,) = land([path], loaded_at=load_time(day, now), warehouse=warehouse)
        result.file = file.path
        results.append(result)
    return results
