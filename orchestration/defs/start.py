"""`make dagster`: the UI on the demo's house.

Builds the demo where that was not done yet, puts usage of its last days into the landing folder,
a folder a load day, and starts `dagster dev`, whose sensor lands them and builds their days.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from orchestration.cli import QUIETLY
from orchestration.defs.dbt_project import PROJECT
from orchestration.defs.environments import VARIABLE as ENVIRONMENT
from orchestration.defs.event_log import BATCH
from orchestration.defs.exports import FOLDER_VARIABLE as EXPORTS
from orchestration.defs.landing_folder import VARIABLE as LANDING
from orchestration.demo import generate
from orchestration.warehouse import has_warehouse

HOME = PROJECT / ".tally" / "dagster"
DEMO_FOLDER = PROJECT / ".tally" / "landing"
#: Load days of the demo that are handed to the sensor; the others are there already.
DEMO_DAYS = 3
EXPORT_FOLDER = PROJECT / ".tally" / "exports"


def prepare_home(home: Path) -> Path:
    """Dagster's own folder, with the settings of this project."""
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(PROJECT / "orchestration" / "dagster.yaml", home / "dagster.yaml")
    return home


def prepare_demo(folder: Path) -> int:
    """The usage of the demo's last days as landing files, each under its load day; how many."""
    if any(folder.glob("loaded_on=*/*")):
        return sum(1 for _ in folder.glob("loaded_on=*/*"))
    scratch = folder / ".new"
    scratch.mkdir(parents=True, exist_ok=True)
    for path, loaded_at in generate(scratch)[-DEMO_DAYS:]:
        day = folder / f"loaded_on={loaded_at.date().isoformat()}"
        day.mkdir(exist_ok=True)
        path.replace(day / path.name)
    shutil.rmtree(scratch)
    return sum(1 for _ in folder.glob("loaded_on=*/*"))


def build_demo_beside(log_file: Path) -> None:
    """`tally demo` as a process of its own: the UI need not wait for it, and runs do."""
    with log_file.open("w") as log:
        subprocess.Popen(
            [sys.executable, "-m", "orchestration.cli", "demo"],
            cwd=PROJECT,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--port", type=int, default=3000)
    arguments = parser.parse_args()
    variables = {
        **QUIETLY,
        **BATCH,
        "DAGSTER_HOME": str(HOME),
        ENVIRONMENT: "demo",
        LANDING: str(DEMO_FOLDER),
        EXPORTS: str(EXPORT_FOLDER),
    }
    for name, value in variables.items():
        os.environ.setdefault(name, value)
    prepare_home(Path(os.environ["DAGSTER_HOME"]))
    if os.environ[ENVIRONMENT] == "demo":
        count = prepare_demo(DEMO_FOLDER)
        print(f"usage files of the demo's last {count} days are in {DEMO_FOLDER}")
        if not has_warehouse(None):
            log_file = PROJECT / ".tally" / "demo.log"
            build_demo_beside(log_file)
            print(f"the demo's three months are built beside the UI, see {log_file}")
    print(f"Dagster: http://127.0.0.1:{arguments.port}", flush=True)
    words = ["dev", "-m", "orchestration.definitions", "-h", "127.0.0.1"]
    words += ["-p", str(arguments.port)]
    os.chdir(PROJECT)
    os.execv(sys.executable, [sys.executable, "-m", "dagster", *words])


if __name__ == "__main__":
    main()
