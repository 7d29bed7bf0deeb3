"""Helios: the GPUs of a cluster's 16 tenants, read once a minute through May 2020.

The catalogue is catalogs/helios: a plan per number of reserved GPUs, which are the allowance of
the 95th percentile, the peak and the average over time; GPU minutes are billed one by one.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path

import duckdb

from benchmarks.real.checks import Check, all_equal, equal
from benchmarks.real.sources import HERE
from tests.houses import House

NAME = "Helios"
LOADS = (("helios/gpus_by_minute_2020-05.csv.gz", "helios_gpus", "2020-06-01T06:00:00Z"),)
THROUGH = "2020-06-02"
TENANTS = ("vc6YE", "vcJkd", "vcvlY")
# The sum of running_gpus: sixty of them are a GPU-hour, 424,772.6166.. in all.
GPU_MINUTES = 25_486_357
MINUTES = 31 * 24 * 60

# Nearest rank: the value at place ceil(0.95 x 44,640) = 42,408 of one tenant's readings in order.
PERCENTILE_BY_HAND = """
    select running_gpus
    from (
        select
            running_gpus,
            row_number() over (order by running_gpus) as place,
            count(*) over () as readings
        from read_csv('{file}')
        where virtual_cluster = '{tenant}'
    ) as ordered_readings
    where place = (95 * readings + 99) // 100
"""


def catalog(data: Path, folder: Path) -> Path:
    """The catalogue's folder."""
    return HERE / "catalogs" / "helios"


def check(house: House, data: Path) -> Iterable[Check]:
    """Each tenant's one invoice of May beside what the file says."""
    file = data / LOADS[0][0]
    lines = {
        (tenant, charge): (quantity, covered, rated)
        for tenant, charge, quantity, covered, rated in house.query(
            "select customer_id, charge_id, quantity, covered_quantity, rated_quantity"
            " from marts.invoice_lines"
        )
    }

    def quantities(charge: str) -> dict[str, Decimal]:
        return {tenant: line[0] for (tenant, name), line in lines.items() if name == charge}

    for tenant in TENANTS:
        by_hand = duckdb.sql(PERCENTILE_BY_HAND.format(file=file, tenant=tenant)).fetchall()[0][0]
        found = quantities("p95_gpus").get(tenant)
        yield equal(f"95th percentile of {tenant}", by_hand, found)
    rows = duckdb.sql(
        "select virtual_cluster, quantile_disc(running_gpus, 0.95), max(running_gpus),"
        f" sum(running_gpus), max(capacity_gpus), count(*) from '{file}' group by all"
    ).fetchall()
    yield all_equal("95th percentile", {row[0]: row[1] for row in rows}, quantities("p95_gpus"))
    yield all_equal("maximum", {row[0]: row[2] for row in rows}, quantities("peak_gpus"))
    yield all_equal(
        "average over time",
        {row[0]: _average(row[3]) for row in rows},
        quantities("average_gpus"),
    )
    minutes = sum(quantities("gpu_minutes").values(), Decimal(0))
    yield equal("GPU minutes", GPU_MINUTES, minutes)
    yield equal("GPU hours", Fraction(GPU_MINUTES, 60), Fraction(minutes) / 60)
    yield all_equal(
        "capacity as an allowance",
        {
            (row[0], charge): (min(quantity, row[4]), max(quantity - row[4], 0))
            for row in rows
            for charge in ("p95_gpus", "peak_gpus", "average_gpus")
            if (quantity := quantities(charge).get(row[0])) is not None
        },
        {key: line[1:] for key, line in lines.items() if key[1] != "gpu_minutes"},
    )
    yield equal(
        "invoices of May, closed",
        len(rows),
        house.query(
            "select count(*) from marts.invoices where status = 'final'"
            " and period_from = timestamp '2020-05-01' and period_to = timestamp '2020-06-01'"
        )[0][0],
    )
    yield equal(
        "readings unbilled", 0, house.query("select count(*) from marts.unbilled_usage")[0][0]
    )


def _average(gpu_minutes: int) -> Decimal:
    """GPUs over the month, rounded as a quantity is: half away, 10 decimals."""
    exact = Decimal(gpu_minutes) / MINUTES
    return exact.quantize(Decimal("1e-10"), ROUND_HALF_UP)
