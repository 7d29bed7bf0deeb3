"""Where the house runs (TALLY_ENVIRONMENT): its first day, and which schedules run there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

from orchestration.dbt_commands import read_day
from orchestration.errors import UserError

VARIABLE = "TALLY_ENVIRONMENT"
FIRST_DAY_VARIABLE = "TALLY_FIRST_DAY"


@dataclass(frozen=True)
class Environment:
    """A place that the house runs in.

    `running` names the schedules and sensors that are on when nobody has touched a switch in the
    UI; the others are there, and off.
    """

    name: str
    first_day: date
    running: frozenset[str] = frozenset()

    def runs(self, name: str) -> bool:
        """Whether the schedule or sensor of this name is on here."""
        return name in self.running


DEMO_DAY = date(2026, 1, 1)
EVERY_DAY = frozenset(
    {
        "land_and_meter_hourly",
        "close_cycles_daily",
        "replay_audit_weekly",
        "deliver_webhooks_every_5_minutes",
        "landing_folder",
        "exports_after_close",
    }
)
ENVIRONMENTS = {
    environment.name: environment
    for environment in (
        # The demo's usage lies in the landing folder, and is history: no clock drives it.
        Environment("demo", DEMO_DAY, frozenset({"landing_folder", "exports_after_close"})),
        # A house to try things in: everything is there and nothing starts by itself.
        Environment("development", DEMO_DAY),
        # As production, on its own warehouse, but nobody waits for its audits.
        Environment("staging", DEMO_DAY, EVERY_DAY - {"replay_audit_weekly"}),
        Environment("production", DEMO_DAY, EVERY_DAY | {"failures"}),
    )
}


def read_environment(variables: Mapping[str, str] = os.environ) -> Environment:
    """The environment that the variables name; `development` where they name none.

    Raises UserError for a name or a first day that is none.
    """
    name = variables.get(VARIABLE) or "development"
    if name not in ENVIRONMENTS:
        known = ", ".join(sorted(ENVIRONMENTS))
        raise UserError(f"{VARIABLE} is {name!r}; expected one of {known}")
    environment = ENVIRONMENTS[name]
    first_day = variables.get(FIRST_DAY_VARIABLE)
    if not first_day:
        return environment
    try:
        return replace(environment, first_day=read_day(first_day))
    except ValueError as fault:
        raise UserError(f"{FIRST_DAY_VARIABLE}: {fault}") from None
