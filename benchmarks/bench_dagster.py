"""What Dagster adds to a day: `make bench DAGSTER=1`.

The demo's house is built once. Its last day is then built again by plain dbt, and by a run of
`close_cycles` in a process of its own, as the daemon starts them, one after the other; and all
three months as one run. The first of each is left out: dbt parses the project in it.
"""

from __future__ import annotations

import json
import os
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
TIMES = 2
DBT = "from dbt.cli.main import cli; cli()"


def measure(folder: Path) -> None:
    """Build, run a day both ways, and print the figures beside their bar."""
    environment = build_demo(folder) | QUIETLY | BATCH
    environment["DAGSTER_HOME"] = str(prepare_home(folder / "dagster"))
    day = {"TALLY_FROM_DAY": LAST_DAY, "TALLY_THROUGH_DAY": LAST_DAY}
    plain = ["-c", DBT, "build", "--target", "duckdb", "--exclude-resource-type", "unit_test"]
    seconds: dict[str, list[float]] = {"plain dbt": [], "Dagster": []}
    for _ in range(TIMES):
        seconds["plain dbt"].append(_run(plain, environment | day))
        seconds["Dagster"].append(_run(_job(LAST_DAY, LAST_DAY), environment))
    best = {}
    for name, measured in seconds.items():
        best[name] = min(measured[1:])
        spelt = ", ".join(f"{one:.1f} s" for one in measured)
        print(f"{LAST_DAY} by {name}: {spelt}", flush=True)
    more = best["Dagster"] - best["plain dbt"]
    verdict = "met" if more <= SECONDS_BAR else "MISSED"
    print(f"more by Dagster: {more:.1f} s (bar {SECONDS_BAR} s: {verdict})", flush=True)
    of_all = _run(_job(FIRST_DAY, LAST_DAY), environment)
    print(f"{FIRST_DAY} to {LAST_DAY} as one run: {of_all:.1f} s")


def _job(first: str, last: str) -> list[str]:
    tags = {
        "dagster/asset_partition_range_start": first,
        "dagster/asset_partition_range_end": last,
    }
    words = ["-m", "dagster", "job", "execute", "-m", "orchestration.definitions"]
    return [*words, "-j", "close_cycles", "--tags", json.dumps(tags)]


def _run(words: list[str], environment: Mapping[str, str]) -> float:
    """Seconds of a process of its own; ends with what it said where it did not end well."""
    began = time.monotonic()
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
    return time.monotonic() - began
