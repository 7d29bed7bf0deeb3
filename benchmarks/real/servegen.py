"""ServeGen: the traffic of 421 clients of language models, 14 days across the end of a month.

Requests are counted in windows of 10 minutes, tokens in blocks of 6 hours. The catalogue is
catalogs/servegen: requests by the package, tokens in tiers by model, those of a long context as
charges of their own on top, calendar months in two zones. Some clients' subscriptions begin in
November, so what they used before is unbilled; so is a 422nd client's, which has tokens without
a single request and is no customer.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import duckdb

from benchmarks.real.checks import Check, all_equal, equal
from benchmarks.real.rating import band_prices, package_amount, tiered_amount
from benchmarks.real.sources import HERE
from tests.houses import House

NAME = "ServeGen"
# Usage of two weeks arrives in one delivery: the plan waits 8 days for it.
LOADS = (
    ("servegen/windows_10min.csv.gz", "servegen_windows", "2025-11-08T06:00:00Z"),
    ("servegen/blocks_6h.csv.gz", "servegen_blocks", "2025-11-08T06:10:00Z"),
)
THROUGH = "2025-11-09"
CUSTOMERS = 421
# As the publisher of the data states them.
REQUESTS = {
    "deepseek-r1": 1_383_669,
    "m-large": 236_892_826,
    "m-mid": 2_165_253_970,
    "m-small": 1_420_558_786,
    "mm-image": 818_610,
}
INPUT_TOKENS_OF_M_MID = 470_027_325_153
INPUT_FIELDS = ("input_tokens", "text_tokens", "image_tokens")

Key = tuple[str, ...]


def catalog(data: Path, folder: Path) -> Path:
    """The catalogue's folder."""
    return HERE / "catalogs" / "servegen"


def check(house: House, data: Path) -> Iterable[Check]:
    """The marts beside the files; unbilled usage is read event by event."""
    billed = _billed(house)
    unbilled = _unbilled(house)
    customers = house.query(
        "select customer_id from marts.invoice_lines where quantity > 0"
        " union select customer_id from marts.unbilled_usage where reason <> 'unknown_customer'"
    )
    yield equal("customers with usage", CUSTOMERS, len(customers))
    for model, requests in REQUESTS.items():
        found = billed["requests", model] + unbilled["requests", model]
        yield equal(f"requests of {model}", requests, found)
    yield equal(
        "input tokens of m-mid",
        INPUT_TOKENS_OF_M_MID,
        billed["input_tokens", "m-mid"] + unbilled["input_tokens", "m-mid"],
    )
    expected = _expected(data)
    found = {key: billed[key] + unbilled[key] for key in {*billed, *unbilled}}
    yield all_equal("every charge and model", expected, {k: v for k, v in found.items() if v})
    yield all_equal("requests by zone and local month", _months(data, house), _billed_months(house))
    yield all_equal("amounts of lines, by hand", *_amounts(house))
    yield equal(
        "invoices closed and drafts, two zones",
        _invoices_expected(house),
        tuple(
            house.query(
                "select count(case when status = 'final' then 1 end),"
                " count(case when status = 'draft' then 1 end) from marts.invoices"
            )[0]
        ),
    )
    yield equal(
        "requests unbilled: before a subscription",
        _early_requests(data, house),
        sum(value for (charge, _), value in unbilled.items() if charge == "requests"),
    )
    yield all_equal(
        "events unbilled: filtered, unknown customer",
        _unbillable(data),
        dict(
            house.query(
                "select reason, count(*) from marts.unbilled_usage"
                " where reason <> 'no_subscription' group by reason"
            )
        ),
    )


def _billed(house: House) -> dict[Key, Decimal]:
    """Units on invoice lines, drafts included, by charge and model."""
    units: dict[Key, Decimal] = defaultdict(Decimal)
    for charge, customer, quantity in house.query(
        "select charge_id, customer_id, sum(quantity) from marts.invoice_lines"
        " group by charge_id, customer_id"
    ):
        # A client is one of its model.
        units[charge, customer.split("/")[0]] += quantity
    return units


def _unbilled(house: House) -> dict[Key, Decimal]:
    """Units of unbilled events, by the charge that would have billed them and model."""
    units: dict[Key, Decimal] = defaultdict(Decimal)
    for (text,) in house.query(
        "select usage_events.properties from marts.unbilled_usage"
        " inner join raw.usage_events on unbilled_usage.load_id = usage_events.load_id"
        " and unbilled_usage.line_number = usage_events.line_number"
    ):
        properties = json.loads(text)
        if "requests" in properties:
            units["requests", properties["model"]] += Decimal(properties["requests"])
            continue
        for charge, column in _charges(properties["field"]):
            units[charge, properties["model"]] += Decimal(properties[column])
    return units


def _charges(field: str) -> Iterable[tuple[str, str]]:
    """The charges that bill a block of this field, each with the column that it measures."""
    if field in INPUT_FIELDS:
        yield "input_tokens", "total"
        yield "input_tokens_32k_128k", "total_32k_128k"
        yield "input_tokens_gt_128k", "total_gt_128k"
    elif field == "output_tokens":
        yield "output_tokens", "total"
    elif field == "image_count":
        yield "images", "total"


def _expected(data: Path) -> dict[Key, Decimal]:
    """The files' own totals by charge and model, zeros left out."""
    units: dict[Key, Decimal] = defaultdict(Decimal)
    for model, requests in duckdb.sql(
        f"select model, sum(requests) from '{data / LOADS[0][0]}' group by model"
    ).fetchall():
        units["requests", model] += requests
    for row in duckdb.sql(
        "select field, model, sum(cast(total as decimal(28, 6))), sum(total_32k_128k),"
        f" sum(total_gt_128k) from '{data / LOADS[1][0]}' group by field, model"
    ).fetchall():
        totals = dict(zip(("total", "total_32k_128k", "total_gt_128k"), row[2:], strict=True))
        for charge, column in _charges(row[0]):
            units[charge, row[1]] += totals[column] or 0
    return {key: value for key, value in units.items() if value}


def _unbillable(data: Path) -> dict[str, int]:
    """Blocks of no billed field, and those of the one client that made no request."""
    windows, blocks = (data / file for file, _, _ in LOADS)
    rows = duckdb.sql(
        f"select field = 'reason_ratio', count(*) from '{blocks}'"
        " where field = 'reason_ratio'"
        f" or (model, client) not in (select (model, client) from '{windows}') group by all"
    ).fetchall()
    return {"filtered" if is_ratio else "unknown_customer": count for is_ratio, count in rows}


def _starts(house: House) -> dict[str, tuple[str, bool]]:
    """Per customer: its zone, and whether its subscription begins in November only."""
    connection = duckdb.connect()
    return {
        customer: (zone, starts == "2025-11-01")
        for customer, zone, starts in connection.execute(
            "select customers.customer_id, time_zone, cast(starts_at as varchar)"
            f" from read_csv('{house.catalog}/customers.csv', all_varchar = true) as customers"
            f" inner join read_csv('{house.catalog}/subscriptions.csv', all_varchar = true)"
            " as subscriptions on customers.customer_id = subscriptions.customer_id"
        ).fetchall()
    }


def _windows(data: Path) -> list[tuple[str, bool, bool, int]]:
    """Requests per customer, by whether they came in November in UTC and in Shanghai."""
    # 7 days from 25 October is November in UTC; Shanghai is 8 hours ahead.
    return duckdb.sql(
        "select model || '/' || client, window_start_s >= 604800, window_start_s >= 576000,"
        f" sum(requests) from '{data / LOADS[0][0]}' group by all"
    ).fetchall()


def _months(data: Path, house: House) -> dict[Key, int]:
    months: dict[Key, int] = defaultdict(int)
    starts = _starts(house)
    for customer, in_utc, in_shanghai, requests in _windows(data):
        zone, is_late = starts[customer]
        is_november = in_utc if zone == "UTC" else in_shanghai
        if is_november or not is_late:
            months[zone, "2025-11-01" if is_november else "2025-10-01"] += requests
    return dict(months)


def _early_requests(data: Path, house: House) -> int:
    starts = _starts(house)
    return sum(
        requests
        for customer, in_utc, in_shanghai, requests in _windows(data)
        if starts[customer][1] and not (in_utc if starts[customer][0] == "UTC" else in_shanghai)
    )


def _billed_months(house: House) -> dict[Key, Decimal]:
    """Requests on invoice lines by zone (its first local midnight) and month."""
    starts = _starts(house)
    months: dict[Key, Decimal] = defaultdict(Decimal)
    for customer, month, quantity in house.query(
        "select invoice_lines.customer_id, cast(invoices.period_from_date as varchar(10)),"
        " invoice_lines.quantity from marts.invoice_lines"
        " inner join marts.invoices on invoice_lines.invoice_id = invoices.invoice_id"
        " where invoice_lines.charge_id = 'requests'"
    ):
        months[starts[customer][0], month] += quantity
    return dict(months)


def _invoices_expected(house: House) -> tuple[int, int]:
    """October's usage is closed after the grace days, November's is a draft."""
    rows = house.query(
        "select distinct customer_id, period_to <= timestamp '2025-11-01' from marts.invoice_lines"
    )
    return sum(1 for row in rows if row[1]), sum(1 for row in rows if not row[1])


def _amounts(house: House) -> tuple[dict[str, Fraction], dict[str, Fraction]]:
    """Exact amounts of every line, from its quantity and the catalogue's prices alone."""
    prices = band_prices(house.catalog)
    expected, found = {}, {}
    for line, charge, model, currency, values, quantity, amount in house.query(
        "select line_id, charge_id, pricing_model, currency, dimension_values, quantity, amount"
        " from marts.invoice_lines"
    ):
        bands = prices[charge, currency, values]
        price = package_amount if model == "package" else tiered_amount
        expected[line] = price(Fraction(quantity), bands)
        found[line] = Fraction(amount)
    return expected, found
