"""What was closed never changes, and what was altered by hand is found."""

import csv
import io
import shutil
from datetime import UTC, datetime, timedelta

import duckdb
import psycopg2
import pytest

from orchestration.archive import archive_faults
from orchestration.catalog import Source
from orchestration.catalog_files import read_catalog
from orchestration.landing import land
from orchestration.ledger import open_day
from orchestration.verification import verify
from orchestration.warehouse import Warehouse
from tests import scenario

ENGINES = pytest.mark.parametrize("engine", ["duckdb", "postgres"])
DOCUMENTS = (
    "ledger.documents", "ledger.lines", "ledger.closes", "ledger.sealed_days",
    "ledger.credit_entries", "ledger.credit_days", "ledger.credit_balances",
    "ledger.credit_steps", "ledger.credit_vectors",
)  # fmt: skip
LEDGER = (*DOCUMENTS, "ledger.seals", "ledger.catalog_rows")


def _export(house, tables=LEDGER):
    return {table: house.export(table) for table in tables}


@pytest.fixture(scope="module")
def in_steps(twins):
    """The scenario closed in three builds: cutoff by cutoff, and a day between them."""

    days = ("2026-01-31", "2026-02-01", scenario.THROUGH)
    return twins(scenario.catalog(), scenario.rows(), lambda each: each.build_days(*days))


@ENGINES
def test_closing_step_by_step_is_closing_at_once(scenario_twins, in_steps, engine):
    at_once = _export(scenario_twins[engine], DOCUMENTS)
    assert at_once["ledger.documents"]
    assert _export(in_steps[engine], DOCUMENTS) == at_once
    assert len(in_steps[engine].query("select * from ledger.seals")) == 3
    rows = "select table_name, row_hash, row_text from ledger.catalog_rows order by 1, 2"
    assert in_steps[engine].query(rows) == scenario_twins[engine].query(rows)


def test_both_engines_have_the_same_ledger(scenario_twins):
    assert _export(scenario_twins["duckdb"]) == _export(scenario_twins["postgres"])


@ENGINES
def test_closed_invoices_are_the_ledger_s(scenario_twins, engine):
    house = scenario_twins[engine]
    posted = house.query(
        "select invoice_id, invoice_number, invoice_total from ledger.documents order by 1"
    )
    final = house.query(
        "select invoice_id, invoice_number, invoice_total from marts.invoices"
        " where status = 'final' order by 1"
    )
    assert posted == final
    assert posted


@ENGINES
def test_what_was_not_altered_is_verified(in_steps, engine):
    done = in_steps[engine].run("verify")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 documents, 40 lines, 4 closes, 36 sealed days" in done.stdout
    assert "all stand" in done.stdout


ALTERATIONS = {
    "a total of a line": (
        "update ledger.lines set line_total = line_total + 0.01 where line_number = 3",
        "US-000002",
    ),
    "an amount far behind the point": (
        "update ledger.lines set amount = amount + 0.0000000000000000000001 where line_number = 3",
        "US-000002",
    ),
    "a line that is gone": ("delete from ledger.lines where line_number = 12", "US-000002"),
    "a customer's name": (
        "update ledger.documents set customer_name = 'Acne' where customer_id = 'acme'",
        "US-000001",
    ),
    "a text that becomes none": (
        "update ledger.lines set name = null where line_number = 1",
        "US-000001",
    ),
    "a document with its hash": (
        "delete from ledger.documents where invoice_number = 'US-000001'",
        "close 1 of US",
    ),
    "a close that is gone": (
        "delete from ledger.closes where billing_entity = 'EU' and close_number = 1",
        "close 2 of EU",
    ),
    "the last close that is gone": (
        "delete from ledger.closes where billing_entity = 'EU' and close_number = 2",
        "documents of EU cut off at 2026-02-02",
    ),
    "a letter in raw": (
        "update raw.usage_events set properties = replace(properties, '1', '2')"
        " where load_id = (select min(load_id) from raw.usage_events)",
        "a raw row was altered",
    ),
    "a raw row that is gone": (
        "delete from raw.usage_events where loaded_at = (select min(loaded_at) from"
        " raw.usage_events) and line_number = 1",
        "load day 2026-01-01: sealed with 17 raw rows, now it has 1",
    ),
    "an archived price": (
        "update ledger.catalog_rows set row_text = replace(row_text, '0.0125', '0.0126')"
        " where table_name = 'prices'",
        "archived row of prices",
    ),
    "a seal that is gone": ("delete from ledger.seals", "it is sealed by no seal"),
}


@pytest.fixture(scope="module")
def closed_file(scenario_twins, tmp_path_factory):
    """The warehouse of the scenario as a file to copy."""
    copy = tmp_path_factory.mktemp("closed") / "tally.duckdb"
    shutil.copyfile(scenario_twins["duckdb"].environment["TALLY_DUCKDB_PATH"], copy)
    return copy


@pytest.mark.parametrize("alteration", ALTERATIONS)
def test_an_alteration_is_found(closed_file, tmp_path, alteration):
    statement, named = ALTERATIONS[alteration]
    shutil.copyfile(closed_file, tmp_path / "tally.duckdb")
    with duckdb.connect(str(tmp_path / "tally.duckdb")) as connection:
        warehouse = Warehouse("duckdb", connection, "test")
        assert verify(warehouse)[0] == []
        ((changed,),) = connection.execute(statement).fetchall()
        assert changed
        faults, _ = verify(warehouse)
    assert any(named in fault for fault in faults), faults


@pytest.mark.parametrize(
    "statement",
    [
        "update ledger.documents set invoice_total = 0",
        "delete from ledger.lines",
        "truncate ledger.closes",
        "update ledger.catalog_rows set row_text = ''",
        "delete from ledger.seals where false",
    ],
)
def test_postgres_refuses_to_alter_the_ledger(scenario_twins, statement):
    with pytest.raises(psycopg2.errors.RaiseException, match="append-only"):
        scenario_twins["postgres"].query(statement)


# The catalogue after a close


def _altered(folder, copy, name, change):
    """A copy of a catalogue whose file `name` is changed by `change`, a function of its rows."""
    shutil.copytree(folder, copy)
    path = copy / f"{name}.csv"
    header, *rows = csv.reader(io.StringIO(path.read_text(encoding="utf-8")))
    rows = change(header, rows)
    with path.open("w", newline="", encoding="utf-8") as handle:
        csv.writer(handle, lineterminator="\n").writerows([header, *rows])
    return copy


def _with_another_price(header, rows):
    place = header.index("unit_price")
    return [
        [*row[:place], "0.0126", *row[place + 1 :]] if row[place] == "0.0125" else row
        for row in rows
    ]


def _without_the_last(header, rows):
    return rows[:-1]


def _with_a_blank_recorded_at(header, rows):
    return [*rows, ["newcomer", "Newcomer", "USD", "UTC", "US", "", ""]]


def _with_a_late_recorded_at(header, rows):
    return [*rows, ["newcomer", "Newcomer", "USD", "UTC", "US", "", "2026-02-06T00:00:00Z"]]


@pytest.mark.parametrize(
    ("name", "change", "found"),
    [
        ("prices", _with_another_price, 'prices.csv:11: unit_price: found "0.0126", expected'),
        ("prices", _without_the_last, "prices.csv: found nothing, expected the row of hybrid"),
        (
            "customers",
            _with_a_blank_recorded_at,
            "customers.csv:5: recorded_at: found nothing, expected an instant from "
            "2026-02-06T00:00:00Z on",
        ),
        ("customers", _with_a_late_recorded_at, ""),
    ],
)
def test_a_catalogue_that_was_altered_names_file_line_and_field(
    scenario_twins, closed_file, tmp_path, name, change, found
):
    folder = _altered(scenario_twins["duckdb"].catalog, tmp_path / "catalog", name, change)
    with duckdb.connect(str(closed_file), read_only=True) as connection:
        warehouse = Warehouse("duckdb", connection, "test")
        faults = [str(fault) for fault in archive_faults(read_catalog(folder), warehouse)]
        verified, _ = verify(warehouse, Source(folder))
    assert verified == faults
    assert (found in " ".join(faults)) if found else not faults, faults


@ENGINES
def test_a_build_stops_at_an_altered_catalogue(in_steps, tmp_path, engine):
    house = in_steps[engine]
    before = _export(house)
    altered = _altered(house.catalog, tmp_path / "catalog", "prices", _with_another_price)
    done = house.run("build", "--catalog", str(altered), with_catalog=False)
    assert done.returncode == 1
    assert "prices.csv:11: unit_price" in done.stderr
    assert "nothing was built" in done.stderr
    assert _export(house) == before


def test_plain_dbt_stops_at_an_altered_catalogue(house, in_steps, tmp_path):
    built = in_steps["duckdb"]
    altered = _altered(built.catalog, tmp_path / "catalog", "prices", _with_another_price)
    kept, built.catalog = built.catalog, altered
    before = _export(built)
    try:
        done = built.dbt("build", "--select", "+build_window", "--exclude-resource-type",
                         "unit_test")  # fmt: skip
    finally:
        built.catalog = kept
    assert done.returncode == 1
    assert "closed documents were made from" in done.stdout
    assert "0.0125" in done.stdout
    assert _export(built) == before


# What comes after a close


def _land(house, folder, loaded_at):
    path = folder / "late.ndjson"
    path.write_text('{"customer_id": "acme", "event_name": "call"}\n', encoding="utf-8")
    connection = (
        duckdb.connect(house.environment["TALLY_DUCKDB_PATH"])
        if house.engine == "duckdb"
        else house._connect().connection
    )
    try:
        connection_house = Warehouse(house.engine, connection, "test")
        return land([path], warehouse=connection_house, loaded_at=loaded_at)[0]
    finally:
        connection.close()


@ENGINES
def test_nothing_is_landed_into_a_closed_day(scenario_twins, tmp_path, engine):
    house = scenario_twins[engine]
    before = house.query("select count(*) from raw.usage_events")
    result = _land(house, tmp_path, datetime(2026, 2, 5, 23, 59, 59))
    assert result.error == (
        "2026-02-05 is closed: expected a load time from 2026-02-06T00:00:00Z on; nothing landed"
    )
    assert house.query("select count(*) from raw.usage_events") == before


@pytest.fixture(scope="module")
def later(twins, tmp_path_factory):
    """The scenario, closed; then usage of this very day, late usage, a price that binds closed
    periods, and a build in full."""

    def build(house):
        house.build_untested("--through", scenario.THROUGH)
        house.before = _export(house)
        folder = tmp_path_factory.mktemp("later")
        late = {
            **scenario.rows()[0],
            "load_id": "late",
            "loaded_at": datetime(2026, 2, 7, 12),
            "event_key": "late",
        }
        house.insert([late])
        _land(house, folder, None)
        house.catalog = _altered(house.catalog, folder / "catalog", "prices", _with_a_later_price)
        house.build("--full")

    return twins(scenario.catalog(), scenario.rows(), build)


def _with_a_later_price(header, rows):
    added = []
    for row in rows:
        values = dict(zip(header, row, strict=True))
        if values["unit_price"] == "0.0125":
            values |= {
                "unit_price": "1",
                "applies_to": "closed",
                "recorded_at": "2026-02-06T10:00:00Z",
            }
            added.append([values[column] for column in header])
    return [*rows, *added]


@ENGINES
def test_a_full_build_leaves_the_ledger_alone(later, engine):
    house = later[engine]
    after = _export(house)
    for table, rows in house.before.items():
        assert set(rows) <= set(after[table]), table
    assert house.run("verify").returncode == 0
    # Numbers go on where they were.
    numbers = house.query(
        "select billing_entity, count(*), min(sequence_number), max(sequence_number)"
        " from ledger.documents group by 1"
    )
    assert len(after["ledger.documents"]) > len(house.before["ledger.documents"])
    assert all((first, last) == (1, count) for _, count, first, last in numbers)


@ENGINES
def test_the_running_day_is_left_open(later, engine):
    house = later[engine]
    ((landed,),) = house.query("select max(loaded_at) from raw.usage_events")
    today = datetime.combine(landed.date(), datetime.min.time())
    assert house.query("select max(sealed_until) from ledger.seals") == [(today,)]
    drafts = house.query("select min(cutoff_at) from marts.invoices where status = 'draft'")
    assert drafts[0][0] > today


def test_a_past_day_is_over(closed_file):
    with duckdb.connect(str(closed_file), read_only=True) as connection:
        warehouse = Warehouse("duckdb", connection, "test")
        assert open_day(warehouse) is None
        inside = datetime(2026, 2, 5, 12, tzinfo=UTC)
        assert open_day(warehouse, inside) == inside.date()
        assert open_day(warehouse, inside + timedelta(days=1)) is None


def test_before_the_first_document_everything_may_be_put_right(house, tmp_path):
    """No document closed: a price is edited, usage of a past day comes in, nothing is sealed."""
    catalog = {
        name: [row for row in rows if row.get("charge_id") not in ("base_fee", "setup_fee")]
        for name, rows in scenario.catalog().items()
    }
    rows = scenario.rows()
    first, second = (
        [row for row in rows if row["loaded_at"].day % 2 == odd and row["loaded_at"].month == 1]
        for odd in (0, 1)
    )
    built = house("duckdb", catalog, first)
    built.build_untested("--through", "2026-01-31")
    assert all(not rows for rows in _export(built).values())
    built.insert(second)
    built.catalog = _altered(built.catalog, tmp_path / "catalog", "prices", _with_another_price)
    built.build_untested("--through", "2026-01-31")
    built.build_untested("--through", "2026-02-03")
    assert built.query("select max(sealed_until) from ledger.seals") == [(datetime(2026, 2, 4),)]
    at_once = house("duckdb", built.catalog, [*first, *second])
    at_once.build_untested("--through", "2026-02-03")
    assert _export(built) == _export(at_once)
    assert len(_export(built)["ledger.documents"]) > 0
