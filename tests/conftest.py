"""Fixtures of the whole suite: a real Postgres, and houses to build in.

Nothing is mocked: a house is a DuckDB file or a database of a real server, and what a test
reads was made by `tally build` in a process of its own.
"""

from __future__ import annotations

import gc
import itertools
import os
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import pytest

from tests import scenario
from tests.house_server import PARSED
from tests.houses import House
from tests.postgres_server import fresh_database
from tests.scheduling import place_of
from tests.worlds import SEEDS, random_world

os.environ.setdefault("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")

ENGINES = ("duckdb", "postgres")
HouseFactory = Callable[..., House]


def pytest_configure(config: pytest.Config) -> None:
    """What the servers of houses have parsed is shared by all workers, and gone with this run."""
    if PARSED not in os.environ:
        folder = tempfile.mkdtemp(prefix="tally_parsed_")
        os.environ[PARSED] = folder
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


def pytest_xdist_make_scheduler(config, log):
    """Each house is built by one worker (see tests/scheduling.py)."""
    from tests.scheduling import HouseScheduling

    config.option.loadscopereorder = False
    return HouseScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first, or a worker ends alone."""
    items.sort(key=lambda item: place_of(item.nodeid))


def pytest_runtest_teardown() -> None:
    """A build in this process has left garbage for its end, which is far."""
    gc.enable()


@pytest.fixture(scope="session")
def house(tmp_path_factory) -> HouseFactory:
    """Makes houses: house(engine, catalog, rows) -> House, not yet built.

    `catalog` is a folder, or rows by file name; `rows` are mappings of raw.usage_events.
    """
    numbers = itertools.count(1)

    def make(engine: str, catalog=None, rows=()) -> House:
        folder = Path(tmp_path_factory.mktemp(f"house_{engine}"))
        environment = {}
        if engine == "postgres":
            environment = fresh_database(f"house_{os.getpid()}_{next(numbers)}")
        made = House(engine, folder, catalog, environment)
        made.insert(rows)
        return made

    return make


@pytest.fixture(scope="session")
def twins(house) -> Callable[..., dict[str, House]]:
    """Builds one scenario on both engines at once: twins(catalog, rows, build)."""

    def make(catalog, rows, build: Callable[[House], object]) -> dict[str, House]:
        rows = list(rows)
        houses = {engine: house(engine, catalog, rows) for engine in ENGINES}
        with ThreadPoolExecutor(len(houses)) as pool:
            for built in [pool.submit(build, each) for each in houses.values()]:
                built.result()
        return houses

    return make


@pytest.fixture(scope="session")
def scenario_twins(twins) -> dict[str, House]:
    """The scenario written by hand, built once on each engine through its last day."""
    return twins(
        scenario.catalog(),
        scenario.rows(),
        lambda each: each.build("--through", scenario.THROUGH),
    )


@pytest.fixture(scope="session")
def corrected_twins(twins) -> dict[str, House]:
    """The story of late usage, closed in several builds on DuckDB, in one on PostgreSQL."""
    from tests import test_corrections as story

    def build(house: House) -> None:
        house.build_days(*(story.STEPS if house.engine == "duckdb" else story.STEPS[-1:]))

    return twins(story._catalog(), story._rows(), build)


@pytest.fixture(scope="session")
def world_houses(twins) -> Callable[[int], dict[str, House]]:
    """Random worlds of the oracle's by seed, each built once on each engine."""

    @cache
    def make(seed: int) -> dict[str, House]:
        catalog, rows, as_of_day = random_world(seed)
        return twins(catalog, rows, lambda each: each.build_days(str(as_of_day)))

    return make


@pytest.fixture(scope="session")
def world_twins(world_houses) -> dict[str, House]:
    """The first of them."""
    return world_houses(SEEDS[0])
