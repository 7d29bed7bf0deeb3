"""kill -9 at seeded moments of landing, building and closing; run again, the bytes are the same.

    python -m tests.crash [--engine duckdb|postgres] [--moments 40] [--seed 1]

A house whose January is about to close is kept as it is; each trial starts from a copy of it, is
killed once or several times on the way (each time run again, as a person would), and runs to its
end. What it then holds is compared with a run that nobody disturbed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from tests import scenario
from tests.house_server import Command
from tests.houses import SERVER, House
from tests.postgres_server import copy_database, fresh_database

ENGINES = ("duckdb", "postgres")
LOADED_AT = "2026-02-06T10:00:00Z"
EVENTS = 120_000
SEAL = "int_invoicing__seal"
LANDING, BUILDING, CLOSING, AFTER = "landing", "building", "closing", "after the close"
# What is compared, beside all marts: what was landed, and what was closed.
RAW_TABLES = ("raw.loads", "raw.usage_events")
LEDGER_TABLES = (
    "ledger.documents",
    "ledger.lines",
    "ledger.closes",
    "ledger.seals",
    "ledger.sealed_days",
    "ledger.catalog_rows",
    "ledger.credit_entries",
    "ledger.credit_days",
    "ledger.credit_balances",
    "ledger.credit_steps",
    "ledger.credit_vectors",
)
# The log of runs says when each ran and under which id: no run has the bytes of another.
RUN_LOG = "rating_runs"
POLL = 0.005

Steps = list[tuple[str, list[str]]]


def write_usage(path: Path, events: int = EVENTS) -> Path:
    """A file of usage on the last day of the scenario, big enough to be killed on its way in."""
    with path.open("w", encoding="utf-8") as file:
        for number in range(events):
            event = {
                "customer_id": "acme",
                "event_name": "completion",
                "occurred_at": f"2026-02-06T{number % 9:02d}:{number // 9 % 60:02d}:00Z",
                "event_key": f"bulk-{number}",
                "properties": {"usage": {"tokens": number % 7}, "user": f"u{number % 9}"},
            }
            file.write(json.dumps(event) + "\n")
    return path


def delivered(first: int, last: int) -> list[dict]:
    """The rows of the scenario that were loaded on days `first` to `last` of it."""
    days = sorted({row["loaded_at"].date() for row in scenario.rows()})
    wanted = set(days[first : last + 1])
    return [row for row in scenario.rows() if row["loaded_at"].date() in wanted]


# A moment


@dataclass
class Moment:
    """When something happens to a run: `seconds` after it began, or after `phase` did, or after
    dbt has started so many `nodes`, if one is named."""

    seconds: float = 0.0
    phase: str | None = None
    nodes: int | None = None

    def __str__(self) -> str:
        if self.nodes is not None:
            return f"node {self.nodes}"
        return f"{self.phase} + {self.seconds:.3f} s" if self.phase else f"{self.seconds:.2f} s"


@dataclass
class Ended:
    """How a run ended: what it was doing when it was killed or `act` was done (None: it had ended
    before), its exit code, and what it said on stderr."""

    phase: str | None
    code: int
    said: str


@dataclass
class Watch:
    """What can be seen of a run from outside."""

    house: House
    log_size: int = 0
    file_size: int = 0

    def begin(self) -> None:
        """From here on a run is watched."""
        self.log_size = self._log.stat().st_size if self._log.exists() else 0
        self.file_size = self._stored()

    @property
    def _log(self) -> Path:
        return Path(self.house.environment["DBT_LOG_PATH"]) / "dbt.log"

    def _stored(self) -> int:
        path = Path(self.house.environment["TALLY_DUCKDB_PATH"])
        files = (path, path.with_name(path.name + ".wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    def log(self) -> str:
        """What dbt has logged since `begin`."""
        if not self._log.exists():
            return ""
        with self._log.open("rb") as file:
            file.seek(self.log_size)
            return file.read().decode("utf-8", "replace")

    def is_landing(self) -> bool:
        """Rows are on their way into raw."""
        if self.house.engine == "duckdb":
            return self._stored() != self.file_size
        ((copying,),) = self.house.query(
            "select count(*) from pg_stat_activity where datname = current_database()"
            " and state = 'active' and query like 'copy %'"
        )
        return copying > 0

    def phase_of_build(self) -> str:
        """How far a build has come, by dbt's log."""
        lines = [line for line in self.log().splitlines() if f".{SEAL} " in line]
        if not lines:
            return BUILDING
        return AFTER if any(" OK " in line for line in lines) else CLOSING

    def phase(self, step: str) -> str:
        """What a run is doing that is at `step`."""
        return LANDING if step == LANDING else self.phase_of_build()

    def has_come(self, moment: Moment, step: str) -> bool:
        """Whether a run at `step` is where the seconds of `moment` are counted from."""
        if moment.nodes is not None:
            return step == BUILDING and self.log().count("[RUN]") >= moment.nodes
        if moment.phase == LANDING:
            return step == LANDING and self.is_landing()
        if moment.phase is not None:
            return step == BUILDING and self.phase_of_build() in (moment.phase, AFTER)
        return True


def run_until(
    house: House,
    steps: Steps,
    moment: Moment,
    act: Callable[[Command], None] | None = None,
) -> Ended:
    """Run `steps` one after another; at `moment` the one that is running is killed, or whatever
    `act` does happens. Ends with the first step that does not end well."""
    watch = Watch(house)
    watch.begin()
    began = None
    phase = None
    ended = Ended(None, 0, "")
    for step, command in steps:
        process = start(house, command)
        while process.poll() is None:
            if began is None and watch.has_come(moment, step):
                began = time.monotonic()
            if phase is None and began is not None and time.monotonic() >= began + moment.seconds:
                (act or kill)(process)
                phase = watch.phase(step)
            time.sleep(POLL)
        ended = Ended(phase, process.returncode, process.communicate()[1])
        if process.returncode:
            break
    return ended


def start(house: House, command: list[str], room: int | None = None) -> Command:
    """A command in a process group of its own, so that all of it can be killed."""
    return SERVER.start(command, house.environment, room)


def kill(process: Command) -> None:
    """kill -9 of a command and all that it has started."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def steps_of(house: House, file: Path, *words: str) -> Steps:
    """The landing of `file`, and the build after it."""
    land = ["land", str(file), "--loaded-at", LOADED_AT]
    return [
        (LANDING, house.words(*land, with_catalog=False)),
        (BUILDING, house.words("build", *words)),
    ]


def run_to_the_end(house: House, steps: Steps) -> dict[str, float]:
    """Run `steps`; the seconds that each took. Raises AssertionError with what a step said."""
    took = {}
    for step, command in steps:
        began = time.monotonic()
        done = SERVER.run(command, house.environment)
        if done.returncode:
            raise AssertionError(f"{house.engine}: {step}: {done.stderr.strip()}")
        took[step] = time.monotonic() - began
    return took


def bytes_of(house: House, tables: tuple[str, ...] | None = None) -> dict[str, list[str]]:
    """Every row of `tables` as text: raw, the ledger and all marts but the log of runs, unless
    others are named."""
    if tables is None:
        marts = house.query(
            "select table_name from information_schema.tables"
            f" where table_schema = 'marts' and table_name <> '{RUN_LOG}'"
        )
        tables = (*RAW_TABLES, *LEDGER_TABLES, *sorted(f"marts.{name}" for (name,) in marts))
    return {table: house.export(table) for table in tables}


def differences(found: dict[str, list[str]], expected: dict[str, list[str]]) -> list[str]:
    """The tables that are not alike, each with how many rows are on one side alone."""
    told = []
    for table in sorted(found.keys() | expected.keys()):
        one, other = Counter(found.get(table, [])), Counter(expected.get(table, []))
        if one != other:
            more, fewer = (one - other).total(), (other - one).total()
            told.append(f"{table}: {more} rows too many, {fewer} missing")
    return told


# Many of them


@dataclass
class Bench:
    """A house of one engine to start trials from, and what an undisturbed run makes of it."""

    engine: str
    folder: Path
    file: Path
    base: House = field(init=False)
    expected: dict[str, list[str]] = field(init=False)
    took: dict[str, float] = field(init=False)

    def prepare(self) -> None:
        """January built; its last days and those after it landed and not built."""
        environment = fresh_database("crash_base") if self.engine == "postgres" else {}
        self.base = House(self.engine, self.folder / "base", scenario.catalog(), environment)
        self.base.insert(delivered(0, 30))
        self.base.build()
        self.base.insert(delivered(31, 35))
        with self.trial() as house:
            self.took = run_to_the_end(house, steps_of(house, self.file))
            self.expected = bytes_of(house)
        assert self.expected["ledger.documents"], "nothing was closed"

    @contextmanager
    def trial(self) -> Iterator[House]:
        """A copy of the base; dbt's own files are shared, as they are by runs of one project."""
        folder = self.folder / "trial"
        folder.mkdir(exist_ok=True)
        environment = {
            "DBT_TARGET_PATH": str(self.folder / "target"),
            "DBT_LOG_PATH": str(self.folder / "logs"),
        }
        if self.engine == "postgres":
            environment |= copy_database("crash_base", "crash_trial")
        else:
            for left in folder.glob("tally.duckdb*"):
                left.unlink()
            path = self.base.environment["TALLY_DUCKDB_PATH"]
            shutil.copyfile(path, folder / "tally.duckdb")
        yield House(self.engine, folder, self.base.catalog, environment)

    def moments(self, count: int, dice: random.Random) -> list[list[Moment]]:
        """Trials of one to three kills each, `count` in all.

        Most are spread evenly over the length of an undisturbed run; of each eight, two hit the
        close and one the landing's rows, which are short.
        """
        length = sum(self.took.values())
        trials: list[list[Moment]] = []
        drawn = 0
        while drawn < count:
            trial = []
            for _ in range(min(dice.choice((1, 1, 2, 3)), count - drawn)):
                if drawn % 8 in (2, 6):
                    trial.append(Moment(dice.uniform(0, 0.3), CLOSING))
                elif drawn % 8 == 4:
                    trial.append(Moment(dice.uniform(0, 0.5), LANDING))
                else:
                    trial.append(Moment(dice.uniform(0, length)))
                drawn += 1
            trials.append(trial)
        return trials


def run_trials(bench: Bench, count: int, seed: int) -> list[tuple[str, str, str, str]]:
    """(engine, moment, what was killed, equal or what differs), a row a kill."""
    table = []
    for trial in bench.moments(count, random.Random(f"{seed} {bench.engine}")):
        with bench.trial() as house:
            killed = [
                (moment, run_until(house, steps_of(house, bench.file), moment).phase)
                for moment in trial
            ]
            try:
                run_to_the_end(house, steps_of(house, bench.file))
                unequal = differences(bytes_of(house), bench.expected)
                verdict = "; ".join(unequal) or "equal"
            except AssertionError as fault:
                verdict = f"did not run again: {fault}"
        for moment, phase in killed:
            table.append((bench.engine, str(moment), phase or "had ended", verdict))
            now = datetime.now().strftime("%H:%M:%S")
            print(f"{now}  {len(table)}/{count}  {'  '.join(table[-1])}", flush=True)
    return table


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--engine", choices=ENGINES, action="append", help="default: both")
    parser.add_argument("--moments", type=int, default=40, help="kills on each engine")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    table = []
    with tempfile.TemporaryDirectory(prefix="tally_crash_") as folder:
        file = write_usage(Path(folder) / "usage.ndjson")
        for engine in arguments.engine or ENGINES:
            (Path(folder) / engine).mkdir()
            bench = Bench(engine, Path(folder) / engine, file)
            bench.prepare()
            lengths = ", ".join(f"{step} {took:.1f} s" for step, took in bench.took.items())
            print(f"{engine}: undisturbed: {lengths}", flush=True)
            table += run_trials(bench, arguments.moments, arguments.seed)
    print(f"\n{'engine':10}{'moment':22}{'killed while':18}outcome")
    for engine, moment, phase, verdict in table:
        print(f"{engine:10}{moment:22}{phase:18}{verdict}")
    for engine in arguments.engine or ENGINES:
        rows = [row for row in table if row[0] == engine]
        phases = ", ".join(f"{n} {phase}" for phase, n in Counter(r[2] for r in rows).items())
        equal = sum(row[3] == "equal" for row in rows)
        print(f"{engine}: {len(rows)} kills ({phases}); {equal} equal")
    return 0 if all(row[3] == "equal" for row in table) else 1


if __name__ == "__main__":
    sys.exit(main())
