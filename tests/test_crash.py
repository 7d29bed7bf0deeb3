"""Killed, cut off, out of room, two at once: what was landed and closed is never harmed.

One house an engine goes through all of it and is run again each time, as a person would; in the
end it holds what a house holds that nobody disturbed. `make crash` does it at many more moments.
"""

import contextlib
import random
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest

from orchestration.causes import find_cause
from orchestration.errors import UserError
from orchestration.sole_build import BUILD_LOCK, MODELS_LOCK, sole_build
from tests import scenario
from tests.crash import (
    AFTER,
    BUILDING,
    CLOSING,
    ENGINES,
    LANDING,
    LEDGER_TABLES,
    Moment,
    Watch,
    bytes_of,
    differences,
    kill,
    run_to_the_end,
    run_until,
    start,
    steps_of,
    write_usage,
)
from tests.houses import PROJECT

EACH = pytest.mark.parametrize("engine", ENGINES)
BUILD = ("--through", scenario.THROUGH)
# Nodes of a build before its close; a catalogue and a project have some more.
NODES = 250
TABLES = (
    *LEDGER_TABLES,
    "marts.invoices",
    "marts.invoice_lines",
    "marts.rating_steps",
    "marts.unbilled_usage",
    "marts.rejected_events",
    "marts.loads",
    "marts.usage_daily",
    "builds.built_days",
    "builds.house_state",
)
HOUSE = "hashtext('tallyhouse ')"


def _landed(house):
    return house.query("select count(*) from raw.usage_events where load_id not like 'stray%'")


def _closed(house):
    return {table: house.query(f"select count(*) from {table}") for table in LEDGER_TABLES}


def _cut_off(house, condition):
    """What an operator's hand, or a server that stops, does to whoever is at work in a house: the
    act of a moment. A session between two statements would not notice."""

    def cut(process):
        ended = []
        while not ended and process.poll() is None:
            ended = house.query(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname ="
                " current_database() and pid <> pg_backend_pid() and state <> 'idle'"
                f" and {condition}"
            )
            time.sleep(0.005)

    return cut


class _Story:
    """What a house goes through, and what was seen of it."""

    def __init__(self, house, file):
        self.house = house
        self.file = file
        self.dice = random.Random(f"crash {house.engine}")
        self.seen = {}

    def tell(self):
        steps = steps_of(self.house, self.file, *BUILD)
        land, build = steps[:1], steps[1:]
        self.seen["landed before"] = _landed(self.house)
        self.land_in_trouble(land)
        self.seen["landing"] = run_until(
            self.house, land, Moment(self.dice.uniform(0, 0.1), LANDING)
        )
        self.seen["landed after"] = _landed(self.house)
        self.seen["building"] = run_until(
            self.house, steps, Moment(nodes=self.dice.randrange(1, NODES))
        )
        self.build_in_trouble(build)
        self.seen["closed before"] = _closed(self.house)
        self.seen["closing"] = self.kill_the_close(build)
        self.seen["closed after"] = _closed(self.house)
        self.two_at_once(steps)
        return self

    def land_in_trouble(self, land):
        if self.house.engine == "duckdb":
            process = start(self.house, land[0][1], room=600_000)
            said = process.communicate()[1]
            self.seen["landing in trouble"] = said
            return
        cut_off = _cut_off(self.house, "query like 'copy %'")
        ended = run_until(self.house, land, Moment(0, LANDING), cut_off)
        self.seen["landing in trouble"] = ended.said

    def build_in_trouble(self, build):
        if self.house.engine == "duckdb":
            watch = Watch(self.house)
            watch.begin()
            process = start(self.house, build[0][1], room=watch.file_size + 200_000)
            self.seen["building in trouble"] = process.communicate()[1]
            return
        # What the close stands on: a node beside its way does not stop it.
        cut_off = _cut_off(self.house, "query like '%model.tallyhouse.stg_raw__deliveries%'")
        ended = run_until(self.house, build, Moment(nodes=20), cut_off)
        self.seen["building in trouble"] = ended.said
        # Another loader brings usage of a day that is being closed, after it was staged.
        stray = {**scenario.rows()[-1], "load_id": "stray", "event_key": "stray"}
        ended = run_until(
            self.house, build, Moment(nodes=NODES), lambda _: self.house.insert([stray])
        )
        self.seen["usage came in"] = ended.said
        for table in ("usage_events", "loads"):
            self.house.query(f"delete from raw.{table} where load_id = 'stray'")

    def kill_the_close(self, build):
        if self.house.engine == "duckdb":
            return run_until(self.house, build, Moment(self.dice.uniform(0, 0.05), CLOSING))
        # Documents are posted, their closes wait: killed in the midst of it, to the statement.
        with self.house._connect() as held:
            held.connection.autocommit = False

            def kill_when_half_posted(process):
                held.rows("lock table ledger.closes in exclusive mode", ())
                waiting = "select count(*) from pg_locks where not granted and relation = "
                while process.poll() is None and not self.house.query(
                    waiting + "cast('ledger.closes' as regclass)"
                ) > [(0,)]:
                    time.sleep(0.01)
                kill(process)

            ended = run_until(self.house, build, Moment(nodes=NODES), kill_when_half_posted)
            held.connection.rollback()
            return ended

    def two_at_once(self, steps):
        """The last run is two builds that begin together."""
        run_to_the_end(self.house, steps[:1])
        builds = [start(self.house, steps[1][1]) for _ in range(2)]
        self.seen["two builds"] = [
            (said, build.returncode) for build in builds for said in [build.communicate()[1]]
        ]


@pytest.fixture(scope="module")
def stories(house, tmp_path_factory):
    file = write_usage(tmp_path_factory.mktemp("crash") / "usage.ndjson")

    def tell(engine):
        return _Story(house(engine, scenario.catalog(), scenario.rows()), file).tell()

    with ThreadPoolExecutor(len(ENGINES)) as pool:
        return dict(zip(ENGINES, pool.map(tell, ENGINES), strict=True))


def test_each_run_was_killed_where_it_was_meant_to_be(stories):
    for engine, story in stories.items():
        killed = [story.seen[name] for name in ("landing", "building", "closing")]
        assert [ended.code for ended in killed] == [-9] * 3, engine
        phases = [ended.phase for ended in killed]
        assert phases[:2] == [LANDING, BUILDING], engine
        assert phases[2] in (CLOSING, AFTER), engine


@EACH
def test_killed_and_run_again_is_the_same(stories, scenario_twins, engine):
    """kill -9 while landing, building and closing: ledger and marts as if nothing had been."""
    expected = bytes_of(scenario_twins[engine], TABLES)
    assert expected["ledger.documents"]
    assert differences(bytes_of(stories[engine].house, TABLES), expected) == []
    assert stories[engine].house.run("verify").returncode == 0


@EACH
def test_a_killed_landing_lands_nothing_and_then_everything_once(stories, engine):
    story = stories[engine]
    assert story.seen["landed after"] == story.seen["landed before"]
    events = story.file.read_text("utf-8").count("\n")
    counts = story.house.query(
        "select row_count, (select count(*) from raw.usage_events where usage_events.load_id ="
        " loads.load_id) from raw.loads where file_name like '%usage.ndjson'"
    )
    assert counts == [(events, events)]


def test_a_killed_close_posts_nothing(stories):
    """The server was in the midst of posting: documents were written, their closes were not."""
    story = stories["postgres"]
    assert story.seen["closing"].phase == CLOSING
    assert story.seen["closed after"] == story.seen["closed before"]


# Two at once


WHO = r"(another build of this house is running|another process is using it) \(process \d+"


@EACH
def test_of_two_builds_at_once_one_waits(stories, engine):
    """What they made is compared above."""
    builds = stories[engine].seen["two builds"]
    assert [code for _, code in builds] == [0, 0], builds
    waited = sorted(said for said, _ in builds)
    assert waited[0] == ""
    assert re.search(WHO + r".*\); waiting\n$", waited[1]), waited


@contextlib.contextmanager
def _held(house):
    """Another process has the house to itself."""
    holding = (
        "import sys\nfrom orchestration.sole_build import sole_build\n"
        f"with sole_build('{house.engine}', 0):\n"
        "    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", holding],
        cwd=PROJECT,
        env=house.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    try:
        yield
    finally:
        process.communicate()


@EACH
def test_who_does_not_wait_is_told(stories, engine):
    house = stories[engine].house
    with _held(house):
        refused = [house.run("build", "--wait", "0")]
        if engine == "duckdb":
            land = ("land", str(stories[engine].file), "--wait", "0")
            refused.append(house.run(*land, with_catalog=False))
    for done in refused:
        assert done.returncode == 1
        assert re.search(WHO, done.stderr)
        assert done.stderr.endswith("; nothing was done, try again when it has finished\n")
        assert done.stderr.count("\n") == 1


@EACH
def test_the_lock_goes_with_its_process(stories, engine, monkeypatch):
    house = stories[engine].house
    for name, value in house.environment.items():
        monkeypatch.setenv(name, value)
    with _held(house):
        refused = pytest.raises(UserError, match=r"\(process \d+.*nothing was done")
        with refused, sole_build(engine, 0):
            pass
    with sole_build(engine, 5):
        pass


def test_what_a_killed_build_left_on_the_server_is_waited_for(stories):
    """A model of an earlier run is on its way: nobody begins before it has ended, and no further
    model of that run begins after."""
    house = stories["postgres"].house
    ((run,),) = house.query("select invocation_id from builds.current_run")
    with house._connect() as model:
        model.connection.autocommit = False
        model.rows("select builds.continue_run(?)", (run,))
        taken = f"select pg_try_advisory_lock({MODELS_LOCK}, {HOUSE})"
        assert house.query(taken) == [(False,)]
        model.connection.rollback()
        assert house.query(taken) == [(True,)]
    house.query("select builds.begin_run('the next', 0)")
    with pytest.raises(psycopg2.errors.RaiseException, match="has begun since, this one stops"):
        house.query("select builds.continue_run(?)", (run,))


def test_plain_dbt_does_not_begin_beside_a_build(stories):
    house = stories["postgres"].house
    with house._connect() as build:
        build.rows(f"select pg_advisory_lock({BUILD_LOCK}, {HOUSE})", ())
        with pytest.raises(psycopg2.errors.RaiseException, match="is running") as refused:
            house.query("select builds.begin_run('plain dbt', 0)")
    assert find_cause(refused.value).happened == "another build of this house is running"


def test_usage_that_comes_in_while_its_day_closes_stops_the_close(stories):
    story = stories["postgres"]
    assert "usage came in for a day that this build was closing" in story.seen["usage came in"]
    assert all(count == [(0,)] for count in story.seen["closed before"].values())


def test_a_landing_that_began_before_the_close_sees_it(stories, tmp_path, monkeypatch):
    """The seal is asked for again once rows are on their way, and nobody can seal from then on."""
    from orchestration import landing

    house = stories["postgres"].house
    file = tmp_path / "late.ndjson"
    file.write_text('{"customer_id": "acme", "event_name": "call"}\n', encoding="utf-8")
    asked = iter([landing.datetime(1900, 1, 1)])
    sealed = landing.sealed_until
    monkeypatch.setattr(landing, "sealed_until", lambda *a: next(asked, None) or sealed(*a))
    with house._connect() as connection:
        (result,) = landing.land(
            [file],
            warehouse=landing.Warehouse("postgres", connection.connection, "test"),
            loaded_at="2026-02-05T23:00:00Z",
        )
    assert result.error.startswith("2026-02-05 is closed")
    assert house.query("select count(*) from raw.loads where file_name like '%late%'") == [(0,)]


# Out of room, cut off


def test_a_full_disk_is_told(stories):
    seen = stories["duckdb"].seen
    assert seen["landing in trouble"].endswith(
        "usage.ndjson: not landed: the disk is full; nothing of this file was landed:"
        " make room and run it again\n"
    )
    assert seen["building in trouble"].startswith(
        "tally: the disk is full; what was landed and closed stands, nothing was closed by halves:"
        " make room and run it again ("
    )
    assert seen["building in trouble"].count("\n") == 1


def test_a_lost_connection_is_told(stories):
    seen = stories["postgres"].seen
    assert seen["landing in trouble"].endswith(
        "usage.ndjson: not landed: the connection to the warehouse was lost; nothing of this file"
        " was landed: run it again when the server answers\n"
    )
    assert seen["building in trouble"].startswith(
        "tally: the connection to the warehouse was lost; what was landed and closed stands,"
        " nothing was closed by halves: run it again when the server answers ("
    )
    assert seen["building in trouble"].count("\n") == 1


@pytest.mark.parametrize(
    ("words", "happened"),
    [
        (
            "could not extend file: No space left on device HINT: Check free disk",
            "the disk is full",
        ),
        ('IO Error: Could not write file "x": Disk quota exceeded', "the disk is full"),
        ("failed to offload data block of size 256.0 KiB", "there is no room for temporary files"),
        ("terminating connection due to administrator command SSL", "the connection"),
        ("could not connect to server: Connection refused", "the connection"),
        ('connection to server at "x", port 5432 failed: Connection refused', "the connection"),
    ],
)
def test_causes_are_known_by_the_engines_words(words, happened):
    assert find_cause("Database Error in model x", words).happened.startswith(happened)


def test_a_fault_of_the_data_is_no_such_cause():
    assert find_cause("Got 3 results, configured to fail if != 0", None) is None
