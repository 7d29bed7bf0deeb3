"""Sensors: files that have come in, and runs that have failed."""

import json
import os
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlsplit

import dagster as dg

from orchestration.defs.environments import Environment
from orchestration.defs.jobs import ASSET_JOBS, CLOSE, LAND
from orchestration.defs.landing_folder import LandingFolder, UsageFile
from orchestration.defs.partitions import today

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"
NOTIFY_VARIABLE = "TALLY_NOTIFY_URL"
NOTIFY_TIMEOUT = 10


def ranges(days: Sequence[date]) -> Iterator[tuple[date, date]]:
    """The stretches of days that follow each other."""
    first = last = None
    for day in sorted(set(days)):
        if last is not None and day == last + timedelta(days=1):
            last = day
            continue
        if first is not None and last is not None:
            yield first, last
        first = last = day
    if first is not None and last is not None:
        yield first, last


def new_files(
    files: Sequence[UsageFile], seen: Mapping[str, str]
) -> tuple[list[UsageFile], dict[str, str]]:
    """The files that were not seen as they are now, and what has then been seen."""
    fresh = [file for file in files if seen.get(file.path) != file.version]
    return fresh, {file.path: file.version for file in files}


def requests(days: Sequence[date], now: date, key: str) -> list[dg.RunRequest]:
    """Runs of just these days: the running one is metered, what is over is closed."""
    made = []
    over = [day for day in days if day < now]
    for first, last in ranges(over):
        tags = {RANGE_START: first.isoformat(), RANGE_END: last.isoformat()}
        made.append(dg.RunRequest(run_key=f"{key} {first}", job_name=CLOSE, tags=tags))
    if any(day >= now for day in days):
        made.append(
            dg.RunRequest(run_key=f"{key} {now}", job_name=LAND, partition_key=now.isoformat())
        )
    return made


def sensors(environment: Environment) -> list[dg.SensorDefinition]:
    """The landing folder and failed runs; those that the environment declares are on."""

    def status(name: str) -> dg.DefaultSensorStatus:
        is_on = environment.runs(name)
        return dg.DefaultSensorStatus.RUNNING if is_on else dg.DefaultSensorStatus.STOPPED

    @dg.sensor(
        name="landing_folder",
        jobs=ASSET_JOBS,
        minimum_interval_seconds=30,
        default_status=status("landing_folder"),
        description="Lands what is new in the landing folder, and builds the days that it is of.",
    )
    def landing_folder(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        folder = LandingFolder.from_variables()
        seen = json.loads(context.cursor or "{}")
        fresh, now_seen = new_files(folder.files(), seen)
        if not fresh:
            return dg.SkipReason(f"nothing new in {folder.url}")
        now = today()
        days = [file.load_day or now for file in fresh]
        # A file that is put in anew is another request.
        key = f"{fresh[-1].path} {fresh[-1].version} {len(fresh)}"
        return dg.SensorResult(run_requests=requests(days, now, key), cursor=json.dumps(now_seen))

    @dg.run_failure_sensor(
        name="failures",
        default_status=status("failures"),
        monitor_all_code_locations=False,
        description=f"Posts each failed run as JSON to the URL that {NOTIFY_VARIABLE} holds.",
    )
    def failures(context: dg.RunFailureSensorContext) -> dg.SkipReason | None:
        url = os.environ.get(NOTIFY_VARIABLE)
        if not url:
            return dg.SkipReason(f"{NOTIFY_VARIABLE} is not set: nobody is told")
        post_json(url, failure_message(context))
        return None

    return [landing_folder, failures]


def failure_message(context: dg.RunFailureSensorContext) -> dict[str, Any]:
    """What is told of a failed run: which job and days, which step, and why, on a line each."""
    run = context.dagster_run
    steps = []
    for event in context.get_step_failure_events():
        error = getattr(event.event_specific_data, "error", None)
        cause = error
        while cause is not None and cause.cause is not None:
            cause = cause.cause
        reason = " ".join((cause.message if cause else event.message or "").split())
        steps.append({"step": event.step_key, "reason": reason})
    first = run.tags.get(RANGE_START) or run.tags.get("dagster/partition", "")
    last = run.tags.get(RANGE_END) or first
    return {
        "text": f"{run.job_name} failed for {first}{f' to {last}' if last != first else ''}",
        "job": run.job_name,
        "run_id": run.run_id,
        "from_day": first,
        "through_day": last,
        "message": context.failure_event.message,
        "steps": steps,
    }


def post_json(url: str, message: Mapping[str, Any]) -> None:
    """Post `message`. Raises ValueError for what is no web address, OSError where it fails."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise ValueError(f"{NOTIFY_VARIABLE}: expected an address that begins with http or https")
    request = urllib.request.Request(
        url,
        data=json.dumps(message).encode(),
        headers={"Content-Type": "application/json"},
        method="POST",
    )
    with urllib.request.urlopen(request, timeout=NOTIFY_TIMEOUT):
        pass
