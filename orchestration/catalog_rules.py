"""What the rows of a catalogue must hold together: keys, references, tiers, models.

A rule reads only fields that are right by themselves, so that one slip is one fault.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from orchestration.catalog_actions import check_actions
from orchestration.catalog_credits import check_credits
from orchestration.catalog_fields import CYCLE, DERIVED, NUMBER
from orchestration.catalog_files import Catalog, Row, quote
from orchestration.catalog_index import (
    Index,
    known_at,
    refuse_blank,
    refuse_filled,
    valid_from,
    version,
)
from orchestration.catalog_phases import check_phases
from orchestration.catalog_reference import Reference
from orchestration.catalog_terms import check_terms
from orchestration.catalog_units import check_units

PRICE_COLUMNS = ("unit_price", "flat_fee", "package_size", "percent", "event_fee",
                 "free_amount", "free_events")  # fmt: skip
# Columns of a price by pricing model: those it needs (one of each tuple), those it may have.
PRICE_NEEDS: dict[str, tuple[list[tuple[str, ...]], tuple[str, ...]]] = {
    "fee": ([("unit_price",)], ()),
    "per_unit": ([("unit_price",)], ()),
    "flat": ([("flat_fee",)], ()),
    "tiered": ([("unit_price", "flat_fee")], ("unit_price", "flat_fee")),
    "volume": ([("unit_price", "flat_fee")], ("unit_price", "flat_fee")),
    "stairstep": ([("flat_fee",)], ()),
    "package": ([("unit_price",), ("package_size",)], ()),
    "percentage": (
        [("percent", "event_fee")],
        ("percent", "event_fee", "free_amount", "free_events"),
    ),
    "tiered_percentage": ([("percent", "flat_fee")], ("percent", "flat_fee")),
    "dynamic": ([], ()),
}
TIERED_MODELS = ("tiered", "volume", "stairstep", "tiered_percentage")
USAGE_COLUMNS = ("meter", "meter_version", "pricing_model", "allowance", "flat_fee_at_zero",
                 "split")  # fmt: skip
COUNTING = ("count", "count_unique")

ONE_PRICE = (
    "one price for each charge, currency, dimension_values, valid_from, customer_id,"
    " contract_month and recorded_at"
)


def check_rules(catalog: Catalog, reference: Reference) -> None:
    """Check all rows against each other and against the reference seeds."""
    _Rules(catalog, reference).check()
    check_terms(catalog, reference)
    check_phases(catalog, reference)
    check_actions(catalog, reference)
    check_credits(catalog, reference)
    check_units(catalog, reference)


class _Rules(Index):
    def check(self) -> None:
        self._check_customers()
        self.check_keys("products", "product_id")
        self.check_keys("plans", "plan_id")
        self.check_keys("charges", "plan_id", "charge_id")
        self.check_keys("subscriptions", "subscription_id")
        self.check_keys("meter_filters", "meter", "version", "property", "operator", "value")
        for row in self.catalog["plans"]:
            self._check_plan(row)
        self._check_meters()
        for row in self.catalog["charges"]:
            self._check_charge(row)
        self._check_limits()
        self._check_prices()
        for row in self.catalog["subscriptions"]:
            self._check_subscription(row)

    # Customers and subscriptions

    def _check_customers(self) -> None:
        self.check_dated_keys("customers", "customer_id")
        for rows in self.customers.values():
            for row in rows:
                self.check_currency(row)
                if row["time_zone"] and row.holds("time_zone"):
                    self._check_zone(row)
                if row["customer_id"] and row["currency"] != rows[0]["currency"]:
                    row.refuse(
                        "currency",
                        f"{quote(rows[0]['currency'])} as in line {rows[0].line}"
                        " (a customer has one currency)",
                    )

    def _check_zone(self, row: Row) -> None:
        if row["time_zone"] not in self.reference.zones:
            row.refuse("time_zone", "an IANA time zone, like Europe/Berlin or UTC")

    def _check_subscription(self, row: Row) -> None:
        self.check_currency(row)
        self.check_reference(row, "customer_id", self.customers, "customers.csv")
        if self.check_reference(row, "plan_id", self.plan_ids, "plans.csv"):
            plan = self.plans[(row["plan_id"],)]
            if row["anchor_date"] and plan["alignment"] == "calendar":
                row.refuse("anchor_date", "a blank on a plan whose alignment is calendar")
        if not row.holds("customer_id", "starts_at", "ends_at") or not row["starts_at"]:
            return
        homes = self.homes(row)
        if not homes:
            return
        begin = self.instant(row["starts_at"], homes)
        if row["ends_at"] and self.instant(row["ends_at"], homes) <= begin:
            row.refuse("ends_at", f"a time after starts_at ({row['starts_at']})")
        earliest = min(map(valid_from, homes))
        if date.fromisoformat(row["starts_at"][:10]) < earliest:
            row.refuse(
                "starts_at",
                f"{earliest} or later: the first valid_from of the customer in customers.csv",
            )

    # Products, plans and charges

    def _check_plan(self, row: Row) -> None:
        products = {key[0] for key in self.products}
        cycle = CYCLE.fullmatch(row["cycle"])
        if cycle and cycle[1] and row["alignment"] == "calendar":
            row.refuse("alignment", f"anniversary with a cycle of {row['cycle']}")
        if self.check_reference(row, "product_id", products, "products.csv"):
            product = self.products[(row["product_id"],)]
            allowed = product["allowed_cycles"] if product.holds("allowed_cycles") else ""
            if allowed and cycle and row["cycle"] not in allowed.split("|"):
                row.refuse("cycle", f"one of the product's allowed_cycles ({allowed})")

    def _check_charge(self, row: Row) -> None:
        self.check_reference(row, "plan_id", self.plan_ids, "plans.csv")
        kind = row["charge_type"]
        if not row.holds("charge_type"):
            return
        if kind in ("recurring", "one_time"):
            where = f"on a {kind} charge"
            refuse_blank(row, ["timing"], where)
            refuse_filled(row, USAGE_COLUMNS, where)
            if kind == "one_time":
                refuse_filled(row, ["every_cycles", "proration"], where)
            if row["price_at"] == "close" and row["timing"] == "advance":
                row.refuse("price_at", "start: a fee in advance is billed before its close")
        elif kind == "usage":
            self._check_usage_charge(row)

    def _check_usage_charge(self, row: Row) -> None:
        where = "on a usage charge"
        model = row["pricing_model"]
        refuse_blank(row, ["meter", "pricing_model"], where)
        refuse_filled(row, ["every_cycles"], where)
        if row["timing"] == "advance":
            row.refuse("timing", "arrears or a blank: usage is billed once it happened")
        if model in ("flat", "dynamic"):
            refuse_filled(row, ["allowance"], f"with the pricing model {model}")
        if model not in TIERED_MODELS and row["flat_fee_at_zero"] == "true":
            row.refuse("flat_fee_at_zero", f"false with the pricing model {model or 'blank'}")
        meter = self.meter_of(row, "meter_version")
        if meter and model == "dynamic" and not meter["amount_property"]:
            row.refuse(
                "pricing_model",
                f"an amount_property on the meter (meters.csv line {meter.line})",
            )

    # Meters

    def _check_meters(self) -> None:
        for row in self.catalog["meters"]:
            if row["meter"] and row.holds("version"):
                earlier = self.meters[(row["meter"], version(row["version"]))]
                if earlier is not row:
                    row.refuse(
                        "version", f"one row for each meter, version (line {earlier.line} has it)"
                    )
            if row.holds("aggregation") and row["aggregation"]:
                self._check_meter(row)
            for column in ("property", "dimensions", "amount_property"):
                self._check_derived(row, column)
        for row in self.catalog["meter_filters"]:
            self.meter_of(row, "version")
            self._check_derived(row, "property")
            if row.holds("operator", "value") and row["operator"]:
                self._check_filter(row)

    def _check_meter(self, row: Row) -> None:
        aggregation = row["aggregation"]
        where = f"with the aggregation {aggregation}"
        if aggregation == "count":
            refuse_filled(row, ["property"], where)
        else:
            refuse_blank(row, ["property"], where)
        if aggregation in COUNTING:
            refuse_filled(row, ["multiplier", "rounding", "rounding_digits"], where)
        elif row["rounding"] in ("", "none"):
            refuse_filled(row, ["rounding_digits"], "without a rounding")
        for column, owner in (("percentile", "percentile"), ("weighted_mode", "weighted_sum")):
            if aggregation == owner:
                refuse_blank(row, [column], where)
            else:
                refuse_filled(row, [column], where)
        if row["carry_over"] == "true" and aggregation not in ("weighted_sum", "latest"):
            row.refuse("carry_over", f"false {where}")

    def _check_derived(self, row: Row, column: str) -> None:
        if not row.holds(column):
            return
        for path in row[column].split("|"):
            name = DERIVED.fullmatch(path)
            if name and name[1] not in self.reference.derived:
                row.refuse(column, f"a macro derived__{name[1]} in macros/", path)

    def _check_filter(self, row: Row) -> None:
        operator, value = row["operator"], row["value"]
        where = f"with the operator {operator}"
        if operator in ("exists", "not_exists"):
            refuse_filled(row, ["value"], where)
            return
        refuse_blank(row, ["value"], where)
        if operator in ("gt", "gte", "lt", "lte") and value and not NUMBER.fullmatch(value):
            row.refuse("value", f"a number {where}")
        if operator in ("in", "not_in") and value and not all(value.split("|")):
            row.refuse("value", "values separated by | (a|b), none of them blank")

    # Limits and prices

    def _check_limits(self) -> None:
        self.check_dated_keys("charge_limits", "plan_id", "charge_id", "currency")
        for row in self.catalog["charge_limits"]:
            charge = self.check_charge_reference(row)
            if charge and charge["charge_type"] in ("recurring", "one_time"):
                row.refuse("charge_id", "a usage charge: only usage has limits")
            if self.check_currency(row):
                self.check_decimals(row, "minimum", "maximum")
            if not row["minimum"] and not row["maximum"]:
                row.refuse("minimum", "a minimum, a maximum or both")
            elif (
                row["minimum"]
                and row["maximum"]
                and row.holds("minimum", "maximum")
                and Decimal(row["minimum"]) > Decimal(row["maximum"])
            ):
                row.refuse("minimum", f"at most the maximum ({row['maximum']})")

    def _check_prices(self) -> None:
        first: dict[tuple[object, ...], Row] = {}
        blocks: list[tuple[tuple[object, ...], list[Row]]] = []
        for row in self.catalog["prices"]:
            charge = self.check_charge_reference(row)
            self.check_asset(row)
            self._check_dimensions(row, charge)
            self.check_reference(row, "customer_id", self.customers, "customers.csv")
            if not row.holds("plan_id", "charge_id", "valid_from", "contract_month", "recorded_at"):
                continue
            key = (
                *row.key("plan_id", "charge_id", "currency", "customer_id"),
                int(row["contract_month"] or "1"),
                frozenset(row["dimension_values"].split("|")),
                valid_from(row),
                known_at(row),
            )
            if blocks and blocks[-1][0] == key:
                blocks[-1][1].append(row)
            elif key in first:
                row.refuse("valid_from", f"{ONE_PRICE} (line {first[key].line} has it)")
            else:
                first[key] = row
                blocks.append((key, [row]))
        for _, bands in blocks:
            charge = self.charges.get(bands[0].key("plan_id", "charge_id"))
            if charge is not None:
                self._check_price_row(bands, charge)

    def _check_dimensions(self, row: Row, charge: Row | None) -> None:
        column = "dimension_values"
        if not row[column] or not row.holds(column) or charge is None:
            return
        meter = self.meter_of_charge(charge)
        if charge["charge_type"] != "usage":
            row.refuse(column, "a blank on a charge without usage")
        elif meter is not None:
            dimensions = meter["dimensions"].split("|") if meter["dimensions"] else []
            names = []
            for pair in row[column].split("|"):
                name, _, value = pair.partition("=")
                names.append(name)
                if not value or "%" in value.replace("%25", "").replace("%7C", ""):
                    row.refuse(column, "name=value pairs separated by | (%7C is |, %25 is %)")
                elif name not in dimensions:
                    known = ", ".join(dimensions) or "none"
                    row.refuse(column, f"dimensions of the meter {meter['meter']}: {known}")
            if len(set(names)) < len(names):
                row.refuse(column, "each dimension once")

    def _check_price_row(self, bands: list[Row], charge: Row) -> None:
        model = charge["pricing_model"] if charge["charge_type"] == "usage" else "fee"
        if model not in PRICE_NEEDS or not charge.holds("charge_type", "pricing_model"):
            return
        name = "a fee" if model == "fee" else f"the pricing model {model}"
        needs, allowed = PRICE_NEEDS[model]
        allowed = (*allowed, *(column for one_of in needs for column in one_of))
        for band in bands:
            for one_of in needs:
                if not any(band[column] for column in one_of):
                    band.refuse(one_of[0], f"{' or '.join(one_of)} for {name}")
            refuse_filled(
                band, [column for column in PRICE_COLUMNS if column not in allowed], f"for {name}"
            )
            for column in ("position", "applies_to"):
                if band[column] != bands[0][column] and band.holds(column):
                    band.refuse(column, f"the same in all bands (line {bands[0].line})")
            if band["dimension_values"] != bands[0]["dimension_values"]:
                band.refuse("dimension_values", f"written as in line {bands[0].line}")
        if model in TIERED_MODELS:
            self._check_tiers(bands)
            return
        for band in bands:
            if band["up_to"]:
                refuse_filled(band, ["up_to"], f"for {name}, which has no tiers")
            elif band is not bands[0]:
                band.refuse("valid_from", f"{ONE_PRICE} (line {bands[0].line} has it)")

    def _check_tiers(self, bands: list[Row]) -> None:
        reached = Decimal(0)
        open_band: Row | None = None
        for band in bands:
            if not band.holds("up_to"):
                continue
            if open_band is not None:
                after = f"(line {open_band.line} is open)"
                band.refuse("up_to", f"nothing after the open tier: tiers rise {after}")
            elif not band["up_to"]:
                open_band = band
            elif Decimal(band["up_to"]) <= reached:
                band.refuse(
                    "up_to", f"a number greater than {reached:f} (tiers rise, the last is open)"
                )
            else:
                reached = Decimal(band["up_to"])
        if open_band is None and all(band.holds("up_to") for band in bands):
            bands[-1].refuse("up_to", "a blank: the last tier is open")
