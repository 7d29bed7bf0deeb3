"""The house for Dagster: `dagster dev -m orchestration.definitions`, or `make dagster`."""

from __future__ import annotations

import os
import warnings

import dagster as dg

from orchestration.cli import QUIETLY

for name, value in QUIETLY.items():
    os.environ.setdefault(name, value)

# Links to code and runs of many days are all that is used of what is called beta.
for used in ("CodeReference", "backfill_policy"):
    warnings.filterwarnings("ignore", message=f".*{used}", category=dg.BetaWarning)


@dg.definitions
def house() -> dg.Definitions:
    """Everything, from the files of orchestration/defs."""
    from orchestration.defs.assembly import assemble

    return assemble()
