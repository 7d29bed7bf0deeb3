"""A build: the catalogue made ready, dbt run in this process, its outcome in one line."""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from orchestration.catalog import (
    Source,
    add_missing_columns,
    is_complete,
    write_missing_files,
)
from orchestration.catalog_files import COLUMNS
from orchestration.catalog_tables import project_schema
from orchestration.causes import UNHARMED, find_cause, holder_of_file
from orchestration.code_version import read_code_version
from orchestration.dbt_commands import Command, Window, build_command
from orchestration.errors import UserError
from orchestration.house import log_file, shorten, target_folder
from orchestration.warehouse import connect, quote_identifier

#: What dbt says of a node that did not end well.
FAILED = ("error", "fail", "runtime error")
#: How large a process may have been before garbage is looked for, in kilobytes as Linux counts.
MUCH_MEMORY = 2_000_000


@dataclass(frozen=True)
class Outcome:
    """What a build did: how many nodes of each type, in how many runs, and how long it took."""

    counts: Counter[str]
    seconds: float
    runs: int = 1

    def __str__(self) -> str:
        parts = [
            f"{self.counts[kind]} {kind}{'' if self.counts[kind] == 1 else 's'}"
            for kind in ("seed", "model", "test")
            if self.counts[kind]
        ]
        runs = f" in {self.runs} runs" if self.runs > 1 else ""
        return f"Built {', '.join(parts)}{runs} in {self.seconds:.1f} s"


def complete_catalog(catalog: Path, target_path: Path) -> Path:
    """A copy of `catalog` under dbt's `target_path` with every file and column of a catalogue.

    A file that may be left out and is becomes its header alone, a column becomes blank. The
    copy is always the same folder, so that dbt does not take another catalogue for another
    project.
    Raises UserError when `catalog` is not a folder.
    """
    if not catalog.is_dir():
        raise UserError(f"no such catalogue folder: {catalog}")
    copy = target_path / "catalog"
    if copy.resolve() == catalog.resolve():
        return copy
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir(parents=True)
    for name in COLUMNS:
        if (catalog / f"{name}.csv").is_file():
            shutil.copyfile(catalog / f"{name}.csv", copy / f"{name}.csv")
    write_missing_files(copy)
    add_missing_columns(copy)
    return copy


@contextlib.contextmanager
def _environment(changes: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


class _Progress:
    """dbt's events as one line that moves; nothing where nobody watches."""

    def __init__(self) -> None:
        self.is_watched = sys.stderr.isatty()
        self.total = 0
        self.done = 0
        self.status: Any = None

    def __enter__(self) -> _Progress:
        if self.is_watched:
            from rich.console import Console

            self.status = Console(stderr=True).status("reading the project")
            self.status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.status:
            self.status.stop()

    def __call__(self, event: Any) -> None:
        if not self.status:
            return
        if event.info.name == "ConcurrencyLine":
            self.total = event.data.node_count
        elif event.info.name == "NodeStart":
            name = event.data.node_info.node_name
            self.status.update(f"{self.done}/{self.total or '?'} {name}")
        elif event.info.name == "NodeFinished":
            self.done += 1


def _one_line(text: object, limit: int = 400) -> str:
    line = " ".join(str(text or "").split())
    return line if len(line) <= limit else line[: limit - 3] + "..."


def _raise_known_cause(messages: list[object], failed: list[Any], log: str) -> None:
    """UserError with what happened around dbt, if that is why it failed; else nothing."""
    holder = next(filter(None, map(holder_of_file, messages)), None)
    if holder:
        raise UserError(f"{holder}; nothing was done, try again when it has finished")
    cause = find_cause(*messages)
    if cause is None:
        return
    at = f"{failed[0].node.resource_type} {failed[0].node.name}, " if failed else ""
    raise UserError(f"{cause.sentence(UNHARMED)} ({at}log: {log})")


def invoke_dbt(
    command: Command, project: Path, manifest: Any = None, callbacks: Sequence[Any] = ()
) -> Any:
    """What dbt's runner says of `command`, run in this process and silently.

    `manifest` is the project as dbt has parsed it before, if it has.
    """
    from dbt.cli.main import dbtRunner

    # dbt moves to the project's folder; what the person typed is relative to where they are.
    here = contextlib.chdir(Path.cwd())
    _leave_garbage()
    with here, _environment(command.environment):
        return dbtRunner(manifest=manifest, callbacks=list(callbacks)).invoke(
            # The level of the log is said too: it is the console's unless it is.
            [
                *command.arguments,
                *("--log-level", "none", "--log-level-file", "info", "--no-use-colors-file"),
            ]
        )


def _leave_garbage() -> None:
    """From now on nobody looks for garbage, but before a command where memory is short.

    Of a command dbt keeps nearly all that it makes: looking through that, again and again, took a
    twelfth of a day's run, and found 350 MB. A process that runs dbt ends soon after.
    """
    if gc.isenabled():
        gc.disable()
    elif resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > MUCH_MEMORY:
        gc.collect()


def raise_what_failed(result: Any, project: Path) -> list[Any]:
    """The nodes that dbt ran. Raises UserError with one line where not all went well."""
    log = shorten(log_file(project))
    nodes = getattr(result.result, "results", None) or []
    failed = [node for node in nodes if node.status in FAILED]
    _raise_known_cause([result.exception, *(node.message for node in failed)], failed, log)
    if result.exception is not None:
        raise UserError(f"dbt stopped: {_one_line(result.exception)} (log: {log})")
    if failed:
        first = failed[0]
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        raise UserError(
            f"{first.node.resource_type} {first.node.name} failed{more}: "
            f"{_one_line(first.message)} (log: {log})"
        )
    if not result.success:
        raise UserError(f"dbt failed (log: {log})")
    return nodes


def run_dbt(command: Command, project: Path) -> Outcome:
    """Run `command` in this process, silently but for the progress line.

    Raises UserError with one line: which model or test failed, why, and where the log is.
    """
    started = time.monotonic()
    with _Progress() as progress:
        result = invoke_dbt(command, project, callbacks=[progress])
    nodes = raise_what_failed(result, project)
    return Outcome(
        Counter(str(node.node.resource_type) for node in nodes), time.monotonic() - started
    )


def build(
    project: Path,
    target: str | None = None,
    window: Window | None = None,
    catalog: Path | None = None,
    full: bool = False,
    catalog_schema: str | None = None,
) -> Outcome:
    """Seeds, models and data tests of `window`, as `dbt seed && dbt build` would.

    Raises UserError as `run_dbt` and `complete_catalog` do.
    """
    if catalog is not None:
        catalog = complete_catalog(catalog, target_folder(project))
    command = build_command(project, target, window, catalog, full, catalog_schema)
    # For the log of runs; an environment that says otherwise (CI) knows better.
    version = os.environ.get("TALLY_CODE_VERSION") or read_code_version(project)
    stated = command.environment | {"TALLY_CODE_VERSION": version}
    return run_dbt(replace(command, environment=stated), project)


def build_from(
    source: Source,
    project: Path,
    target: str | None = None,
    window: Window | None = None,
    full: bool = False,
) -> Outcome:
    """`build` with the catalogue where `source` says it is."""
    if source.schema:
        schema = source.schema if source.is_stated else None
        return build(project, target, window, None, full, schema)
    # Folders that dbt cannot read as they are are read from a completed copy.
    catalog = source.folder if source.is_stated or not is_complete(source.folder) else None
    # Without need no var is passed: dbt parses the project anew whenever vars change.
    return build(project, target, window, catalog, full, "" if project_schema(project) else None)


def stop_day(target: str | None, schema_prefix: str = "") -> date | None:
    """The day before which the last run stopped, as the catalogue changed late on it."""
    table = f"{quote_identifier(schema_prefix + 'builds')}.build_window"
    with connect(target, read_only=True) as warehouse:
        _, rows = warehouse.query(f"select stop_day from {table}")
    return rows[0][0] if rows else None


@dataclass(frozen=True)
class Continuation:
    """A further run of a build: its window, and the day before which the run before it stopped."""

    window: Window
    late_day: date


def windows_after(
    window: Window, target: str | None, schema_prefix: str = ""
) -> Iterator[Continuation]:
    """The runs that are left of a build after its first, each asked for when the one before ended.

    A close knows the catalogue as it was then: where a row was recorded after it took effect, a run
    ends before that day, and the next one goes on with the row known.
    """
    before = None
    while (day := stop_day(target, schema_prefix)) is not None and day != before:
        before = day
        yield Continuation(replace(window, from_day=None), day)


def build_on(
    source: Source,
    project: Path,
    target: str | None = None,
    window: Window | None = None,
    full: bool = False,
) -> Outcome:
    """`build_from`, and on from each day before which a run stopped (see `windows_after`)."""
    window = window or Window()
    outcome = build_from(source, project, target, window, full)
    for more in windows_after(window, target):
        print(
            f"Closed what was due before {more.late_day}, on which the catalogue changed late",
            flush=True,
        )
        next_outcome = build_from(source, project, target, more.window)
        outcome = Outcome(
            next_outcome.counts, outcome.seconds + next_outcome.seconds, outcome.runs + 1
        )
    return outcome
