"""Dagster's side of the house: what is defined, and what runs of it do to a small house."""

from __future__ import annotations

import csv
import json
import os
import shutil
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import dagster as dg
import pytest

from orchestration.dbt_commands import Command, before_close_command, close_command
from orchestration.defs.changes import Documents, compare
from orchestration.defs.environments import ENVIRONMENTS, read_environment
from orchestration.defs.exports import export_formats, requests_after
from orchestration.defs.landing_folder import LandingFolder, UsageFile, files_of, load_time
from orchestration.defs.partitions import window_of
from orchestration.defs.sensors import new_files, post_json, ranges, requests
from orchestration.errors import UserError
from orchestration.exports.exporting import USUAL_FORMATS
from tests import scenario
from tests.houses import PROJECT, House

SNAPSHOT = PROJECT / "tests" / "dagster_snapshot.txt"
RANGE = {
    "dagster/asset_partition_range_start": "2026-02-01",
    "dagster/asset_partition_range_end": scenario.THROUGH,
}
# The builds that BI was shown, and the one that it is.
BUILDS = "select build_id from published.builds order by build_id"
READ = "select distinct build_id from published.invoices"
PLAIN = Command(["build"], {"TALLY_FROM_DAY": "2026-01-01"})


# dbt's arguments


def test_the_part_before_a_close_leaves_out_what_a_close_makes():
    command = before_close_command(PLAIN)
    assert command.arguments == ["build", "--exclude", "int_invoicing__seal+"]
    assert command.environment == PLAIN.environment


def test_some_models_are_made_with_what_they_are_made_from():
    arguments = before_close_command(PLAIN, ["rated_lines", "loads"]).arguments
    assert arguments == [
        *("build", "--select", "+loads", "+rated_lines"),
        *("--exclude", "int_invoicing__seal+"),
    ]


def test_some_models_of_the_second_part_post_nothing():
    close = close_command(PLAIN)
    assert close.arguments == ["build", "--select", "int_invoicing__seal+"]
    # With the first part it is a whole build, which is published.
    assert close.environment == {**PLAIN.environment, "TALLY_FIRST_PART": "done"}
    assert close_command(PLAIN, ["invoices"]).environment == PLAIN.environment
    assert close_command(PLAIN, ["invoices"]).arguments == [
        *("build", "--select", "invoices"),
        *("--exclude", "int_invoicing__seal", "built_days", "house_state"),
    ]


def test_the_running_day_is_never_closed():
    now = datetime(2026, 3, 5, 13, tzinfo=UTC)
    window = window_of(dg.PartitionKeyRange("2026-03-01", "2026-03-05"), now)
    assert (window.from_day, window.through_day) == (date(2026, 3, 1), date(2026, 3, 5))
    assert window.open_day == date(2026, 3, 5)


# Environments


def test_nothing_starts_by_itself_unless_an_environment_says_so():
    assert read_environment({}).running == frozenset()
    assert "close_cycles_daily" in ENVIRONMENTS["production"].running
    assert ENVIRONMENTS["demo"].running == {"landing_folder", "exports_after_close"}


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"TALLY_ENVIRONMENT": "prod"}, "expected one of demo, development, production, staging"),
        ({"TALLY_FIRST_DAY": "2026-02-30"}, "TALLY_FIRST_DAY"),
    ],
)
def test_an_environment_that_is_none_is_named(variables, message):
    with pytest.raises(UserError, match=message):
        read_environment(variables)


# The landing folder


def test_the_sensor_asks_for_just_the_days_that_new_files_touch():
    now = date(2026, 3, 5)
    days = [date(2026, 1, 2), date(2026, 1, 1), date(2026, 2, 7), now]
    assert list(ranges(days[:3])) == [
        (date(2026, 1, 1), date(2026, 1, 2)),
        (date(2026, 2, 7), date(2026, 2, 7)),
    ]
    made = requests(days, now, "file 1")
    assert [(each.job_name, each.partition_key) for each in made] == [
        ("close_cycles", None),
        ("close_cycles", None),
        ("land_and_meter", "2026-03-05"),
    ]
    assert made[0].tags == {
        "dagster/asset_partition_range_start": "2026-01-01",
        "dagster/asset_partition_range_end": "2026-01-02",
    }


def test_a_file_is_new_until_it_has_been_seen_as_it_is():
    files = [UsageFile("a.csv", "1", None), UsageFile("b.csv", "1", None)]
    fresh, seen = new_files(files, {"a.csv": "1"})
    assert fresh == files[1:]
    again, _ = new_files([UsageFile("a.csv", "2", None), files[1]], seen)
    assert [file.path for file in again] == ["a.csv"]


@pytest.mark.parametrize("scheme", ["file", "memory"])
def test_files_are_found_with_their_load_days_wherever_they_lie(scheme, tmp_path):
    import fsspec

    root = str(tmp_path) if scheme == "file" else "memory://landing"
    names = ("loaded_on=2026-01-02/usage.ndjson", "now.csv", "notes.txt", ".hidden.csv")
    for name in names:
        with fsspec.open(f"{root}/{name}", "w", auto_mkdir=True) as file:
            file.write("customer_id,event_name\nacme,call\n")
    folder = LandingFolder(root)
    files = folder.files()
    assert [(file.path, file.load_day) for file in files] == [
        ("loaded_on=2026-01-02/usage.ndjson", date(2026, 1, 2)),
        ("now.csv", None),
    ]
    with folder.local(files[0]) as path:
        assert path.read_text().startswith("customer_id")
    chosen = files_of(files, [date(2026, 1, 2)], date(2026, 3, 5))
    assert chosen == [(files[0], date(2026, 1, 2))]


def test_a_load_day_that_is_none_is_named(tmp_path):
    (tmp_path / "loaded_on=2026-13-01").mkdir()
    (tmp_path / "loaded_on=2026-13-01" / "usage.csv").write_text("customer_id\n")
    with pytest.raises(UserError, match=r"usage\.csv: (not a day|month must)"):
        LandingFolder(str(tmp_path)).files()


def test_history_is_landed_at_the_end_of_its_day():
    now = datetime(2026, 3, 5, 13, 30, tzinfo=UTC)
    assert load_time(date(2026, 1, 2), now) == datetime(2026, 1, 2, 23, 59, 59)
    assert load_time(date(2026, 3, 5), now) == datetime(2026, 3, 5, 13, 30)


# Who is told


def test_a_failed_run_is_posted_as_json():
    received = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *words: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    post_json(f"http://127.0.0.1:{server.server_port}/hook", {"text": "close_cycles failed"})
    thread.join()
    server.server_close()
    assert received == [{"text": "close_cycles failed"}]
    with pytest.raises(ValueError, match="begins with http"):
        post_json("file:///etc/passwd", {})


# What a run changed


def test_changes_are_told_from_two_looks():
    before = Documents(
        datetime(2026, 2, 1),
        {"a": ("invoice", "1")},
        {"b": (10, "USD", 1, 0), "c": (20, "USD", 1, 0), "d": (30, "USD", 1, 0)},
    )
    after = Documents(
        datetime(2026, 3, 1),
        {"a": ("invoice", "1"), "b": ("invoice", "2"), "x": ("adjustment", "3")},
        {"c": (21, "USD", 1, 0), "d": (30, "USD", 1, 0), "e": (1, "USD", 1, 0)},
    )
    changed = compare(before, after)
    assert changed.metadata() == {
        "closed invoices": "1 were closed before, unchanged",
        "documents closed": "1 adjustment, 1 invoice",
        "corrections posted": 1,
        "drafts changed": 1,
        "drafts new": 1,
        "drafts unchanged": 1,
        "drafts closed or gone": 1,
    }
    altered = Documents(after.sealed_until, {**after.closed, "a": ("invoice", "9")}, {})
    assert "1 ALTERED" in compare(before, altered).metadata()["closed invoices"]


# A house


@pytest.fixture(scope="module")
def small_house(house) -> Iterator[House]:
    """The scenario's house on DuckDB, built through January, as the one of this process."""
    made = house("duckdb", scenario.catalog(), scenario.rows()).build("--through", "2026-01-31")
    ours = {
        name: value for name, value in made.environment.items() if name.startswith(("TALLY", "DBT"))
    }
    ours |= made._catalog_environment() | {"TALLY_LANDING": str(made.folder / "landing")}
    ours |= {"TALLY_EXPORTS": str(made.folder / "exports")}
    before = dict(os.environ)
    os.environ.update(ours)
    yield made
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="module")
def definitions(small_house) -> dg.Definitions:
    from orchestration.definitions import house as definitions

    return definitions()


@pytest.fixture(scope="module")
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def _run(definitions, instance, job="close_cycles", tags=RANGE, **more):
    return definitions.resolve_job_def(job).execute_in_process(
        instance=instance, tags=tags, raise_on_error=False, **more
    )


def test_what_is_defined_is_as_the_snapshot_says(definitions):
    """TALLY_WRITE_SNAPSHOT=1 writes it anew: what changed is then seen in review."""
    graph = definitions.resolve_asset_graph()
    groups: dict[str, list[str]] = {}
    for key in graph.get_all_asset_keys():
        groups.setdefault(graph.get(key).group_name, []).append(key.to_user_string())
    lines = [f"group {group}: {key}" for group in sorted(groups) for key in sorted(groups[group])]
    jobs = [job for job in definitions.resolve_all_job_defs() if not job.name.startswith("__")]
    lines += [f"job {job.name}" for job in sorted(jobs, key=lambda job: job.name)]
    lines += [f"schedule {each.name}: {each.cron_schedule}" for each in definitions.schedules]
    lines += [f"sensor {each.name}" for each in definitions.sensors]
    text = "\n".join(lines) + "\n"
    if os.environ.get("TALLY_WRITE_SNAPSHOT"):
        SNAPSHOT.write_text(text)
    assert text == SNAPSHOT.read_text()


def test_every_asset_says_what_it_is_and_whose(definitions):
    graph = definitions.resolve_asset_graph()
    for key in graph.executable_asset_keys:
        node = graph.get(key)
        assert node.owners, key
        assert node.kinds, key
        assert node.group_name != "default", key
    lines = graph.get(dg.AssetKey(["marts", "rated_lines"]))
    assert lines.description
    (link,) = lines.metadata["dagster/code_references"].code_references
    assert link.file_path.endswith("models/rating/rated_lines.sql")


def test_a_range_of_days_is_one_run_that_closes_what_is_due(small_house, definitions, instance):
    done = _run(definitions, instance)
    assert done.success
    # A check that blocks in the midst of a part would have it made in pieces.
    steps = {event.step_key for event in done.all_events if event.is_step_success}
    assert steps == {"land_files", "usage_to_drafts", "expectations", "close"}
    after = "select count(*) from ledger.documents where cutoff_at > '2026-02-01'"
    closed = small_house.query(after)[0][0]
    assert closed > 0
    # The build before this run was one, too.
    assert small_house.query(BUILDS) == [(1,), (2,)]
    assert small_house.query(READ) == [(2,)]
    found = instance.get_latest_materialization_event(dg.AssetKey(["marts", "invoices"]))
    metadata = found.asset_materialization.metadata
    assert metadata["documents closed"].value == f"{closed} invoice"
    assert instance.get_run_by_id(done.run_id).tags["tally/closed"] == str(closed)
    lines = instance.get_latest_materialization_event(dg.AssetKey(["marts", "rated_lines"]))
    shown = lines.asset_materialization.metadata
    assert shown["dagster/row_count"].value > 0
    (made_from,) = {
        dep.asset_key.to_user_string()
        for dep in shown["dagster/column_lineage"].value.deps_by_column["quantity"]
    } & {"rating/int_rating__charge_lines"}
    assert made_from


def test_a_past_day_is_rerun_without_harm(small_house, definitions, instance):
    before = small_house.export("ledger.documents"), small_house.export("marts.invoice_lines")
    done = _run(definitions, instance, tags={"dagster/partition": "2026-02-03"})
    assert done.success
    after = small_house.export("ledger.documents"), small_house.export("marts.invoice_lines")
    assert after == before
    tags = instance.get_run_by_id(done.run_id).tags
    assert (tags["tally/closed"], tags["tally/drafts_changed"]) == ("0", "0")


def test_what_closed_is_exported_once(small_house, definitions, instance):
    folder = small_house.folder / "exports"
    written = []
    for _ in range(2):
        done = _run(definitions, instance, job="invoice_export")
        assert done.success
        written.append({path: path.stat().st_mtime_ns for path in folder.rglob("*.*")})
    first, second = written
    assert first == second
    closed = "select invoice_number from ledger.documents where cutoff_at > '2026-02-01'"
    numbers = {number for (number,) in small_house.query(closed)}
    for kind in ("json", "html", "pdf"):
        assert {path.stem.rpartition("-")[0] for path in folder.glob(f"{kind}/*")} == numbers
    found = instance.get_latest_materialization_event(dg.AssetKey(["exports", "invoice_files"]))
    metadata = found.asset_materialization.metadata
    assert metadata["final documents"].value == len(numbers)
    assert metadata["files that were there"].value["json"] == len(numbers)


def test_credits_are_written_as_each_sealed_day_had_them(small_house, definitions, instance):
    folder = small_house.folder / "exports" / "csv"
    tags = {
        "dagster/asset_partition_range_start": "2026-02-01",
        "dagster/asset_partition_range_end": "2026-02-08",
    }
    assert _run(definitions, instance, job="credit_snapshot", tags=tags).success
    (file,) = folder.glob("credit-balances-2026-02-02-*.csv")
    with file.open(newline="", encoding="utf-8") as opened:
        rows = list(csv.DictReader(opened))
    posted = small_house.query(
        "select grant_id, balance_total from ledger.credit_balances"
        " where balance_date = date '2026-02-02'"
    )
    assert rows
    assert {row["grant_id"]: Decimal(row["balance_total"]) for row in rows} == dict(posted)
    found = instance.get_latest_materialization_event(
        dg.AssetKey(["exports", "credit_balance_files"])
    )
    metadata = found.asset_materialization.metadata
    assert "2026-02-08" in metadata["days that are not sealed"].value
    before = len(list(folder.iterdir()))
    assert _run(definitions, instance, job="credit_snapshot", tags=tags).success
    assert len(list(folder.iterdir())) == before


def test_exports_follow_a_close():
    asked = requests_after(
        {"dagster/partition": "2026-02-03", "tally/closed": "4"}.items(), "run 1"
    )
    assert [(each.job_name, each.partition_key, each.tags) for each in asked] == [
        ("invoice_export", "2026-02-03", {}),
        ("credit_snapshot", "2026-02-03", {}),
    ]
    (first, _) = requests_after(RANGE.items(), "run 2")
    assert (first.partition_key, first.tags) == (None, RANGE)
    assert requests_after({}.items(), "run 3") == []


@pytest.mark.parametrize(
    ("named", "formats"), [("", USUAL_FORMATS), ("json, pdf", ["json", "pdf"])]
)
def test_the_formats_are_those_that_are_named(named, formats, monkeypatch):
    monkeypatch.setenv("TALLY_EXPORT_FORMATS", named)
    assert export_formats() == list(formats)


def test_a_format_that_is_none_is_named(monkeypatch):
    monkeypatch.setenv("TALLY_EXPORT_FORMATS", "json,docx")
    with pytest.raises(UserError, match="'docx', expected json, html"):
        export_formats()


def test_a_close_by_itself_is_refused(definitions, instance):
    from orchestration.defs.dbt_project import read_manifest
    from orchestration.defs.translation import Graph

    graph = Graph(read_manifest(), PROJECT)
    done = _run(
        definitions,
        instance,
        tags={"dagster/partition": "2026-02-03"},
        asset_selection=[graph.key(each) for each in graph.closing],
    )
    assert not done.success
    (failed,) = [each for each in done.all_events if each.is_step_failure]
    assert "what its own run has made" in failed.step_failure_data.error.to_string()


def test_a_fault_of_the_catalogue_is_a_red_check_of_its_file(small_house, definitions, instance):
    file = small_house.catalog / "customers.csv"
    sound = file.read_text()
    file.write_text(sound.replace("Europe/Berlin", "Europe/Berlinn"))
    try:
        done = _run(definitions, instance, tags={"dagster/partition": "2026-02-03"})
    finally:
        file.write_text(sound)
    assert not done.success
    failed = [each for each in done.get_asset_check_evaluations() if not each.passed]
    assert [(each.asset_key.to_user_string(), each.check_name) for each in failed] == [
        ("catalog/customers", "rows_are_sound")
    ]
    assert "Europe/Berlinn" in failed[0].metadata["reason"].value


def test_a_file_that_cannot_be_landed_stops_the_close(small_house, definitions, instance):
    folder = Path(os.environ["TALLY_LANDING"]) / "loaded_on=2026-02-06"
    folder.mkdir(parents=True)
    (folder / "broken.parquet").write_bytes(b"no parquet")
    try:
        done = _run(definitions, instance, tags={"dagster/partition": "2026-02-06"})
    finally:
        shutil.rmtree(folder)
    failed = [each for each in done.get_asset_check_evaluations() if not each.passed]
    assert [each.check_name for each in failed] == ["files_are_landed"]
    assert not done.success
    assert "broken.parquet" in failed[0].metadata["reason"].value


def test_an_odd_day_is_not_closed(small_house, definitions, instance):
    day = datetime(2026, 2, 6, 12)
    small_house.insert(
        {
            "load_id": "odd",
            "line_number": number,
            "loaded_at": day,
            "customer_id": "acme" if number > 10 else None,
            "event_name": "completion",
            "event_key": f"odd-{number}",
            "properties": "{}",
        }
        for number in range(1, 41)
    )
    sealed = "select max(sealed_until) from ledger.seals"
    before = small_house.query(sealed)
    published = small_house.query(BUILDS)
    done = _run(definitions, instance, tags={"dagster/partition": "2026-02-06"})
    assert not done.success
    assert small_house.query(BUILDS) == published
    assert small_house.query(READ) == [(None,)]
    failed = {
        each.check_name: each for each in done.get_asset_check_evaluations() if not each.passed
    }
    assert set(failed) == {"few_are_rejected", "what_is_expected_is_met"}
    rows = failed["few_are_rejected"].metadata["rows"].value.records
    assert [row.data["rejected_share"] for row in rows] == ["0.25"]
    assert "2026-02-06" in failed["few_are_rejected"].metadata["reason"].value
    assert small_house.query(sealed) == before
