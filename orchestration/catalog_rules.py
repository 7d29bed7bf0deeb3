"""What the rows of a catalogue must hold together: keys, references, tiers, models.

A rule reads only fields that are right by themselves, so that one slip is one fault.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal

from orchestration.catalog_fields import BEGINNING, CYCLE, DERIVED, NUMBER, read_date, read_instant
from orchestration.catalog_files import Catalog, Row, quote
from orchestration.catalog_reference import Reference

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
COUNTING = ("count", "count_unique")


def check_rules(catalog: Catalog, reference: Reference) -> None:
    """Check all rows against each other and against the reference seeds."""
    _Rules(catalog, reference).check()


def _known_at(row: Row) -> datetime:
    return read_instant(row["recorded_at"]) or BEGINNING


def _valid_from(row: Row) -> date:
    """The local date from which the row holds; of an instant (customers), its date."""
    return read_date(row["valid_from"][:10]) or BEGINNING.date()


def _version(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 1


def _first_by(rows: Iterable[Row], *columns: str) -> dict[tuple[str, ...], Row]:
    first: dict[tuple[str, ...], Row] = {}
    for row in rows:
        first.setdefault(row.key(*columns), row)
    return first


def _refuse_blank(row: Row, columns: Iterable[str], where: str) -> None:
    for column in columns:
        if not row[column] and row.holds(column):
            row.refuse(column, f"a value {where}")


def _refuse_filled(row: Row, columns: Iterable[str], where: str) -> None:
    for column in columns:
        if row[column] and row.holds(column):
            row.refuse(column, f"a blank {where}")


class _Rules:
    def __init__(self, catalog: Catalog, reference: Reference) -> None:
        self.catalog = catalog
        self.reference = reference
        self.products = _first_by(catalog["products"], "product_id")
        self.plans = _first_by(catalog["plans"], "plan_id")
        self.charges = _first_by(catalog["charges"], "plan_id", "charge_id")
        self.customers: dict[str, list[Row]] = defaultdict(list)
        for row in catalog["customers"]:
            self.customers[row["customer_id"]].append(row)
        self.meters: dict[tuple[str, int], Row] = {}
        for row in catalog["meters"]:
            self.meters.setdefault((row["meter"], _version(row["version"])), row)
        self.meter_names = {meter for meter, _ in self.meters}
        self.unsure_meters = {row["meter"] for row in catalog["meters"] if not row.holds("version")}

    def check(self) -> None:
        self._check_customers()
        self._check_keys("products", "product_id")
        self._check_keys("plans", "plan_id")
        self._check_keys("charges", "plan_id", "charge_id")
        self._check_keys("subscriptions", "subscription_id")
        self._check_keys("meter_filters", "meter", "version", "property", "operator", "value")
        for row in self.catalog["plans"]:
            self._check_plan(row)
        self._check_meters()
        for row in self.catalog["charges"]:
            self._check_charge(row)
        self._check_limits()
        self._check_prices()
        for row in self.catalog["subscriptions"]:
            self._check_subscription(row)
        self._check_prices_of_subscriptions()

    # Keys and references

    def _check_keys(self, name: str, *columns: str) -> None:
        first: dict[tuple[str, ...], Row] = {}
        for row in self.catalog[name]:
            if not row[columns[0]]:
                continue
            earlier = first.setdefault(row.key(*columns), row)
            if earlier is not row:
                row.refuse(
                    columns[-1] if row[columns[-1]] else columns[0],
                    f"one row for each {', '.join(columns)} (line {earlier.line} has it)",
                )

    def _check_dated_keys(self, name: str, *columns: str) -> None:
        first: dict[tuple[object, ...], Row] = {}
        for row in self.catalog[name]:
            if not row[columns[0]] or not row.holds("valid_from", "recorded_at"):
                continue
            valid_from = read_instant(row["valid_from"]) or _valid_from(row)
            key = (*row.key(*columns), valid_from, _known_at(row))
            earlier = first.setdefault(key, row)
            if earlier is not row:
                row.refuse(
                    "valid_from",
                    f"one row for each {', '.join(columns)}, valid_from and recorded_at"
                    f" (line {earlier.line} has it)",
                )

    def _check_reference(self, row: Row, column: str, known: Iterable[str], file: str) -> bool:
        if not row[column] or not row.holds(column):
            return False
        if row[column] in known:
            return True
        row.refuse(column, f"a {column} of {file}")
        return False

    def _check_currency(self, row: Row) -> bool:
        if not row["currency"] or not row.holds("currency"):
            return False
        if row["currency"] in self.reference.exponents:
            return True
        row.refuse("currency", "a code of currencies.csv, like EUR")
        return False

    def _check_charge_reference(self, row: Row) -> Row | None:
        if not row.holds("plan_id", "charge_id") or not row["plan_id"] or not row["charge_id"]:
            return None
        if not self._check_reference(row, "plan_id", {key[0] for key in self.plans}, "plans.csv"):
            return None
        charge = self.charges.get(row.key("plan_id", "charge_id"))
        if charge is None:
            row.refuse("charge_id", f"a charge of plan {quote(row['plan_id'])} in charges.csv")
        return charge

    # Customers and subscriptions

    def _check_customers(self) -> None:
        self._check_dated_keys("customers", "customer_id")
        for rows in self.customers.values():
            for row in rows:
                self._check_currency(row)
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
        self._check_currency(row)
        self._check_reference(row, "customer_id", self.customers, "customers.csv")
        plans = {key[0] for key in self.plans}
        if self._check_reference(row, "plan_id", plans, "plans.csv"):
            plan = self.plans[(row["plan_id"],)]
            if row["anchor_date"] and plan["alignment"] == "calendar":
                row.refuse("anchor_date", "a blank on a plan whose alignment is calendar")
        if not row.holds("customer_id", "starts_at", "ends_at") or not row["starts_at"]:
            return
        rows = self.customers.get(row["customer_id"], [])
        zones = [home for home in rows if home["time_zone"] in self.reference.zones]
        if not zones:
            return
        begin = self._instant(row["starts_at"], zones)
        if row["ends_at"] and self._instant(row["ends_at"], zones) <= begin:
            row.refuse("ends_at", f"a time after starts_at ({row['starts_at']})")
        earliest = min(map(_valid_from, zones))
        if date.fromisoformat(row["starts_at"][:10]) < earliest:
            row.refuse(
                "starts_at",
                f"{earliest} or later: the first valid_from of the customer in customers.csv",
            )

    def _instant(self, text: str, homes: list[Row]) -> datetime:
        if instant := read_instant(text):
            return instant
        day = date.fromisoformat(text)
        valid = [home for home in homes if _valid_from(home) <= day] or homes
        zone = max(valid, key=lambda home: (_valid_from(home), _known_at(home)))["time_zone"]
        return self.reference.local_midnight(day, zone)

    # Products, plans and charges

    def _check_plan(self, row: Row) -> None:
        products = {key[0] for key in self.products}
        cycle = CYCLE.fullmatch(row["cycle"])
        if cycle and cycle[1] and row["alignment"] == "calendar":
            row.refuse("alignment", f"anniversary with a cycle of {row['cycle']}")
        if self._check_reference(row, "product_id", products, "products.csv"):
            product = self.products[(row["product_id"],)]
            allowed = product["allowed_cycles"] if product.holds("allowed_cycles") else ""
            if allowed and cycle and row["cycle"] not in allowed.split("|"):
                row.refuse("cycle", f"one of the product's allowed_cycles ({allowed})")

    def _check_charge(self, row: Row) -> None:
        self._check_reference(row, "plan_id", {key[0] for key in self.plans}, "plans.csv")
        kind = row["charge_type"]
        if not row.holds("charge_type"):
            return
        if kind in ("recurring", "one_time"):
            where = f"on a {kind} charge"
            _refuse_blank(row, ["timing"], where)
            _refuse_filled(
                row,
                ["meter", "meter_version", "pricing_model", "allowance", "flat_fee_at_zero"],
                where,
            )
            if kind == "one_time":
                _refuse_filled(row, ["every_cycles"], where)
        elif kind == "usage":
            self._check_usage_charge(row)

    def _check_usage_charge(self, row: Row) -> None:
        where = "on a usage charge"
        model = row["pricing_model"]
        _refuse_blank(row, ["meter", "pricing_model"], where)
        _refuse_filled(row, ["every_cycles"], where)
        if row["timing"] == "advance":
            row.refuse("timing", "arrears or a blank: usage is billed once it happened")
        if model in ("flat", "dynamic"):
            _refuse_filled(row, ["allowance"], f"with the pricing model {model}")
        if model not in TIERED_MODELS and row["flat_fee_at_zero"] == "true":
            row.refuse("flat_fee_at_zero", f"false with the pricing model {model or 'blank'}")
        meter = self._meter_of(row, "meter_version")
        if meter and model == "dynamic" and not meter["amount_property"]:
            row.refuse(
                "pricing_model",
                f"an amount_property on the meter (meters.csv line {meter.line})",
            )

    def _meter_of(self, row: Row, column: str) -> Row | None:
        """The meter row that `row` names by meter and version; refuses what is not there."""
        if not row["meter"] or not row.holds("meter", column):
            return None
        version = _version(row[column] or "1")
        meter = self.meters.get((row["meter"], version))
        if meter is None and row["meter"] not in self.meter_names:
            row.refuse("meter", "a meter of meters.csv")
        elif meter is None and row["meter"] not in self.unsure_meters:
            row.refuse(column, f"a version of {quote(row['meter'])} in meters.csv", str(version))
        return meter

    # Meters

    def _check_meters(self) -> None:
        for row in self.catalog["meters"]:
            if row["meter"] and row.holds("version"):
                earlier = self.meters[(row["meter"], _version(row["version"]))]
                if earlier is not row:
                    row.refuse(
                        "version", f"one row for each meter, version (line {earlier.line} has it)"
                    )
            if row.holds("aggregation") and row["aggregation"]:
                self._check_meter(row)
            for column in ("property", "dimensions", "amount_property"):
                self._check_derived(row, column)
        for row in self.catalog["meter_filters"]:
            self._meter_of(row, "version")
            self._check_derived(row, "property")
            if row.holds("operator", "value") and row["operator"]:
                self._check_filter(row)

    def _check_meter(self, row: Row) -> None:
        aggregation = row["aggregation"]
        where = f"with the aggregation {aggregation}"
        if aggregation == "count":
            _refuse_filled(row, ["property"], where)
        else:
            _refuse_blank(row, ["property"], where)
        if aggregation in COUNTING:
            _refuse_filled(row, ["multiplier", "rounding", "rounding_digits"], where)
        elif row["rounding"] in ("", "none"):
            _refuse_filled(row, ["rounding_digits"], "without a rounding")
        for column, owner in (("percentile", "percentile"), ("weighted_mode", "weighted_sum")):
            if aggregation == owner:
                _refuse_blank(row, [column], where)
            else:
                _refuse_filled(row, [column], where)
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
            _refuse_filled(row, ["value"], where)
            return
        _refuse_blank(row, ["value"], where)
        if operator in ("gt", "gte", "lt", "lte") and value and not NUMBER.fullmatch(value):
            row.refuse("value", f"a number {where}")
        if operator in ("in", "not_in") and value and not all(value.split("|")):
            row.refuse("value", "values separated by | (a|b), none of them blank")

    # Limits and prices

    def _check_limits(self) -> None:
        self._check_dated_keys("charge_limits", "plan_id", "charge_id", "currency")
        for row in self.catalog["charge_limits"]:
            charge = self._check_charge_reference(row)
            if charge and charge["charge_type"] in ("recurring", "one_time"):
                row.refuse("charge_id", "a usage charge: only usage has limits")
            if self._check_currency(row):
                exponent = self.reference.exponents[row["currency"]]
                for column in ("minimum", "maximum"):
                    decimals = len(row[column].partition(".")[2])
                    if row.holds(column) and decimals > exponent:
                        row.refuse(column, f"at most {exponent} decimals, as {row['currency']} has")
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
            charge = self._check_charge_reference(row)
            self._check_currency(row)
            self._check_dimensions(row, charge)
            if not row.holds("plan_id", "charge_id", "valid_from", "recorded_at"):
                continue
            key = (
                *row.key("plan_id", "charge_id", "currency"),
                frozenset(row["dimension_values"].split("|")),
                _valid_from(row),
                _known_at(row),
            )
            if blocks and blocks[-1][0] == key:
                blocks[-1][1].append(row)
            elif key in first:
                row.refuse(
                    "valid_from",
                    "one price for each charge, currency, dimension_values, valid_from and"
                    f" recorded_at (line {first[key].line} has it)",
                )
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
        meter = self.meters.get((charge["meter"], _version(charge["meter_version"] or "1")))
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
            _refuse_filled(
                band, [column for column in PRICE_COLUMNS if column not in allowed], f"for {name}"
            )
            if band["position"] != bands[0]["position"] and band.holds("position"):
                band.refuse("position", f"the same in all bands (line {bands[0].line})")
            if band["dimension_values"] != bands[0]["dimension_values"]:
                band.refuse("dimension_values", f"written as in line {bands[0].line}")
        if model in TIERED_MODELS:
            self._check_tiers(bands)
            return
        for band in bands:
            if band["up_to"]:
                _refuse_filled(band, ["up_to"], f"for {name}, which has no tiers")
            elif band is not bands[0]:
                band.refuse(
                    "valid_from",
                    "one price for each charge, currency, dimension_values, valid_from and"
                    f" recorded_at (line {bands[0].line} has it)",
                )

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

    def _check_prices_of_subscriptions(self) -> None:
        """A charge without a price in a currency that it is subscribed in is a fault."""
        earliest: dict[tuple[str, ...], date] = {}
        for row in self.catalog["prices"]:
            if row.holds("valid_from"):
                key = row.key("plan_id", "charge_id", "currency")
                earliest[key] = min(_valid_from(row), earliest.get(key, date.max))
        charges_by_plan: dict[str, list[Row]] = defaultdict(list)
        for charge in self.charges.values():
            charges_by_plan[charge["plan_id"]].append(charge)
        told = set()
        for row in self.catalog["subscriptions"]:
            homes = self.customers.get(row["customer_id"])
            if not homes or not row.holds("currency", "starts_at") or not row["starts_at"]:
                continue
            currency = row["currency"] or homes[0]["currency"]
            if currency not in self.reference.exponents:
                continue
            for charge in charges_by_plan[row["plan_id"]]:
                key = (*charge.key("plan_id", "charge_id"), currency)
                if key in told or not charge["charge_id"]:
                    continue
                user = f"subscriptions.csv:{row.line} is billed in {currency}"
                if key not in earliest:
                    told.add(key)
                    charge.refuse("charge_id", f"a price in {currency} in prices.csv ({user})")
                elif earliest[key] > date.fromisoformat(row["starts_at"][:10]):
                    told.add(key)
                    charge.refuse(
                        "charge_id",
                        f"a price in {currency} in prices.csv that is valid from"
                        f" {row['starts_at'][:10]} or before ({user})",
                    )
