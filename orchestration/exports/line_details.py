"""What a line is made of, for a page: what is included, its bands, fees and discounts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from orchestration.exports.number_format import NumberFormat
from orchestration.marts import Row, part_of_cycle

#: Steps of a line that are not bands of its usage.
STEP_TEXTS = {
    "share": "not due for a part of the cycle",
    "billed": "as billed",
    "used": "used of it",
    "committed": "committed",
    "counted": "reached",
    "shortfall": "missing",
    "overage": "over the commitment",
}
FIXED_TEXTS = {
    "dynamic": "prices of the events",
    "percentage": "fees per event",
    "tiered_percentage": "flat fee",
}


@dataclass
class Detail:
    """A row below a line; `amount` is not rounded, but where it is a total."""

    text: str
    quantity: str = ""
    price: str = ""
    amount: str = ""


def line_details(line: Row, shown: NumberFormat) -> tuple[str, str, list[Detail]]:
    """Quantity and price where a line has one of each, and the rows below it."""
    details: list[Detail] = []
    quantity = "" if line["quantity"] is None else _units(line["quantity"], line, shown)
    if line["covered_quantity"]:
        included = _units(-line["covered_quantity"], line, shown)
        details.append(Detail("included in the plan", quantity=included))
    steps = line["steps"]
    simple = _simple_price(line, shown)
    if simple:
        units, price = simple
        quantity = quantity or units
        if details:
            billed = _units(line["rated_quantity"], line, shown)
            details.append(Detail("billed", billed, price, shown.step(steps[0]["amount"])))
            price = ""
    else:
        price = ""
        # Bands of what is priced in a unit of credit are in it, and then money.
        priced = shown.of_unit(line["unit"]) if line["unit"] else shown
        for step in steps:
            if step["step_kind"] == "unit":
                details.append(_worth(step, line, shown))
            else:
                details += _step_details(step, line, priced)
    details += _taken_off(line, shown)
    return quantity, price, details


def _simple_price(line: Row, shown: NumberFormat) -> tuple[str, str] | None:
    """Units and price, where they are all there is to a line."""
    if len(line["steps"]) != 1:
        return None
    step = line["steps"][0]
    if step["fixed_amount"]:
        return None
    if step["step_kind"] == "fee" and not part_of_cycle(step["billed_days"], step["full_days"]):
        return shown.number(step["units"]), shown.price(step["rate"])
    if step["step_kind"] == "band" and step["pricing_model"] == "per_unit":
        return shown.number(step["units"]), shown.price(step["rate"])
    return None


def _step_details(step: Row, line: Row, shown: NumberFormat) -> Iterator[Detail]:
    kind, model = step["step_kind"], step["pricing_model"]
    part = _part(step)
    if kind == "minimum":
        return
    if kind == "fee":
        if step["units"]:
            yield Detail(
                part, shown.number(step["units"]), shown.price(step["rate"]),
                shown.step(step["amount"]),
            )  # fmt: skip
        return
    text = _band(step, shown) if kind == "band" else STEP_TEXTS[kind]
    if kind == "band" and model == "package":
        text = f"{text}, packages" if text else "packages"
    if part and kind != "band":
        text = f"{text}, {part}"
    units = _units(step["units"], line, shown) if step["units"] else ""
    fixed = step["fixed_amount"]
    if units and (step["rate"] or not fixed):
        is_share = kind == "overage" or (model or "").endswith("percentage")
        rate = shown.percent(step["rate"]) if is_share else shown.price(step["rate"])
        yield Detail(text or "all", units, rate, shown.step(step["amount"] - fixed))
        units = ""
    if fixed:
        if kind == "band":
            text = ", ".join(one for one in (text, FIXED_TEXTS.get(model, "flat fee")) if one)
        yield Detail(text, units, amount=shown.step(fixed))


def _worth(step: Row, line: Row, shown: NumberFormat) -> Detail:
    """Units of credit, rounded, and what they are worth."""
    units = shown.of_unit(line["unit"]).money(step["units"])
    return Detail("in money", units, shown.price(step["rate"]), shown.step(step["amount"]))


def _part(step: Row) -> str:
    part = part_of_cycle(step["billed_days"], step["full_days"])
    return f"{part} of the cycle" if part else ""


def _band(step: Row, shown: NumberFormat) -> str:
    """`first 1,000`, `over 1,000 to 5,000`, `over 5,000`; blank where there is but one."""
    above, to = step["tier_from"], step["tier_to"]
    if not above:
        return "" if to is None else f"first {shown.number(to)}"
    return f"over {shown.number(above)}" + ("" if to is None else f" to {shown.number(to)}")


def _units(quantity: Decimal, line: Row, shown: NumberFormat) -> str:
    """A quantity; of what counts money it is money."""
    is_money = line["unit_description"] == shown.currency
    return shown.price(quantity) if is_money else shown.number(quantity)


def _taken_off(line: Row, shown: NumberFormat) -> Iterator[Detail]:
    """What the maximum and the line's own discounts take off; nothing of corrections."""
    if line["adjusts_rated_line_id"] is not None:
        return
    own = [one for one in line["discounts"] if one["level"] == "line"]
    if not own and not line["over_maximum_total"]:
        return
    yield Detail("rounded", amount=shown.money(line["rounded_total"]))
    for one in own:
        name = str(one["name"] or one["discount_id"])
        if one["percent_fraction"] is not None:
            name += f" ({shown.percent(one['percent_fraction'])})"
        yield Detail(name, amount=shown.money(-one["discount_total"]))
    if line["over_maximum_total"]:
        yield Detail("over the maximum", amount=shown.money(-line["over_maximum_total"]))
