"""A house beside the house: the same ledger from the same raw, and nothing left behind."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path

import pytest
import yaml
from dbt.adapters.duckdb.connections import DuckDBConnectionManager

from orchestration.archive import read_archive, rows_of_customers
from orchestration.catalog import Source
from orchestration.dbt_commands import Window
from orchestration.errors import UserError
from orchestration.side_house import ROOMS, open_side_house
from tests import scenario
from tests.houses import PROJECT

ENGINES = pytest.mark.parametrize("engine", ["duckdb", "postgres"])
THROUGH = Window(through_day=date.fromisoformat(scenario.THROUGH))
LEDGER = (
    "documents", "lines", "closes", "seals", "sealed_days", "catalog_rows",
    "credit_entries", "credit_days", "credit_balances", "credit_steps", "credit_vectors",
)  # fmt: skip
NAMES = "select table_schema || '.' || table_name from information_schema.tables order by 1"


@contextmanager
def inside(house):
    """This process in the environment of a house, of which dbt keeps nothing open afterwards."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in house.environment.items():
            patch.setenv(name, value)
        patch.delenv("TALLY_CATALOG", raising=False)
        try:
            yield
        finally:
            DuckDBConnectionManager.close_all_connections()


def side_house(house, prefix="side_", **options):
    return open_side_house(prefix, PROJECT, house.engine, **options)


def export(warehouse, table, columns="*"):
    return sorted(map(repr, warehouse.query(f"select {columns} from {table}")[1]))


def parsed(house):
    """What dbt keeps of a parse in the house's own folder, and since when."""
    folder = Path(house.environment["DBT_TARGET_PATH"])
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("*.msgpack")}


@pytest.fixture(scope="module", params=["duckdb", "postgres"])
def built(request, scenario_twins):
    """A side house of everything, from the folder; and what was there before and after it."""
    house = scenario_twins[request.param]
    house.query("create schema if not exists side_notes")
    house.query("create table if not exists side_notes.mine (one text)")
    found = {"house": house, "before": house.query(NAMES), "parsed": parsed(house)}
    with inside(house), side_house(house) as side:
        side.show_raw()
        found["outcome"] = side.build(Source(house.catalog), THROUGH)
        found["tables"] = [name for (name,) in side.warehouse.query(NAMES)[1]]
        found["ledgers"] = {
            name: (
                export(side.warehouse, f"ledger.{name}"),
                export(side.warehouse, side.table("ledger", name)),
            )
            for name in LEDGER
        }
    yield found
    house.query("drop schema side_notes cascade")


def test_its_ledger_is_the_house_s(built):
    for name, (house, side) in built["ledgers"].items():
        assert house == side, name
    assert built["outcome"].counts["model"] > 50


def test_data_tests_are_left_out(built):
    assert built["outcome"].counts["test"] == 0


def test_its_schemas_are_the_rooms_of_a_house(built):
    schemas = {name.split(".")[0] for name in built["tables"]}
    found = {name.removeprefix("side_") for name in schemas if name.startswith("side_")}
    assert found == {*ROOMS, "notes"}
    assert {*ROOMS} <= schemas


def test_nothing_of_it_stays(built):
    house = built["house"]
    assert house.query(NAMES) == built["before"]
    assert ("side_notes.mine",) in built["before"]
    assert parsed(house) == built["parsed"]


@ENGINES
def test_some_customers_from_the_archive(scenario_twins, engine):
    """Their raw rows and catalogue rows alone make their documents, to the last byte of a line."""
    house = scenario_twins[engine]
    with inside(house), side_house(house, is_kept=True) as side:
        rows = rows_of_customers(read_archive(side.warehouse), ["acme", "nobody"])
        assert [row["customer_id"] for row in rows["customers"]] == ["acme"]
        assert rows["prices"]
        side.show_raw(["acme", "nobody"], until=datetime(2026, 2, 6))
        side.build(side.restore_catalog(rows), THROUGH, select=["+int_invoicing__seal"])
    for name in ("documents", "lines"):
        columns = ", ".join(
            column
            for column in house.columns(f"ledger.{name}")
            if column not in ("invoice_number", "sequence_number", "content_hash")
        )
        query = f"select {columns} from %s where customer_id = 'acme' order by 1, 2"
        posted = house.query(query % f"ledger.{name}")
        assert posted
        assert house.query(query % f"side_ledger.{name}") == posted
    assert house.query("select distinct customer_id from side_ledger.documents") == [("acme",)]
    # What was kept goes with the next one.
    with inside(house), side_house(house):
        pass
    assert not [name for (name,) in house.query(NAMES) if name.startswith("side_ledger")]


@ENGINES
def test_a_house_of_somebody_s_own_is_left_alone(scenario_twins, engine):
    house = scenario_twins[engine]
    house.query("create schema theirs_raw")
    house.query("create table theirs_raw.usage_events (one text)")
    try:
        with (
            inside(house),
            pytest.raises(UserError, match="theirs_raw holds usage"),
            side_house(house, "theirs_"),
        ):
            pass
        assert house.query("select * from theirs_raw.usage_events") == []
    finally:
        house.query("drop schema theirs_raw cascade")


def test_one_at_a_time(scenario_twins):
    house = scenario_twins["postgres"]
    with (
        inside(house),
        side_house(house),
        pytest.raises(UserError, match="another process is using"),
        side_house(house),
    ):
        pass


def test_every_room_that_the_project_has_is_one_of_a_side_house():
    """Else a replay would leave one behind."""
    project = yaml.safe_load((PROJECT / "dbt_project.yml").read_text("utf-8"))
    folders = project["models"]["tallyhouse"].values()
    rooms = {one["+schema"] for one in folders if isinstance(one, dict) and "+schema" in one}
    assert {"staging", "credits"} <= rooms
    assert rooms <= set(ROOMS)
