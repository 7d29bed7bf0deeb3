"""`tally` as people run it: a process, its exit code, what it prints."""

import json
import os
import subprocess
import sys

import pytest

from tests.houses import PROJECT, House, write_catalog

ENGINES = pytest.mark.parametrize("engine", ["duckdb", "postgres"])


def tally(*words, **environment):
    """Run tally without a house."""
    return subprocess.run(
        [sys.executable, "-m", "orchestration.cli", *words],
        cwd=PROJECT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["bill"],
        ["build", "--from", "yesterday"],
        ["build", "--through", "2026-02-30"],
        ["invoice"],
        ["invoice", "US-000001", "--customer", "acme"],
        ["invoice", "US-000001", "--format", "xml"],
        ["explain"],
        ["build", "--no-such-option"],
    ],
)
def test_command_line_that_makes_no_sense_is_one_line(words):
    done = tally(*words)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["build", "--from", "2026-02-01", "--through", "2026-01-01"],
        ["build", "--catalog", "no/such/folder"],
        ["invoice", "US-000001", "--target", "nowhere"],
    ],
)
def test_what_a_person_can_mend_is_one_line(words, tmp_path):
    done = tally(*words, TALLY_DUCKDB_PATH=str(tmp_path / "tally.duckdb"))
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "Traceback" not in done.stderr


def test_help_names_every_command():
    done = tally("--help")
    assert done.returncode == 0
    for command in ("land", "check", "build", "invoice", "balance", "explain", "demo"):
        assert command in done.stdout


def test_catalogue_of_the_environment_is_the_one_that_is_checked(tmp_path):
    """Where plain dbt takes its catalogue from, tally does."""
    folder = write_catalog(tmp_path, {"plans": [{"plan_id": "x", "product_id": "none"}]})
    done = tally("check", TALLY_CATALOG=os.path.relpath(folder, PROJECT))
    assert done.returncode == 1
    assert "plans.csv:2" in done.stdout + done.stderr


def test_faulty_catalogue_is_listed_and_nothing_is_built(house, tmp_path):
    bare: House = house("duckdb", {"plans": [{"plan_id": "x", "product_id": "none"}]})
    done = bare.run("build")
    assert done.returncode == 1
    assert "plans.csv:2" in done.stderr
    assert "nothing was built" in done.stderr
    assert not (bare.folder / "target" / "run_results.json").exists()


@ENGINES
def test_invoice_as_json_is_exact(scenario_twins, engine):
    done = scenario_twins[engine].run(
        "invoice", "US-000002", "--format", "json", with_catalog=False
    )
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert shown["invoice_id"] == "sub_acme@2026-02-01"
    assert shown["status"] == "final"
    assert shown["invoice_total"] == "197.46"
    assert [line["line_number"] for line in shown["lines"]] == list(range(1, 13))

    def texts(value):
        if isinstance(value, dict):
            return [text for each in value.values() for text in texts(each)]
        if isinstance(value, list):
            return [text for each in value for text in texts(each)]
        return [value]

    assert not any(isinstance(value, float) for value in texts(shown))


def test_invoice_as_json_is_the_same_on_both_engines(scenario_twins):
    shown = [
        house.run("invoice", "--customer", "blau", "--format", "json", with_catalog=False).stdout
        for house in scenario_twins.values()
    ]
    assert shown[0] == shown[1] != ""


@ENGINES
def test_invoice_as_a_table(scenario_twins, engine):
    done = scenario_twins[engine].run("invoice", "EU-000004", with_catalog=False)
    assert done.returncode == 0, done.stderr
    for text in ("EU-000004", "final", "Nippon", "Asia/Tokyo", "JPY", "2026-01-01 to 2026-01-31"):
        assert text in done.stdout
    assert "194" in done.stdout and "194.0" not in done.stdout


def test_customer_s_invoices_are_listed_and_the_newest_is_shown(scenario_twins):
    done = scenario_twins["duckdb"].run("invoice", "--customer", "acme", with_catalog=False)
    for text in ("US-000001", "US-000002", "sub_acme@2026-03-01", "draft"):
        assert text in done.stdout


@pytest.mark.parametrize("words", [["invoice", "XX-1"], ["explain", "XX-1#1"]])
def test_what_does_not_exist_is_one_line(scenario_twins, words):
    done = scenario_twins["duckdb"].run(*words, with_catalog=False)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "XX-1" in done.stderr


def test_nothing_built_yet_is_one_line(house):
    done = house("duckdb").run("invoice", "US-000001")
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["tally: nothing has been built here yet: run tally build"]


@ENGINES
def test_explain_goes_from_steps_to_days_to_events(scenario_twins, engine):
    house = scenario_twins[engine]
    lines = house.query(
        "select line_id, event_count, charge_id from marts.invoice_lines "
        "where invoice_id = 'sub_acme@2026-02-01' and event_count > 0 order by line_number"
    )
    assert lines
    for line_id, event_count, charge_id in lines:
        done = house.run("explain", line_id, "--format", "json", with_catalog=False)
        assert done.returncode == 0, done.stderr
        shown = json.loads(done.stdout)
        assert shown["line"]["charge_id"] == charge_id
        assert shown["steps"]
        assert sum(day["event_count"] for day in shown["days"]) == event_count
        assert shown["event_count"] == event_count
        holders = [one for day in shown["days"] for one in (day, *day["rollups"])]
        events = [event for holder in holders for event in holder["events"]]
        assert len(events) == min(20, event_count) == event_count - shown["more_events"]
        assert all(event["file_name"] and event["line_number"] for event in events)


def test_explain_as_a_tree(scenario_twins):
    house = scenario_twins["duckdb"]
    (line_id,) = house.query(
        "select line_id from marts.invoice_lines "
        "where invoice_id = 'sub_acme@2026-02-01' and charge_id = 'tokens' "
        "order by line_number limit 1"
    )[0]
    done = house.run("explain", line_id, with_catalog=False)
    assert done.returncode == 0, done.stderr
    for text in (line_id, "steps", "usage, ", "2026-01-0", "loaded 2026-01-0", ".ndjson:"):
        assert text in done.stdout


def test_debug_shows_where(house):
    bare = house("duckdb")
    bare.environment["TALLY_DEBUG"] = "1"
    assert "Traceback" in bare.run("invoice", "US-000001").stderr
