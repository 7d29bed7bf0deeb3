"""Prepaid grants, their occurrences, voids and transfers (section 3, *Credits*)."""

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from fractions import Fraction

from .catalog import Rows, is_true, number, recorded
from .clock import DAY, add_cycles, parse_cycle, parse_instant

MICROSECOND = timedelta(microseconds=1)
SCOPES = ("meter", "product", "subscription", "all")


@dataclass(frozen=True)
class Grant:
    """A one-off, or one occurrence of what recurs; days are UTC.

    It pays for usage days from `effective_on` to `last_day`, and is there to pay from
    `first_posting` on, until the end of `last_day` or `voided_on`, whichever is first.
    """

    grant_id: str
    catalog_grant_id: str
    customer_id: str
    wallet: str
    is_paid: bool
    currency: str
    amount: Fraction
    priority: int
    scope: str
    scope_id: str
    effective_at: datetime
    expires_at: datetime | None
    covers_true_up: bool
    recorded_on: date
    rollover_cap: Fraction = Fraction(0)
    #: The next occurrence, if there is one.
    next_id: str = ""
    voided_on: date | None = None

    @property
    def first_posting(self) -> date:
        return max(self.effective_at.date(), self.recorded_on)

    @property
    def last_day(self) -> date | None:
        return None if self.expires_at is None else (self.expires_at - MICROSECOND).date()

    @property
    def expiry_posting(self) -> date | None:
        return None if self.last_day is None else max(self.last_day, self.first_posting)

    @property
    def order(self) -> tuple:
        """Who pays first."""
        return (
            self.priority,
            SCOPES.index(self.scope),
            self.is_paid,
            self.expires_at or datetime.max,
            self.effective_at,
            self.grant_id.encode(),
        )

    def has_day(self, day: date) -> bool:
        return self.effective_at.date() <= day and (self.last_day is None or day <= self.last_day)

    def can_post(self, day: date) -> bool:
        ends = [one for one in (self.last_day, self.voided_on) if one is not None]
        return self.first_posting <= day <= min(ends, default=date.max)

    def is_over(self, day: date) -> bool:
        """Expired, or voided, before a day."""
        return any(one is not None and one < day for one in (self.last_day, self.voided_on))


@dataclass(frozen=True)
class Transfer:
    action_id: str
    grant_id: str
    to_grant_id: str
    amount: Fraction
    acts_at: datetime
    posting: date


def read_grant(row: dict[str, str]) -> Grant:
    scope = row["scope"] or "all"
    return Grant(
        grant_id=row["grant_id"],
        catalog_grant_id=row["grant_id"],
        customer_id=row["customer_id"],
        wallet=row["wallet"] or "main",
        is_paid=row["kind"] == "paid",
        currency=row["currency"],
        amount=number(row["amount"]),
        priority=int(row["priority"] or 100),
        scope=scope,
        scope_id="" if scope == "all" else row["scope_id"],
        effective_at=parse_instant(row["effective_at"]),
        expires_at=parse_instant(row["expires_at"]) if row["expires_at"] else None,
        covers_true_up=is_true(row["covers_true_up"]),
        recorded_on=recorded(row).date(),
    )


def begin_of(first: datetime, every: str, count: int) -> datetime:
    """The begin of an occurrence, the anchor day kept; the first one is number 1."""
    day = add_cycles(first.date(), parse_cycle(every), count - 1)
    return datetime.combine(day, time()) + (first - datetime.combine(first.date(), time()))


def occurrences(row: dict[str, str], through: date, stopped_on: date | None) -> list[Grant]:
    """Occurrences that begin through a day; none begins after the day of a void of them all."""
    first = read_grant(row)
    until = parse_instant(row["recurs_until"]) if row["recurs_until"] else datetime.max
    found = []
    count = 1
    while True:
        begin = begin_of(first.effective_at, row["every"], count)
        is_made = begin < until and (stopped_on is None or begin.date() <= stopped_on)
        if found and is_made:
            found[-1] = replace(found[-1], next_id=f"{row['grant_id']}#{count}")
        if not is_made or begin.date() > through:
            return found
        found.append(
            replace(
                first,
                grant_id=f"{row['grant_id']}#{count}",
                effective_at=begin,
                expires_at=begin_of(first.effective_at, row["every"], count + 1),
                rollover_cap=number(row["rollover_cap"]),
                voided_on=None
                if stopped_on is None
                else max(stopped_on, begin.date(), first.recorded_on),
            )
        )
        count += 1


def day_of_action(row: dict[str, str]) -> date:
    return max(parse_instant(row["acts_at"]).date(), recorded(row).date())


def read_grants(rows: Rows, as_of_at: datetime) -> tuple[dict[str, Grant], list[Transfer]]:
    """Grants by id, through the day after the as-of day, and transfers in their order."""
    known = {
        name: [row for row in rows.get(name, []) if recorded(row) < as_of_at]
        for name in ("credit_grants", "credit_actions")
    }
    voids: dict[str, date] = {}
    for row in known["credit_actions"]:
        if row["action"] == "void":
            day = day_of_action(row)
            voids[row["grant_id"]] = min(day, voids.get(row["grant_id"], day))
    grants: dict[str, Grant] = {}
    through = (as_of_at - DAY).date() + DAY
    for row in known["credit_grants"]:
        stopped_on = voids.get(row["grant_id"])
        own = occurrences(row, through, stopped_on) if row["every"] else [read_grant(row)]
        for grant in own:
            if grant.grant_id in voids:
                voided_on = max(voids[grant.grant_id], grant.first_posting)
                voided_on = min(voided_on, grant.voided_on or voided_on)
                grant = replace(grant, voided_on=voided_on)
            grants[grant.grant_id] = grant
    transfers = []
    for row in known["credit_actions"]:
        sides = [grants.get(row["grant_id"]), grants.get(row["to_grant_id"])]
        if row["action"] != "transfer" or None in sides:
            continue
        transfers.append(
            Transfer(
                action_id=row["action_id"],
                grant_id=row["grant_id"],
                to_grant_id=row["to_grant_id"],
                amount=number(row["amount"]),
                acts_at=parse_instant(row["acts_at"]),
                posting=max(day_of_action(row), *(one.first_posting for one in sides)),
            )
        )
    transfers.sort(key=lambda one: (one.acts_at, one.action_id.encode()))
    return grants, transfers
