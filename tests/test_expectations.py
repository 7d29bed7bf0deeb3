"""Each kind of fault, injected into a steady house: a named check catches it and stops the close.

All faults of usage and of prices share one build, and those of tables one run of dbt's tests.
"""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from expectations.apart import Apart
from expectations.suites import SUITES
from expectations.validation import Found, check_frames, read_frames, validate
from orchestration.archive import archive_faults
from orchestration.catalog import check_catalog, read_catalog
from orchestration.warehouse import Warehouse
from tests import fault_world
from tests.faults import (
    ARCHIVE_FAULTS,
    CATALOG_FAULTS,
    FAULT_DAYS,
    PRICE_FAULTS,
    TABLE_FAULTS,
    USAGE_FAULTS,
    Fault,
    all_faults,
    faulty_days,
    new_prices,
)
from tests.houses import PROJECT, House, write_catalog

WARNINGS = {each.name for suite in SUITES for each in suite.expectations if not each.is_blocking}


@pytest.fixture(scope="module")
def steady(house) -> House:
    """The house before the faults: two months closed."""
    made = house("duckdb", fault_world.catalog(), fault_world.good_days())
    return made.build("--through", str(fault_world.LAST_GOOD_DAY))


def _copied(house: House, folder: Path) -> House:
    """The same house in another folder."""
    catalog = folder / "catalog"
    shutil.copytree(house.catalog, catalog)
    made = House("duckdb", folder, catalog, {})
    shutil.copyfile(house.environment["TALLY_DUCKDB_PATH"], made.environment["TALLY_DUCKDB_PATH"])
    return made


def _validated(house: House) -> list[Found]:
    with house._connect() as opened:
        return list(validate(Warehouse("duckdb", opened.connection, "test")))


def test_a_process_apart_says_the_same(steady):
    """Also where it has ended before it was asked: then this one looks."""
    with steady._connect() as opened:
        frames = read_frames(Warehouse("duckdb", opened.connection, "test"))
    expected = list(check_frames(frames))
    assert len(expected) == sum(len(suite.expectations) for suite in SUITES)
    lively, ended = Apart(), Apart()
    ended.end()
    try:
        assert [list(one.check(frames)) for one in (lively, ended)] == [expected, expected]
        assert lively.process.returncode == 0
    finally:
        lively.end()


@pytest.fixture(scope="module")
def steady_findings(steady) -> list[Found]:
    return _validated(steady)


@pytest.fixture(scope="module")
def faulty(steady, steady_findings, tmp_path_factory) -> House:
    """The house with ten days of faults and new prices, built as far as its close stands on."""
    made = _copied(steady, tmp_path_factory.mktemp("faulty"))
    catalog = fault_world.catalog()
    catalog["prices"] += new_prices()
    write_catalog(made.catalog, catalog)
    made.insert(fault_world.numbered(faulty_days()))
    made.environment |= {
        "TALLY_FROM_DAY": str(FAULT_DAYS[0]),
        "TALLY_THROUGH_DAY": str(FAULT_DAYS[-1]),
    }
    done = made.dbt(
        "build",
        *("--exclude", "int_invoicing__seal+"),
        *("--exclude-resource-type", "unit_test", "--log-level", "none"),
    )
    assert done.returncode == 0, done.stdout
    return made


@pytest.fixture(scope="module")
def findings(faulty) -> dict[str, list[Found]]:
    """What is found of the faulty house, by the name of the check."""
    found = defaultdict(list)
    for each in _validated(faulty):
        found[each.expectation.name].append(each)
    return found


LIGHT = """
import sys
from expectations.light_import import DEFERRED, import_great_expectations
gx = import_great_expectations()
assert gx.get_context
assert not set(DEFERRED) & set(sys.modules), "imported"
from great_expectations.expectations.core import (
    expect_column_kl_divergence_to_be_less_than as used,
)
assert used.stats.entropy([0.5, 0.5], [0.5, 0.5]) == 0
assert used.alt.Chart
import altair, scipy.stats
assert altair.__version__ and scipy.stats.__file__
"""


def test_what_nobody_has_use_for_is_imported_when_it_is_used():
    done = subprocess.run(
        [sys.executable, "-c", LIGHT], capture_output=True, text=True, cwd=PROJECT
    )
    assert done.returncode == 0, done.stderr


def test_there_are_fifty_faults_and_more():
    faults = all_faults()
    assert len({(fault.kind, fault.check, fault.subject) for fault in faults}) == len(faults)
    assert len(faults) >= 50


def test_a_steady_house_is_as_expected(steady_findings):
    assert len(steady_findings) == sum(len(suite.expectations) for suite in SUITES)
    assert [each.reason() for each in steady_findings if not each.has_passed] == []
    # Nothing passes because it has nothing to look at, credits apart: nobody has any.
    blank = {each.suite.name for each in steady_findings if each.row_count == 0}
    assert blank <= {"unbilled_usage"}


@pytest.mark.parametrize("fault", [*USAGE_FAULTS, *PRICE_FAULTS], ids=lambda fault: fault.kind)
def test_a_fault_is_caught_before_the_close(findings, fault: Fault):
    (found,) = findings[fault.check]
    assert not found.has_passed
    assert fault.check not in WARNINGS
    shown = [" ".join(str(value) for value in row.values()) for row in found.failing]
    assert any(fault.subject in row for row in shown), shown[:5]


def test_nothing_was_closed_beside_the_faults(steady, faulty):
    sealed = "select max(sealed_until) from ledger.seals"
    assert faulty.query(sealed) == steady.query(sealed)


@pytest.mark.parametrize(
    ("fault", "change"), CATALOG_FAULTS, ids=[fault.kind for fault, _ in CATALOG_FAULTS]
)
def test_a_fault_of_the_catalogue_is_found_in_its_file(fault: Fault, change, tmp_path):
    rows = copy.deepcopy(fault_world.catalog())
    assert check_catalog(write_catalog(tmp_path / "sound", rows)) == []
    change(rows)
    faults = check_catalog(write_catalog(tmp_path / "faulty", rows))
    found = [str(each) for each in faults if f"catalog/{each.file}" == f"{fault.check}.csv"]
    assert any(fault.subject in each for each in found), [str(each) for each in faults]


@pytest.mark.parametrize(
    ("fault", "change"), ARCHIVE_FAULTS, ids=[fault.kind for fault, _ in ARCHIVE_FAULTS]
)
def test_a_row_that_closes_have_seen_is_not_altered_unnoticed(
    steady, fault: Fault, change, tmp_path
):
    rows = copy.deepcopy(fault_world.catalog())
    change(rows)
    catalog = read_catalog(write_catalog(tmp_path, rows))
    with steady._connect() as opened:
        faults = archive_faults(catalog, Warehouse("duckdb", opened.connection, "test"))
    found = [str(each) for each in faults if f"catalog/{each.file}" == f"{fault.check}.csv"]
    assert any(fault.subject in each for each in found), [str(each) for each in faults]


def test_a_fault_of_a_table_fails_a_test_of_dbt(faulty, tmp_path):
    made = _copied(faulty, tmp_path / "tampered")
    made.environment |= {name: faulty.environment[name] for name in ("TALLY_FROM_DAY",)}
    for _, statement in TABLE_FAULTS:
        made.query(statement)
    names = {fault.check for fault, _ in TABLE_FAULTS}
    done = made.dbt("test", "--select", *sorted(names), "--log-level", "none")
    assert done.returncode == 1
    results = made.folder / "target" / "run_results.json"
    statuses = {
        each["unique_id"].split(".")[2]: each["status"]
        for each in json.loads(results.read_text())["results"]
    }
    assert {name for name in names if statuses[name] == "fail"} == names, statuses
