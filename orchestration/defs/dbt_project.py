"""The dbt project as Dagster reads it: its manifest, parsed anew when a file of it changed."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from orchestration.errors import UserError
from orchestration.house import target_folder

PROJECT = Path(__file__).resolve().parent.parent.parent
READ_BY_DBT = ("models", "macros", "seeds", "tests/data")


def manifest_path(project: Path = PROJECT) -> Path:
    """Where dbt leaves what it has parsed."""
    return target_folder(project) / "manifest.json"


def prepare_manifest(project: Path = PROJECT) -> Path:
    """The manifest of the project as its files stand; parsed now if it is missing or older.

    Raises UserError where dbt cannot parse the project.
    """
    path = manifest_path(project)
    if not path.is_file() or path.stat().st_mtime < max(map(_changed_at, _files(project))):
        parse(project).write(str(path))
    return path


@cache
def parse(project: Path = PROJECT, target: str | None = None) -> Any:
    """The project as dbt has it in memory, parsed once a process.

    Always by the same words, so that dbt takes what it has parsed before. The manifest is not
    written down: the command that is run does that.
    """
    from dbt.cli.main import dbtRunner

    options = ["--project-dir", str(project), "--profiles-dir", str(project)]
    options += ["--target", target] if target else []
    with contextlib.chdir(project):
        result = dbtRunner().invoke(
            [
                *("parse", "--no-write-json", *options),
                *("--log-level", "none", "--log-level-file", "info"),
            ]
        )
    if not result.success:
        raise UserError(f"dbt cannot parse the project: {result.exception}")
    return result.result


def _files(project: Path) -> Iterator[Path]:
    yield project / "dbt_project.yml"
    yield project / "profiles.yml"
    for folder in READ_BY_DBT:
        yield from (path for path in (project / folder).rglob("*") if path.is_file())


def _changed_at(path: Path) -> float:
    return path.stat().st_mtime if path.exists() else 0.0


@cache
def read_manifest(project: Path = PROJECT) -> dict[str, Any]:
    """The manifest, prepared where it is not."""
    return json.loads(prepare_manifest(project).read_text(encoding="utf-8"))
