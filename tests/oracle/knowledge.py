"""What of the catalogue became known late, and when (*What is known when*, *Closing*).

A close knows the catalogue as it was then. A row that holds from before it was recorded may change
what has closed: such periods are rated again, on all that is known at the next close.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from .catalog import Catalog, Rows, customer_instant, recorded, valid_date
from .changes import life_of
from .clock import catalogue_instant, parse_instant

DAY = timedelta(days=1)


@dataclass(frozen=True)
class LateRow:
    """A row that a customer's closed periods may not have known: `holds_from` is None where a pin
    sees it whatever its day. One that takes an earlier row back may be late for a fee that was
    billed ahead, whatever its day.
    """

    customer_id: str
    holds_from: datetime | None
    recorded_at: datetime
    takes_back: bool = False


def late_rows(catalog: Catalog, rows: Rows, customer_id: str, known_at: datetime) -> list[LateRow]:
    """Changes, migrations and prices of a customer that were recorded after they took effect."""
    states = catalog.customers[customer_id]
    owned = catalog.subscriptions_of(customer_id)
    names = {one.subscription_id for one in owned}
    phases = [phase for one in owned for phase in life_of(catalog, one).phases]
    plans = {phase.plan_id for phase in phases}
    is_pinned = any(phase.pin for phase in phases)
    found = []
    first = first_days(rows)
    for row in rows.get("subscription_changes", []):
        if row["subscription_id"] in names:
            at = customer_instant(row["changes_at"], states)
            found.append(LateRow(customer_id, at, recorded(row), takes_back(row, first)))
    for row in rows.get("plan_migrations", []):
        if {row["from_plan_id"], row["to_plan_id"]} & plans:
            at = customer_instant(row["migrates_at"], states)
            found.append(LateRow(customer_id, at, recorded(row)))
    for row in rows.get("prices", []):
        is_own = row.get("customer_id") in (None, "", customer_id) and row["plan_id"] in plans
        if is_own and (row.get("applies_to") == "closed" or is_pinned):
            zone_name = states[0].time_zone
            at = catalogue_instant(valid_date(row).isoformat(), zone_name) - DAY
            found.append(LateRow(customer_id, None if is_pinned else at, recorded(row)))
    return [
        one
        for one in found
        if one.recorded_at < known_at
        and (one.holds_from is None or one.takes_back or one.holds_from < one.recorded_at)
    ]


def change_key(row: dict[str, str]) -> tuple[str, ...]:
    return (row["subscription_id"], row["change"], row["charge_id"], row["changes_at"])


def first_days(rows: Rows) -> dict[tuple[str, ...], date]:
    """The day on which each change was recorded first."""
    found: dict[tuple[str, ...], date] = {}
    for row in rows.get("subscription_changes", []):
        day = recorded(row).date()
        found[change_key(row)] = min(day, found.get(change_key(row), day))
    return found


def takes_back(row: dict[str, str], first: dict[tuple[str, ...], date]) -> bool:
    """Whether the row amends or withdraws a row of its key of an earlier day."""
    return first[change_key(row)] < recorded(row).date()


def knowledge_stops(rows: Rows, first_day: date | None, as_of_at: datetime) -> list[datetime]:
    """Midnights, in order, up to which closes do not know what was recorded on the day after.

    Every row that says something of before it was recorded makes one, be it that no close lies
    between. What was recorded before the first usage was landed was known from the beginning.
    """
    instants = set()
    first = first_days(rows)
    for name in ("subscription_changes", "plan_migrations", "prices"):
        for row in rows.get(name, []):
            if name == "prices":
                is_late = row.get("applies_to") == "closed" or has_pins(rows)
                since = valid_date(row)
            else:
                since = day_of(row["changes_at" if name[0] == "s" else "migrates_at"])
                is_late = True
            known = recorded(row)
            is_past = since < known.date() or (name[0] == "s" and takes_back(row, first))
            if is_late and is_past and known < as_of_at:
                instants.add(datetime(known.year, known.month, known.day))
    if first_day is None:
        return []
    return sorted(one for one in instants if one.date() > first_day)


def day_of(text: str) -> date:
    """The UTC day of an instant; a local date as it stands."""
    return date.fromisoformat(text) if len(text) == 10 else parse_instant(text).date()


def has_pins(rows: Rows) -> bool:
    return any(
        row.get("prices_as_of")
        for name in ("subscriptions", "subscription_changes")
        for row in rows.get(name, [])
    )
