"""What leaves the house: files of what was closed, and of what is left of credits, day by day.

They follow a close: each run of `close_cycles` that ends well asks for the exports of its days.
"""

import os
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import dagster as dg

from orchestration.defs.dbt_runs import days_of
from orchestration.defs.environments import Environment
from orchestration.defs.jobs import CLOSE_JOB, CREDIT_FILES, EXPORT, INVOICE_FILES, SNAPSHOT
from orchestration.defs.partitions import DAYS, ONE_RUN, POOL
from orchestration.defs.resources import House
from orchestration.defs.sensors import RANGE_END, RANGE_START
from orchestration.errors import UserError
from orchestration.exports.exporting import FORMATS, USUAL_FORMATS

FOLDER_VARIABLE = "TALLY_EXPORTS"
FORMATS_VARIABLE = "TALLY_EXPORT_FORMATS"
OWNERS = ["team:finance"]
PARTITION = "dagster/partition"

EXPORT_JOBS = [
    dg.define_asset_job(
        EXPORT,
        dg.AssetSelection.assets(INVOICE_FILES),
        description="Write the files of the documents that closed at the end of a day.",
    ),
    dg.define_asset_job(
        SNAPSHOT,
        dg.AssetSelection.assets(CREDIT_FILES),
        description="Write what was left of prepaid credits at the end of a day.",
    ),
]


def export_folder() -> str:
    """Where exports go: a folder, or an address that fsspec knows."""
    return os.environ.get(FOLDER_VARIABLE) or "exports"


def export_formats() -> list[str]:
    """The formats that are written. Raises UserError for one that is none."""
    named = os.environ.get(FORMATS_VARIABLE, "").replace(",", " ").split()
    for one in named:
        if one not in FORMATS:
            raise UserError(f"{FORMATS_VARIABLE}: found {one!r}, expected {', '.join(FORMATS)}")
    return list(dict.fromkeys(named)) or list(USUAL_FORMATS)


def export_assets() -> list[dg.AssetsDefinition]:
    """The files of closed documents, and those of balances of credits."""

    @dg.asset(
        key=INVOICE_FILES,
        deps=[dg.AssetKey(["marts", name]) for name in ("invoices", "invoice_lines")],
        partitions_def=DAYS,
        backfill_policy=ONE_RUN,
        group_name="exports",
        owners=OWNERS,
        kinds={"file", "pdf", "parquet"},
        pool=POOL,
        description="Each final document as JSON, CSV, Parquet, HTML and PDF; a day has those that"
        " closed at its end. Exported twice nothing changes.",
    )
    def invoice_files(context: dg.AssetExecutionContext, house: House) -> dg.MaterializeResult:
        from orchestration.exports.billing_entities import read_billing_entities
        from orchestration.exports.documents import Selection
        from orchestration.exports.export_log import utc_now
        from orchestration.exports.exporting import export_invoices

        days = list(days_of(context.partition_key_range))
        # What closes at the midnight that ends a day has that midnight as its cutoff.
        selection = Selection((), days[0] + timedelta(days=1), days[-1] + timedelta(days=2))
        folder, formats = export_folder(), export_formats()
        with house.alone() as warehouse:
            summary = export_invoices(
                warehouse,
                folder,
                formats,
                read_billing_entities(house.project),
                utc_now(),
                selection,
                say=context.log.info,
            )
        written = {kind: summary.written.get(kind, 0) for kind in formats}
        present = {kind: summary.present.get(kind, 0) for kind in formats}
        return dg.MaterializeResult(
            metadata={
                "folder": folder,
                "final documents": summary.documents,
                "files written": written,
                "files that were there": present,
                "bytes written": summary.bytes_written,
                **_unprintable(summary.unprintable),
            }
        )

    @dg.asset(
        key=CREDIT_FILES,
        deps=[
            dg.AssetKey(["marts", name])
            for name in ("credit_balances_daily", "credit_grant_balances")
        ],
        partitions_def=DAYS,
        backfill_policy=ONE_RUN,
        group_name="exports",
        owners=OWNERS,
        kinds={"file", "csv", "parquet"},
        pool=POOL,
        description="What each grant of prepaid credits had left at the end of a sealed day, as CSV"
        " and Parquet. Written twice it is the same file.",
    )
    def credit_balance_files(
        context: dg.AssetExecutionContext, house: House
    ) -> dg.MaterializeResult:
        from orchestration.exports.credit_snapshots import write_credit_snapshot
        from orchestration.exports.folder import ExportFolder
        from orchestration.marts import Marts

        days = list(days_of(context.partition_key_range))
        unsealed, written = [], 0
        with house.reading() as warehouse, ExportFolder(export_folder()) as folder:
            marts = Marts(None, warehouse)
            for day in days:
                files = write_credit_snapshot(marts, folder, day)
                written += sum(file.is_new for file in files)
                if not files:
                    unsealed.append(str(day))
        return dg.MaterializeResult(
            metadata={
                "folder": folder.location,
                "days": len(days) - len(unsealed),
                "files written": written,
                **({"days that are not sealed": ", ".join(unsealed)} if unsealed else {}),
            }
        )

    return [invoice_files, credit_balance_files]


def _unprintable(numbers: list[str]) -> dict[str, Any]:
    return {"PDFs that lack letters": ", ".join(numbers)} if numbers else {}


def requests_after(tags: Iterable[tuple[str, str]], run_id: str) -> list[dg.RunRequest]:
    """The exports of the days of a run that closed, by the run's tags."""
    found = dict(tags)
    days = {name: found[name] for name in (PARTITION, RANGE_START, RANGE_END) if name in found}
    if not days:
        return []
    key = days.pop(PARTITION, None) if RANGE_START not in days else None
    days.pop(PARTITION, None)
    return [
        dg.RunRequest(run_key=f"{job} {run_id}", job_name=job, partition_key=key, tags=days)
        for job in (EXPORT, SNAPSHOT)
    ]


def export_sensor(environment: Environment) -> dg.SensorDefinition:
    """After each close that ended well, its exports; on where the environment declares it."""
    name = "exports_after_close"
    is_on = environment.runs(name)

    @dg.run_status_sensor(
        name=name,
        run_status=dg.DagsterRunStatus.SUCCESS,
        monitored_jobs=[CLOSE_JOB],
        monitor_all_code_locations=False,
        request_jobs=EXPORT_JOBS,
        default_status=(
            dg.DefaultSensorStatus.RUNNING if is_on else dg.DefaultSensorStatus.STOPPED
        ),
        description="Writes the files of what a run of close_cycles has closed.",
    )
    def exports_after_close(context: dg.RunStatusSensorContext) -> Any:
        run = context.dagster_run
        return dg.SensorResult(run_requests=requests_after(run.tags.items(), run.run_id))

    return exports_after_close
