"""One data set on the public road: `tally land`, `tally build`, then its marts are read."""

from __future__ import annotations

import os
import time
from pathlib import Path

from benchmarks.real import focus, helios, servegen
from benchmarks.real.checks import Result
from benchmarks.real.sources import HERE
from tests.houses import House
from tests.postgres_server import fresh_database

DATA_SETS = {"servegen": servegen, "helios": helios, "focus": focus}


class LandingFailed(AssertionError):
    """A file did not land; holds what `tally land` said."""


def travel(name: str, engine: str, data: Path, folder: Path) -> Result:
    """Land, build and check one data set in a house of its own, made below `folder`.

    Houses of one folder share dbt's target path, so that the project is read once for all.
    Raises LandingFailed, or BuildFailed of tests.houses.
    """
    data_set = DATA_SETS[name]
    result = Result(f"{data_set.NAME}, {engine}")
    environment = fresh_database(f"real_{name}_{os.getpid()}") if engine == "postgres" else {}
    environment["DBT_TARGET_PATH"] = str(folder / "target")
    catalog = data_set.catalog(data, folder / f"{name}_catalog")
    house = House(engine, folder / name, catalog, environment)

    started = time.monotonic()
    for file, mapping, loaded_at in data_set.LOADS:
        mapping_file = HERE / "mappings" / f"{mapping}.yml"
        words = ("--mapping", str(mapping_file), "--loaded-at", loaded_at)
        landed = house.run("land", str(data / file), *words, with_catalog=False)
        if landed.returncode != 0:
            raise LandingFailed(landed.stderr.strip() or landed.stdout.strip())
    result.seconds["land"] = time.monotonic() - started

    started = time.monotonic()
    house.build("--through", data_set.THROUGH)
    result.seconds["build"] = time.monotonic() - started

    started = time.monotonic()
    result.checks = list(data_set.check(house, data))
    result.seconds["check"] = time.monotonic() - started
    return result
