"""The UI, in a real browser on the real webserver: what the person on call does.

TALLY_SCREENSHOTS names a folder to leave pictures in. Without a Chromium on the machine these are
skipped.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import scenario
from tests.houses import PROJECT, write_catalog

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium, chromium-browser or google-chrome on this machine"
)
#: What a busy machine may take, in seconds.
START = 240
DAYS = ("2026-01-01", "2026-01-02", "2026-01-03")
GOOD_DAY, BAD_DAY = DAYS[1:]
EVENTS = "raw/usage_events"
RUNS = "{ runsOrError { ... on Runs { results { id status tags { key value } } } } }"
DAY_TAGS = {
    "dagster/partition",
    "dagster/asset_partition_range_start",
    "dagster/asset_partition_range_end",
}


def _event(day: str, number: int) -> str:
    event = {
        "customer_id": "acme",
        "event_name": "completion",
        "event_key": f"{day}-{number}",
        "occurred_at": f"{day}T{number:02d}:00:00Z",
        "properties": {"usage": {"tokens": 10}},
    }
    return json.dumps(event) + "\n"


class Dagster:
    """`make dagster` on a small landing folder, and what its GraphQL says."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.landing = folder / "landing"
        for day in DAYS:
            place = self.landing / f"loaded_on={day}"
            place.mkdir(parents=True)
            (place / "usage.ndjson").write_text("".join(_event(day, n) for n in range(24)))
        (self.landing / f"loaded_on={BAD_DAY}" / "broken.parquet").write_bytes(b"no parquet")
        catalog = write_catalog(folder / "catalog", scenario.catalog())
        self.log = (folder / "log").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "orchestration.defs.start", "--port", str(port)],
            cwd=PROJECT,
            env={
                **os.environ,
                "DAGSTER_HOME": str(folder / "home"),
                "TALLY_ENVIRONMENT": "development",
                "TALLY_LANDING": str(self.landing),
                "TALLY_DUCKDB_PATH": str(folder / "tally.duckdb"),
                "TALLY_CATALOG": os.path.relpath(catalog, PROJECT),
            },
            stdout=self.log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The answer of its GraphQL."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(
            f"{self.url}/graphql", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())["data"]

    def wait(self, question: str, is_answered: Any) -> Any:
        """What `question` is answered with, once it is as it should be."""
        until = time.monotonic() + START
        found: Any = None
        while time.monotonic() < until:
            try:
                found = self.ask(question)
                if answer := is_answered(found):
                    return answer
            except OSError:
                pass
            time.sleep(1)
        self.log.seek(0)
        raise AssertionError(f"{question}: {found}\n{self.log.read()[-3000:]}")

    def runs(self) -> set[str]:
        """The runs that there are."""
        return {run["id"] for run in self.ask(RUNS)["runsOrError"]["results"]}

    def stop(self) -> None:
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.log.close()


@pytest.fixture(scope="module")
def dagster(tmp_path_factory) -> Iterator[Dagster]:
    made = Dagster(tmp_path_factory.mktemp("dagster"))
    try:
        made.wait("{ assetNodes { id } }", lambda data: len(data["assetNodes"]) > 100)
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def page(dagster) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        opened = browser.new_page(viewport={"width": 1500, "height": 950})
        opened.set_default_timeout(START * 1000)
        yield opened
        browser.close()


def _picture(page: Any, name: str) -> None:
    folder = os.environ.get("TALLY_SCREENSHOTS")
    if folder:
        page.wait_for_timeout(1500)
        page.screenshot(path=str(Path(folder) / f"{name}.png"))


def _materialize(dagster: Dagster, page: Any, day: str) -> str:
    """Launch one partition of the landing asset, by mouse; the status that its run ends with."""
    before = dagster.runs()
    page.goto(f"{dagster.url}/assets/{EVENTS}")
    page.get_by_role("button", name="Materialize").first.click()
    # The files of a load come along: Dagster asks whether that is meant.
    page.get_by_role("button", name="Confirm").click()
    page.get_by_text("Show all partitions").click()
    field = page.locator("input[type=text]").last
    field.fill(day)
    field.press("Tab")
    page.get_by_role("button", name=re.compile("^Launch")).click()
    ended = ("SUCCESS", "FAILURE", "CANCELED")

    def status(data: dict[str, Any]) -> str | None:
        for run in data["runsOrError"]["results"]:
            days = {tag["value"] for tag in run["tags"] if tag["key"] in DAY_TAGS}
            if run["id"] not in before and days == {day}:
                return run["status"] if run["status"] in ended else None
        return None

    return dagster.wait(RUNS, status)


def test_the_asset_graph_shows_the_rooms_of_the_house(dagster, page):
    page.goto(f"{dagster.url}/asset-groups")
    for room in ("landing", "metering", "rating", "invoicing"):
        page.get_by_text(room, exact=True).first.wait_for()
    _picture(page, "graph")


def test_a_partition_is_rerun_from_the_ui_and_turns_green(dagster, page):
    for _ in range(2):
        assert _materialize(dagster, page, GOOD_DAY) == "SUCCESS"
    page.goto(f"{dagster.url}/assets/{EVENTS}?view=partitions&partition={GOOD_DAY}")
    page.get_by_text("Materialized", exact=False).first.wait_for()
    _picture(page, "partition")


def test_a_failed_check_shows_its_reason(dagster, page):
    assert _materialize(dagster, page, BAD_DAY) == "FAILURE"
    page.goto(f"{dagster.url}/assets/{EVENTS}?view=checks&checkDetail=files_are_landed")
    page.get_by_text("broken.parquet", exact=False).first.wait_for()
    _picture(page, "check")
