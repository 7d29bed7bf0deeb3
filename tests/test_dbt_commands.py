"""The dbt command lines, as text: dbt itself is not imported."""

import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from orchestration.dbt_commands import (
    Window,
    build_command,
    catalog_environment,
    parse_command,
    project_variables,
    read_day,
    seed_command,
    side_command,
)

PROJECT = Path("/house")
NO_DAYS = {"TALLY_FROM_DAY": "", "TALLY_THROUGH_DAY": "", "TALLY_OPEN_DAY": ""}
JANUARY = Window(date(2026, 1, 1), date(2026, 1, 31))


def test_build_without_options_lets_the_data_decide():
    command = build_command(PROJECT)
    assert command.arguments == [
        "build",
        "--project-dir",
        "/house",
        "--profiles-dir",
        "/house",
        "--exclude-resource-type",
        "unit_test",
    ]
    assert command.environment == NO_DAYS


def test_build_of_a_window_names_both_days():
    command = build_command(PROJECT, "postgres", JANUARY)
    assert command.arguments[command.arguments.index("--target") + 1] == "postgres"
    # A var would make dbt parse the project anew each day.
    assert "--vars" not in command.arguments
    days = {"TALLY_FROM_DAY": "2026-01-01", "TALLY_THROUGH_DAY": "2026-01-31"}
    assert command.environment == {**NO_DAYS, **days}


def test_full_build_refreshes_and_says_so_to_the_models():
    arguments = build_command(PROJECT, full=True).arguments
    assert "--full-refresh" in arguments
    assert json.loads(arguments[arguments.index("--vars") + 1]) == {"full": True}


def test_no_variable_is_passed_that_is_not_needed():
    assert project_variables(Window()) == {}
    assert project_variables(Window(through_day=date(2026, 2, 1))) == {"through_day": "2026-02-01"}


def test_same_window_gives_the_same_line():
    assert build_command(PROJECT, None, JANUARY) == build_command(PROJECT, None, JANUARY)


def test_catalog_is_named_relative_to_the_project(tmp_path):
    project = tmp_path / "project"
    assert catalog_environment(tmp_path / "other", project) == {
        "TALLY_CATALOG": os.path.join("..", "other")
    }
    seed = seed_command(project, catalog=project / "mine")
    assert seed.environment == {**NO_DAYS, "TALLY_CATALOG": "mine"}


def test_parse_takes_a_warning_for_an_error():
    assert parse_command(PROJECT).arguments[:2] == ["--warn-error", "parse"]


def test_window_that_ends_before_it_begins_is_refused():
    with pytest.raises(ValueError, match="later than --through"):
        Window(date(2026, 2, 1), date(2026, 1, 1))


@pytest.mark.parametrize(
    "text", ["", "2026-1-1", "2026-02-30", "20260101", "today", "2026-01-01; drop"]
)
def test_day_that_is_none_is_refused(text):
    with pytest.raises(ValueError):
        read_day(text)


def test_dbt_is_not_imported():
    script = "import sys, orchestration.dbt_commands; sys.exit('dbt' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_a_side_house_has_a_prefix_and_a_target_path_of_its_own():
    command = side_command(
        PROJECT, "replay_", PROJECT / "target" / "replay", "duckdb", JANUARY, select=["+ledger"]
    )
    variables = json.loads(command.arguments[command.arguments.index("--vars") + 1])
    assert variables == {"catalog_schema": "", "schema_prefix": "replay_"}
    assert command.environment == {
        **NO_DAYS,
        "TALLY_FROM_DAY": "2026-01-01",
        "TALLY_THROUGH_DAY": "2026-01-31",
        "DBT_TARGET_PATH": "/house/target/replay",
        "TALLY_PUBLISH": "no",
    }
    assert command.arguments[-6:] == [
        *("--exclude-resource-type", "unit_test", "--exclude-resource-type", "test"),
        *("--select", "+ledger"),
    ]
