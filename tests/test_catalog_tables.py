"""A catalogue in the tables of a database: read, checked and billed as its CSVs would be."""

from __future__ import annotations

import json
import re
from pathlib import Path

import duckdb
import jinja2
import psycopg2
import pytest

from orchestration.catalog import check_tables
from orchestration.catalog_files import COLUMNS, OPTIONAL_COLUMNS, OPTIONAL_FILES
from orchestration.catalog_tables import check_schema_name, project_schema
from orchestration.errors import UserError
from orchestration.warehouse import Warehouse
from tests import scenario
from tests.conftest import ENGINES
from tests.houses import PROJECT, House
from tests.test_catalog_terms import sound

# Columns that hold names, whatever they look like.
TEXTS = re.compile(r".*_ids?|name|value|feature|meter|property|dimension_values|tax_code|perks")
NATIVE = (
    ("boolean", r"true|false"),
    ("date", r"\d{4}-\d\d-\d\d"),
    ("timestamptz", r"\d{4}-\d\d-\d\dT.*"),
    ("integer", r"\d{1,9}"),
    ("numeric(30, 12)", r"-?\d+(\.\d+)?"),
)


def native_type(column: str, values: list[str]) -> str:
    """The type that a database would have for these texts."""
    if values and not TEXTS.fullmatch(column):
        for name, pattern in NATIVE:
            if all(re.fullmatch(pattern, value) for value in values):
                return name
    return "text"


def fill(house: House, schema: str, catalog, is_native: bool) -> None:
    """Tables of the catalogue's rows; a file without rows is left out where it may be."""
    house.query(f"create schema {schema}")
    for name, columns in COLUMNS.items():
        rows = catalog.get(name, [])
        if not rows and name in OPTIONAL_FILES:
            continue
        texts = [[str(row.get(column) or "") for column in columns] for row in rows]
        types = [
            native_type(column, [row[place] for row in texts if row[place]])
            if is_native
            else "text"
            for place, column in enumerate(columns)
        ]
        defined = ", ".join(f"{column} {kind}" for column, kind in zip(columns, types, strict=True))
        # A table of somebody's own may have more columns than a CSV, and rows in any order.
        house.query(f"create table {schema}.{name} (note text, {defined})")
        marks = ", ".join(f"cast(? as {kind})" for kind in types)
        insert = f"insert into {schema}.{name} ({', '.join(columns)}) values ({marks})"
        for row in reversed(texts):
            # One of two ways to write a blank.
            blank = None if is_native else ""
            house.query(insert, [value or blank for value in row])


def open_house(house: House) -> Warehouse:
    """A connection to the house as `tally` has one."""
    if house.engine == "duckdb":
        return Warehouse("duckdb", duckdb.connect(house.environment["TALLY_DUCKDB_PATH"]), "test")
    connection = psycopg2.connect(
        host=house.environment["TALLY_PG_HOST"],
        port=house.environment["TALLY_PG_PORT"],
        user=house.environment["TALLY_PG_USER"],
        password=house.environment["TALLY_PG_PASSWORD"],
        dbname=house.environment["TALLY_PG_DATABASE"],
    )
    connection.autocommit = True
    return Warehouse("postgres", connection, "test")


def stage(house: House, *words: str) -> dict[str, list[str]]:
    """Every staged table of the catalogue."""
    selected = ["+path:models/staging/catalog", "--indirect-selection", "cautious"]
    done = house.dbt("build", "--select", *selected, *words)
    assert done.returncode == 0, done.stdout[-3000:]
    return {name: house.export(f"staging.stg_catalog__{name}") for name in COLUMNS}


def variables(schema: str) -> list[str]:
    return ["--vars", json.dumps({"catalog_schema": schema})]


@pytest.fixture(scope="module", params=ENGINES)
def terms_house(request, house) -> House:
    """A house with one catalogue three times: as CSVs, as tables of text, as native tables."""
    made = house(request.param, sound())
    fill(made, "plain", sound(), is_native=False)
    fill(made, "native", sound(), is_native=True)
    return made


def test_tables_are_staged_as_their_csvs_are(terms_house: House):
    expected = stage(terms_house)
    assert all(expected[name] for name in COLUMNS if sound().get(name))
    for schema in ("plain", "native"):
        assert stage(terms_house, *variables(schema)) == expected, schema


def test_seeds_are_left_alone(house):
    """A catalogue may lie in the very schema that the seeds would be loaded to."""
    made = house("duckdb")
    fill(made, "catalog", sound(), is_native=False)
    before = made.query("select * from catalog.prices")
    done = made.dbt("build", "--select", "+stg_catalog__prices", *variables("catalog"))
    assert done.returncode == 0, done.stdout[-3000:]
    assert made.query("select * from catalog.prices") == before


def test_tables_without_fault_are_said_so(terms_house: House):
    for schema in ("plain", "native"):
        done = terms_house.run("check", "--catalog-schema", schema, with_catalog=False)
        assert (done.returncode, done.stdout.strip()) == (0, f"the tables of {schema}: no fault")


# (what is done to the tables, what is said of them)
FAULTS = [
    ("update plain.prices set unit_price = -1 where plan_id = 'pro' and charge_id = 'seats'"
     " and currency = 'EUR'",
     'plain.prices row {} (pro, seats, EUR): unit_price: found "-1", expected a number from 0'),
    ("update plain.plans set cycle = 'moon' where plan_id = 'basic'",
     'plain.plans row 1 (basic): cycle: found "moon", expected week, month, quarter, year or'
      " N days (30 days)"),
    ("update plain.subscriptions set starts_at = '2026-01-01 10:00' where subscription_id = 's3'",
     'plain.subscriptions row 3 (s3): starts_at: found "2026-01-01 10:00", expected a local date'
      " (2026-01-31) or an instant with its zone (2026-01-31T09:00:00Z)"),
    ("update plain.alerts set meter = 'emails' where alert_id = 'a1'",
     'plain.alerts row 1 (a1): meter: found "emails", expected a meter of plain.meters'),
    ("update plain.commitments set currency = 'USD' where commitment_id = 'calls'",
     'plain.commitments row 1 (calls): currency: found "USD", expected "EUR" as the subscription'
      " is billed in (plain.subscriptions row 3)"),
    ("insert into plain.discounts select * from plain.discounts where discount_id = 'ten'",
     'plain.discounts row 3 (ten): discount_id: found "ten", expected one row for each'
      " discount_id (row 2 has it)"),
    ("drop table plain.products",
     "plain.products: found nothing, expected this table in the schema plain"),
    ("alter table plain.plans drop column cycle",
     "plain.plans: cycle: found nothing, expected this column in the table"),
]  # fmt: skip


@pytest.mark.parametrize(("broken", "expected"), FAULTS, ids=[case[0] for case in FAULTS])
def test_a_fault_is_named_by_table_and_row(terms_house: House, broken: str, expected: str):
    with open_house(terms_house) as warehouse:
        warehouse.execute("begin")
        warehouse.execute(broken)
        faults = [str(fault) for fault in check_tables(warehouse, "plain")]
        warehouse.execute("rollback")
        assert check_tables(warehouse, "plain") == []
    # Which row of the prices it is hangs on how many there are.
    assert expected in [re.sub(r"prices row \d+", "prices row {}", fault) for fault in faults]


def test_nothing_is_built_from_tables_with_a_fault(terms_house: House):
    fill(terms_house, "broken", sound(), is_native=True)
    terms_house.query("update broken.customers set time_zone = 'Mars/Base'")
    done = terms_house.run("build", "--catalog-schema", "broken", with_catalog=False)
    assert done.returncode == 1
    assert 'broken.customers row 1 (acme): time_zone: found "Mars/Base"' in done.stderr
    assert done.stderr.endswith("tally: the catalogue has 2 faults; nothing was built\n")


def test_what_cannot_be_read_is_one_line(terms_house: House):
    for schema, expected in (
        ("nowhere", "has no schema nowhere with tables"),
        ('x"; drop schema plain', "not the name of a schema (letters, digits, _ and $)"),
        ("", "not the name of a schema (letters, digits, _ and $)"),
    ):
        done = terms_house.run("check", "--catalog-schema", schema, with_catalog=False)
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1
        assert expected in done.stderr


def test_plain_dbt_refuses_what_no_schema_can_be_called(house):
    made = house("duckdb")
    done = made.dbt("build", "--select", "stg_catalog__plans", *variables('x"; drop schema plain'))
    assert done.returncode != 0
    assert "expected the name of a schema" in done.stdout
    done = made.dbt("build", "--select", "stg_catalog__plans", *variables("nowhere"))
    assert done.returncode != 0
    assert "there is no table plans in the schema nowhere" in done.stdout


@pytest.mark.parametrize("engine", ENGINES)
def test_tables_are_billed_as_their_csvs_are(engine: str, house, scenario_twins):
    made = house(engine, None, scenario.rows())
    fill(made, "billing", scenario.catalog(), is_native=True)
    # dbt has a transaction open at the end of such a run: what is published there must stay.
    words = ("--through", scenario.THROUGH, "--catalog-schema", "billing")
    made.build_untested(*words, is_published=True)
    assert made.query("select distinct build_id from published.invoices") == [(1,)]
    for mart in ("invoices", "invoice_lines", "rating_steps", "unbilled_usage"):
        table = f"marts.{mart}"
        assert made.export(table) == scenario_twins[engine].export(table)


# The three places that know the columns


def test_the_macros_know_the_same_tables_and_columns():
    source = (PROJECT / "macros" / "engine" / "catalog_columns.sql").read_text("utf-8")
    environment = jinja2.Environment()
    environment.globals["return"] = json.dumps
    macros = environment.from_string(source).module
    for name, columns in COLUMNS.items():
        assert json.loads(macros.catalog_columns(name)) == list(columns)
        later = list(OPTIONAL_COLUMNS.get(name, ()))
        assert json.loads(macros.optional_catalog_columns(name)) == later
    assert json.loads(macros.optional_catalog_tables()) == list(OPTIONAL_FILES)


def test_a_project_may_name_the_schema_itself(tmp_path: Path):
    assert project_schema(PROJECT) == ""
    file = tmp_path / "dbt_project.yml"
    file.write_text("name: tallyhouse\nvars:\n  catalog_schema: billing\n", encoding="utf-8")
    assert project_schema(tmp_path) == "billing"
    text = "name: tallyhouse\nvars:\n  tallyhouse:\n    catalog_schema: own\n"
    file.write_text(text, encoding="utf-8")
    assert project_schema(tmp_path) == "own"


@pytest.mark.parametrize("name", ["billing", "_b$1", "Billing", "b" * 63])
def test_names_of_schemas(name: str):
    assert check_schema_name(name) == name


@pytest.mark.parametrize("name", ["", "1b", "a.b", "a b", 'a"', "a;", "b" * 64, "ä"])
def test_no_names_of_schemas(name: str):
    with pytest.raises(UserError, match="not the name of a schema"):
        check_schema_name(name)
