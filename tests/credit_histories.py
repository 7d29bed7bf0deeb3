"""Small dense histories of one customer with prepaid grants, for properties of the oracle.

Every choice comes from a seed, and what is made is valid for the check of the catalogue.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from tests.credit_strategies import (
    Catalog,
    Granter,
    WorldRows,
    act_on_invoices,
    at_midnight,
    text_of,
)
from tests.oracle.catalog import read_catalog
from tests.oracle.clock import DAY
from tests.oracle.periods import list_periods
from tests.strategies import COLUMNS, RAW_COLUMNS, Row

HISTORY_START = datetime(2026, 1, 1)
HISTORY_DAYS = 50
UNIT = "AI credits"


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
        #: What came later has choices of its own: line discounts, odd charges, units of credit.
        self.discount_draw = random.Random(f"discounts {self.seed}")
        self.odd_draw = random.Random(f"odd {self.seed}")
        unit_draw = random.Random(f"units {self.seed}")
        self.unit_granter = Granter(
            draw=unit_draw,
            catalog=self.catalog,
            start=HISTORY_START,
            days=HISTORY_DAYS,
            customer_id="c",
            currency=UNIT,
            scopes={"subscription": ["s", "t"], "product": ["api"], "meter": ["prompts"]},
            size=20,
            digits=unit_draw.choice([0, 1, 2, 2, 3, 4]),
            mark="u",
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
        # Half of the gauges only grow, and draw by the day; the others draw at the close.
        gauges = random.Random(f"gauge {self.seed}")
        gauge = gauges.choice(["max", "max", "latest", "min"])
        aggregations = {"tokens": "sum", "calls": "count", "users": "count_unique", "peak": gauge}
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
        has_fee = gauges.random() < 0.3
        self.charge(
            "peak",
            "usage",
            [{"unit_price": "0.1", "flat_fee": "0.75"}] if has_fee else [{"unit_price": "0.1"}],
            meter="peak",
            flat_fee_at_zero="true" if has_fee else "",
            pricing_model="tiered" if has_fee else "per_unit",
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
        if not self.is_plain:
            self.make_line_discounts()
            self.make_odd_charges()
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

    def make_line_discounts(self) -> None:
        """What is taken off charges, of every kind; some of it is told later."""
        draw = self.discount_draw
        for number in range(draw.choice([0, 1, 1, 2, 3])):
            kind = draw.choice(["percent", "percent", "amount", "total_amount"])
            values = {"percent": ["7", "50", "12.5"], "amount": ["3", "0.5"]}
            since = draw.choice(["", "", "2026-01-15"])
            told = draw.choice(["", "", "2026-01-12T09:00:00Z", "2026-02-03T09:00:00Z"])
            self.add(
                "discounts",
                discount_id=f"l{number}",
                name="Of a charge",
                level="line",
                **draw.choice(
                    [{"customer_id": "c"}, {"plan_id": "plan"}, {"subscription_id": "s"}]
                ),
                position=draw.randint(1, 2),
                charge_id=draw.choice(["", "tokens", "tokens", "calls"]),
                valid_from=since,
                recorded_at=told,
                currency="" if kind == "percent" else "USD",
                **{kind: draw.choice(values.get(kind, ["9"]))},
            )

    def make_odd_charges(self) -> None:
        """A set-up fee, fees at zero of rows side by side, and a customer who moves."""
        draw = self.odd_draw
        if draw.random() < 0.5:
            timing = draw.choice(["advance", "arrears"])
            self.charge("setup", "one_time", [{"unit_price": "6.5"}], timing=timing)
        if draw.random() < 0.6:
            bands = [{"up_to": "10", "flat_fee": "2"}, {"flat_fee": "1.25"}]
            rows = [*bands, *({**band, "dimension_values": "r=eu"} for band in bands)]
            self.charge(
                "steps", "usage", rows, meter="tokens", meter_version=1, flat_fee_at_zero="true",
                pricing_model=draw.choice(["stairstep", "tiered"]),
            )  # fmt: skip
        if draw.random() < 0.4:
            moved = dict(self.catalog["customers"][0])
            moved["time_zone"] = draw.choice(["UTC", "America/Los_Angeles", "Pacific/Apia"])
            moved["valid_from"] = draw.choice(["2026-01-05T20:00:00Z", "2026-01-20T01:00:00Z"])
            self.catalog["customers"].append(moved)

    def make_units(self) -> None:
        """A charge priced in a unit of credit, and what one of it is worth."""
        draw = self.unit_granter.draw
        rates = [{"rate": draw.choice(["0.03", "0.5", "1", "12.3456789"])}]
        if draw.random() < 0.5:
            known = draw.choice(["", "2026-01-10T00:00:00Z", "2026-02-03T00:00:00Z"])
            rates.append({"rate": "0.07", "valid_from": "2026-01-08", "recorded_at": known})
        for rate in rates:
            digits = self.unit_granter.digits
            self.add("credit_units", unit=UNIT, exponent=digits, currency="USD", **rate)
        aggregation = draw.choice(["sum", "sum", "count", "count_unique", "max"])
        self.add(
            "meters",
            meter="prompts",
            version=1,
            event_name="use",
            aggregation=aggregation,
            property={"count": "", "count_unique": "u"}.get(aggregation, "v"),
            dimensions="r" if aggregation == "sum" else "",
        )
        model = draw.choice(["per_unit", "tiered", "volume", "package"])
        rows = {
            "per_unit": [{"unit_price": "0.125"}],
            "package": [{"unit_price": "0.75", "package_size": "3"}],
        }.get(model, [{"up_to": "5", "unit_price": "0.4"}, {"unit_price": "0.15", "flat_fee": "1"}])
        if model == "per_unit" and aggregation == "sum":
            rows.append({"unit_price": "0.0333", "dimension_values": "r=eu"})
        common = {"plan_id": "plan", "charge_id": "prompts"}
        allowance = draw.choice(["", "", "10"])
        self.add(
            "charges", **common, name="Prompts", position=draw.randint(1, 3), charge_type="usage",
            meter="prompts", meter_version=1, pricing_model=model, allowance=allowance,
        )  # fmt: skip
        for row in rows:
            self.add("prices", **common, currency=UNIT, position=1, **row)

    def make_allowance(self) -> None:
        """Half of them: a quantity that counts and sums share, pooled by the two subscriptions or
        carried over, with days of grace in which the time before is open still.
        """
        draw = random.Random(f"allowance {self.seed}")
        if draw.random() < 0.5:
            return
        summed = {
            row["meter"] for row in self.catalog["meters"] if row["aggregation"] in ("sum", "count")
        }
        able = [row for row in self.catalog["charges"] if row["meter"] in summed]
        chosen = draw.sample(able, draw.randint(1, len(able)))
        for row in chosen:
            row["allowance"] = ""
        is_pooled = draw.random() < 0.4
        rollover = "" if is_pooled else draw.choice(["", "1", "1", "2", "3"])
        cap = draw.choice(["", "20"]) if rollover else ""
        self.catalog["plans"][0]["grace_days"] = draw.choice(["", "2", "5"])
        self.add(
            "allowances",
            plan_id="plan",
            allowance_id="shared",
            charge_ids="|".join(row["charge_id"] for row in chosen),
            quantity=draw.choice(["7.5", "30", "60"]),
            proration=draw.choice(["", "days", "seconds"]),
            rollover_periods=rollover,
            rollover_cap=cap,
            pooled="true" if is_pooled else "",
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
        self.make_units()
        if self.is_plain:
            for number in range(self.draw.randint(1, 4)):
                self.granter.make_grant(f"g{number}")
            self.unit_granter.make_grant("u")
            for row in self.catalog["credit_grants"]:
                row |= {"expires_at": "", "every": "", "recurs_until": "", "rollover_cap": ""}
        else:
            self.granter.make(self.draw.randint(1, 6))
            self.unit_granter.make(self.unit_granter.draw.randint(0, 5))
            self.make_allowance()
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
    grant_id to_grant_id scope_id action_id invoice_id line_id load_id allowance_id
"""


def renamed(row: dict, prefix: str) -> dict:
    return {
        name: f"{prefix}{value}" if value and (name in OWN.split() or value == UNIT) else value
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
