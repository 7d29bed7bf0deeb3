"""Where this house stands: the project's folder, its scratch folder, its target."""

from __future__ import annotations

import os
from pathlib import Path

from orchestration.errors import UserError


def find_project() -> Path:
    """The folder with dbt_project.yml: the package's own, or else the working directory's.

    Raises UserError when neither is a Tallyhouse project.
    """
    here = Path.cwd()
    for folder in (Path(__file__).resolve().parent.parent, here, *here.parents):
        project_file = folder / "dbt_project.yml"
        if project_file.is_file() and "name: tallyhouse" in project_file.read_text("utf-8"):
            return folder
    raise UserError("no Tallyhouse project here: run tally in the folder with dbt_project.yml")


def project_variable(project: Path, name: str) -> str:
    """A var as dbt_project.yml states it; blank where it does not."""
    import yaml

    variables = yaml.safe_load((project / "dbt_project.yml").read_text("utf-8")).get("vars") or {}
    return str({**variables, **(variables.get("tallyhouse") or {})}.get(name) or "")


def target_folder(project: Path) -> Path:
    """dbt's target path, which may be set by DBT_TARGET_PATH."""
    return project / os.environ.get("DBT_TARGET_PATH", "target")


def log_file(project: Path) -> Path:
    """The file that dbt writes its log to, which may be set by DBT_LOG_PATH."""
    return project / os.environ.get("DBT_LOG_PATH", "logs") / "dbt.log"


def shorten(path: Path) -> str:
    """`path` as a person would type it from the working directory."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
