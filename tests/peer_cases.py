"""Numeric cases of other billing systems' tests, as catalogues and events of ours.

`translate` makes of a case one customer with its own plan and meters, so that all cases go through
one build (`merge`). Its checks are about invoice lines alone, whoever made them: the oracle or
the warehouse (`observe`). Where our rule is another one, OURS holds our value and the reason.
"""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from tests.oracle.amounts import fixed, half_away
from tests.oracle.clock import zone
from tests.strategies import COLUMNS, RAW_COLUMNS, Row, catalog_row

AS_OF_DAY = date(2030, 1, 1)
#: The price whose cents show nine digits of a ratio.
UNIT_FEE = 10**7
RATIO = {"field": "line_total", "digits": 2}

#: Kinds of cases that are about what is built so far.
KINDS = [
    "billing_period",
    "block_tiers",
    "bucketed",
    "charge_minimum_trueup",
    "count",
    "day_price",
    "days_between",
    "dimensional",
    "dynamic",
    "elapsed_cycles",
    "first_billing_cycle_date",
    "fixed_days_between",
    "flat_fee_proration",
    "graduated",
    "graduated_percentage",
    "invoice_generation",
    "latest",
    "max",
    "max_spend",
    "min_spend",
    "package",
    "per_unit",
    "percentage",
    "percentage_min_max",
    "percentage_scenario",
    "proration_cycles",
    "proration_ratio",
    "rounding",
    "stairstep",
    "subscription_proration",
    "sum",
    "timezone_change",
    "unique_count",
    "unit_conversion",
    "volume",
    "weighted_sum",
]

#: Cases whose rule is not ours: the values of our checks in order, and why.
MIDNIGHT = "boundaries are local midnight, not the time of day of the start"
WHOLE_MONTHS = "days are calendar days over the days of the full cycle, not of a month of 30 or 28"
FREE_EVENTS = "free events are free of the fee per event, not of the percentage"
OURS: dict[str, tuple[str, list[str]]] = {
    "fx-next-28feb": (MIDNIGHT, ["2025-03-27T18:30:00"]),
    "fx-next-y-3": (MIDNIGHT, ["2027-02-27T18:30:00"]),
    "om-recur-31-aug": (MIDNIGHT, ["2025-07-31T00:00:00", "2025-08-31T00:00:00"]),
    "fx-next-y-cutoff": (
        "a period ends at the next boundary after its start, however soon",
        ["2024-02-29T00:00:00"],
    ),
    "fx-pkground-2": ("a part package is billed whole; nothing rounds it down", ["1"]),
    "fx-bucket-complex": ("a period's quantity is rated once, not bucket by bucket", ["25"]),
    "fx-bucket-slab": ("a period's quantity is rated once, not bucket by bucket", ["1.58"]),
    "lago-pct-no-free-amount": (FREE_EVENTS, ["12.4"]),
    "lago-pct-zero": (FREE_EVENTS + "; an event past them pays its fee at any value", ["2"]),
    "lago-scen-pct-free3ev": (FREE_EVENTS, ["5.4"]),
    "lago-max-nan": ("an event without a number is unbilled: no quantity, no line", ["0"]),
    "lago-uniq-removed": (
        "values do not carry between periods; what takes a value out is a void: no line",
        ["0"],
    ),
    "lago-ws-none": ("a level without events has no quantity and no line", ["0"]),
    "om-rounddown": ("money is rounded half away from zero, always", ["1.23"]),
    "kb-stair-1": ("fees of the steps entered are stacked, each unit is a charge", ["30"]),
    "kb-stair-5": ("fees of the steps entered are stacked, each unit is a charge", ["70"]),
    "lago-charge-min-prorated": ("a charge's minimum is not prorated with its period", ["8"]),
    "lago-spendmin-filters": ("a charge's minimum is not prorated with its period", ["30"]),
    "kb-days-28-feb-leap": (WHOLE_MONTHS, ["21"]),
    "kb-days-30-feb-leap": (WHOLE_MONTHS, ["21"]),
    "kb-pr-fixed30-1": (WHOLE_MONTHS, ["7419354.84"]),
    "kb-pr-after-2.967": ("every cycle is over its own days: three whole ones", ["30000000"]),
    "kb-cyc-bcd31": ("the cycle of 14 Feb is 31 Jan to 28 Feb: 14/28, not 14/31", ["15000000"]),
    "lago-sub-trial35-yearly-adv": ("there are no trials: the fee is due in full", ["1"]),
    "lago-sub-trial45": ("there are no trials: the fee is due in full", ["1"]),
    "lago-date-m-tzchange-after": (
        "the zone is read at a period's start and holds for it: a move never shifts its end",
        ["2022-01-31T15:00:00", "2022-02-28T15:00:00"],
    ),
}

CYCLES = {
    "monthly": "month",
    "month": "month",
    "quarterly": "quarter",
    "weekly": "week",
    "yearly": "year",
    "year": "year",
    "annual": "year",
}

Check = dict[str, object]
Translation = tuple[dict[str, list[Row]], list[dict], date, dict]


def find_cases_file() -> Path | None:
    """The shared file: named by TALLY_SHARED, or in a folder `shared` beside the checkout."""
    named = os.environ.get("TALLY_SHARED")
    roots = [Path(named)] if named else [one / "shared" for one in Path(__file__).parents]
    files = (root / "cases" / "peer_cases.json" for root in roots)
    return next((path for path in files if path.is_file()), None)


def load_cases() -> list[dict]:
    """Every case of the kinds in KINDS; none where the shared file is not there."""
    path = find_cases_file()
    cases = json.loads(path.read_text(encoding="utf-8")) if path else []
    return [case for case in cases if case["kind"] in KINDS]


@dataclass
class CaseWorld:
    """The catalogue and events of one case; names are made of its id."""

    case_id: str
    catalog: dict[str, list[Row]] = field(default_factory=lambda: {name: [] for name in COLUMNS})
    raw_rows: list[dict] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    charges: int = 0

    def name(self, prefix: str) -> str:
        return f"{prefix}_{self.case_id}"

    def add(self, file: str, **values: object) -> None:
        self.catalog[file].append(catalog_row(file, **values))

    def subscribe(
        self,
        starts_at: str,
        ends_at: str,
        cycle: str = "month",
        alignment: str = "calendar",
        anchor_date: str = "",
        currency: str = "USD",
        time_zone: str = "UTC",
    ) -> None:
        customer = {"customer_id": self.name("customer"), "name": "peer", "currency": currency}
        self.add("customers", **customer, time_zone=time_zone, billing_entity="peers")
        self.add("products", product_id=self.name("product"), name="peer", product_type="saas")
        self.add(
            "plans",
            plan_id=self.name("plan"),
            product_id=self.name("product"),
            name="peer",
            cycle=cycle,
            alignment=alignment,
        )
        self.add(
            "subscriptions",
            subscription_id=self.name("subscription"),
            customer_id=self.name("customer"),
            plan_id=self.name("plan"),
            starts_at=starts_at,
            ends_at=ends_at,
            anchor_date=anchor_date,
        )

    def fee(self, price: str, timing: str = "arrears", every: str = "") -> None:
        currency = self.catalog["customers"][0]["currency"]
        charge = {"plan_id": self.name("plan"), "charge_id": "fee"}
        self.add(
            "charges",
            **charge,
            position=1,
            name="fee",
            charge_type="recurring",
            timing=timing,
            every_cycles=every,
        )
        self.add("prices", **charge, currency=currency, position=1, unit_price=price)

    def usage_charge(
        self,
        model: str,
        rows: list[dict],
        charge_id: str = "usage",
        meter: dict | None = None,
        filters: list[tuple[str, str, str]] = (),
        **charge_columns: object,
    ) -> None:
        """A usage charge on a meter of its own, named like it; prices are bands of rows."""
        self.charges += 1
        currency = self.catalog["customers"][0]["currency"]
        meter_name = f"{self.name('meter')}_{charge_id}"
        columns = {"aggregation": "sum", "property": "value"} | (meter or {})
        self.add("meters", meter=meter_name, version="1", event_name=meter_name, **columns)
        for path, operator, value in filters:
            columns = {"property": path, "operator": operator, "value": value}
            self.add("meter_filters", meter=meter_name, version="1", **columns)
        charge = {"plan_id": self.name("plan"), "charge_id": charge_id}
        self.add(
            "charges",
            **charge,
            position=self.charges + 1,
            name=charge_id,
            charge_type="usage",
            meter=meter_name,
            meter_version="1",
            pricing_model=model,
            **charge_columns,
        )
        for row in rows:
            self.add("prices", **charge, currency=currency, **({"position": 1} | row))

    def limits(self, minimum: str = "", maximum: str = "", charge_id: str = "usage") -> None:
        self.add(
            "charge_limits",
            plan_id=self.name("plan"),
            charge_id=charge_id,
            currency=self.catalog["customers"][0]["currency"],
            minimum=minimum,
            maximum=maximum,
        )

    def event(
        self,
        properties: dict,
        at: str = "2026-01-15T12:00:00Z",
        charge_id: str = "usage",
        **values: str,
    ) -> None:
        """One delivery; properties that are already text stay JSON strings."""
        number = len(self.raw_rows) + 1
        row = dict.fromkeys(RAW_COLUMNS)
        row |= {
            "load_id": hashlib.sha256(self.case_id.encode()).hexdigest()[:32],
            "line_number": number,
            "loaded_at": datetime.fromisoformat(at[:19]).replace(microsecond=0)
            + timedelta(minutes=5),
            "customer_id": self.name("customer"),
            "event_name": f"{self.name('meter')}_{charge_id}",
            "occurred_at": at,
            "event_key": f"{number}",
            "properties": json.dumps(properties),
        }
        self.raw_rows.append(row | values)

    def check(
        self,
        value: str,
        field: str = "amount",
        digits: int | None = None,
        peer_field: str = "",
        **select: str,
    ) -> None:
        """What must be seen of the lines that `select` picks (see `observe`).

        `peer_field` is what the peer states where we can only say something else.
        """
        check = {"select": select, "field": field, "value": str(value), "digits": digits}
        self.checks.append({**check, "peer_field": peer_field or field})


# -- pricing -----------------------------------------------------------------------------------


def tier_rows(tiers: list[dict]) -> list[dict]:
    """Bands of tiers given as up_to, or as from/to in whole units, both inclusive."""
    return [
        {
            "up_to": tier.get("up_to", tier.get("to")) or "",
            "unit_price": "" if "rate_percent" in tier else tier.get("unit_price", "0"),
            "percent": tier.get("rate_percent", ""),
            "flat_fee": tier.get("flat", ""),
        }
        for tier in tiers
    ]


def first_unit_rows(tiers: list[dict]) -> list[dict]:
    """Bands of tiers that say the first whole unit they hold."""
    tops = [str(int(tier["from"]) - 1) for tier in tiers[1:]] + [""]
    return [
        {"up_to": top, "unit_price": tier["unit_price"]}
        for top, tier in zip(tops, tiers, strict=True)
    ]


def usage_month(world: CaseWorld, currency: str = "USD") -> None:
    world.subscribe("2026-01-01", "2026-02-01", currency=currency)


def tiered_case(world: CaseWorld, given: dict, wanted: dict, model: str) -> None:
    usage_month(world)
    if "tiers" in given:
        rows = tier_rows(given["tiers"])
    else:
        rows = first_unit_rows(given["tiers_first_unit"])
    # The others bill the first tier's flat fee at zero usage: a setting of our charge.
    world.usage_charge(model, rows, flat_fee_at_zero="true")
    cap = next(
        (tier["tier_cap"] for tier in given.get("tiers_first_unit", []) if "tier_cap" in tier), ""
    )
    if cap:
        # The only tier's cap is the charge's.
        world.limits(maximum=cap)
    if Fraction(given["quantity"]):
        world.event({"value": given["quantity"]})
    world.check(wanted["amount"], field="line_total" if cap else "amount")


def graduated(world: CaseWorld, given: dict, wanted: dict) -> None:
    tiered_case(world, given, wanted, "tiered")


def volume(world: CaseWorld, given: dict, wanted: dict) -> None:
    tiered_case(world, given, wanted, "volume")


def graduated_percentage(world: CaseWorld, given: dict, wanted: dict) -> None:
    tiered_case(world, given, wanted, "tiered_percentage")


def per_unit(world: CaseWorld, given: dict, wanted: dict) -> None:
    usage_month(world)
    world.usage_charge("per_unit", [{"unit_price": given["unit_price"]}])
    world.event({"value": given["quantity"]})
    world.check(wanted["amount"])


def package(world: CaseWorld, given: dict, wanted: dict) -> None:
    usage_month(world)
    price = given.get("package_price", given.get("price", "15"))
    if "packages" in wanted:
        price = "1"
    row = {"unit_price": price, "package_size": given["package_size"]}
    world.usage_charge("package", [row], allowance=given.get("free_units", ""))
    world.event({"value": given["quantity"]})
    world.check(wanted.get("amount") or wanted.get("packages") or wanted["amount_cents"])


def block_tiers(world: CaseWorld, given: dict, wanted: dict) -> None:
    """A tier's size adds to the ones before it; blocks of a size are the meter's multiplier."""
    usage_month(world)
    model = "tiered" if given["policy"] == "ALL_TIERS" else "volume"
    if "tiers_size_price" in given:
        for charge_id, tiers in given["tiers_size_price"].items():
            rows, top = [], Fraction(0)
            for size, price in tiers:
                top += Fraction(size)
                rows.append({"up_to": str(top), "unit_price": price})
            rows[-1]["up_to"] = ""
            world.usage_charge(model, rows, charge_id=charge_id)
            world.event({"value": given["usage"][charge_id]}, charge_id=charge_id)
    else:
        # Later tiers with larger blocks are priced per block of the first; the case stays below.
        first = Fraction(given["tiers"][0]["block_size"])
        rows, top = [], Fraction(0)
        for tier in given["tiers"]:
            scale = Fraction(tier["block_size"]) / first
            top += Fraction(tier["max_blocks"]) * scale
            price = Fraction(tier["price"]) / scale
            rows.append({"up_to": str(top), "unit_price": fixed(price, 6)})
        rows[-1]["up_to"] = ""
        meter = {"multiplier": "0.01", "rounding": "up"}
        world.usage_charge(model, rows, meter=meter)
        world.event({"value": given["quantity"]})
    world.check(wanted["amount"])


def bucketed(world: CaseWorld, given: dict, wanted: dict) -> None:
    usage_month(world)
    if given["model"] == "package":
        row = {"unit_price": given["package_price"], "package_size": given["package_size"]}
        world.usage_charge("package", [row])
    else:
        world.usage_charge("tiered", tier_rows(given["tiers"]))
    for value in given["bucket_maxima"]:
        world.event({"value": value})
    world.check(wanted["amount"])


def stairstep(world: CaseWorld, given: dict, wanted: dict) -> None:
    usage_month(world)
    for unit, peak in given["peak_usage"].items():
        rows = [
            {
                "up_to": "" if tier["max"] == "none" else tier["max"][unit],
                "flat_fee": tier["price"],
            }
            for tier in given["tiers"]
        ]
        world.usage_charge("stairstep", rows, charge_id=unit, meter={"aggregation": "max"})
        world.event({"value": peak}, charge_id=unit)
    world.check(wanted["amount"])


def percentage(world: CaseWorld, given: dict, wanted: dict) -> None:
    usage_month(world)
    row = {
        "percent": given["rate_percent"],
        "event_fee": given.get("fixed_per_event") or "",
        "free_events": given.get("free_events") or "",
        "free_amount": given.get("free_amount") or "",
    }
    world.usage_charge("percentage", [row])
    values = given.get("events")
    if values is None:
        units, count = Fraction(given["units"]), int(given["events_count"])
        marks = [Fraction(mark) for mark in given["running_total_of_first_free_events"]]
        marks = [mark for mark in marks if mark <= units]
        totals = [Fraction(0), *marks, *[units] * (count - len(marks))]
        values = [str(later - earlier) for earlier, later in pairwise(totals)]
    for value in values:
        world.event({"value": value})
    amount = wanted.get("amount") or str(Fraction(wanted["amount_cents"]) / 100)
    world.check(amount)


def dynamic(world: CaseWorld, given: dict, wanted: dict) -> None:
    usage_month(world)
    meter = {"aggregation": "count", "property": "", "amount_property": "price"}
    world.usage_charge("dynamic", [{}], meter=meter)
    cents = given["precise_total_amount_cents"]
    for one in [cents] if isinstance(cents, str) else cents:
        world.event({"price": f"{one}e-2"})
    if "unit_amount" in wanted:
        world.check(str(Fraction(wanted["unit_amount"]) * Fraction(given["units"])))
    else:
        world.check(str(Fraction(wanted["amount_cents"]) / 100))


def dimensional(world: CaseWorld, given: dict, wanted: dict) -> None:
    usage_month(world)
    meter = {"aggregation": "count", "property": "", "dimensions": "region"}
    if "filters" in given:
        meter = {"aggregation": "sum", "property": "hours", "dimensions": "cloud"}
        rows = [{"unit_price": given["default_unit_price"], "position": 9}]
        for position, one in enumerate(given["filters"], start=1):
            key = f"cloud={one['cloud']}"
            row = {"dimension_values": key, "unit_price": one["unit_price"], "position": position}
            rows.append(row)
        events = given["events"]
        parts = {"cloud=aws": wanted["aws_cents"], "cloud=gcp": wanted["gcp_cents"]}
    elif "group" in given:
        meter = {"dimensions": "cloud"}
        key = f"cloud={given['group']['cloud']}"
        rows = [{"dimension_values": key, "unit_price": given["unit_price"]}]
        events = [{**given["group"], "value": given["quantity"]}]
        parts = {key: str(Fraction(wanted["amount"]) * 100)}
    else:
        groups = wanted["groups"]
        rows = [
            {
                "dimension_values": f"region={region}",
                "unit_price": given["unit_price"],
                "position": position,
            }
            for position, region in enumerate(groups, start=1)
        ]
        events = given["events"]
        parts = {f"region={region}": group["cents"] for region, group in groups.items()}
    world.usage_charge("per_unit", rows, meter=meter)
    for one in events:
        world.event(one)
    for key, cents in parts.items():
        world.check(str(Fraction(cents) / 100), dimension_values=key)
    if "total_cents" in wanted:
        world.check(str(Fraction(wanted["total_cents"]) / 100))


def rounding(world: CaseWorld, given: dict, wanted: dict) -> None:
    """The amount comes with an event, so that it may be below zero."""
    currency = {"precision 2": "USD", "precision 0": "JPY"}.get(given["currency"])
    usage_month(world, currency or given["currency"])
    meter = {"aggregation": "count", "property": "", "amount_property": "price"}
    world.usage_charge("dynamic", [{}], meter=meter)
    world.event({"price": given["amount"]})
    world.check(wanted["rounded"], field="line_total")


def spend(world: CaseWorld, given: dict, wanted: dict) -> None:
    """Minimum and maximum of a charge; what was billed before in the period is one total here."""
    usage_month(world)
    if given["model"] == "unit":
        world.usage_charge("per_unit", [{"unit_price": given["unit_price"]}])
    else:
        model = {"graduated": "tiered", "volume": "volume"}[given["model"]]
        world.usage_charge(model, tier_rows(given["tiers"]), flat_fee_at_zero="true")
    world.limits(given.get("minimum_amount", ""), given.get("maximum_amount", ""))
    quantity = Fraction(given["quantity"]) + Fraction(given.get("already_billed_quantity", 0))
    if quantity:
        world.event({"value": str(quantity)})
    if "min_spend_line" in wanted:
        world.check(wanted["min_spend_line"], field="line_total", kind="minimum")
    if "usage_line" in wanted:
        world.check(wanted["usage_line"], field="line_total", kind="usage")
    if "total" in wanted:
        total = Fraction(wanted["total"]) + Fraction(given.get("previously_billed", 0))
        world.check(str(total), field="line_total")


def charge_minimum(world: CaseWorld, given: dict, wanted: dict) -> None:
    """A part of a month with a minimum; the usage's price is its amount."""
    period = given.get("period", "2022-08-04..2022-08-28")
    first, last = period.split("..")
    world.subscribe(first, next_day(last))
    used = given.get("filter_fees_cents") or {"all": given["used_amount_cents"]}
    world.usage_charge("per_unit", [{"unit_price": "1"}])
    world.limits(minimum=cents_text(given["min_amount_cents"]))
    for cents in used.values():
        world.event({"value": cents_text(cents)}, at="2022-08-10T12:00:00Z")
    world.check(cents_text(wanted["true_up_cents"]), field="line_total", kind="minimum")


def unit_conversion(world: CaseWorld, given: dict, wanted: dict) -> None:
    """A conversion is the meter's multiplier and rounding, exact where a period has one event."""
    usage_month(world, "USD")
    if "pricing_unit_price" in given:
        # Priced in money: the unit's price times its rate.
        price = Fraction(given["pricing_unit_price"]) * Fraction(given["conversion_rate"])
        world.usage_charge("per_unit", [{"unit_price": fixed(price, 6)}])
        for value in given["events"]:
            world.event({"value": value})
        world.check(cents_text(wanted["amount_cents"]))
        return
    rounding_mode = {"ceiling": "up", "floor": "down"}[given["rounding"]]
    meter = {"multiplier": "0.001", "rounding": rounding_mode}
    tiers = given.get("tiers", [{"up_to": None, "unit_price": "1"}])
    world.usage_charge("tiered", tier_rows(tiers), meter=meter)
    world.event({"value": given["quantity"]})
    world.check(wanted["billed_quantity"], field="quantity")
    if "amount" in wanted:
        world.check(wanted["amount"])


# -- aggregation -------------------------------------------------------------------------------


def aggregation_case(world: CaseWorld, aggregation: str, **charge: object) -> None:
    usage_month(world)
    columns = {"aggregation": aggregation, **charge.pop("meter", {})}
    world.usage_charge("per_unit", [{"unit_price": "1"}], meter=columns, **charge)


def count(world: CaseWorld, given: dict, wanted: dict) -> None:
    aggregation_case(world, "count", meter={"property": ""})
    for number in range(given["events"]):
        at = datetime(2026, 1, 2) + timedelta(minutes=number)
        world.event({}, at=f"{at.isoformat()}Z", event_key="once")
    world.check(wanted["value"], field="quantity")


def total(world: CaseWorld, given: dict, wanted: dict) -> None:
    meter, filters = {}, []
    if given.get("rounding") == "ceil":
        meter = {"rounding": "up", "rounding_digits": given["precision"]}
    if "filter" in given:
        filters = [("region", "in", "|".join(given["filter"]["region"]))]
    aggregation_case(world, "sum", meter=meter, filters=filters)
    odd = {"null": {"value": None}, "(missing)": {}, "(empty)": {"value": ""}}
    for one in given["events"]:
        world.event(one if isinstance(one, dict) else odd.get(one, {"value": one}))
    world.check(wanted.get("value") or wanted["aggregation"], field="quantity")


def maximum(world: CaseWorld, given: dict, wanted: dict) -> None:
    aggregation_case(world, "max")
    if given["events"] == ["foo_bar"]:
        world.event({"value": "foo_bar"})
        world.check(wanted["aggregation"], field="lines", peer_field="quantity")
        return
    for value in ("3", "9", "0", "9", given["events"][1]):
        world.event({"value": value})
    world.check(wanted["aggregation"], field="quantity")


def latest(world: CaseWorld, given: dict, wanted: dict) -> None:
    aggregation_case(world, "latest")
    days = {"now-2d": "2026-01-14", "now-1d": "2026-01-15"}
    for when, value in given["events"]:
        world.event({"value": value}, at=f"{days[when]}T12:00:00Z")
    world.check(wanted["aggregation"], field="quantity")


def unique_count(world: CaseWorld, given: dict, wanted: dict) -> None:
    aggregation_case(world, "count_unique")
    at = "2025-12-20T12:00:00Z"
    for value in given["values_before_period"]:
        world.event({"value": value}, at=at)
        world.event({}, voids_key="1", event_key="void")
    world.check(wanted["aggregation"], field="lines", peer_field="quantity")


def weighted_sum(world: CaseWorld, given: dict, wanted: dict) -> None:
    world.subscribe("2023-07-01", "2023-09-01")
    carry_over = "true" if given["recurring"] else "false"
    meter = {"aggregation": "weighted_sum", "weighted_mode": "change", "carry_over": carry_over}
    world.usage_charge("per_unit", [{"unit_price": "1"}], meter=meter)
    if Fraction(given["initial_value"]):
        world.event({"value": given["initial_value"]}, at="2023-07-20T12:00:00Z")
    for at, value in given["events"]:
        world.event({"value": value, **given.get("group", {})}, at=f"{at}Z")
    august = {"period_from": "2023-08-01T00:00:00"}
    if given["events"] or Fraction(given["initial_value"]):
        world.check(wanted["aggregation"], field="quantity", digits=5, **august)
    else:
        world.check(wanted["aggregation"], field="lines", peer_field="quantity", **august)


# -- periods -----------------------------------------------------------------------------------


def cents_text(cents: str) -> str:
    value = Fraction(cents)
    return f"{value.numerator // 100}.{value.numerator % 100:02d}"


def next_day(text: str) -> str:
    return (date.fromisoformat(text) + timedelta(days=1)).isoformat()


def days_after(text: str, days: int) -> str:
    return (date.fromisoformat(text[:10]) + timedelta(days=days)).isoformat()


def with_day(text: str, day: int) -> str:
    """The date of the same month with another day, in a month that has it."""
    first = date.fromisoformat(text[:10]).replace(day=1)
    found = first + timedelta(days=day - 1)
    if found.month != first.month:
        found = date(first.year, 1, day)
    return found.isoformat()


def utc_text(local: str, time_zone: str) -> str:
    aware = datetime.fromisoformat(local).replace(tzinfo=zone(time_zone))
    return aware.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def instant_text(text: str) -> str:
    """A time of a case as a naive UTC instant; a second before midnight is its end, exclusive."""
    if len(text) == 10:
        text += "T00:00:00Z"
    found = datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None)
    if found.second == 59:
        found += timedelta(seconds=1)
    return found.isoformat()


def fee_periods(world: CaseWorld, starts_at: str, until: str, cycle: str, **columns: str) -> None:
    """A fee in arrears shows the periods; the subscription runs on past the case's dates."""
    room = 800 if cycle == "year" else 220
    every = columns.pop("every", "")
    ends_at = days_after(until, room * int(every or 1))
    world.subscribe(starts_at, ends_at, cycle=cycle, **columns)
    world.fee("1", every=every)


def check_bounds(world: CaseWorld, wanted: dict, **select: str) -> None:
    names = {"from": "period_from", "to": "period_to"}
    for name, field_name in names.items():
        if name in wanted:
            world.check(instant_text(wanted[name]), field=field_name, **select)


def billing_period(world: CaseWorld, given: dict, wanted: dict) -> None:
    cycle = CYCLES[given["interval"]]
    if "billing_time" in given:
        aligned = {"alignment": given["billing_time"]}
        fee_periods(world, given["subscription_at"], given["billing_at"], cycle, **aligned)
        at = instant_text(given["billing_at"])
        is_running = given.get("pay_in_advance") or given.get("terminated")
        check_bounds(world, wanted, **({"holds": at} if is_running else {"ends_by": at}))
    elif "billing_day" in given:
        at = given.get("invoice_date") or given["at"]
        start = given.get("billing_start") or at
        if given.get("first_period") is False:
            start = "2021-01-01"
        anchor = {"alignment": "anniversary", "anchor_date": with_day(start, given["billing_day"])}
        fee_periods(world, start, max(at, start), cycle, **anchor)
        if given.get("mode") == "arrears":
            check_bounds(world, wanted, ends_by=instant_text(at))
        else:
            check_bounds(world, wanted, holds=instant_text(max(at, start)))
    elif "anchor_day" in given:
        anchor = {"alignment": "anniversary"}
        anchor["anchor_date"] = with_day(given["from"], given["anchor_day"])
        fee_periods(world, given["from"], given["from"], cycle, **anchor)
        at = instant_text(given["from"])
        world.check(instant_text(wanted["next"]), field="period_to", holds=at)
    else:
        start = given.get("current_start") or given["anchor"]
        start = start[:16] + ":00" + start[16:].removeprefix(":00")
        anchor = {"alignment": "anniversary", "anchor_date": given["anchor"][:10]}
        if start.endswith("+05:30"):
            anchor["time_zone"] = "Asia/Kolkata"
        if given.get("interval_count", 1) > 1:
            anchor["every"] = str(given["interval_count"])
        until = given.get("at", start)
        fee_periods(world, start, until, cycle, **anchor)
        at = instant_text(until)
        if "next_billing_date" in wanted:
            wanted = {"to": wanted["next_billing_date"]}
        check_bounds(world, wanted, holds=at)


def elapsed_cycles(world: CaseWorld, given: dict, wanted: dict) -> None:
    start, target = given["billing_start"], given["target"]
    anchor = {"alignment": "anniversary", "anchor_date": with_day(start, given["billing_day"])}
    fee_periods(world, start, max(start, target), CYCLES[given["interval"]], **anchor)
    world.check(wanted["elapsed_cycles"], field="lines", all_ending_by=instant_text(target))


def first_billing_cycle_date(world: CaseWorld, given: dict, wanted: dict) -> None:
    start = given["start"]
    anchor = {"alignment": "anniversary", "anchor_date": with_day(start, given["bill_cycle_day"])}
    fee_periods(world, start, given.get("target", start), CYCLES[given["period"]], **anchor)
    if "whole_billing_periods" in wanted:
        target = instant_text(given["target"])
        world.check(wanted["whole_billing_periods"], field="lines", all_starting_by=target)
        return
    begins = int(start[8:]) == given["bill_cycle_day"]
    field_name = "period_from" if begins else "period_to"
    value = instant_text(wanted["first_billing_cycle_date"])
    world.check(value, field=field_name, holds=instant_text(start))


def timezone_change(world: CaseWorld, given: dict, wanted: dict) -> None:
    fee_periods(world, "2022-01-01", "2022-03-01", "month", time_zone=given["timezone"])
    world.add(
        "customers",
        customer_id=world.name("customer"),
        name="peer",
        currency="USD",
        time_zone=given["new_timezone"],
        billing_entity="peers",
        valid_from="2022-02-10T00:00:00Z",
    )
    bounds = {"from": wanted["charges_from"], "to": wanted["charges_to"]}
    check_bounds(world, bounds, holds="2022-02-15T00:00:00")


# -- proration ---------------------------------------------------------------------------------


def fee_part(world: CaseWorld, starts_at: str, ends_at: str, price: str, **columns: str) -> None:
    timing = columns.pop("timing", "arrears")
    world.subscribe(starts_at, ends_at, **columns)
    world.fee(price, timing=timing)


def days_between(world: CaseWorld, given: dict, wanted: dict) -> None:
    """A fee of a unit of money a day of the month shows the days billed."""
    start, end, time_zone = given["from"], given["to"], given["timezone"]
    month = date.fromisoformat(start[:10]).replace(day=1)
    days = ((month + timedelta(days=32)).replace(day=1) - month).days
    bounds = (utc_text(start, time_zone), utc_text(end, time_zone))
    fee_part(world, *bounds, str(days), time_zone=time_zone)
    world.check(wanted["days"], field="line_total")


def fixed_days_between(world: CaseWorld, given: dict, wanted: dict) -> None:
    anchor = {"alignment": "anniversary", "anchor_date": given["to"]}
    fee_part(world, given["from"], given["to"], "29", **anchor)
    world.check(wanted["days"], field="line_total")


def day_price(world: CaseWorld, given: dict, wanted: dict) -> None:
    """A day of the month before the billing date costs amount / 28."""
    fee_part(world, "2022-02-10", "2022-02-11", wanted["single_day_price"].split("/")[1])
    world.check("1", field="line_total")


def flat_fee_proration(world: CaseWorld, given: dict, wanted: dict) -> None:
    bounds = (given["service_from"], given["service_to"])
    fee_part(world, *bounds, given["amount"], currency=given["currency"])
    world.check(wanted["amount"], field="line_total")


def proration_ratio(world: CaseWorld, given: dict, wanted: dict) -> None:
    """A fee of ten million shows nine digits of the ratio."""
    if "partial" in given:
        start, end = given["partial"].split("..")
        if start == end:
            # No time at all is no subscription: some hours of one day are no day.
            start, end = f"{start}T08:00:00Z", f"{end}T17:00:00Z"
        anchor = {"alignment": "anniversary", "anchor_date": start[:8] + "01"}
        cycle = "month" if wanted["factor"] == "0" else "year"
        fee_part(world, start, end, str(UNIT_FEE), cycle=cycle, **anchor)
        value = half_away(Fraction(wanted["factor"]) * UNIT_FEE, 2)
    else:
        start = given.get("from") or given["previous_bill_through"]
        end = given.get("to") or given["end"]
        anchor = {"alignment": "anniversary", "anchor_date": end}
        fee_part(world, start, end, str(UNIT_FEE), **anchor)
        value = half_away(Fraction(wanted["proration"]) * UNIT_FEE, 2)
    world.check(str(value), **RATIO)


def proration_cycles(world: CaseWorld, given: dict, wanted: dict) -> None:
    start, target = given["start"], given["target"]
    cycle = CYCLES[given["billing_period"]]
    anchor = {"alignment": "anniversary", "anchor_date": with_day(start, given["bill_cycle_day"])}
    end = given["end"] or days_after(target, 900 if cycle == "year" else 75)
    fee_part(world, start, end, str(UNIT_FEE), cycle=cycle, timing="advance", **anchor)
    value = half_away(Fraction(wanted["billing_cycles"]) * UNIT_FEE, 2)
    world.check(str(value), **RATIO, all_starting_by=instant_text(target))


def subscription_proration(world: CaseWorld, given: dict, wanted: dict) -> None:
    if "bill_cycle_day" in given:
        start = given["start"]
        anchor = {"alignment": "anniversary"}
        anchor["anchor_date"] = with_day(start, given["bill_cycle_day"])
        fee_part(world, start, days_after(start, 60), given["price"], **anchor)
        value = wanted["amount"]
    else:
        start = given.get("from") or given["subscription_start"]
        last = given.get("to")
        cycle = CYCLES[given["interval"]]
        end = next_day(last) if last else days_after(start, 10)
        fee_part(world, start, end, cents_text(given["plan_amount_cents"]), cycle=cycle)
        value = cents_text(wanted["amount_cents"])
    world.check(value, field="line_total", holds=instant_text(start))


def invoice_generation(world: CaseWorld, given: dict, wanted: dict) -> None:
    start, target = given["start"], given["target"]
    anchor = {"alignment": "anniversary", "anchor_date": with_day(start, given["bill_cycle_day"])}
    fee_part(world, start, days_after(target, 75), given["price"], timing="advance", **anchor)
    world.check(wanted["amount"], field="line_total", all_starting_by=instant_text(target))


TRANSLATORS: dict[str, Callable[[CaseWorld, dict, dict], None]] = {
    "charge_minimum_trueup": charge_minimum,
    "max": maximum,
    "max_spend": spend,
    "min_spend": spend,
    "percentage_min_max": percentage,
    "percentage_scenario": percentage,
    "sum": total,
}
TRANSLATORS |= {
    translator.__name__: translator
    for translator in (
        billing_period,
        block_tiers,
        bucketed,
        count,
        day_price,
        days_between,
        dimensional,
        dynamic,
        elapsed_cycles,
        first_billing_cycle_date,
        fixed_days_between,
        flat_fee_proration,
        graduated,
        graduated_percentage,
        invoice_generation,
        latest,
        package,
        per_unit,
        percentage,
        proration_cycles,
        proration_ratio,
        rounding,
        stairstep,
        subscription_proration,
        timezone_change,
        unique_count,
        unit_conversion,
        volume,
        weighted_sum,
    )
}


def translate(case: dict) -> Translation | None:
    """(catalogue, raw rows, as-of day, expected) of a case; None if its kind is not in KINDS.

    `expected` holds the subscription_id and the checks; the value of a check is ours where OURS
    names the case, and `peer_value` is always the peer's.
    """
    if case["kind"] not in KINDS:
        return None
    world = CaseWorld(case["id"])
    TRANSLATORS[case["kind"]](world, case["inputs"], case["expected"])
    ours = OURS.get(case["id"])
    for number, check in enumerate(world.checks):
        check["peer_value"] = check["value"]
        if ours is not None:
            check["value"] = ours[1][number]
    expected = {"subscription_id": world.name("subscription"), "checks": world.checks}
    return world.catalog, world.raw_rows, AS_OF_DAY, expected


def merge(translations: list[Translation]) -> tuple[dict[str, list[Row]], list[dict], date]:
    """All cases as one catalogue and one list of deliveries."""
    catalog: dict[str, list[Row]] = {name: [] for name in COLUMNS}
    raw_rows: list[dict] = []
    for rows, deliveries, _, _ in translations:
        for name, table in rows.items():
            catalog[name] += table
        raw_rows += deliveries
    return catalog, raw_rows, AS_OF_DAY


def as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def pick(lines: list[dict], select: dict) -> list[dict]:
    """The lines that a check is about; instants compare as ISO text without zone."""
    found = list(lines)
    for name, value in select.items():
        if name == "holds":
            found = [
                line
                for line in found
                if as_text(line["period_from"]) <= value < as_text(line["period_to"])
            ]
        elif name in ("ends_by", "all_ending_by"):
            found = [line for line in found if as_text(line["period_to"]) <= value]
            if name == "ends_by":
                found = sorted(found, key=lambda line: as_text(line["period_to"]))[-1:]
        elif name == "all_starting_by":
            found = [line for line in found if as_text(line["period_from"]) <= value]
        else:
            found = [line for line in found if as_text(line[name]) == value]
    return found


def observe(lines: list[dict], check: Check) -> str:
    """What the lines of a case's subscription show, as text to compare with the check's value.

    Lines have kind, charge_id, dimension_values, period_from, period_to (naive UTC datetimes or
    ISO text), quantity, amount and line_total (numbers or text). Money is the sum of the lines
    picked, `lines` their number, anything else is read of the only one.
    """
    found = pick(lines, check["select"])
    name = check["field"]
    if name == "lines":
        return str(len(found))
    if name in ("amount", "line_total"):
        value = sum((Fraction(str(line[name])) for line in found), Fraction(0))
    elif len(found) != 1:
        return f"{len(found)} lines"
    elif name == "quantity":
        value = Fraction(str(found[0][name]))
    else:
        return as_text(found[0][name])
    return str(value if check["digits"] is None else half_away(value, check["digits"]))


def is_met(lines: list[dict], check: Check) -> bool:
    """Whether the lines show the check's value; numbers compare as numbers."""
    seen, value = observe(lines, check), check["value"]
    if check["field"].startswith("period_"):
        return seen == value
    try:
        return Fraction(seen) == Fraction(value)
    except ValueError:
        return False
