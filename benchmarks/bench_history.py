"""One more day beside the history that it comes on top of: `make bench HISTORY=1`.

Two houses of the same subscriptions and the same usage a day, one with a month of closed invoices
and one with 36 (each built in one range), are given one more day; the second is also given a day
of which one event in a hundred is late and falls into one of 12 closed months. Each day is built
several times from a copy of its house, in turns, and the medians are compared, dbt's start-up
taken off.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from statistics import median

import duckdb

from benchmarks.bench import Bench, connect, verdict
from benchmarks.bench_usage import write_catalog
from orchestration.landing import create_raw_tables

# The last closed month is the one before; its invoices closed on the 3rd.
LAST_DAY = date(2026, 1, 15)
MORE_DAY = LAST_DAY + timedelta(1)
FIRST_OPEN_MONTH = date(2026, 1, 1)
LATE_MONTHS = 12
LATE_ONE_IN = 100
# Five events of each of 2,000 subscriptions: usage that is sent summed up, not call by call.
EVENTS_A_DAY = 10_000
HISTORY_BAR = 1.3
LATE_BAR = 2
SHORT, LONG = 1, 36
COLUMNS = (
    "load_id, line_number, loaded_at, customer_id, event_name, occurred_at, event_key, properties"
)


@dataclass(frozen=True)
class History:
    """Closed months of `customers` with `events_a_day` events a day, up to LAST_DAY."""

    months: int
    customers: int
    events_a_day: int

    @property
    def billed_from(self) -> date:
        months = FIRST_OPEN_MONTH.year * 12 + FIRST_OPEN_MONTH.month - 1 - self.months
        return date(months // 12, months % 12 + 1, 1)


def events_query(history: History, first: date, last: date, late_one_in: int = 0) -> str:
    """The events of load days first..last as columns of raw; each value a hash of its number.

    Every event happens on its load day, but for one in `late_one_in`: those fall, in turn, into
    the months that closed last.
    """
    size = history.events_a_day
    begin = (first - date(2020, 1, 1)).days * size
    end = ((last - date(2020, 1, 1)).days + 1) * size
    is_late = f"event % {late_one_in} = 0" if late_one_in else "false"
    return f"""
    with drawn as (
        select
            range as event,
            timestamp '2020-01-01' + to_days(cast(range // {size} as integer)) as day,
            hash(range) as h
        from range({begin}, {end})
    ),
    placed as (
        select
            *,
            case
                when {is_late}
                    then
                        timestamp '{FIRST_OPEN_MONTH}'
                        - to_months(
                            cast(1 + event // {max(late_one_in, 1)} % {LATE_MONTHS} as integer)
                        )
                        + to_days(cast(h % 28 as integer))
                else day
            end + to_seconds(cast((h >> 8) % 86400 as bigint)) as occurred_at
        from drawn
    )
    select
        'day-' || strftime(day, '%Y-%m-%d') as load_id,
        cast(event % {size} + 1 as bigint) as line_number,
        day + interval 86399 seconds as loaded_at,
        'customer_' || lpad(cast(1 + event % {history.customers} as text), 6, '0') as customer_id,
        case h >> 40 & 3 when 0 then 'api_call' when 1 then 'storage_read' else 'completion' end
            as event_name,
        strftime(occurred_at, '%Y-%m-%dT%H:%M:%SZ') as occurred_at,
        'evt_' || cast(event as text) as event_key,
        case h >> 40 & 3
            when 0 then '{{"region":"eu","status":200}}'
            when 1 then '{{"bucket":"b1","gb_hours":' || cast((h >> 24) % 50 as text) || '.5}}'
            else
                '{{"model":"'
                || case when h >> 42 & 3 = 0 then 'large' else 'small' end
                || '","region":"us","input_tokens":' || cast(20 + (h >> 16) % 4000 as text)
                || ',"output_tokens":' || cast(1 + (h >> 28) % 900 as text) || '}}'
        end as properties
    from placed
    """


def fill_raw(bench: Bench, history: History) -> int:
    """Raw rows of the history as another loader writes them, with a row a day in raw.loads."""
    rows = events_query(history, history.billed_from, LAST_DAY)
    loads = """
        select load_id, load_id || '.ndjson', load_id, count(*), min(loaded_at), ''
        from {} group by load_id
    """
    load_columns = "load_id, file_name, content_hash, row_count, loaded_at, mapping_hash"
    into_loads = f"insert into raw.loads ({load_columns}) {loads.format('raw.usage_events')}"
    with connect(bench) as connection:
        create_raw_tables(connection)
        if bench.target == "duckdb":
            connection.execute(f"insert into raw.usage_events ({COLUMNS}) {rows}")
        else:
            path = bench.folder / "history.csv"
            duckdb.sql(f"copy ({rows}) to '{path}' (format csv, header false)")
            with connection.connection.cursor() as cursor, path.open() as file:
                cursor.copy_expert(
                    f"copy raw.usage_events ({COLUMNS}) from stdin with (format csv)", file
                )
            path.unlink()
        connection.execute(into_loads)
        _, ((count,),) = connection.query("select count(*) from raw.usage_events")
    return count


def write_day(path: Path, history: History, late_one_in: int = 0) -> None:
    """The one more day as a file to land."""
    rows = events_query(history, MORE_DAY, MORE_DAY, late_one_in)
    duckdb.sql(
        "copy (select customer_id, event_name, occurred_at, event_key, properties::json as"
        f" properties from ({rows})) to '{path}' (format json)"
    )


@dataclass(frozen=True)
class Day:
    """One build of one more day: seconds of the process, of each node, periods rated again."""

    wall: float
    cpu: float
    nodes: dict[str, float]
    corrected: int


class House:
    """A house with a history, and a copy of it to go back to before each day."""

    def __init__(self, target: str, history: History, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.history = history
        self.name = f"{history.months} month{'s' if history.months > 1 else ''}"
        self.bench = Bench(target, None, folder, f"tally_bench_{history.months}")
        self.folder = folder
        write_catalog(folder / "catalog", history)

    def fill(self) -> None:
        """Raw rows, and one build of all of them in one range."""
        count = fill_raw(self.bench, self.history)
        print(f"{self.name}: {count:,} events of {self.history.customers:,} subscriptions")
        self.bench.start_up("first parse")
        self.bench.build("build in one range", "--through", str(LAST_DAY))
        with connect(self.bench) as connection:
            _, ((closed,),) = connection.query("select count(*) from ledger.documents")
        print(f"  {closed:,} closed invoices", flush=True)
        self.copy(is_back=False)

    def copy(self, is_back: bool) -> None:
        """Keep the warehouse as it is, or go back to what was kept."""
        if self.bench.target == "duckdb":
            warehouse = Path(self.bench.environment["TALLY_DUCKDB_PATH"])
            kept = warehouse.with_suffix(".kept")
            shutil.copyfile(*((kept, warehouse) if is_back else (warehouse, kept)))
            warehouse.with_suffix(".duckdb.wal").unlink(missing_ok=True)
            return
        import psycopg2

        names = self.bench.environment
        own = names["TALLY_PG_DATABASE"]
        to, of = (own, f"{own}_kept") if is_back else (f"{own}_kept", own)
        server = psycopg2.connect(
            host=names["TALLY_PG_HOST"],
            port=names["TALLY_PG_PORT"],
            user=names["TALLY_PG_USER"],
            password=names["TALLY_PG_PASSWORD"],
            dbname="postgres",
        )
        server.autocommit = True
        with server.cursor() as cursor:
            cursor.execute(f'drop database if exists "{to}" with (force)')
            cursor.execute(f'create database "{to}" template "{of}"')
        server.close()

    def build_day(self, name: str, late_one_in: int = 0) -> Day:
        """Land and build one more day on top of the copy."""
        self.copy(is_back=True)
        files = self.folder / "day"
        shutil.rmtree(files, ignore_errors=True)
        files.mkdir()
        write_day(files / f"{MORE_DAY}.ndjson", self.history, late_one_in)
        bench = self.bench
        landing = ["benchmarks.bench", "--target", bench.target, "--land", str(files), "0", "0"]
        bench.run(f"{name}: land", landing)
        bench.build(f"{name}: build")
        with connect(bench) as connection:
            _, ((corrected,),) = connection.query(
                "select count(*) from rating.int_rating__reopened_periods"
            )
        measure = bench.measures[f"{name}: build"]
        nodes = dict(bench.model_times[f"{name}: build"])
        return Day(measure.wall, measure.cpu, nodes, corrected)


def measure(target: str, folder: Path, customers: int, events_a_day: int, repeats: int) -> None:
    """Everything, once, and what it says of the bars."""
    print(
        f"one more day of {events_a_day:,} events on {target}, {repeats} times in turns;"
        f" {os.getloadavg()[0]:.1f} processes ran on {os.cpu_count()} processors before it",
        flush=True,
    )
    short, long = (
        House(target, History(months, customers, events_a_day), folder / str(months))
        for months in (SHORT, LONG)
    )
    for house in (short, long):
        house.fill()
    cases: dict[str, Callable[[str], Day]] = {
        short.name: short.build_day,
        long.name: long.build_day,
        f"{long.name}, late": lambda name: long.build_day(name, LATE_ONE_IN),
    }
    days: dict[str, list[Day]] = {case: [] for case in cases}
    start_ups = []
    for repeat in range(1, repeats + 1):
        step = f"start-up {repeat}"
        short.bench.start_up(step)
        start_ups.append(short.bench.measures[step])
        for case, build_day in cases.items():
            days[case].append(build_day(f"{case}, {repeat}"))
    report(days, median(one.wall for one in start_ups), median(one.cpu for one in start_ups))


def report(days: dict[str, list[Day]], start_wall: float, start_cpu: float) -> None:
    """Medians, the nodes that grow with the history or with what is late, and the bars."""
    print(f"\ndbt's start-up, taken off: {start_wall:.1f} s, {start_cpu:.1f} s of processors")
    print(f"{'':24}{'wall s':>9}{'cpu s':>9}{'nodes s':>9}{'reopened':>10}")
    cpu, wall, nodes = {}, {}, {}
    for case, own in days.items():
        wall[case] = median(day.wall for day in own) - start_wall
        cpu[case] = median(day.cpu for day in own) - start_cpu
        nodes[case] = {name: median(day.nodes.get(name, 0) for day in own) for name in own[0].nodes}
        total = median(sum(day.nodes.values()) for day in own)
        print(f"{case:24}{wall[case]:9.1f}{cpu[case]:9.1f}{total:9.1f}{own[0].corrected:>10,}")
    before, after, late = days
    for less, more in ((before, after), (after, late)):
        grown = sorted(nodes[more], key=lambda name: nodes[less].get(name, 0) - nodes[more][name])
        print(f"\nwhat grows most from {less} to {more}")
        for name in grown[:12]:
            print(f"  {nodes[less].get(name, 0):7.2f} ->{nodes[more][name]:7.2f}  {name}")
    print("\nOne more day, seconds of processors (on the wall):")
    for text, less, more, bar in (
        ("36 months / 1 month     ", before, after, HISTORY_BAR),
        ("late day / day          ", after, late, LATE_BAR),
    ):
        walls = f"  on the wall {wall[more] / wall[less]:.2f}"
        print(text, verdict(cpu[more] / cpu[less], bar) + walls)
