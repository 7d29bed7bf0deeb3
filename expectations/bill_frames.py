"""What goes out: rates, lines, documents and credits that are not closed, beside those that are."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from statistics import median
from typing import Any

from expectations.reading import Reader, Row
from expectations.statistics import share
from orchestration.ledger import has_table

#: A line below this many units of its currency is too small to bother anybody about.
SMALL_TOTAL = Decimal(20)
CHARGES = ("usage", "recurring", "one_time", "minimum")


def rates(reader: Reader) -> list[Row]:
    """One row per step of a line that is not closed: its rate beside closed ones of the band."""
    found = reader.rows(
        "select line.plan_id, line.charge_id, line.line_kind, coalesce(line.dimension_values, ''),"
        " step.currency, step.step_kind, step.tier_from, step.rate, step.cutoff_at,"
        " step.rating_step_id, line.customer_id"
        " from {marts}.rating_steps as step"
        " inner join {marts}.rated_lines as line on step.rated_line_id = line.rated_line_id"
        " where step.rate > 0 order by step.cutoff_at, step.rating_step_id"
    )
    closed: dict[tuple[Any, ...], list[Decimal]] = defaultdict(list)
    rows = []
    for *band, rate, cutoff_at, step_id, customer in found:
        key = tuple(band)
        if cutoff_at <= reader.span.sealed_until:
            closed[key].append(rate)
            continue
        known = closed.get(key, [])
        rows.append(
            {
                "rating_step_id": step_id,
                "customer_id": customer,
                "charge_id": band[1],
                "currency": band[4],
                "rate": rate,
                "rate_share_of_usual": share(rate, median(known)) if known else None,
            }
        )
    return rows


def lines(reader: Reader) -> list[Row]:
    """One row per line that is not closed, beside the subscription's closed lines of the charge."""
    found = reader.rows(
        "select line.rated_line_id, line.subscription_id, line.customer_id, line.charge_id,"
        " line.line_kind, coalesce(line.dimension_values, ''), line.currency, line.quantity,"
        " line.line_total, line.cutoff_at, homes.currency"
        " from {marts}.rated_lines as line"
        # A subscription may be in a currency of its own, and then says so.
        " left join ("
        "   select subscription.subscription_id,"
        "   max(coalesce(subscription.currency, customer.currency)) as currency"
        "   from {staging}.stg_catalog__subscriptions as subscription"
        "   inner join {staging}.stg_catalog__customers as customer"
        "   on subscription.customer_id = customer.customer_id"
        "   group by subscription.subscription_id"
        "   having count(distinct coalesce(subscription.currency, customer.currency)) = 1"
        " ) as homes on line.subscription_id = homes.subscription_id"
        " order by line.cutoff_at, line.rated_line_id"
    )
    closed: dict[tuple[Any, ...], list[Decimal]] = defaultdict(list)
    rows = []
    for (
        line_id, subscription, customer, charge, kind, dimensions, currency, quantity, total,
        cutoff_at, home,
    ) in found:  # fmt: skip
        key = (subscription, charge, kind, dimensions)
        if cutoff_at <= reader.span.sealed_until:
            closed[key].append(total)
            continue
        known = closed.get(key, [])
        usual_total = median(known) if known else None
        is_big = usual_total is not None and usual_total >= SMALL_TOTAL
        rows.append(
            {
                "rated_line_id": line_id,
                "customer_id": customer,
                "charge_id": charge,
                "currency": currency,
                "quantity": quantity,
                "line_total": total,
                "total_share_of_usual": share(total, usual_total) if is_big else None,
                "is_in_the_customers_currency": None if home is None else home == currency,
                "is_below_zero": kind in CHARGES and total < 0,
            }
        )
    return rows


def prices(reader: Reader) -> list[Row]:
    """One row per price in a currency, beside the same charge's in the others.

    A currency has a usual rate to another, over all charges that have both; a price that was typed
    in the wrong currency, or with a digit too many, is far from it.
    """
    found = reader.rows(
        "select plan_id, charge_id, coalesce(dimension_values, ''), position, up_to, currency,"
        " coalesce(unit_price, flat_fee, percent_fraction)"
        " from {staging}.stg_catalog__prices"
        " where customer_id is null and contract_month = 1"
        " order by valid_from_date nulls first, recorded_at nulls first"
    )
    by_place: dict[tuple[Any, ...], dict[str, Decimal]] = defaultdict(dict)
    for *place, currency, price in found:
        if price:
            # The newest price of a band is the one that is looked at.
            by_place[tuple(place)][currency] = price
    rates: dict[tuple[str, str], list[Decimal]] = defaultdict(list)
    for each in by_place.values():
        for currency, price in each.items():
            for other, other_price in each.items():
                if currency != other:
                    rates[(currency, other)].append(price / other_price)
    rows = []
    for place, each in sorted(by_place.items(), key=str):
        for currency, price in sorted(each.items()):
            shares = [
                share(price / other_price, median(rates[(currency, other)]))
                for other, other_price in each.items()
                if other != currency and len(rates[(currency, other)]) >= 3
            ]
            rows.append(
                {
                    **dict(zip(("plan_id", "charge_id", "dimension_values"), place, strict=False)),
                    "currency": currency,
                    "price": price,
                    "share_of_usual_rate": median(shares) if shares else None,
                }
            )
    return rows


def documents(reader: Reader) -> list[Row]:
    """One row per document that is not closed, beside the subscription's earlier ones."""
    found = reader.rows(
        "select invoice_id, document_kind, customer_id, subscription_id, currency, invoice_total,"
        " line_count, cutoff_at from {invoicing}.int_invoicing__documents where cutoff_at > ?",
        [reader.span.sealed_until],
    )
    earlier: dict[str, list[tuple[Decimal, int]]] = defaultdict(list)
    for subscription, total, count in reader.rows(
        "select subscription_id, invoice_total, line_count from {ledger}.documents"
        " where document_kind = 'invoice'"
    ):
        earlier[subscription].append((total, count))
    rows = []
    for invoice_id, kind, customer, subscription, currency, total, count, _ in found:
        known = earlier.get(subscription, [])
        usual_total = median(each for each, _ in known) if known else None
        is_big = usual_total is not None and usual_total >= SMALL_TOTAL
        rows.append(
            {
                "invoice_id": invoice_id,
                "document_kind": kind,
                "customer_id": customer,
                "currency": currency,
                "invoice_total": total,
                "line_count": count,
                "total_share_of_usual": share(total, usual_total)
                if is_big and kind == "invoice"
                else None,
                "is_below_zero": kind == "invoice" and total < 0,
            }
        )
    return rows


def credits(reader: Reader) -> list[Row]:
    """One row per credit that is not closed, beside all else on its customer's open lines."""
    found = reader.rows(
        "select customer_id, currency,"
        " sum(case when line_total < 0 then -line_total else 0 end),"
        " sum(case when line_total > 0 then line_total else 0 end)"
        " from {marts}.rated_lines where cutoff_at > ? group by customer_id, currency",
        [reader.span.sealed_until],
    )
    balances: list[tuple[Any, ...]] = []
    # The first run of a house has none before its close.
    if has_table(reader.warehouse, f"{reader.prefix}marts", "customer_balances"):
        balances = reader.rows(
            "select customer_id, currency, sum(balance_total) from {marts}.customer_balances"
            " group by customer_id, currency"
        )
    left = {(customer, currency): balance for customer, currency, balance in balances}
    return [
        {
            "customer_id": customer,
            "currency": currency,
            "credited_total": credited,
            "charged_total": charged,
            "credited_share": share(credited, charged) if credited >= SMALL_TOTAL else None,
            "is_balance_below_zero": left.get((customer, currency), Decimal(0)) < 0,
        }
        for customer, currency, credited, charged in found
    ]
