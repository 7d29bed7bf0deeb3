"""Real usage, where it is there: each data set lands and is built once, and equals its source."""

from pathlib import Path

import pytest

from benchmarks.real.checks import table
from benchmarks.real.road import DATA_SETS, travel
from benchmarks.real.sources import DataMissing, find_data


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("real")


@pytest.mark.parametrize("name", DATA_SETS)
def test_real_usage_is_billed_as_its_source_says(name: str, folder: Path):
    try:
        data = find_data()
    except DataMissing as fault:
        pytest.skip(str(fault))
    result = travel(name, "duckdb", data, folder)
    assert result.is_ok, "\n".join(["", *table(result)])


def test_missing_data_are_said_so(tmp_path: Path, monkeypatch, capsys):
    from benchmarks.real.__main__ import main

    monkeypatch.setenv("TALLY_SHARED", str(tmp_path))
    assert main([]) == 2
    assert "the real usage data are not in" in capsys.readouterr().err
