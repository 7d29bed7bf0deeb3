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
    """A row that a customer's closed periods may not have known: `holds_from` is None of a price
    that a pin sees, whatever the period. One that moves where a fee was known to be cut may be late
    for a fee that was billed ahead, whatever its day.
    """

    customer_id: str
    holds_from: datetime | None
    recorded_at: datetime
    moves_cuts: bool = False


def late_rows(catalog: Catalog, rows: Rows, customer_id: str, known_at: datetime) -> list[LateRow]:
    """Changes, migrations and prices of a customer that were recorded after they took effect."""
    states = catalog.customers[customer_id]
    owned = catalog.subscriptions_of(customer_id)
    names = {one.subscription_id for one in owned}
    phases = [phase for one in owned for phase in life_of(catalog, one).phases]
    plans = {phase.plan_id for phase in phases}
    found = []
    own = {
        name: [row for row in rows.get(name, []) if row["subscription_id"] in names]
        for name in ("subscriptions", "subscription_changes")
    }
    moving = rows_that_move_cuts(rows | own)
    for row in own["subscription_changes"]:
        at = customer_instant(row["changes_at"], states)
        found.append(LateRow(customer_id, at, recorded(row), id(row) in moving))
    for row in rows.get("plan_migrations", []):
        if {row["from_plan_id"], row["to_plan_id"]} & plans:
            at = customer_instant(row["migrates_at"], states)
            found.append(LateRow(customer_id, at, recorded(row), moves_cuts=True))
    for row in rows.get("prices", []):
        if row.get("customer_id") not in (None, "", customer_id) or row["plan_id"] not in plans:
            continue
        valid, known = valid_date(row), recorded(row)
        if row.get("applies_to") == "closed" and valid < known.date():
            at = catalogue_instant(valid.isoformat(), states[0].time_zone) - DAY
            found.append(LateRow(customer_id, at, known))
        if any(
            phase.plan_id == row["plan_id"]
            and phase.pin is not None
            and valid <= phase.pin
            and phase.begin <= known
            for phase in phases
        ):
            found.append(LateRow(customer_id, None, known))
    return [
        one
        for one in found
        if one.recorded_at < known_at
        and (one.holds_from is None or one.moves_cuts or one.holds_from < one.recorded_at)
    ]


def change_key(row: dict[str, str]) -> tuple[str, ...]:
    return (row["subscription_id"], row["change"], row["charge_id"], row["changes_at"])


def plans_reached(plans: set[str], migrations: list[dict[str, str]]) -> set[str]:
    """Plans and those to which migrations, one after another, may bring their subscriptions."""
    reached, found = set(plans), set(plans)
    while found:
        found = {row["to_plan_id"] for row in migrations if row["from_plan_id"] in found} - reached
        reached |= found
    return reached


def rows_that_move_cuts(rows: Rows) -> set[int]:
    """Which changes amend or withdraw a row of an earlier day, or take effect before something of
    their subscription that was known on an earlier day (days are local or UTC: one more counts).

    Of subscriptions with fees in advance; an end with the month cuts none that is billed by the
    calendar month. Gives the rows' `id`.
    """
    changes = rows.get("subscription_changes", [])
    migrations = rows.get("plan_migrations", [])
    first: dict[tuple[str, ...], date] = {}
    plans: dict[str, set[str]] = {}
    for row in [*rows.get("subscriptions", []), *changes]:
        if row["plan_id"]:
            plans.setdefault(row["subscription_id"], set()).add(row["plan_id"])
    #: By subscription (from when, recorded on which day).
    cuts: dict[str, list[tuple[date, date]]] = {}
    reached = {name: plans_reached(own, migrations) for name, own in plans.items()}
    for row in migrations:
        for name, own in reached.items():
            if row["from_plan_id"] in own:
                known = recorded(row).date()
                cuts.setdefault(name, []).append((day_of(row["migrates_at"]), known))
    ahead: dict[str, set[str]] = {}
    for row in rows.get("charges", []):
        if row["charge_type"] == "recurring" and row["timing"] == "advance":
            ahead.setdefault(row["plan_id"], set()).add(row["every_cycles"] or "1")
    by_month = {
        row["plan_id"]
        for row in rows.get("plans", [])
        if (row["cycle"], row["alignment"]) == ("month", "calendar")
        and ahead.get(row["plan_id"], {"1"}) == {"1"}
    }
    for row in rows.get("subscriptions", []):
        name, end = row["subscription_id"], row["ends_at"]
        is_whole = len(end) == 10 and end.endswith("-01") and reached[name] <= by_month
        if end and not is_whole:
            cuts.setdefault(name, []).append((day_of(end), recorded(row).date()))
    for row in changes:
        name, known = row["subscription_id"], recorded(row).date()
        first[change_key(row)] = min(known, first.get(change_key(row), known))
        cuts.setdefault(name, []).append((day_of(row["changes_at"]), known))
    return {
        id(row)
        for row in changes
        if reached.get(row["subscription_id"], set()) & ahead.keys()
        and (
            first[change_key(row)] < recorded(row).date()
            or any(
                from_day >= day_of(row["changes_at"]) - DAY and known < recorded(row).date()
                for from_day, known in cuts[row["subscription_id"]]
            )
        )
    }


def knowledge_stops(rows: Rows, first_day: date | None, as_of_at: datetime) -> list[datetime]:
    """Midnights, in order, up to which closes do not know what was recorded on the day after.

    Every row that says something of before it was recorded makes one, be it that no close lies
    between, and every one that may move where a fee was known to be cut. What was recorded before
    the first usage was landed was known from the beginning.
    """
    instants = set()
    moving = rows_that_move_cuts(rows)
    pins = pins_of(rows)
    for name in ("subscription_changes", "plan_migrations", "prices"):
        for row in rows.get(name, []):
            known = recorded(row)
            if name == "prices":
                valid = valid_date(row)
                is_late = (row.get("applies_to") == "closed" and valid < known.date()) or any(
                    plan == row["plan_id"] and valid <= pin and since - DAY <= known.date()
                    for plan, pin, since in pins
                )
            elif name == "plan_migrations":
                is_late = True
            else:
                is_late = id(row) in moving or day_of(row["changes_at"]) < known.date()
            if is_late and known < as_of_at:
                instants.add(datetime(known.year, known.month, known.day))
    if first_day is None:
        return []
    return sorted(one for one in instants if one.date() > first_day)


def day_of(text: str) -> date:
    """The UTC day of an instant; a local date as it stands."""
    return date.fromisoformat(text) if len(text) == 10 else parse_instant(text).date()


def pins_of(rows: Rows) -> list[tuple[str, date, date]]:
    """Plans, the days of which their prices were pinned, and the day from which on."""
    return [
        (row["plan_id"], date.fromisoformat(row["prices_as_of"]), day_of(row[begins]))
        for name, begins in (("subscriptions", "starts_at"), ("subscription_changes", "changes_at"))
        for row in rows.get(name, [])
        if row.get("prices_as_of")
    ]
