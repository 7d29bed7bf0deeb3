"""Cases of other billing systems about pricing models, limits and aggregations."""

from datetime import datetime, timedelta
from fractions import Fraction
from itertools import pairwise

from tests.oracle.amounts import fixed
from tests.peer_world import CaseWorld, cents_text, next_day


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
    """A bucket's peak is rated by itself: a bucket is a cycle of a day."""
    days = len(given["bucket_maxima"])
    cycle = {"cycle": "1 days", "alignment": "anniversary"}
    world.subscribe("2026-01-01", f"2026-01-{1 + days:02d}", **cycle)
    meter = {"aggregation": "max"}
    if given["model"] == "package":
        row = {"unit_price": given["package_price"], "package_size": given["package_size"]}
        world.usage_charge("package", [row], meter=meter)
    else:
        world.usage_charge("tiered", tier_rows(given["tiers"]), meter=meter)
    for day, value in enumerate(given["bucket_maxima"], start=1):
        world.event({"value": value}, at=f"2026-01-{day:02d}T12:00:00Z")
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
    """A part of a month with its part of a minimum; the usage's price is its amount."""
    period = given.get("period", "2022-02-01..2022-02-25")
    first, last = period.split("..")
    world.subscribe(first, next_day(last))
    used = given.get("filter_fees_cents") or {"default": given["used_amount_cents"]}
    rows = [
        {"unit_price": "1", "dimension_values": "" if name == "default" else f"filter={name}"}
        for name in used
    ]
    rows = [row | {"position": position} for position, row in enumerate(rows, start=1)]
    world.usage_charge("per_unit", rows, meter={"dimensions": "filter"}, proration="days")
    world.limits(minimum=cents_text(given["min_amount_cents"]))
    for name, cents in used.items():
        world.event({"value": cents_text(cents), "filter": name}, at=f"{first}T12:00:00Z")
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
