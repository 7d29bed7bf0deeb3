"""Prepaid grants of random worlds.

Every choice comes from a seed. What is made stays valid for the check of the catalogue.
"""

import random
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from tests import world_terms
from tests.oracle.catalog import Subscription, read_catalog
from tests.oracle.clock import DAY
from tests.oracle.credit_grants import read_grants
from tests.oracle.periods import list_periods
from tests.strategies import COLUMNS, CURRENCIES, Row, catalog_row

Catalog = dict[str, list[Row]]
WorldRows = tuple[Catalog, list[dict], date]
#: When something became known is no matter of the catalogue's here.
ACTIONS = ("invoice_actions", "credit_actions", "credit_grants")
FAR = timedelta(days=200)


def text_of(instant: datetime) -> str:
    return f"{instant.isoformat()}Z"


def at_midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)


@dataclass
class Granter:
    """Makes the grants of one customer, and what happens to them."""

    draw: random.Random
    catalog: Catalog
    start: datetime
    days: int
    customer_id: str
    currency: str
    #: Ids that a scope may name, by scope.
    scopes: dict[str, list[str]]
    #: About what an invoice comes to, in the currency.
    size: int = 300
    #: Decimals, where it is a unit of credit.
    digits: int | None = None
    #: Told at the end of ids, where a customer has several granters.
    mark: str = ""

    def chance(self, share: float) -> bool:
        return self.draw.random() < share

    def add(self, file: str, **values: object) -> Row:
        row = catalog_row(file, **values)
        self.catalog.setdefault(file, []).append(row)
        return row

    def moment(self, low: int, high: int) -> datetime:
        """An instant so many days after the start, often a midnight."""
        at = self.start + timedelta(days=self.draw.randint(low, high))
        return at if self.chance(0.4) else at + timedelta(seconds=self.draw.randint(1, 86399))

    def known(self, at: datetime) -> str:
        """Recorded always, before, on the day, or after it."""
        roll = self.draw.random()
        if roll < 0.3:
            return ""
        if roll < 0.5:
            return text_of(at - timedelta(days=self.draw.randint(1, 30)))
        if roll < 0.75:
            return text_of(at)
        return text_of(at + timedelta(days=self.draw.randint(1, 15), seconds=1))

    def money(self, highest: int) -> str:
        digits = CURRENCIES[self.currency] if self.digits is None else self.digits
        units = self.draw.randint(1, highest * 10**digits)
        if digits == 0:
            return str(units)
        text = str(units).rjust(digits + 1, "0")
        return f"{text[:-digits]}.{text[-digits:]}"

    def cost(self) -> str:
        """What was paid for a grant is money, also of one in a unit of credit."""
        return self.money(self.size) if self.digits is None else str(self.draw.randint(1, 9))

    def make(self, count: int) -> None:
        for number in range(count):
            mark = f"{number}.{self.customer_id}{self.mark}"
            self.make_grant(f"{self.draw.choice('gG_é')}{mark}")
        for number in range(self.draw.choice([0, 0, 1, 2])):
            self.act(f"act{number}.{self.customer_id}{self.mark}")

    def make_grant(self, grant_id: str) -> None:
        draw = self.draw
        # What one meter's usage alone draws on is not gone with the first fee.
        scope = draw.choice(["", "all", "all", "meter", *self.scopes])
        scope = scope if scope in ("", "all", *self.scopes) else "all"
        effective_at = self.moment(-30, self.days * 3 // 4)
        every = draw.choice(["week", "week", "month", "quarter"]) if self.chance(0.3) else ""
        is_ending = not every and self.chance(0.5)
        expires_at = effective_at + timedelta(
            days=draw.randint(1, 50), seconds=draw.choice([0, 0, 1, 40000])
        )
        recurs_until = effective_at + timedelta(days=draw.randint(1, 60))
        paid = self.chance(0.5)
        amount = self.money(draw.choice([2, self.size // 10, self.size, self.size * 5]))
        has_cap = bool(every) and self.chance(0.6)
        self.add(
            "credit_grants",
            grant_id=grant_id,
            name="Credit",
            customer_id=self.customer_id,
            wallet=draw.choice(["", "main", "gifts"]),
            kind="paid" if paid else "promotional",
            currency=self.currency,
            amount=amount,
            cost_basis=self.cost() if paid and self.chance(0.4) else "",
            priority=draw.choice(["", "", "1", "50", "100"]),
            scope=scope,
            scope_id=draw.choice(self.scopes[scope]) if scope in self.scopes else "",
            effective_at=text_of(effective_at),
            expires_at=text_of(expires_at) if is_ending else "",
            every=every,
            recurs_until=text_of(recurs_until) if every and self.chance(0.4) else "",
            rollover_cap=self.money(self.size) if has_cap else "",
            covers_true_up=draw.choice(["", "true", "false"]),
            recorded_at=self.known(effective_at),
        )

    def act(self, action_id: str) -> None:
        """A void or a transfer of what there is."""
        draw = self.draw
        own = [
            row
            for row in self.catalog["credit_grants"]
            if (row["customer_id"], row["currency"]) == (self.customer_id, self.currency)
        ]
        grants, _ = read_grants({"credit_grants": own}, self.start + timedelta(days=self.days))
        if not grants:
            return
        at = self.moment(0, self.days)
        common = {"action_id": action_id, "acts_at": text_of(at), "recorded_at": self.known(at)}
        if len(grants) > 1 and self.chance(0.6):
            before, after = draw.sample(sorted(grants), 2)
            self.add(
                "credit_actions",
                **common,
                action="transfer",
                grant_id=before,
                to_grant_id=after,
                amount=self.money(self.size),
                reason="moved",
            )
            return
        # A recurring grant may be voided as a whole; a grant is voided once.
        voided = {row["grant_id"] for row in self.catalog["credit_actions"]}
        able = sorted({*grants, *(one["grant_id"] for one in own)} - voided)
        if not able:
            return
        grant_id = draw.choice(able)
        self.add("credit_actions", **common, action="void", grant_id=grant_id, reason="a mistake")


# -- grants of a random world ----------------------------------------------------------------------


@dataclass
class Settled:
    """A world's catalogue as `world_terms.settle` asks for it."""

    catalog: Catalog
    start: datetime

    def family_of(self, plan_id: str) -> list[str]:
        plans = [row["plan_id"] for row in self.catalog["plans"]]
        return [one for one in plans if one[:7] == plan_id[:7]]


def record_at_the_beginning(catalog: Catalog) -> None:
    """All rows known before any usage, in the order in which they were recorded."""
    rows = [row for name, table in catalog.items() if name not in ACTIONS for row in table]
    known = sorted({row["recorded_at"] for row in rows if row["recorded_at"]})
    texts = {
        text: text_of(datetime(1970, 1, 2) + timedelta(seconds=place))
        for place, text in enumerate(known)
    }
    for row in rows:
        row["recorded_at"] = texts.get(row["recorded_at"], "")


def with_credits(world: WorldRows, seed: int) -> WorldRows:
    """The world with grants of most of its customers, and some actions on invoices.

    Its other catalogue rows are known from the beginning.
    """
    draw = random.Random(seed)
    catalog = {name: [dict(row) for row in table] for name, table in world[0].items()}
    catalog |= {name: [] for name in COLUMNS if name not in catalog}
    _, raw_rows, as_of_day = world
    first_day = min(row["loaded_at"] for row in raw_rows).date()
    start, as_of_at = at_midnight(first_day), at_midnight(as_of_day) + DAY
    record_at_the_beginning(catalog)
    world_terms.settle(Settled(catalog, start), as_of_at)
    read = read_catalog(catalog, as_of_at)
    moves: dict[str, set[str]] = {}
    for row in catalog["subscription_changes"]:
        moves.setdefault(row["subscription_id"], set()).add(row["plan_id"])
    for customer_id, owned in read.by_customer.items():
        if draw.random() < 0.25:
            continue
        plans = {one.plan_id for one in owned}.union(
            *(moves.get(one.subscription_id, ()) for one in owned)
        )
        meters = {
            row["meter"] for row in catalog["charges"] if row["plan_id"] in plans and row["meter"]
        }
        products = {row["product_id"] for row in catalog["plans"] if row["plan_id"] in plans}
        scopes = {
            "subscription": sorted(one.subscription_id for one in owned),
            "product": sorted(products),
            "meter": sorted(meters),
        }
        granter = Granter(
            draw=draw,
            catalog=catalog,
            start=start,
            days=(as_of_day - first_day).days,
            customer_id=customer_id,
            currency=owned[0].currency,
            scopes={scope: names for scope, names in scopes.items() if names},
        )
        granter.make(draw.choice([1, 1, 2, 3, 5]))
        for subscription in owned:
            if draw.random() < 0.25:
                periods = list_periods(read, subscription, as_of_at)
                act_on_invoices(granter, subscription, periods)
    return catalog, raw_rows, as_of_day


def act_on_invoices(granter: Granter, subscription: Subscription, periods: list) -> None:
    """Voids, reissues and credits of what has closed; some find nothing, and are refused."""
    draw, name = granter.draw, subscription.subscription_id
    end = granter.start + timedelta(days=granter.days)
    closed = [one for one in periods if granter.start < one.cutoff_at < end]
    if not closed:
        return
    period = draw.choice(closed)
    invoice_id = f"{name}@{period.to_date.isoformat()}"
    at = period.cutoff_at + timedelta(days=draw.randint(0, 12), hours=draw.randint(1, 23))

    def add(action: str, at: datetime, **values: object) -> None:
        common = {"action_id": f"{action} {name}", "action": action, "reason": "asked for"}
        granter.add("invoice_actions", **common, acted_by="desk", recorded_at=text_of(at), **values)

    if granter.chance(0.5):
        line_id = f"{invoice_id}#{draw.randint(1, 2)}"
        add("credit", at, line_id=line_id, amount=granter.money(20))
    if granter.chance(0.6):
        at += timedelta(days=draw.randint(0, 3))
        add("void", at, invoice_id=invoice_id)
        if granter.chance(0.6):
            add("reissue", at + timedelta(days=draw.randint(0, 8), hours=1), invoice_id=invoice_id)
