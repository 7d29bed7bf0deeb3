"""What is run: jobs, and the times of day at which they run.

A bill has a time of day, so the clock runs the close, not a mood.
"""

from datetime import UTC, datetime, timedelta

import dagster as dg

from orchestration.defs.changes import look
from orchestration.defs.environments import Environment
from orchestration.defs.partitions import POOL
from orchestration.defs.resources import House
from orchestration.defs.webhooks import DELIVERIES
from orchestration.errors import UserError

LAND = "land_and_meter"
CLOSE = "close_cycles"
AUDIT = "replay_audit"
EXPORT = "invoice_export"
SNAPSHOT = "credit_snapshot"
#: How many closed documents an audit makes again.
AUDIT_SAMPLE = 50


#: What is made of closed days for others, by jobs of its own.
INVOICE_FILES = dg.AssetKey(["exports", "invoice_files"])
CREDIT_FILES = dg.AssetKey(["exports", "credit_balance_files"])
HOUSE = dg.AssetSelection.all() - dg.AssetSelection.assets(INVOICE_FILES, CREDIT_FILES, DELIVERIES)

#: The same assets twice: by the hour for the running day, which stays open, and by the day.
LAND_JOB = dg.define_asset_job(
    LAND,
    HOUSE,
    description="Land what has come in for the running day, meter it, and draw up drafts.",
)
CLOSE_JOB = dg.define_asset_job(
    CLOSE,
    HOUSE,
    description="Build a day that is over, check it, and close what is due at its end.",
)
ASSET_JOBS = [LAND_JOB, CLOSE_JOB]


class Audit(dg.Config):
    """How much of the ledger is made again, and which part of it."""

    sample: int = AUDIT_SAMPLE
    seed: int = 0


@dg.op(pool=POOL, description="Make closed documents again from raw, and compare.")
def replay_sample(context: dg.OpExecutionContext, config: Audit, house: House) -> None:
    """Raises dg.Failure where one that was closed does not come out the same."""
    from orchestration.replay import Scope, replay

    scope = Scope(sample=config.sample, seed=config.seed)
    with house.reading() as warehouse:
        closed = look(warehouse, house.schema_prefix).closed
    if not closed:
        context.log.info("nothing is closed yet: there is nothing to audit")
        return
    try:
        found = replay(scope, house.source, house.project, house.target_name)
    except UserError as fault:
        raise dg.Failure(str(fault)) from None
    context.log.info(found.summary())
    if not found.stands:
        lines = [str(each) for each in found.differences if not each.follows]
        raise dg.Failure(found.fault or found.summary(), metadata={"differences": lines})


@dg.job(name=AUDIT, description="A sample of closed invoices made again from raw, and compared.")
def replay_audit() -> None:
    replay_sample()


def schedules(environment: Environment) -> list[dg.ScheduleDefinition]:
    """By the hour, by the day, by the week; those that the environment declares are on."""

    def status(name: str) -> dg.DefaultScheduleStatus:
        is_on = environment.runs(name)
        return dg.DefaultScheduleStatus.RUNNING if is_on else dg.DefaultScheduleStatus.STOPPED

    @dg.schedule(
        name="land_and_meter_hourly",
        job_name=LAND,
        cron_schedule="5 * * * *",
        execution_timezone="UTC",
        default_status=status("land_and_meter_hourly"),
        description="The running day, five minutes past the hour.",
    )
    def land_hourly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        at = _tick(context)
        return dg.RunRequest(run_key=f"{at:%Y-%m-%dT%H}", partition_key=at.date().isoformat())

    @dg.schedule(
        name="close_cycles_daily",
        job_name=CLOSE,
        cron_schedule="20 0 * * *",
        execution_timezone="UTC",
        default_status=status("close_cycles_daily"),
        description="The day that has ended, twenty minutes after midnight UTC.",
    )
    def close_daily(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        day = _tick(context).date() - timedelta(days=1)
        return dg.RunRequest(run_key=day.isoformat(), partition_key=day.isoformat())

    @dg.schedule(
        name="replay_audit_weekly",
        job_name=AUDIT,
        cron_schedule="30 3 * * 0",
        execution_timezone="UTC",
        default_status=status("replay_audit_weekly"),
        description="A sample of closed invoices, another one each Sunday.",
    )
    def audit_weekly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        day = _tick(context).date()
        config = {"sample": AUDIT_SAMPLE, "seed": day.toordinal()}
        return dg.RunRequest(
            run_key=day.isoformat(), run_config={"ops": {"replay_sample": {"config": config}}}
        )

    return [land_hourly, close_daily, audit_weekly]


def _tick(context: dg.ScheduleEvaluationContext) -> datetime:
    return context.scheduled_execution_time.astimezone(UTC)
