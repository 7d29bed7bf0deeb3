"""dbt command lines, made by pure functions from what is to be built.

Nothing here imports dbt or reads the clock, so every line can be tested as text.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Sequence
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
    profiles: Path | None = None,
) -> Command:
    folder = str(profiles or project)
    arguments = [verb, "--project-dir", str(project), "--profiles-dir", folder]
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


#: BI reads the house, and none that is made beside it.
UNPUBLISHED = {"TALLY_PUBLISH": "no"}
#: What a close posts and all that shows it: made when everything before it has been checked.
CLOSING = "int_invoicing__seal+"
#: What says how far the house has come; only a run of the whole house may write it.
STATE = ("int_invoicing__seal", "built_days", "house_state")


def before_close_command(command: Command, names: Iterable[str] = ()) -> Command:
    """The part of a build that a close stands on: usage, lines and drafts.

    With `names`, models: those and what they are made from, and nothing else.
    """
    selected = [f"+{name}" for name in sorted(names)]
    select = ["--select", *selected] if selected else []
    return Command([*command.arguments, *select, "--exclude", CLOSING], command.environment)


def close_command(command: Command, names: Iterable[str] = ()) -> Command:
    """The rest of it: what is due is posted, and the marts that show it are made.

    With `names`, models: those alone, and nothing is posted.
    """
    if not names:
        # It stands on a first part that ended well: with it the whole house is made.
        environment = {**command.environment, "TALLY_FIRST_PART": "done"}
        return Command([*command.arguments, "--select", CLOSING], environment)
    return Command(
        [*command.arguments, "--select", *sorted(names), "--exclude", *STATE], command.environment
    )


def side_command(
    project: Path,
    schema_prefix: str,
    target_path: Path,
    target: str | None = None,
    window: Window | None = None,
    catalog: Path | None = None,
    catalog_schema: str = "",
    select: Sequence[str] = (),
    exclude: Sequence[str] = (),
    with_tests: bool = False,
) -> Command:
    """Seeds and models of a house beside the house, in schemas that begin with `schema_prefix`.

    `select` and `exclude` are dbt's: all nodes unless some are named. dbt keeps what it has parsed
    in `target_path`, so that the house's own is not spoilt by other vars.
    """
    variables = project_variables(window or Window(), catalog_schema=catalog_schema)
    unbuilt = ["unit_test"] if with_tests else ["unit_test", "test"]
    command = _command(
        "build",
        project,
        target,
        catalog,
        {**variables, "schema_prefix": schema_prefix},
        [
            *(word for kind in unbuilt for word in ("--exclude-resource-type", kind)),
            *(["--select", *select] if select else []),
            *(["--exclude", *exclude] if exclude else []),
        ],
    )
    environment = {**UNPUBLISHED, "DBT_TARGET_PATH": str(target_path)}
    return Command(command.arguments, {**command.environment, **environment})


#: What drafts are shown from; models of entitlements, usage and the ledger are not among them.
DRAFTS = (
    "int_invoicing__documents", "int_invoicing__document_lines", "rating_steps", "line_discounts",
    "int_credits__invoice_totals",
)  # fmt: skip


def draft_command(
    project: Path,
    folder: Path,
    window: Window,
    catalog: Path,
    changed: Iterable[str] = (),
) -> Command:
    """The drafts of a house in `folder`, which has its profile and becomes dbt's target path.

    Nothing is tested or posted to the ledger. With `changed`, files of the catalogue that are not
    as when the house was built: only what they bear on; usage and meters are taken as they stand.
    """
    if changed:
        select = [f"{file}+,+{model}" for file in changed for model in DRAFTS]
        exclude = ["path:models/staging/events", "path:models/metering"]
    else:
        shown = (
            "int_invoicing__balanced_documents", "disputed_lines", "invoices", "invoice_lines",
            "credit_ledger_entries", "invoice_credits",
        )  # fmt: skip
        select = [*(f"+{model}" for model in DRAFTS), *shown]
        exclude = []
    command = _command(
        "build",
        project,
        "duckdb",
        catalog,
        project_variables(window, catalog_schema=""),
        [
            *("--exclude-resource-type", "unit_test", "--exclude-resource-type", "test"),
            *("--select", *select),
            *(("--exclude", *exclude) if exclude else ()),
        ],
        profiles=folder,
    )
    environment = {**UNPUBLISHED, "DBT_TARGET_PATH": str(folder.resolve())}
    return Command(command.arguments, {**command.environment, **environment})


def seed_command(project: Path, target: str | None = None, catalog: Path | None = None) -> Command:
    """The catalogue and the reference tables alone."""
    return _command("seed", project, target, catalog)


def parse_command(project: Path, target: str | None = None) -> Command:
    """The whole project read, and nothing run; a warning is an error."""
    command = _command("parse", project, target, None)
    return Command(["--warn-error", *command.arguments])
