"""Prepaid credits drawn down in one build: `make bench CREDITS=1`.

One month of 10,000 customers with usage on each day of four charges and five grants each (1.24
million days of usage to pay for), closed in one range; then, in a house of its own, one customer
with 100,000 grants. What is measured is the room models/credits, from the start of its first model
to the end of its last, run once more on the built house with nothing beside it: in a build its
models share two processors with others, and dbt counts what two do at once twice. What dbt counted
there is printed too.
"""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from benchmarks.bench import PROJECT, Bench, connect, verdict
from orchestration.catalog import write_missing_files
from orchestration.catalog_files import COLUMNS
from orchestration.landing import create_raw_tables

FIRST_DAY = date(2026, 1, 1)
DAYS = 31
CHARGES = 4
GRANTS = 5
MANY_GRANTS = 100_000
BARS = {"duckdb": 15, "postgres": 90}
MODELS = {path.stem for path in (PROJECT / "models" / "credits").glob("*.sql")}
COLUMN_NAMES = (
    "load_id, line_number, loaded_at, customer_id, event_name, occurred_at, event_key, properties"
)


@dataclass(frozen=True)
class Case:
    """So many customers, each with so many grants."""

    customers: int
    grants: int


def write_catalog(folder: Path, case: Case) -> None:
    """One plan of four charges, one of them tiered; grants of other scopes, ends and priorities."""
    folder.mkdir(parents=True, exist_ok=True)
    charge_ids = [f"charge_{number}" for number in range(1, CHARGES + 1)]
    customer_ids = [f"customer_{number:06d}" for number in range(1, case.customers + 1)]
    tiers = [{"up_to": "40", "unit_price": "0.04"}, {"unit_price": "0.03"}]
    tables: dict[str, list[dict[str, str]]] = {
        "customers": [
            {
                "customer_id": one,
                "name": one,
                "currency": "USD",
                "time_zone": "UTC",
                "billing_entity": "BENCH",
            }
            for one in customer_ids
        ],
        "products": [{"product_id": "api", "name": "API", "product_type": "api"}],
        "plans": [
            {
                "plan_id": "bench",
                "product_id": "api",
                "name": "Bench",
                "cycle": "month",
                "alignment": "calendar",
            }
        ],
        "charges": [
            {
                "plan_id": "bench",
                "charge_id": charge_id,
                "position": str(position),
                "name": f"Charge {position}",
                "charge_type": "usage",
                "meter": charge_id,
                "meter_version": "1",
                "pricing_model": "tiered" if position == 1 else "per_unit",
            }
            for position, charge_id in enumerate(charge_ids, start=1)
        ],
        "prices": [
            {"plan_id": "bench", "charge_id": charge_id, "currency": "USD", **band}
            for charge_id in charge_ids
            for band in (tiers if charge_id == "charge_1" else [{"unit_price": "0.05"}])
        ],
        "meters": [
            {
                "meter": charge_id,
                "version": "1",
                "event_name": charge_id,
                "aggregation": "sum",
                "property": "units",
            }
            for charge_id in charge_ids
        ],
        "subscriptions": [
            {
                "subscription_id": f"subscription_{one[-6:]}",
                "customer_id": one,
                "plan_id": "bench",
                "starts_at": FIRST_DAY.isoformat(),
            }
            for one in customer_ids
        ],
        "credit_grants": [
            grant
            for one in customer_ids
            for grant in (
                GRANTS_OF[number % len(GRANTS_OF)](one, number) for number in range(case.grants)
            )
        ],
    }
    for name, rows in tables.items():
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS[name], restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    write_missing_files(folder)


def _grant(customer_id: str, number: int, amount: str, **terms: str) -> dict[str, str]:
    return {
        "grant_id": f"{customer_id}.{number}",
        "name": "Bench",
        "customer_id": customer_id,
        "kind": "promotional",
        "currency": "USD",
        "amount": amount,
        "effective_at": "2026-01-01T00:00:00Z",
        **terms,
    }


#: The grants of a customer, in turns.
GRANTS_OF = (
    lambda one, number: _grant(one, number, "4", kind="paid"),
    lambda one, number: _grant(
        one, number, "2", scope="meter", scope_id=f"charge_{1 + number % CHARGES}"
    ),
    lambda one, number: _grant(
        one, number, "1.5", expires_at=f"2026-01-{10 + number % 20}T00:00:00Z"
    ),
    lambda one, number: _grant(
        one, number, "3", priority="10", effective_at="2026-01-08T12:00:00Z"
    ),
    lambda one, number: _grant(one, number, "5", scope="product", scope_id="api"),
)


def fill_raw(bench: Bench, case: Case) -> int:
    """One event a customer, charge and day, landed on its day."""
    import duckdb

    last = FIRST_DAY + timedelta(DAYS - 1)
    rows = f"""
    select
        'day-' || strftime(day, '%Y-%m-%d') as load_id,
        cast(row_number() over (partition by day) as bigint) as line_number,
        day + interval 86399 seconds as loaded_at,
        'customer_' || lpad(cast(customer as text), 6, '0') as customer_id,
        'charge_' || cast(charge as text) as event_name,
        strftime(day + to_seconds(cast(hash(customer, charge, day) % 86000 as bigint)),
            '%Y-%m-%dT%H:%M:%SZ') as occurred_at,
        'e-' || cast(customer as text) || '-' || cast(charge as text)
            || '-' || strftime(day, '%d') as event_key,
        '{{"units":' || cast(1 + hash(day, customer, charge) % 90 as text) || '}}' as properties
    from range(1, {case.customers + 1}) as customers (customer)
    cross join range(1, {CHARGES + 1}) as charges (charge)
    cross join generate_series(timestamp '{FIRST_DAY}', timestamp '{last}', interval 1 day)
        as days (day)
    """
    loads = """
        insert into raw.loads
        (load_id, file_name, content_hash, row_count, loaded_at, mapping_hash)
        select load_id, load_id || '.ndjson', load_id, count(*), min(loaded_at), ''
        from raw.usage_events group by load_id
    """
    with connect(bench) as connection:
        create_raw_tables(connection)
        if bench.target == "duckdb":
            connection.execute(f"insert into raw.usage_events ({COLUMN_NAMES}) {rows}")
        else:
            path = bench.folder / "usage.csv"
            duckdb.sql(f"copy ({rows}) to '{path}' (format csv, header false)")
            with connection.connection.cursor() as cursor, path.open() as file:
                cursor.copy_expert(
                    f"copy raw.usage_events ({COLUMN_NAMES}) from stdin with (format csv)", file
                )
            path.unlink()
        connection.execute(loads)
        _, ((count,),) = connection.query("select count(*) from raw.usage_events")
    return count


def measure_case(target: str, folder: Path, name: str, case: Case) -> float:
    """Seconds of the room in the month: on a house that is built, so that it has two processors."""
    folder.mkdir(parents=True, exist_ok=True)
    bench = Bench(target, None, folder, f"tally_credits_{name}")
    write_catalog(folder / "catalog", case)
    count = fill_raw(bench, case)
    print(
        f"{case.customers:,} customers, {case.grants:,} grants each, {count:,} events", flush=True
    )
    bench.start_up("start-up")
    through = FIRST_DAY + timedelta(DAYS + 1)
    bench.build("build in one range", "--through", str(through))
    drawn = draws_of(bench)
    bench.run_models("the room once more, alone", "path:models/credits")
    if draws_of(bench) != drawn:
        raise SystemExit(f"run once more, the room drew {draws_of(bench)} where it drew {drawn}")
    print(f"  {drawn[0]:,} draws of {drawn[1]}")
    for step in ("build in one range", "the room once more, alone"):
        own = [(node, seconds) for node, seconds in bench.model_times[step] if node in MODELS]
        print(f"  {step}: {sum(seconds for _, seconds in own):.1f} s, model by model")
        for model, seconds in own[:8]:
            print(f"  {seconds:7.2f} s  {model}")
    return bench.spans["the room once more, alone"]


def draws_of(bench: Bench) -> tuple:
    """How many times credits paid, and how much, in the run's entries."""
    with connect(bench) as connection:
        _, (row,) = connection.query(
            "select count(*), -sum(amount) from credits.int_credits__entries"
            " where entry_kind = 'draw'"
        )
    return row


def measure(target: str, folder: Path, customers: int) -> None:
    """Both cases, and what they say of the bar."""
    print(
        f"credits on {target}; {os.getloadavg()[0]:.1f} processes ran on {os.cpu_count()}"
        " processors before it",
        flush=True,
    )
    seconds = measure_case(target, folder / "all", "all", Case(customers, GRANTS))
    print(f"the room of credits: {seconds:.1f} s", verdict(seconds, BARS[target]))
    seconds = measure_case(target, folder / "one", "one", Case(1, MANY_GRANTS))
    print(f"one customer with {MANY_GRANTS:,} grants: {seconds:.1f} s")
