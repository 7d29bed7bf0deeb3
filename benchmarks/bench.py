"""The house beside the floor: `make bench`, or `python -m benchmarks.bench --help`.

Lands made usage, builds it to closed invoices, lands one more day and builds again. Beside it the
floor: one hand-written query on the same engine and raw table that finds first deliveries in the
fastest way known and goes straight to the totals by customer, meter, dimensions and month, which
must equal the house's. dbt's start-up (a build that selects nothing) is said and taken off.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from benchmarks.bench_floor import FLOORS, HOUSE_TOTALS, LINE_TOTALS, differences, floor_setup
from benchmarks.bench_usage import Usage, write_catalog, write_files
from orchestration import warehouse
from orchestration.landing import land
from orchestration.warehouse import Warehouse

PROJECT = Path(__file__).resolve().parent.parent
DEFAULT_EVENTS = {"duckdb": 10_000_000, "postgres": 2_000_000}
FULL_BUILD_BAR = {"duckdb": 5, "postgres": 4}
MEMORY_BAR_GB = 6
DAY_BAR = 8
SCALING_BAR = 12
TERMS_BAR = 1.15
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Measure:
    """Seconds on the wall and of processors, and the greatest memory in GB."""

    wall: float
    cpu: float
    memory: float


class Server:
    """The processes of a PostgreSQL server on this machine; nothing where it is elsewhere."""

    def __init__(self, postmaster: int | None) -> None:
        self.postmaster = postmaster

    def processes(self) -> list[int]:
        if self.postmaster is None:
            return []
        children = Path(f"/proc/{self.postmaster}/task/{self.postmaster}/children")
        return [self.postmaster, *map(int, children.read_text().split())]

    def cpu(self) -> float:
        """Processor seconds of the server so far, ended processes included."""
        ticks = 0
        for process in self.processes():
            try:
                fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            last = 15 if process == self.postmaster else 13
            ticks += sum(int(field) for field in fields[11:last])
        return ticks / CLOCK_TICKS

    def memory(self) -> float:
        """GB held now by the server's processes, what they share counted once."""
        own, shared = 0, 0
        for process in self.processes():
            try:
                status = Path(f"/proc/{process}/status").read_text()
            except OSError:
                continue
            sizes = {
                line.split(":")[0]: int(line.split()[1])
                for line in status.splitlines()
                if line.startswith(("RssAnon", "RssShmem"))
            }
            own += sizes.get("RssAnon", 0)
            shared = max(shared, sizes.get("RssShmem", 0))
        return (own + shared) / 1024**2


@contextmanager
def watched(server: Server) -> Iterator[list[float]]:
    """The greatest memory of the server meanwhile, as a one-item list."""
    peak, done = [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.2):
            peak[0] = max(peak[0], server.memory())

    watcher = threading.Thread(target=watch, daemon=True)
    if server.postmaster is not None:
        watcher.start()
    try:
        yield peak
    finally:
        done.set()


class Bench:
    """One run: its folder, its environment and what it measured."""

    def __init__(
        self, target: str, usage: Usage | None, folder: Path, database: str = "tally_bench"
    ) -> None:
        self.target = target
        self.landed = 0
        self.usage = usage
        self.folder = folder
        self.measures: dict[str, Measure] = {}
        self.model_times: dict[str, list[tuple[str, float]]] = {}
        self.spans: dict[str, float] = {}
        self.environment = {
            **os.environ,
            "DBT_TARGET_PATH": str(folder / "target"),
            "DBT_LOG_PATH": str(folder / "logs"),
            "TALLY_DUCKDB_PATH": str(folder / "tally.duckdb"),
            "TALLY_CATALOG": os.path.relpath(folder / "catalog", PROJECT),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        }
        self.server = Server(None)
        if target == "postgres":
            from tests.postgres_server import fresh_database

            self.environment |= fresh_database(database)
            self.server = Server(self.find_postmaster())

    def find_postmaster(self) -> int | None:
        """The parent of the process that serves a connection, where the server is on this host."""
        with connect(self) as connection:
            if not connection.name.startswith("/"):
                return None
            _, ((process,),) = connection.query("select pg_backend_pid()")
            return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])

    def run(self, step: str, arguments: list[str]) -> str:
        """Run a Python module as a process of its own and measure it; returns what it printed."""
        output = self.folder / "output.txt"
        server_cpu = self.server.cpu()
        started = time.monotonic()
        with watched(self.server) as peak, output.open("w") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                cwd=PROJECT,
                env=self.environment,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - started
        text = output.read_text()
        if process.returncode:
            raise SystemExit(f"{step} failed:\n{text[-4000:]}")
        self.measures[step] = Measure(
            wall,
            usage.ru_utime + usage.ru_stime + self.server.cpu() - server_cpu,
            usage.ru_maxrss / 1024**2 + peak[0],
        )
        print(f"  {step}: {wall:.1f} s", flush=True)
        return text

    def build(self, step: str, *options: str) -> None:
        """The house's own build, and how long each model took."""
        self.run(step, ["orchestration.cli", "build", "--target", self.target, *options])
        self._read_times(step)

    def run_models(self, step: str, selection: str) -> None:
        """Models of a house that is built once more, with nothing else beside them."""
        words = ["run", "--target", self.target, "--select", selection]
        self.run(step, ["dbt.cli.main", *words])
        self._read_times(step)

    def _read_times(self, step: str) -> None:
        """What dbt says of the nodes it just ran: seconds of each, and from first to last."""
        results = json.loads((self.folder / "target" / "run_results.json").read_text())["results"]
        times = [(each["unique_id"].split(".")[2], each["execution_time"]) for each in results]
        self.model_times[step] = sorted(times, key=lambda item: -item[1])
        moments = [
            datetime.fromisoformat(phase[end])
            for each in results
            if not each["unique_id"].startswith("operation.")
            for phase in each["timing"]
            for end in ("started_at", "completed_at")
        ]
        self.spans[step] = (max(moments) - min(moments)).total_seconds() if moments else 0.0

    def start_up(self, step: str) -> None:
        """dbt's start-up: the same process with nothing to build."""
        self.run(step, ["dbt.cli.main", "build", "--target", self.target, "--exclude", "*"])

    def net(self, step: str) -> Measure:
        measure, start_up = self.measures[step], self.measures["start-up"]
        return Measure(measure.wall - start_up.wall, measure.cpu - start_up.cpu, measure.memory)


def connect(bench: Bench) -> Warehouse:
    """The warehouse of the bench's environment, for this process."""
    os.environ.update(bench.environment)
    return warehouse.connect(bench.target)


def run_floor(target: str) -> None:
    """In a process of its own: the floor's totals, written to bench_floor."""
    with warehouse.connect(target) as connection:
        for statement in floor_setup(target):
            connection.execute(statement)
        started, started_cpu = time.monotonic(), time.process_time()
        connection.execute(FLOORS[target])
        print(time.monotonic() - started, time.process_time() - started_cpu)


def run_landing(target: str, folder: Path, first: int, last: int) -> None:
    """In a process of its own: the files of load days first..last, each landed at its day's end."""
    files = sorted(folder.glob("*.ndjson"))[first : last + 1]
    with warehouse.connect(target) as connection:
        for path in files:
            (result,) = land([path], warehouse=connection, loaded_at=f"{path.stem}T23:59:59.999Z")
            if result.error:
                raise SystemExit(result.summary())


def measure(target: str, usage: Usage, folder: Path, with_terms: bool = False) -> Bench:
    """Everything, once."""
    print(
        f"{usage.events:,} events of {usage.customers:,} customers over {usage.days} load days"
        f" on {target}",
        flush=True,
    )
    bench = Bench(target, usage, folder)
    write_catalog(folder / "catalog", usage)
    started = time.monotonic()
    write_files(folder / "files", usage)
    print(f"  made: {time.monotonic() - started:.1f} s", flush=True)
    me, files = "benchmarks.bench", str(folder / "files")
    bench.run("land", [me, "--target", target, "--land", files, "0", str(usage.days - 1)])
    bench.start_up("start-up, first parse")
    bench.start_up("start-up")
    bench.build("full build")
    floor_text = bench.run("floor", [me, "--target", target, "--floor"])
    whole = bench.measures["floor"]
    wall, cpu = map(float, floor_text.split()[-2:])
    # A server's query runs in the server: nearly all of what the process and it used.
    cpu = cpu if target == "duckdb" else whole.cpu
    bench.measures["floor query"] = Measure(wall, cpu, whole.memory)
    check_totals(bench)
    days = [str(usage.days), str(usage.days)]
    bench.run("land one more day", [me, "--target", target, "--land", files, *days])
    bench.build("one more day")
    if with_terms:
        measure_terms(bench, usage)
    return bench


def measure_terms(bench: Bench, usage: Usage) -> None:
    """The full build again, of a house of its own whose catalogue has commercial terms.

    A house that has closed is not built from another catalogue.
    """
    folder = bench.folder / "terms"
    folder.mkdir()
    other = Bench(bench.target, usage, folder, "tally_bench_terms")
    write_catalog(folder / "catalog", usage, with_terms=True)
    files, last = str(bench.folder / "files"), str(usage.days - 1)
    words = ["benchmarks.bench", "--target", bench.target, "--land", files, "0", last]
    other.run("land, terms", words)
    other.start_up("start-up, first parse, terms")
    other.build("full build, terms")
    bench.measures |= other.measures
    bench.model_times |= other.model_times


def check_totals(bench: Bench) -> None:
    """The floor's totals are the house's, row by row; its lines have the same quantities."""
    with connect(bench) as connection:
        _, counts = connection.query("select count(*), sum(event_count) from bench_floor")
        for name, query in (("usage", HOUSE_TOTALS), ("invoice lines", LINE_TOTALS)):
            _, rows = connection.query(differences(query))
            if rows:
                raise SystemExit(f"the floor's totals are not the house's {name}: {rows[:5]}")
        _, (row,) = connection.query(
            "select count(*), sum(case when status = 'final' then 1 else 0 end) from marts.invoices"
        )
        _, (landed,) = connection.query("select count(*) from raw.usage_events")
    bench.landed = landed[0]
    print(
        f"  totals equal: {counts[0][0]:,} totals of {counts[0][1]:,} measured events;"
        f" {row[0]:,} invoices, {row[1]:,} closed",
        flush=True,
    )


def verdict(value: float, bar: float) -> str:
    return f"{value:6.2f}  (bar {bar:g}: {'met' if value <= bar else 'MISSED'})"


def report(bench: Bench) -> None:
    """The table, the slowest models and the bars."""
    query = bench.measures["floor query"].wall
    print(f"\n{'':24}{'wall s':>9}{'cpu s':>9}{'GB':>7}{'rows/s':>12}{'x floor':>9}")

    def line(name: str, seconds: Measure, rows: int | None = None, ratio: bool = False) -> None:
        rate = f"{rows / seconds.wall:12,.0f}" if rows and seconds.wall > 0 else " " * 12
        times = f"{seconds.wall / query:9.2f}" if ratio else ""
        print(f"{name:24}{seconds.wall:9.1f}{seconds.cpu:9.1f}{seconds.memory:7.2f}{rate}{times}")

    for name, seconds in bench.measures.items():
        rows = bench.landed if name in ("land", "full build", "floor query") else None
        line(name, seconds, rows, name == "full build")
    full, day = bench.net("full build"), bench.net("one more day")
    line("full build, net", full, bench.landed, True)
    line("one more day, net", day)
    for step, times in bench.model_times.items():
        total = sum(seconds for _, seconds in times)
        print(f"\n{step}: the slowest of {len(times)} nodes, {total:.1f} s in all")
        for name, seconds in times[:10]:
            print(f"  {seconds:8.2f}  {name}")
    if "full build, terms" in bench.measures:
        terms = bench.net("full build, terms")
        print("\nwith commercial terms    ", verdict(terms.wall / full.wall, TERMS_BAR))
        print("  by processor seconds   ", verdict(terms.cpu / full.cpu, TERMS_BAR))
    memory = max(bench.measures[step].memory for step in ("land", "full build", "one more day"))
    print()
    print("full build / floor      ", verdict(full.wall / query, FULL_BUILD_BAR[bench.target]))
    print("one more day / full     ", verdict(day.wall / full.wall, 1 / DAY_BAR))
    print("peak memory, GB         ", verdict(memory, MEMORY_BAR_GB))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, help="10 million on DuckDB, 2 million on PostgreSQL")
    parser.add_argument("--customers", type=int, default=1000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--target", choices=sorted(FLOORS), default="duckdb")
    parser.add_argument("--scaling", action="store_true", help="a tenth first, and the ratio")
    parser.add_argument("--terms", action="store_true", help="again with commercial terms")
    parser.add_argument("--history", action="store_true", help="one more day, by the history")
    parser.add_argument("--exports", action="store_true", help="10,000 closed invoices as files")
    parser.add_argument("--dagster", action="store_true", help="a day, beside plain dbt")
    parser.add_argument("--credits", action="store_true", help="prepaid credits drawn down")
    parser.add_argument("--subscriptions", type=int, default=2000, help="of --history")
    parser.add_argument("--repeats", type=int, default=3, help="of --history")
    parser.add_argument("--folder", type=Path, default=PROJECT / "target" / "bench")
    parser.add_argument("--keep", action="store_true", help="leave the files and the warehouse")
    parser.add_argument("--land", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--floor", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    target = arguments.target
    if arguments.land:
        folder, first, last = arguments.land
        run_landing(target, Path(folder), int(first), int(last))
        return
    if arguments.floor:
        run_floor(target)
        return
    folder: Path = arguments.folder.resolve()
    other = find_other(arguments)
    if other is None:
        measure_floor(arguments, folder)
    else:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        other(folder)
    if not arguments.keep:
        shutil.rmtree(folder, ignore_errors=True)


def find_other(arguments: argparse.Namespace) -> Callable[[Path], None] | None:
    """What is measured in a folder instead of the floor, if anything was asked for."""
    from benchmarks import bench_credits, bench_dagster, bench_exports, bench_history

    target, subscriptions = arguments.target, arguments.subscriptions
    if arguments.history:
        events_a_day = arguments.events or bench_history.EVENTS_A_DAY
        sizes = (subscriptions, events_a_day, arguments.repeats)
        return lambda folder: bench_history.measure(target, folder, *sizes)
    if arguments.exports:
        return bench_exports.measure
    if arguments.dagster:
        return bench_dagster.measure
    if arguments.credits:
        return lambda folder: bench_credits.measure(target, folder, subscriptions * 5)
    return None


def measure_floor(arguments: argparse.Namespace, folder: Path) -> None:
    """The house beside the floor, at each size asked for."""
    target = arguments.target
    events = arguments.events or DEFAULT_EVENTS[target]
    sizes = [events // 10, events] if arguments.scaling else [events]
    fulls = []
    for size in sizes:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        bench = measure(
            target,
            Usage(size, arguments.customers, arguments.days),
            folder,
            with_terms=arguments.terms,
        )
        report(bench)
        fulls.append(bench.net("full build").wall)
    if arguments.scaling:
        print("ten times the events    ", verdict(fulls[1] / fulls[0], SCALING_BAR))


if __name__ == "__main__":
    main()
