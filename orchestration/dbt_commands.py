"""dbt command lines, made by pure functions from what is to be built.

Nothing here imports dbt or reads the clock, so every line can be tested as text.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

#: What of the vars goes by the environment (TALLY_FROM_DAY): dbt parses the project anew whenever
#: vars change, and these change daily.
DAYS = ("from_day", "through_day", "open_day")


@dataclass(frozen=True)
class Window:
    """Load days of one build, both ends included; a missing end is decided from the data.

    `open_day` is a day that is not over: it and later ones are built and not closed.
    """

    from_day: date | None = None
    through_day: date | None = None
    open_day: date | None = None

    def __post_init__(self) -> None:
        if self.from_day and self.through_day and self.from_day > self.through_day:
            raise ValueError(f"--from {self.from_day} is later than --through {self.through_day}")


@dataclass(frozen=True)
class Command:
    """One dbt command: its arguments, and the environment that it is run in."""

    arguments: list[str]
    environment: dict[str, str] = field(default_factory=dict)


def read_day(text: str) -> date:
    """The day that `text` (YYYY-MM-DD) names. Raises ValueError for anything else."""
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        raise ValueError(f"not a day (YYYY-MM-DD): {text!r}")
    return date.fromisoformat(text)


def project_variables(
    window: Window, full: bool = False, catalog_schema: str | None = None
) -> dict[str, object]:
    """The dbt vars of a build; empty when everything is decided from the data.

    A var that is not needed is left out: dbt parses the project anew whenever vars change.
    """
    variables: dict[str, object] = {}
    if window.from_day:
        variables["from_day"] = window.from_day.isoformat()
    if window.through_day:
        variables["through_day"] = window.through_day.isoformat()
    if window.open_day:
        variables["open_day"] = window.open_day.isoformat()
    if full:
        variables["full"] = True
    if catalog_schema is not None:
        variables["catalog_schema"] = catalog_schema
    return variables


def catalog_environment(catalog: Path | None, project: Path) -> dict[str, str]:
    """The environment that puts `catalog` in the place of seeds/catalog.

    dbt joins seed paths to the project's folder, so the path is written relative to it.
    """
    if catalog is None:
        return {}
    return {"TALLY_CATALOG": os.path.relpath(catalog.resolve(), project.resolve())}


def _command(
    verb: str,
    project: Path,
    target: str | None,
    catalog: Path | None,
    variables: dict[str, object] | None = None,
    options: list[str] | None = None,
) -> Command:
    arguments = [verb, "--project-dir", str(project), "--profiles-dir", str(project)]
    if target:
        arguments += ["--target", target]
    days = {f"TALLY_{name.upper()}": str((variables or {}).get(name, "")) for name in DAYS}
    variables = {name: value for name, value in (variables or {}).items() if name not in DAYS}
    if variables:
        arguments += ["--vars", json.dumps(variables, sort_keys=True)]
    return Command(arguments + (options or []), {**catalog_environment(catalog, project), **days})


def build_command(
    project: Path,
    target: str | None = None,
    window: Window | None = None,
    catalog: Path | None = None,
    full: bool = False,
    catalog_schema: str | None = None,
) -> Command:
    """Seeds, models and data tests of one window, in the order of their references.

    `catalog_schema` names the schema whose tables are the catalogue, a blank none; None leaves
    that to dbt_project.yml. Unit tests are proof of the code, not of the data: they are left to
    `make test`.
    """
    return _command(
        "build",
        project,
        target,
        catalog,
        project_variables(window or Window(), full, catalog_schema),
        ["--exclude-resource-type", "unit_test", *(["--full-refresh"] if full else [])],
    )


def seed_command(project: Path, target: str | None = None, catalog: Path | None = None) -> Command:
    """The catalogue and the reference tables alone."""
    return _command("seed", project, target, catalog)


def parse_command(project: Path, target: str | None = None) -> Command:
    """The whole project read, and nothing run; a warning is an error."""
    command = _command("parse", project, target, None)
    return Command(["--warn-error", *command.arguments])
