"""`make data-docs`: what is expected of the house, and what was found, as a page."""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path

from expectations.validation import Found, validate
from orchestration.errors import UserError
from orchestration.house import find_project, project_variable, shorten
from orchestration.warehouse import Warehouse, connect, has_warehouse

FOLDER = Path("target") / "data_docs"


def build_data_docs(
    warehouse: Warehouse, folder: Path, prefix: str = ""
) -> tuple[Path, list[Found]]:
    """The pages of one validation of all suites in `folder`; the first page, and what was found."""
    import great_expectations as gx

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    context = gx.get_context(mode="file", project_root_dir=folder)
    context.variables.progress_bars = {"globally": False}
    site = context.get_site_names()[0]
    found = list(validate(warehouse, prefix, context=context))
    pages = context.build_data_docs(site_names=[site])
    return Path(pages[site].removeprefix("file://")), found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--target", help="the dbt target; default: the profile's")
    arguments = parser.parse_args()
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    project = find_project()
    if not has_warehouse(arguments.target):
        raise SystemExit("data-docs: nothing has been built here yet: run make demo")
    try:
        with connect(arguments.target, read_only=True) as warehouse:
            prefix = project_variable(project, "schema_prefix")
            page, found = build_data_docs(warehouse, project / FOLDER, prefix)
    except UserError as fault:
        raise SystemExit(f"data-docs: {fault}") from None
    for each in found:
        if not each.has_passed:
            print(f"{each.suite.name}: {each.expectation.name}: {each.reason()}")
    failed = sum(not each.has_passed for each in found)
    print(f"{len(found)} expectations, {failed} not met: {shorten(page)}")


if __name__ == "__main__":
    main()
