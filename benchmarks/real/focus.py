"""FOCUS: lines of real cloud bills, rated anew from their quantities and list prices.

The catalogue is made from the bill: a plan per SKU price, its list price in it; a subscription
per bill line, so that each has an invoice line of its own; a customer per sub-account. Quantity
times price must be what was charged.

Microsoft's bill takes some usage back, as negative quantities. A negative quantity is rated as
zero and no price is negative, so those lines have a meter of their own that counts what came
back: their amount is what is to be given back, and is compared with the bill's turned round.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from benchmarks.real.checks import Check, all_equal, all_within, equal, largest_gap
from tests.houses import House, write_catalog

NAME = "FOCUS"
LOADS = (("focus/focus_sample.csv", "focus", "2024-10-01T06:00:00Z"),)
THROUGH = "2024-10-02"
AWS_LINES = 941
MICROSOFT_LINES = 51
MICROSOFT_RETURNS = 12
RETURNED = "returned"
TOLERANCE = Decimal("1e-10")
# What the bill's own rounding of its lines may come to in a sub-account.
TOTAL_TOLERANCE = Decimal("1e-9")
# A quantity keeps 10 decimals.
QUANTITY = Decimal("1e-10")

Row = dict[str, str]


def bill_lines(data: Path) -> list[Row]:
    """The bill lines that have a list price and are usage: what is rated."""
    with (data / LOADS[0][0]).open(encoding="utf-8", newline="") as file:
        return [
            row
            for row in csv.DictReader(file)
            if row["ProviderName"] in ("AWS", "Microsoft") and row["ChargeCategory"] == "Usage"
        ]


def catalog(data: Path, folder: Path) -> Path:
    """A catalogue of the bill's list prices, written to `folder`."""
    lines = bill_lines(data)
    accounts = {row["SubAccountId"]: row["SubAccountName"] for row in lines}
    skus = {_plan(row): row for row in lines}
    services = {row["ServiceName"] for row in skus.values()}
    charges, prices = [], []
    for plan, row in skus.items():
        meters = [("usage", "aws_usage")]
        if row["ProviderName"] == "Microsoft":
            meters = [("usage", "azure_usage"), (RETURNED, "azure_returned")]
        for position, (charge, meter) in enumerate(meters, 1):
            charges.append(
                {
                    "plan_id": plan,
                    "charge_id": charge,
                    "position": position,
                    "name": f"{row['PricingUnit']} {charge}",
                    "charge_type": "usage",
                    "meter": meter,
                    "pricing_model": "per_unit",
                }
            )
            prices.append(
                {
                    "plan_id": plan,
                    "charge_id": charge,
                    "currency": row["BillingCurrency"],
                    "position": 1,
                    "unit_price": row["ListUnitPrice"],
                }
            )
    return write_catalog(
        folder,
        {
            "customers": [
                {
                    "customer_id": account,
                    "name": name,
                    "currency": "USD",
                    "time_zone": "UTC",
                    "billing_entity": "CLOUD",
                }
                for account, name in accounts.items()
            ],
            "products": [
                {"product_id": service, "name": service, "product_type": "cloud"}
                for service in sorted(services)
            ],
            "plans": [
                {
                    "plan_id": plan,
                    "product_id": row["ServiceName"],
                    "name": plan,
                    "cycle": "month",
                    "alignment": "calendar",
                }
                for plan, row in skus.items()
            ],
            "charges": charges,
            "prices": prices,
            "meters": [
                _meter("aws_usage", "PricingQuantity", ""),
                _meter("azure_usage", "ConsumedQuantity", ""),
                _meter("azure_returned", "ConsumedQuantity", "-1"),
            ],
            "meter_filters": [
                _filter("aws_usage", "ProviderName", "eq", "AWS"),
                _filter("aws_usage", "ChargeCategory", "eq", "Usage"),
                _filter("azure_usage", "ProviderName", "eq", "Microsoft"),
                _filter("azure_usage", "ConsumedQuantity", "gte", "0"),
                _filter("azure_returned", "ProviderName", "eq", "Microsoft"),
                _filter("azure_returned", "ConsumedQuantity", "lt", "0"),
            ],
            "subscriptions": [
                {
                    "subscription_id": row["Id"],
                    "customer_id": row["SubAccountId"],
                    "plan_id": _plan(row),
                    "starts_at": "2024-09-01",
                    "ends_at": "2024-10-01",
                }
                for row in lines
            ],
        },
    )


def _plan(row: Row) -> str:
    """A plan is a SKU price of a provider."""
    return f"{row['ProviderName']} {row['SkuPriceId']}"


def _meter(meter: str, column: str, multiplier: str) -> Row:
    return {
        "meter": meter,
        "version": "1",
        "event_name": "cloud_usage",
        "aggregation": "sum",
        "property": column,
        "multiplier": multiplier,
    }


def _filter(meter: str, column: str, operator: str, value: str) -> Row:
    return {
        "meter": meter,
        "version": "1",
        "property": column,
        "operator": operator,
        "value": value,
    }


def check(house: House, data: Path) -> Iterable[Check]:
    """Exact amounts of the rating steps beside what the bill says."""
    lines = bill_lines(data)
    rows = house.query(
        "select invoice_lines.subscription_id, invoice_lines.customer_id,"
        " invoice_lines.charge_id, rating_steps.amount from marts.rating_steps"
        " inner join marts.invoice_lines"
        " on rating_steps.rated_line_id = invoice_lines.rated_line_id"
    )
    amounts: dict[str, Decimal] = defaultdict(Decimal)
    accounts: dict[str, Decimal] = defaultdict(Decimal)
    for bill_line, account, charge, amount in rows:
        signed = -amount if charge == RETURNED else amount
        amounts[bill_line] += signed
        accounts[account] += signed
    for provider, column, count in (
        ("AWS", "ListCost", AWS_LINES),
        ("Microsoft", "BilledCost", MICROSOFT_LINES),
    ):
        costs = {row["Id"]: _cost(row) for row in lines if row["ProviderName"] == provider}
        rated = {key: amounts[key] for key in costs if key in amounts}
        yield equal(f"lines of {provider} rated", count, len(rated))
        yield all_within(f"amounts of {provider} = {column} to 1e-10", costs, rated, TOLERANCE)
        yield _gap(f"largest gap of {provider}", TOLERANCE, costs, rated)
    yield equal(
        "lines of Microsoft given back",
        MICROSOFT_RETURNS,
        len([row for row in rows if row[2] == RETURNED]),
    )
    yield all_equal("amount = quantity x price, exactly", _exact_amounts(lines), amounts)
    yield from _check_accounts(lines, accounts)
    yield equal(
        "other lines, unbilled: filtered",
        [("filtered", 1000 - len(lines))],
        house.query("select reason, count(*) from marts.unbilled_usage group by reason"),
    )


def _cost(row: Row) -> Decimal:
    """What the bill says that a line costs at its list price."""
    return Decimal(row["ListCost" if row["ProviderName"] == "AWS" else "BilledCost"])


def _gap(name: str, limit: Decimal, costs: dict[str, Decimal], rated: dict[str, Decimal]) -> Check:
    gap = largest_gap(costs, rated)
    return Check(name, f"to {limit:f}", gap, gap <= limit)


def _exact_amounts(lines: list[Row]) -> dict[str, Decimal]:
    """Quantity times price to the last digit, the quantity at its 10 decimals."""
    exact = {}
    for row in lines:
        column = "PricingQuantity" if row["ProviderName"] == "AWS" else "ConsumedQuantity"
        quantity = Decimal(row[column]).quantize(QUANTITY, ROUND_HALF_UP)
        exact[row["Id"]] = quantity * Decimal(row["ListUnitPrice"])
    return exact


def _check_accounts(lines: list[Row], rated: dict[str, Decimal]) -> Iterable[Check]:
    """Totals: the bill's, to its rounding of each line, and the exact ones without any."""
    costs: dict[str, Decimal] = defaultdict(Decimal)
    exact: dict[str, Decimal] = defaultdict(Decimal)
    amounts = _exact_amounts(lines)
    for row in lines:
        costs[row["SubAccountId"]] += _cost(row)
        exact[row["SubAccountId"]] += amounts[row["Id"]]
    yield all_within("totals per sub-account to 1e-9", costs, rated, TOTAL_TOLERANCE)
    yield _gap("largest gap of a total", TOTAL_TOLERANCE, costs, rated)
    yield all_equal("totals per sub-account, exactly", exact, rated)
