"""The house for Dagster: `dagster dev -m orchestration.definitions`, or `make dagster`."""

from __future__ import annotations

import atexit
import gc
import os
import sys
import warnings
from functools import cache

import dagster as dg

from orchestration.cli import QUIETLY

for name, value in QUIETLY.items():
    os.environ.setdefault(name, value)

# Links to code and runs of many days are all that is used of what is called beta.
for used in ("CodeReference", "backfill_policy"):
    warnings.filterwarnings("ignore", message=f".*{used}", category=dg.BetaWarning)


# dbt and Dagster make millions of objects that stay: they are looked through for garbage less often
# than Python does by itself until a run calls dbt, and then no more (orchestration/building.py).
gc.set_threshold(50_000, 10, 10)


@atexit.register
def _leave() -> None:
    """Nor is any of it looked through when the process ends, which took four seconds.

    DuckDB lists on standard error what is left of it then, forty lines of no use to anybody; what
    else is said after this is lost with them.
    """
    gc.freeze()
    sys.stderr.flush()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


@dg.definitions
@cache
def house() -> dg.Definitions:
    """Everything, from the files of orchestration/defs; a run asks for it five times."""
    from orchestration.defs.assembly import assemble

    return assemble()
