"""The catalogue of one customer as it was known day by day (*What is known when*, *Credits*)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime

from .allowances import group_of
from .catalog import Catalog, Rows, Subscription, read_catalog, recorded
from .changes import life_of
from .clock import midnight_after
from .credit_usage import DailyPart, daily_part, discount_together, draws_daily
from .discounts import Discounter
from .metering import Usage
from .parts import Part, list_parts
from .periods import Period, list_periods

#: Rows that say nothing of what a line comes to.
APART = ("credit_grants", "credit_actions", "credit_top_ups", "invoice_actions", "alerts")
APART += ("entitlements",)


@dataclass
class Version:
    """A subscription under the catalogue as known from a day on; without periods if unknown."""

    since: date
    catalog: Catalog
    periods: dict[int, Period] = field(default_factory=dict)
    #: Parts that draw day by day, by period number, charge and part number.
    parts: dict[tuple[int, str, int], DailyPart] = field(default_factory=dict)


def rows_of_customer(rows: Rows, customer_id: str) -> Rows:
    """The rows that may say something of a customer's lines."""
    own = [row for row in rows.get("subscriptions", []) if row["customer_id"] == customer_id]
    names = {row["subscription_id"] for row in own}
    changes = [
        row for row in rows.get("subscription_changes", []) if row["subscription_id"] in names
    ]
    migrations = rows.get("plan_migrations", [])
    plans = {row["plan_id"] for row in own + changes if row["plan_id"]}
    while True:
        reached = {row["to_plan_id"] for row in migrations if row["from_plan_id"] in plans}
        if reached <= plans:
            break
        plans |= reached
    found: Rows = {"subscriptions": own, "subscription_changes": changes}
    for name, table in rows.items():
        if name in found or name in APART:
            continue
        found[name] = [
            row
            for row in table
            if row.get("plan_id") in (None, "", *plans)
            and row.get("customer_id") in (None, "", customer_id)
            and row.get("subscription_id") in (None, "", *names)
            and row.get("from_plan_id") in (None, *plans)
        ]
    return found


def catalogs_of(
    catalog: Catalog, rows: Rows, customer_id: str, usages: list[Usage], as_of_at: datetime
) -> list[tuple[date, Catalog]]:
    """The catalogues as known from each day on which a row of the customer's became known.

    What was recorded by the first load was known from the beginning. The last one is `catalog`.
    """
    own = rows_of_customer(rows, customer_id)
    first = min((usage.event.loaded_at for usage in usages), default=as_of_at).date()
    days = {
        recorded(row).date() for table in own.values() for row in table if recorded(row) < as_of_at
    }
    days = sorted({date.min, *(day for day in days if day > first)})
    found = []
    for day, after in zip(days, [*days[1:], None], strict=True):
        if after is None:
            found.append((day, catalog))
            continue
        at = first if day == date.min else day
        found.append((day, read_catalog(own, midnight_after(datetime(at.year, at.month, at.day)))))
    return found


def parts_of(
    catalog: Catalog, subscription: Subscription, as_of_at: datetime
) -> Iterator[tuple[Period, Part | None]]:
    """Every period with each of its parts, and once without."""
    life = life_of(catalog, subscription)
    for period in list_periods(catalog, subscription, as_of_at, beyond=1):
        yield period, None
        for part in list_parts(catalog, life, period):
            yield period, part


def version_of(
    since: date, catalog: Catalog, known: Subscription, usages: list[Usage], as_of_at: datetime
) -> Version:
    """A subscription under one of these catalogues."""
    found = Version(since, catalog)
    subscription = next(
        (
            one
            for one in catalog.subscriptions_of(known.customer_id)
            if one.subscription_id == known.subscription_id
        ),
        None,
    )
    if subscription is None:
        return found
    groups: dict[tuple, list[DailyPart]] = {}
    for period, part in parts_of(catalog, subscription, as_of_at):
        found.periods[period.number] = period
        if part is None:
            continue
        daily = daily_part(catalog, part, usages)
        if draws_daily(catalog, part):
            found.parts[(period.number, part.charge.charge_id, part.number)] = daily
        if part.pool is not None and part.slices:
            groups.setdefault(group_of(part), []).append(daily)
    if any(group[0] == "pool" for group in groups):
        for other in catalog.subscriptions_of(known.customer_id):
            if other is subscription:
                continue
            for _, part in parts_of(catalog, other, as_of_at):
                if part and part.pool is not None and part.slices and group_of(part) in groups:
                    groups[group_of(part)].append(daily_part(catalog, part, usages))
    for members in groups.values():
        for each in members:
            each.sharing = members
    discounter = Discounter(catalog, subscription, list(found.periods.values()))
    if any(one.level == "line" and one.total_amount is None for one in discounter.own):
        discount_together(list(found.parts.values()), discounter)
    return found
