"""What one field of the catalogue may hold: numbers, dates, instants, paths, choices."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from orchestration.catalog_files import Catalog, Row

# A rule reads a text and says what was expected instead, or None where it holds.
Rule = Callable[[str], str | None]

NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})"
)
CYCLE = re.compile(r"week|month|quarter|year|([1-9][0-9]{0,3}) days?")
PATH = re.compile(r'([^".|=\s]+|"[^"|=]+")(\.([^".|=\s]+|"[^"|=]+"))*')
DERIVED = re.compile(r"derived:([a-z_][a-z0-9_]*)")
EARLIEST, LATEST = 1970, 9998
WIDEST_OFFSET = timedelta(hours=15)
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)

AGGREGATIONS = (
    "count", "sum", "count_unique", "max", "min", "latest", "average", "percentile",
    "weighted_sum",
)  # fmt: skip
PRICING_MODELS = (
    "per_unit", "flat", "tiered", "volume", "stairstep", "package", "percentage",
    "tiered_percentage", "dynamic",
)  # fmt: skip
OPERATORS = (
    "eq", "neq", "in", "not_in", "gt", "gte", "lt", "lte", "exists", "not_exists", "contains",
)  # fmt: skip


def read_instant(text: str) -> datetime | None:
    """The instant that the text names, None where it is not one or out of range."""
    if not INSTANT.fullmatch(text):
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    offset = instant.utcoffset()
    if not EARLIEST <= instant.year <= LATEST or offset is None or abs(offset) > WIDEST_OFFSET:
        return None
    return instant.astimezone(UTC)


def read_date(text: str) -> date | None:
    """The date that the text names, None where it is not one or out of range."""
    if not DATE.fullmatch(text):
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if EARLIEST <= day.year <= LATEST else None


def text() -> Rule:
    return lambda value: None if len(value) <= 1000 else "at most 1,000 characters"


def choice(*choices: str) -> Rule:
    return lambda value: None if value in choices else f"one of {', '.join(choices)}"


def number(
    whole: int, decimals: int, above: str | None = None, least: str | None = "0", most: str = ""
) -> Rule:
    """A plain decimal of at most so many whole digits and decimals, within the bounds."""
    bound = f" above {above}" if above is not None else f" from {least}" if least else ""
    bound += f" to {most}" if most else ""

    def check(value: str) -> str | None:
        if not NUMBER.fullmatch(value):
            return f"a number{bound}, written like 1250 or 0.25"
        integer, _, fraction = value.lstrip("-").partition(".")
        if len(fraction) > decimals:
            return f"a number with at most {decimals} decimals"
        if len(integer.lstrip("0")) > whole:
            return f"a number with at most {whole} digits before the point"
        exact = Decimal(value)
        if (
            (above is not None and exact <= Decimal(above))
            or (above is None and least and exact < Decimal(least))
            or (most and exact > Decimal(most))
        ):
            return f"a number{bound}"
        return None

    return check


def integer(least: int, most: int) -> Rule:
    def check(value: str) -> str | None:
        if re.fullmatch(r"-?[0-9]{1,18}", value) and least <= int(value) <= most:
            return None
        return f"a whole number from {least} to {most}"

    return check


def day() -> Rule:
    return lambda value: None if read_date(value) else "a date like 2026-01-31 (1970 to 9998)"


def instant() -> Rule:
    expected = "an instant with its zone, like 2026-01-31T09:00:00Z"
    return lambda value: None if read_instant(value) else expected


def day_or_instant() -> Rule:
    expected = "a local date (2026-01-31) or an instant with its zone (2026-01-31T09:00:00Z)"
    return lambda value: None if read_date(value) or read_instant(value) else expected


def cycle() -> Rule:
    expected = "week, month, quarter, year or N days (30 days)"
    return lambda value: None if CYCLE.fullmatch(value) else expected


def cycles() -> Rule:
    expected = "cycles separated by | (month|year)"
    return lambda value: None if all(map(CYCLE.fullmatch, value.split("|"))) else expected


def path() -> Rule:
    expected = 'a dotted path (usage.tokens, "http.status") or derived:name'

    def check(value: str) -> str | None:
        pattern = DERIVED if value.startswith("derived:") else PATH
        return None if pattern.fullmatch(value) else expected

    return check


def paths() -> Rule:
    one = path()

    def check(value: str) -> str | None:
        names = value.split("|")
        if any(one(name) for name in names):
            return "paths separated by | (model|region)"
        return None if len(set(names)) == len(names) else "each dimension once"

    return check


def names() -> Rule:
    def check(value: str) -> str | None:
        listed = value.split("|")
        if not all(name and name == name.strip() for name in listed):
            return "names separated by | (calls|tokens)"
        return None if len(set(listed)) == len(listed) else "each name once"

    return check


# (rule, required): whether a blank is refused whatever the rest of the row says.
FIELDS: dict[str, dict[str, tuple[Rule, bool]]] = {
    "customers": {
        "customer_id": (text(), True),
        "name": (text(), True),
        "currency": (text(), True),
        "time_zone": (text(), True),
        "billing_entity": (text(), True),
        "valid_from": (day_or_instant(), False),
    },
    "products": {
        "product_id": (text(), True),
        "name": (text(), True),
        "product_type": (text(), False),
        "allowed_cycles": (cycles(), False),
        "perks": (text(), False),
    },
    "plans": {
        "plan_id": (text(), True),
        "product_id": (text(), True),
        "name": (text(), True),
        "cycle": (cycle(), True),
        "alignment": (choice("calendar", "anniversary"), True),
        "grace_days": (integer(0, 366), False),
        "trial_days": (integer(0, 3_660), False),
        "correction_days": (integer(0, 3_660), False),
    },
    "charges": {
        "plan_id": (text(), True),
        "charge_id": (text(), True),
        "position": (integer(1, 1_000_000), True),
        "name": (text(), True),
        "charge_type": (choice("recurring", "usage", "one_time"), True),
        "timing": (choice("advance", "arrears"), False),
        "every_cycles": (integer(1, 1_200), False),
        "meter": (text(), False),
        "meter_version": (integer(1, 1_000_000), False),
        "pricing_model": (choice(*PRICING_MODELS), False),
        "allowance": (number(15, 10), False),
        "flat_fee_at_zero": (choice("true", "false"), False),
        "proration": (choice("days", "seconds", "none"), False),
        "split": (choice("share", "full"), False),
        "price_at": (choice("start", "close"), False),
        "tax_code": (text(), False),
    },
    "charge_limits": {
        "plan_id": (text(), True),
        "charge_id": (text(), True),
        "currency": (text(), True),
        "minimum": (number(13, 4), False),
        "maximum": (number(13, 4), False),
        "valid_from": (day(), False),
    },
    "prices": {
        "plan_id": (text(), True),
        "charge_id": (text(), True),
        "currency": (text(), True),
        "dimension_values": (text(), False),
        "position": (integer(1, 1_000_000), False),
        "valid_from": (day(), False),
        "up_to": (number(15, 10, above="0"), False),
        "unit_price": (number(8, 12), False),
        "flat_fee": (number(13, 10), False),
        "package_size": (number(15, 10, above="0"), False),
        "percent": (number(8, 10), False),
        "event_fee": (number(8, 12), False),
        "free_amount": (number(15, 10), False),
        "free_events": (integer(0, 10**15), False),
        "customer_id": (text(), False),
        "contract_month": (integer(1, 1_200), False),
        "applies_to": (choice("open", "closed"), False),
    },
    "meters": {
        "meter": (text(), True),
        "version": (integer(1, 1_000_000), True),
        "event_name": (text(), True),
        "aggregation": (choice(*AGGREGATIONS), True),
        "property": (path(), False),
        "dimensions": (paths(), False),
        "multiplier": (number(8, 12, least=None), False),
        "rounding": (choice("none", "up", "down", "half_away"), False),
        "rounding_digits": (integer(0, 10), False),
        "percentile": (number(3, 12, above="0", most="100"), False),
        "weighted_mode": (choice("change", "reading"), False),
        "carry_over": (choice("true", "false"), False),
        "amount_property": (path(), False),
    },
    "meter_filters": {
        "meter": (text(), True),
        "version": (integer(1, 1_000_000), True),
        "property": (path(), True),
        "operator": (choice(*OPERATORS), True),
        "value": (text(), False),
    },
    "subscriptions": {
        "subscription_id": (text(), True),
        "customer_id": (text(), True),
        "plan_id": (text(), True),
        "currency": (text(), False),
        "starts_at": (day_or_instant(), True),
        "ends_at": (day_or_instant(), False),
        "anchor_date": (day(), False),
        "prices_as_of": (day(), False),
        "trial_days": (integer(0, 3_660), False),
    },
    "subscription_changes": {
        "subscription_id": (text(), True),
        "changes_at": (day_or_instant(), True),
        "change": (choice("plan", "quantity", "pause", "resume", "end"), True),
        "plan_id": (text(), False),
        "charge_id": (text(), False),
        "quantity": (number(15, 10), False),
        "anchor_date": (day(), False),
        "prices_as_of": (day(), False),
        "withdrawn": (choice("true", "false"), False),
    },
    "plan_migrations": {
        "from_plan_id": (text(), True),
        "to_plan_id": (text(), True),
        "migrates_at": (day_or_instant(), True),
    },
    "allowances": {
        "plan_id": (text(), True),
        "allowance_id": (text(), True),
        "charge_ids": (names(), True),
        "quantity": (number(15, 10), True),
        "proration": (choice("none", "days", "seconds"), False),
        "rollover_periods": (integer(0, 24), False),
        "rollover_cap": (number(15, 10), False),
        "pooled": (choice("true", "false"), False),
    },
    "commitments": {
        "commitment_id": (text(), True),
        "name": (text(), True),
        "plan_id": (text(), False),
        "subscription_id": (text(), False),
        "currency": (text(), True),
        "amount": (number(13, 4), False),
        "quantity": (number(15, 10), False),
        "unit_price": (number(8, 12), False),
        "charge_ids": (names(), False),
        "window_cycles": (integer(1, 1_200), False),
        "overage_factor": (number(4, 10), False),
        "tax_code": (text(), False),
    },
    "discounts": {
        "discount_id": (text(), True),
        "name": (text(), True),
        "level": (choice("line", "product", "invoice"), True),
        "position": (integer(1, 1_000_000), False),
        "customer_id": (text(), False),
        "subscription_id": (text(), False),
        "plan_id": (text(), False),
        "product_id": (text(), False),
        "charge_id": (text(), False),
        "percent": (number(3, 10, most="100"), False),
        "amount": (number(13, 4), False),
        "total_amount": (number(13, 4), False),
        "currency": (text(), False),
        "periods": (integer(1, 10_000), False),
        "valid_from": (day(), False),
        "valid_to": (day(), False),
    },
    "entitlements": {
        "product_id": (text(), True),
        "plan_id": (text(), False),
        "feature": (text(), True),
        "name": (text(), False),
        "kind": (choice("boolean", "soft", "hard"), True),
        "meter": (text(), False),
        "meter_version": (integer(1, 1_000_000), False),
        "limit_quantity": (number(15, 10), False),
    },
    "alerts": {
        "alert_id": (text(), True),
        "name": (text(), False),
        "customer_id": (text(), False),
        "subscription_id": (text(), False),
        "plan_id": (text(), False),
        "kind": (choice("usage", "spend", "allowance"), True),
        "charge_id": (text(), False),
        "meter": (text(), False),
        "meter_version": (integer(1, 1_000_000), False),
        "threshold": (number(15, 10, above="0"), True),
    },
    "invoice_actions": {
        "action_id": (text(), True),
        "action": (choice("void", "reissue", "credit", "dispute", "resolve", "refund"), True),
        "invoice_id": (text(), False),
        "line_id": (text(), False),
        "amount": (number(13, 4, above="0"), False),
        "acted_by": (text(), True),
        "reason": (text(), True),
    },
}
for name, fields in FIELDS.items():
    # Who acted on an invoice says when: there is no beginning that would do.
    fields["recorded_at"] = (instant(), name == "invoice_actions")


def check_fields(catalog: Catalog) -> None:
    """Check each field of each row by itself."""
    for name, fields in FIELDS.items():
        for row in catalog[name]:
            for column, (rule, is_required) in fields.items():
                if column in row.values:
                    _check_field(row, column, rule, is_required)


def _check_field(row: Row, column: str, rule: Rule, is_required: bool) -> None:
    value = row[column]
    if not value:
        if is_required:
            row.refuse(column, "a value")
    elif any(ord(character) < 32 or ord(character) == 127 for character in value):
        row.refuse(column, "text on one line without control characters")
    elif value != value.strip():
        row.refuse(column, "no spaces before or after the value")
    elif value.lower() == "null":
        # One engine's seed loader reads the word as a blank, the other's as text.
        row.refuse(column, "a blank, or another word (null means a blank to some engines)")
    elif expected := rule(value):
        row.refuse(column, expected)
