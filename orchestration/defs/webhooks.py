"""Delivery of webhooks as an asset: after the outbox, every few minutes, beside builds."""

from collections.abc import Iterator

import dagster as dg

from orchestration.defs.dbt_runs import SHOWN_ROWS, table
from orchestration.defs.environments import Environment
from orchestration.defs.resources import House
from orchestration.errors import UserError
from orchestration.webhooks.delivery import Deliverer, Summary
from orchestration.webhooks.endpoints import Endpoint, read_endpoints
from orchestration.webhooks.outbox import Delivery, Outbox
from orchestration.webhooks.sole_delivery import sole_delivery

JOB = "deliver_webhooks"
SCHEDULE = "deliver_webhooks_every_5_minutes"
CHECK = "no_dead_letters"
#: A pool of its own: the warehouse is opened for moments only, and a build need not wait.
POOL = "webhooks"
OUTBOX = dg.AssetKey(["webhooks", "int_webhooks__events"])
DELIVERIES = dg.AssetKey(["webhooks", "deliveries"])
UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]

webhook_job = dg.define_asset_job(
    JOB,
    dg.AssetSelection.assets(DELIVERIES),
    description="Send what is due to the endpoints of webhooks.yml, in order per customer.",
)


def webhook_assets() -> dg.AssetsDefinition:
    """What was sent of the outbox, to whom."""

    @dg.multi_asset(
        name="deliver_webhooks_of_outbox",
        specs=[
            dg.AssetSpec(
                DELIVERIES,
                deps=[OUTBOX],
                description="What is due of the outbox, sent to each endpoint of webhooks.yml.",
                group_name="webhooks",
                owners=["team:analytics-engineering"],
                kinds={"webhook"},
            )
        ],
        check_specs=[
            dg.AssetCheckSpec(
                CHECK,
                asset=DELIVERIES,
                description="No event has been given up: mend the receiver, and replay by id.",
            )
        ],
        pool=POOL,
    )
    def deliveries(
        context: dg.AssetExecutionContext, house: House
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        try:
            endpoints = read_endpoints(house.project)
            if not endpoints or not house.exists():
                context.log.info("no endpoints, or nothing built yet: there is nothing to send")
                summary, dead = Summary(), []
            else:
                summary, dead = _deliver(context, house, endpoints)
        except UserError as fault:
            raise dg.Failure(str(fault)) from None
        yield dg.MaterializeResult(asset_key=DELIVERIES, metadata=_metadata(summary))
        yield dg.AssetCheckResult(
            asset_key=DELIVERIES,
            check_name=CHECK,
            passed=not summary.dead_letters,
            metadata={
                "failing rows": summary.dead_letters,
                **({"reason": _reason(dead[0])} if dead else {}),
                "rows": _dead_table(dead),
            },
        )

    return deliveries


def _deliver(
    context: dg.AssetExecutionContext, house: House, endpoints: dict[str, Endpoint]
) -> tuple[Summary, list[Delivery]]:
    with sole_delivery(house.target_name, house.project, house.schema_prefix):
        summary = Deliverer(
            house.landing, endpoints, house.schema_prefix, say=context.log.info
        ).deliver()
    dead: list[Delivery] = []
    if summary.dead_letters:
        with house.landing() as warehouse:
            outbox = Outbox(warehouse, house.schema_prefix)
            for endpoint in endpoints.values():
                dead += outbox.deliveries(endpoint, "dead", limit=SHOWN_ROWS)
    context.log.info(summary.sentence())
    return summary, dead[:SHOWN_ROWS]


def _metadata(summary: Summary) -> dict[str, int | str]:
    return {
        **{name: summary.counts[name] for name in ("delivered", "failed", "dead")},
        "waiting": summary.waiting,
        "dead letters": summary.dead_letters,
        **({"no answer from": ", ".join(summary.resting)} if summary.resting else {}),
    }


def _reason(one: Delivery) -> str:
    return f"{one.endpoint} did not take {one.event_id} ({one.event_type}): {one.reason}"


def _dead_table(dead: list[Delivery]) -> dg.MetadataValue:
    columns = ["endpoint", "event_id", "event_type", "customer_id", "attempted_at", "reason"]
    return table(columns, [tuple(getattr(one, name) for name in columns) for one in dead])


def webhook_schedule(environment: Environment) -> dg.ScheduleDefinition:
    """Every five minutes, on where the environment declares it; one delivery at a time."""

    @dg.schedule(
        name=SCHEDULE,
        job_name=JOB,
        cron_schedule="*/5 * * * *",
        execution_timezone="UTC",
        default_status=(
            dg.DefaultScheduleStatus.RUNNING
            if environment.runs(SCHEDULE)
            else dg.DefaultScheduleStatus.STOPPED
        ),
        description="What is due of the outbox, every five minutes.",
    )
    def deliver_often(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        unfinished = dg.RunsFilter(job_name=JOB, statuses=UNFINISHED)
        if context.instance.get_runs_count(unfinished):
            return dg.SkipReason("the delivery before is still under way")
        return dg.RunRequest()

    return deliver_often
