"""Prepaid grants of random worlds, and small dense histories of one customer who has some.

Every choice comes from a seed. What is made stays valid for the check of the catalogue.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache

from tests import world_terms
from tests.oracle.catalog import Subscription, read_catalog
from tests.oracle.clock import DAY
from tests.oracle.credit_grants import read_grants
from tests.oracle.periods import list_periods
from tests.strategies import COLUMNS, CURRENCIES, RAW_COLUMNS, Row, catalog_row

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
        digits = CURRENCIES[self.currency]
        units = self.draw.randint(1, highest * 10**digits)
        if digits == 0:
            return str(units)
        text = str(units).rjust(digits + 1, "0")
        return f"{text[:-digits]}.{text[-digits:]}"

    def make(self, count: int) -> None:
        for number in range(count):
            self.make_grant(f"{self.draw.choice('gG_é')}{number}.{self.customer_id}")
        for number in range(self.draw.choice([0, 0, 1, 2])):
            self.act(f"act{number}.{self.customer_id}")

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
            cost_basis=self.money(self.size) if paid and self.chance(0.4) else "",
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
            row for row in self.catalog["credit_grants"] if row["customer_id"] == self.customer_id
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


# -- small histories -------------------------------------------------------------------------------

HISTORY_START = datetime(2026, 1, 1)
HISTORY_DAYS = 50


@dataclass
class History:
    """One customer with two subscriptions: a fee, usage of many kinds, grants, late usage, voids.

    A plain one has no fee, no minimum and no grant that ends.
    """

    seed: int
    is_plain: bool = False

    def __post_init__(self) -> None:
        self.draw = random.Random(self.seed)
        self.catalog: Catalog = {name: [] for name in COLUMNS}
        self.rows: list[dict] = []
        self.granter = Granter(
            draw=self.draw,
            catalog=self.catalog,
            start=HISTORY_START,
            days=HISTORY_DAYS,
            customer_id="c",
            currency="USD",
            scopes={
                "subscription": ["s", "t"],
                "product": ["api"],
                "meter": ["tokens", "calls", "peak"],
            },
            size=60,
        )

    def add(self, file: str, **values: object) -> Row:
        return self.granter.add(file, **values)

    def charge(self, charge_id: str, kind: str, prices: list[dict], **values: object) -> None:
        common = {"plan_id": "plan", "charge_id": charge_id}
        position = self.draw.randint(1, 3)
        self.add("charges", **common, name=charge_id, position=position, charge_type=kind, **values)
        for price in prices:
            self.add("prices", **common, currency="USD", position=1, **price)

    def make_catalog(self) -> None:
        draw = self.draw
        zone = draw.choice(["UTC", "America/New_York", "Asia/Tokyo"])
        customer = {"customer_id": "c", "name": "Somebody", "currency": "USD"}
        self.add("customers", **customer, time_zone=zone, billing_entity="E")
        self.add("products", product_id="api", name="API", product_type="api")
        cycle = draw.choice(["month", "week"])
        plan = {"plan_id": "plan", "product_id": "api", "name": "Plan"}
        self.add("plans", **plan, cycle=cycle, alignment="calendar")
        for name in ("s", "t"):
            self.add(
                "subscriptions",
                subscription_id=name,
                customer_id="c",
                plan_id="plan",
                starts_at=draw.choice(["2026-01-01", "2025-12-10"]),
                ends_at=draw.choice(["", "", "2026-02-06"]) if name == "t" else "",
            )
        aggregations = {"tokens": "sum", "calls": "count", "users": "count_unique", "peak": "max"}
        for meter, aggregation in aggregations.items():
            self.add(
                "meters",
                meter=meter,
                version=1,
                event_name="use",
                aggregation=aggregation,
                property={"count": "", "count_unique": "u"}.get(aggregation, "v"),
                dimensions="r" if meter == "tokens" else "",
            )
        if not self.is_plain:
            timing = draw.choice(["advance", "arrears"])
            self.charge("base", "recurring", [{"unit_price": "20"}], timing=timing)
        meter = {"meter_version": 1}
        rows = [{"unit_price": "0.35"}, {"unit_price": "0.155", "dimension_values": "r=eu"}]
        allowance = draw.choice(["", "12.5", "40"])
        self.charge(
            "tokens", "usage", rows, meter="tokens", pricing_model="per_unit",
            allowance=allowance, **meter,
        )  # fmt: skip
        bands = [{"up_to": "4", "unit_price": "2"}, {"unit_price": "1", "flat_fee": "3"}]
        model = draw.choice(["tiered", "volume"])
        self.charge("calls", "usage", bands, meter="calls", pricing_model=model, **meter)
        pack = [{"unit_price": "1.5", "package_size": "2"}]
        self.charge("users", "usage", pack, meter="users", pricing_model="package", **meter)
        self.charge(
            "peak",
            "usage",
            [{"unit_price": "0.1"}],
            meter="peak",
            pricing_model="per_unit",
            **meter,
        )
        limit = {"plan_id": "plan", "charge_id": "tokens", "currency": "USD"}
        if draw.random() < 0.6:
            minimum = "" if self.is_plain else draw.choice(["", "9"])
            maximum = "25" if not minimum else draw.choice(["", "25"])
            self.add("charge_limits", **limit, minimum=minimum, maximum=maximum)
        if draw.random() < 0.5:
            self.add(
                "discounts",
                discount_id="d",
                name="Discount",
                customer_id="c",
                level=draw.choice(["line", "invoice"]),
                percent=draw.choice(["10", "33.3"]),
            )
        if draw.random() < 0.4 and not self.is_plain:
            self.add(
                "commitments",
                commitment_id="k",
                name="Commitment",
                plan_id="plan",
                currency="USD",
                amount="70",
                overage_factor=draw.choice(["", "1.5"]),
            )

    def land(self, loaded_at: datetime, **values: str) -> None:
        row = dict.fromkeys(RAW_COLUMNS)
        row |= {"load_id": f"{len(self.rows):028x}", "line_number": 1, "loaded_at": loaded_at}
        self.rows.append(row | {"customer_id": "c"} | values)

    def make_events(self) -> None:
        draw = self.draw
        for number in range(draw.randint(5, 30)):
            at = HISTORY_START + timedelta(seconds=draw.randint(0, HISTORY_DAYS * 86400 - 1))
            late = draw.choice([0, 0, 0, 0, 1, 3, 12, 30])
            loaded_at = at + timedelta(days=late, seconds=60)
            value = draw.choice(["1", "7.5", "20", "-2", "33"])
            self.land(
                loaded_at,
                event_name="use",
                event_key=f"k{number}",
                occurred_at=text_of(at),
                subscription_id=draw.choice("st"),
                properties=f'{{"v":{value},"u":"u{number % 5}","r":"{draw.choice(["eu", "us"])}"}}',
            )
            if draw.random() < 0.15:
                after = loaded_at + timedelta(days=draw.choice([0, 0, 2, 25]), seconds=5)
                self.land(after, voids_key=f"k{number}")

    def make(self) -> WorldRows:
        self.make_catalog()
        if self.is_plain:
            for number in range(self.draw.randint(1, 4)):
                self.granter.make_grant(f"g{number}")
            for row in self.catalog["credit_grants"]:
                row |= {"expires_at": "", "every": "", "recurs_until": "", "rollover_cap": ""}
        else:
            self.granter.make(self.draw.randint(1, 6))
        self.make_events()
        as_of_day = HISTORY_START.date() + timedelta(days=HISTORY_DAYS)
        as_of_at = at_midnight(as_of_day) + DAY
        if not self.is_plain:
            read = read_catalog(self.catalog, as_of_at)
            for one in read.subscriptions_of("c"):
                act_on_invoices(self.granter, one, list_periods(read, one, as_of_at))
        return self.catalog, self.rows, as_of_day


@cache
def history(seed: int) -> WorldRows:
    return History(seed).make()


#: What is somebody's own in a history.
OWN = """
    customer_id product_id plan_id subscription_id meter event_name discount_id commitment_id
    grant_id to_grant_id scope_id action_id invoice_id line_id load_id
"""


def renamed(row: dict, prefix: str) -> dict:
    return {
        name: f"{prefix}{value}" if name in OWN.split() and value else value
        for name, value in row.items()
    }


def histories(seeds: Iterable[int]) -> WorldRows:
    """Many histories as one world: each of a customer, with plans and meters of its own."""
    catalog: Catalog = {name: [] for name in COLUMNS}
    raw_rows: list[dict] = []
    for seed in seeds:
        rows, deliveries, as_of_day = history(seed)
        for name, table in rows.items():
            catalog[name] += [renamed(row, f"{seed:04x}") for row in table]
        raw_rows += [renamed(row, f"{seed:04x}") for row in deliveries]
    return catalog, raw_rows, as_of_day
