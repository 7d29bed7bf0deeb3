"""What Dagster adds to a day: `make bench DAGSTER=1`.

The demo's house is built once. Its last day is then built again by plain dbt, and by a run of
`close_cycles` in a process of its own, as the daemon starts them, one after the other; and all
three months as one run. The first of each is left out: dbt parses the project in it. Of the others
the medians are compared: a machine's speed varies by a tenth between two runs, and so by half of
the bar. The seconds are wall-clock time; the processor's, of the process itself, stand beside them.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.bench import PROJECT
from benchmarks.bench_exports import build_demo
from orchestration.cli import QUIETLY
from orchestration.defs.event_log import BATCH
from orchestration.defs.start import prepare_home

SECONDS_BAR = 15
FIRST_DAY, LAST_DAY = "2026-01-01", "2026-03-31"
TIMES = 4
DBT = "from dbt.cli.main import cli; cli()"


def measure(folder: Path) -> None:
    """Build, run a day both ways, and print the figures beside their bar."""
    environment = build_demo(folder) | QUIETLY | BATCH
    environment["DAGSTER_HOME"] = str(prepare_home(folder / "dagster"))
    day = {"TALLY_FROM_DAY": LAST_DAY, "TALLY_THROUGH_DAY": LAST_DAY}
    # No --target, as Dagster has none: words that differ have dbt parse the project anew each time.
    environment["TALLY_TARGET"] = "duckdb"
    plain = ["-c", DBT, "build", "--exclude-resource-type", "unit_test"]
    seconds: dict[str, list[tuple[float, float]]] = {"plain dbt": [], "Dagster": []}
    for _ in range(TIMES):
        seconds["plain dbt"].append(_run(plain, environment | day))
        seconds["Dagster"].append(_run(_job(LAST_DAY, LAST_DAY), environment))
    middle = {}
    for name, measured in seconds.items():
        middle[name] = [statistics.median(column) for column in zip(*measured[1:], strict=True)]
        spelt = ", ".join(_spelt(one) for one in measured)
        print(f"{LAST_DAY} by {name}: {spelt}", flush=True)
    more, of_processor = (
        of_dagster - of_dbt
        for of_dagster, of_dbt in zip(middle["Dagster"], middle["plain dbt"], strict=True)
    )
    verdict = "met" if more <= SECONDS_BAR else "MISSED"
    spelt = _spelt((more, of_processor))
    print(f"more by Dagster: {spelt} (bar {SECONDS_BAR} s: {verdict})", flush=True)
    of_all = _run(_job(FIRST_DAY, LAST_DAY), environment)
    print(f"{FIRST_DAY} to {LAST_DAY} as one run: {_spelt(of_all)}")


def _spelt(measured: tuple[float, float]) -> str:
    seconds, of_processor = measured
    return f"{seconds:.1f} s ({of_processor:.1f} of processor)"


def _job(first: str, last: str) -> list[str]:
    tags = {
        "dagster/asset_partition_range_start": first,
        "dagster/asset_partition_range_end": last,
    }
    words = ["-m", "dagster", "job", "execute", "-m", "orchestration.definitions"]
    return [*words, "-j", "close_cycles", "--tags", json.dumps(tags)]


def _run(words: list[str], environment: Mapping[str, str]) -> tuple[float, float]:
    """Seconds of a process of its own, and of processor; ends with what it said if it failed."""
    began, used = time.monotonic(), _processor_seconds()
    done = subprocess.run(
        [sys.executable, *words],
        cwd=PROJECT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return time.monotonic() - began, _processor_seconds() - used


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
