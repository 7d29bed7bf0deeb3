"""What BI reads while builds run: each reader sees one published build, whole, or the next one.

On PostgreSQL readers go round and round beside builds of several days, one of which is stopped by
what came in while it closed, and one killed when its close was posted. What they saw is compared
with the working marts as each build that ended well had left them.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg2
import pytest
import yaml

from orchestration.dbt_commands import UNPUBLISHED, side_command
from tests import scenario
from tests.crash import AFTER, Ended, Moment, delivered, run_until
from tests.houses import PROJECT, House

PUBLISHED, WORKING = "published", "marts"
# Before the close, after a build has staged what was landed.
NODES = 120
PAUSE = 0.05
STEP = "building"

HEADERS_AND_LINES = """
    with invoices as (select * from {schema}.invoices),
    lines as (
        select invoice_id, {line_build} as build_id, count(*) as line_count,
            sum(line_total) as line_total
        from {schema}.invoice_lines group by 1, 2
    )
    select
        count(*) filter (
            where invoices.invoice_total is distinct from lines.line_total
                or invoices.line_count is distinct from lines.line_count
        ) as unlike,
        count(distinct {build}), min({build}),
        count(*) filter (where status = 'final'), count(*) filter (where status = 'draft'),
        sum(invoices.invoice_total), sum(lines.line_total)
    from invoices full join lines on invoices.invoice_id = lines.invoice_id
"""
ROWS = """
    select count(*), md5(coalesce(string_agg(row_text, '|' order by row_text collate "C"), ''))
    from (select cast(row({columns}) as text) as row_text from {schema}.{mart}) as texts
"""


def _public_models() -> dict[str, dict[str, Any]]:
    models = {}
    for file in (PROJECT / "models").rglob("*.yml"):
        for model in yaml.safe_load(file.read_text("utf-8")).get("models", []):
            if model.get("access") == "public":
                models[model["name"]] = model
    return models


def _unpublished() -> set[str]:
    project = yaml.safe_load((PROJECT / "dbt_project.yml").read_text("utf-8"))
    return set(project["vars"]["unpublished"])


MARTS = sorted(_public_models().keys() - _unpublished())


def _connect(house: House):
    return closing(house._connect().connection)


def _columns(house: House) -> dict[str, str]:
    """The columns of each published mart but build_id, as its YAML has them."""
    return {
        mart: ", ".join(column["name"] for column in _public_models()[mart]["columns"])
        for mart in MARTS
    }


def _all_rows(query, schema: str, columns: dict[str, str]) -> dict[str, tuple]:
    """How many rows each mart has and a digest of them, and what headers and lines come to."""
    build = "coalesce(invoices.build_id, lines.build_id)" if schema == PUBLISHED else "0"
    totals = HEADERS_AND_LINES.format(
        schema=schema, build=build, line_build="build_id" if schema == PUBLISHED else "0"
    )
    found = query(totals)[0]
    rows = {"headers and lines": (found[0], *found[3:])}
    for mart in MARTS:
        rows[mart] = query(ROWS.format(schema=schema, mart=mart, columns=columns[mart]))[0]
    return rows


@dataclass
class Seen:
    """What readers saw: of one statement, and of one transaction."""

    statements: list[tuple] = field(default_factory=list)
    transactions: list[tuple[int, int, dict[str, tuple]]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@contextmanager
def _readers(house: House, columns: dict[str, str]) -> Iterator[Seen]:
    """Readers at work beside the block: two of single statements, one of long transactions."""
    seen = Seen()
    stop = threading.Event()

    def read(connection: Any, sql: str) -> list[tuple]:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()

    def read_statements() -> None:
        sql = HEADERS_AND_LINES.format(
            schema=PUBLISHED,
            build="coalesce(invoices.build_id, lines.build_id)",
            line_build="build_id",
        )
        with _connect(house) as connection:
            connection.autocommit = True
            while not stop.is_set():
                seen.statements.append(read(connection, sql)[0])
                time.sleep(PAUSE)

    def read_transactions() -> None:
        build = "select max(build_id) from published.builds"
        with _connect(house) as connection:
            connection.set_session(isolation_level="REPEATABLE READ", autocommit=False)

            def query(sql: str) -> list[tuple]:
                time.sleep(PAUSE / 10)
                return read(connection, sql)

            while not stop.is_set():
                before = query(build)[0][0]
                rows = _all_rows(query, PUBLISHED, columns)
                after = query("select distinct build_id from published.invoices")
                seen.transactions.append((before, after[0][0], rows))
                connection.rollback()

    def guard(work) -> None:
        try:
            work()
        except psycopg2.Error as error:
            seen.errors.append(str(error))

    threads = [
        threading.Thread(target=guard, args=[work], daemon=True)
        for work in (read_statements, read_statements, read_transactions)
    ]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)


@dataclass
class Story:
    """A house that is built beside its readers."""

    house: House
    columns: dict[str, str]
    states: dict[int, dict[str, tuple]] = field(default_factory=dict)
    definitions: dict[int, list[tuple]] = field(default_factory=dict)
    unpublished: list[tuple[Ended, list[tuple], int]] = field(default_factory=list)
    patient: list[dict[str, tuple]] = field(default_factory=list)
    seen: Seen | None = None

    def tell(self) -> Story:
        self.house.insert(delivered(0, 30))
        self.house.build_untested("--through", "2026-01-31", is_published=True)
        self.note()
        with _connect(self.house) as patient:
            patient.set_session(isolation_level="REPEATABLE READ", autocommit=False)
            self.patient.append(self.look(patient))
            with _readers(self.house, self.columns) as self.seen:
                self.close_in_trouble()
                self.build("2026-02-02")
                self.house.insert(delivered(33, 33))
                self.build("2026-02-03")
            self.patient.append(self.look(patient))
        return self

    def close_in_trouble(self) -> None:
        self.house.insert(delivered(31, 32))
        stray = {**delivered(32, 32)[-1], "load_id": "stray", "event_key": "stray"}
        self.try_to_build(Moment(nodes=NODES), lambda _: self.house.insert([stray]))
        for table in ("usage_events", "loads"):
            self.house.query(f"delete from raw.{table} where load_id = 'stray'")
        self.try_to_build(Moment(0, AFTER))

    def try_to_build(self, moment: Moment, act: Any = None) -> None:
        words = self.house.words("build", "--through", "2026-02-02")
        ended = run_until(self.house, [(STEP, words)], moment, act)
        ((posted,),) = self.house.query("select count(*) from ledger.documents")
        self.unpublished.append((ended, self.builds(), posted))

    def build(self, through: str) -> None:
        self.house.build_untested("--through", through, is_published=True)
        self.note()

    def builds(self) -> list[tuple]:
        return self.house.query("select build_id, as_of_day from published.builds order by 1")

    def note(self) -> None:
        """The working marts of a house at rest are what its last build published."""
        build_id = self.builds()[-1][0]
        self.states[build_id] = _all_rows(self.house.query, WORKING, self.columns)
        self.definitions[build_id] = self.house.query(
            "select relation, definition from pinned.relations order by 1"
        )

    def look(self, connection: Any) -> dict[str, tuple]:
        def query(sql: str) -> list[tuple]:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return cursor.fetchall()

        return _all_rows(query, PUBLISHED, self.columns)


@pytest.fixture(scope="module")
def story(house) -> Story:
    made = house("postgres", scenario.catalog())
    return Story(made, _columns(made)).tell()


def test_builds_failed_as_they_were_meant_to(story):
    (stopped, _, posted_before), (killed, _, posted_after) = story.unpublished
    assert stopped.code == 1
    # A data test, or the close itself, whichever comes first.
    assert re.search("landed_is_metered|came in", stopped.said)
    assert killed.code == -9
    assert killed.phase == AFTER
    # January was closed by the build that was killed, and nobody was shown it.
    assert posted_before < posted_after
    assert story.states[1]["headers and lines"][1] == posted_before
    assert story.states[2]["headers and lines"][1] == posted_after


def test_a_build_that_failed_published_nothing(story):
    for _, builds, _ in story.unpublished:
        assert [build_id for build_id, _ in builds] == [1]
    assert [str(day) for _, day in story.builds()] == ["2026-01-31", "2026-02-02", "2026-02-03"]


def test_each_statement_saw_one_published_build(story):
    seen = set(story.seen.statements)
    assert story.seen.errors == []
    assert {found[0] for found in seen} == {0}
    assert {found[1] for found in seen} == {1}
    legal = {(build, *rows["headers and lines"][1:]) for build, rows in story.states.items()}
    assert {found[2:] for found in seen} <= legal
    # They did see the builds come.
    assert {1, 2} <= {found[2] for found in seen}


def test_each_transaction_saw_one_published_build(story):
    """All marts, statement by statement, are those of one build as it was when it ended."""
    assert story.seen.transactions
    for before, after, rows in story.seen.transactions:
        assert before == after
        assert rows == story.states[before], before
    assert len({before for before, _, _ in story.seen.transactions}) > 1


def test_a_reader_keeps_what_it_began_with_and_holds_nobody_up(story):
    first, last = story.patient
    assert first == last == story.states[1]


def test_what_is_published_is_made_of_the_same_definitions_each_day(story):
    """Else views would have to be made anew beside their readers."""
    assert story.definitions[2] == story.definitions[3]


def test_no_reader_meets_a_table_that_a_run_makes(story):
    found = story.house.query(
        """
        with recursive walk as (
            select oid from pg_class
            where relnamespace = 'published'::regnamespace and relkind = 'v'
            union
            select reads.oid from walk cross join lateral pinned.reads_of(walk.oid) as reads (oid)
        )
        select distinct relnamespace::regnamespace::text from walk inner join pg_class using (oid)
        """
    )
    assert {room for (room,) in found} == {"published", "pinned", "ledger", "exports"}


def test_a_mart_that_a_release_changed_is_published_as_it_is_now(story):
    """With other columns, as a table that was a view, with another definition, or not at all."""
    house = story.house
    for statement in (
        "drop view marts.loads",
        "create view marts.loads as select load_id, cast(1 as bigint) as novel from raw.loads",
        "drop view marts.refused_invoice_actions",
        "create table marts.refused_invoice_actions as select cast('x' as text) as action_id",
        "alter table rating.int_rating__unbilled_events add column novel text",
    ):
        house.query(statement)
    ((run,),) = house.query("select invocation_id from builds.current_run")
    marts = [mart for mart in MARTS if mart != "customer_balances"]
    names = ", ".join(f"'{mart}'" for mart in marts)
    house.query(f"select pinned.pin_build('{run}', array[{names}])")
    assert house.columns("published.loads") == ["load_id", "novel", "build_id"]
    assert house.query("select * from published.refused_invoice_actions") == [("x", 3)]
    (unbilled,) = house.query("select count(*) from marts.unbilled_usage")
    assert [unbilled] == house.query("select count(*) from published.unbilled_usage")
    views = house.query("select viewname from pg_views where schemaname = 'published'")
    assert sorted(name for (name,) in views) == marts


# Both engines


@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
def test_every_public_mart_is_published_with_its_build(scenario_twins, engine):
    house = scenario_twins[engine]
    views = house.query(
        "select table_name from information_schema.tables where table_schema = 'published'"
    )
    assert sorted(name for (name,) in views) == sorted([*MARTS, "builds"])
    ((build_id,),) = house.query("select max(build_id) from published.builds")
    for mart in MARTS:
        names = ", ".join(house.columns(f"marts.{mart}"))
        assert house.columns(f"published.{mart}") == [*names.split(", "), "build_id"]
        shown = house.query(f"select {names} from published.{mart} where build_id = {build_id}")
        assert sorted(map(str, shown)) == sorted(
            map(str, house.query(f"select {names} from marts.{mart}"))
        )


def test_the_readme_says_what_is_published_and_what_is_not():
    section = (PROJECT / "README.md").read_text("utf-8").partition("## What BI reads")[2]
    section = section.partition("\n## ")[0]
    told = set(re.findall(r"`([a-z_]+)`", section))
    assert set(MARTS) <= told | {"rated_lines"}
    assert _unpublished() <= told


def test_a_house_beside_the_house_publishes_nothing(tmp_path):
    assert UNPUBLISHED.items() <= side_command(PROJECT, "side_", tmp_path).environment.items()


def test_a_run_of_some_models_leaves_marts_of_no_build(house):
    """On DuckDB, where the published views are the marts themselves."""
    made = house("duckdb", scenario.catalog(), delivered(0, 3)).build_untested(is_published=True)
    builds = "select distinct build_id from published.invoices"
    assert made.query(builds) == [(1,)]
    assert made.dbt("--quiet", "run", "--select", "customer_balances").returncode == 0
    assert made.query(builds) == [(None,)]
    assert made.build_untested(is_published=True).query(builds) == [(2,)]
