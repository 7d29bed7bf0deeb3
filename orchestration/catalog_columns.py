"""Every column of the catalogue: the rule of its values, and whether each row needs one."""

from __future__ import annotations

from orchestration.catalog_fields import (
    Rule,
    choice,
    cycle,
    cycles,
    day,
    day_or_instant,
    instant,
    integer,
    names,
    number,
    path,
    paths,
    text,
    unit,
)
from orchestration.catalog_files import Catalog, Row

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
        "requires_prepaid": (choice("true", "false"), False),
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
        "kind": (choice("usage", "spend", "allowance", "credits"), True),
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
    "credit_grants": {
        "grant_id": (text(), True),
        "name": (text(), True),
        "customer_id": (text(), True),
        "wallet": (text(), False),
        "kind": (choice("paid", "promotional"), True),
        "currency": (text(), True),
        "amount": (number(13, 4, above="0"), True),
        "cost_basis": (number(13, 4), False),
        "priority": (integer(0, 1_000_000), False),
        "scope": (choice("all", "subscription", "product", "meter"), False),
        "scope_id": (text(), False),
        "effective_at": (instant(), True),
        "expires_at": (instant(), False),
        "every": (choice("week", "month", "quarter", "year"), False),
        "recurs_until": (instant(), False),
        "rollover_cap": (number(13, 4), False),
        "covers_true_up": (choice("true", "false"), False),
    },
    "credit_actions": {
        "action_id": (text(), True),
        "action": (choice("void", "transfer"), True),
        "grant_id": (text(), True),
        "to_grant_id": (text(), False),
        "amount": (number(13, 4, above="0"), False),
        "acts_at": (instant(), True),
        "reason": (text(), True),
    },
    "credit_top_ups": {
        "top_up_id": (text(), True),
        "customer_id": (text(), True),
        "currency": (text(), True),
        "threshold": (number(13, 4), True),
        "amount": (number(13, 4, above="0"), True),
    },
    "credit_units": {
        "unit": (unit(), True),
        "exponent": (integer(0, 4), True),
        "currency": (text(), True),
        "rate": (number(4, 8, above="0"), True),
        "valid_from": (day(), False),
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
