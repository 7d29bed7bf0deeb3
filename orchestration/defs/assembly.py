"""All definitions of the house, from the files of this folder."""

from __future__ import annotations

import dagster as dg

from orchestration.defs.dbt_project import PROJECT, read_manifest
from orchestration.defs.environments import read_environment
from orchestration.defs.exports import EXPORT_JOBS, export_assets, export_sensor
from orchestration.defs.house import HouseAssets
from orchestration.defs.jobs import ASSET_JOBS, replay_audit, schedules
from orchestration.defs.landing import landing_assets
from orchestration.defs.resources import House
from orchestration.defs.sensors import sensors
from orchestration.defs.translation import Graph
from orchestration.defs.webhooks import webhook_assets, webhook_job, webhook_schedule


def assemble() -> dg.Definitions:
    """Assets, checks, jobs, schedules and sensors of the environment that is named."""
    environment = read_environment()
    graph = Graph(read_manifest(), PROJECT)
    return dg.Definitions(
        assets=[
            landing_assets(),
            *HouseAssets(graph).definitions(),
            webhook_assets(),
            *graph.ledger_specs(),
            *export_assets(),
        ],
        jobs=[*ASSET_JOBS, *EXPORT_JOBS, webhook_job, replay_audit],
        schedules=[*schedules(environment), webhook_schedule(environment)],
        sensors=[*sensors(environment), export_sensor(environment)],
        # Which target is dbt's own to say (TALLY_TARGET).
        resources={"house": House()},
        # One process a run: its parts hand on what they have made and parsed, and the warehouse
        # has one writer anyway.
        executor=dg.in_process_executor,
    )
