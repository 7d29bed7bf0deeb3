"""The catalogue, read from rows of text as the CSVs hold them ('' is blank)."""

import csv
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime
from fractions import Fraction
from pathlib import Path
from urllib.parse import unquote

from .clock import EPOCH, catalogue_instant, parse_cycle, parse_instant

ALWAYS = EPOCH
ALWAYS_DATE = date(1970, 1, 1)
Rows = dict[str, list[dict[str, str]]]


def load_catalog(directory: str | Path) -> Rows:
    """The CSVs of a folder by file stem, every cell as text."""
    catalog = {}
    for path in sorted(Path(directory).glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as stream:
            catalog[path.stem] = [
                {name: value or "" for name, value in row.items()} for row in csv.DictReader(stream)
            ]
    return catalog


@dataclass(frozen=True)
class CustomerState:
    """What a customer row says from an instant on."""

    customer_id: str
    currency: str
    time_zone: str
    billing_entity: str
    valid_from: datetime
    recorded_at: datetime


@dataclass(frozen=True)
class Plan:
    plan_id: str
    cycle: tuple[str, int]
    cycle_name: str
    alignment: str
    grace_days: int
    recorded_at: datetime
    product_id: str = ""
    trial_days: int = 0
    #: For how many days after its cutoff a period is corrected; None without end.
    correction_days: int | None = None


@dataclass(frozen=True)
class Charge:
    plan_id: str
    charge_id: str
    position: int
    charge_type: str
    timing: str
    every_cycles: int
    profile_id: str
    pricing_model: str
    allowance: Fraction
    flat_fee_at_zero: bool
    recorded_at: datetime
    proration: str = "none"
    split: str = "share"
    price_at: str = "start"


@dataclass(frozen=True)
class Limit:
    plan_id: str
    charge_id: str
    currency: str
    minimum: Fraction | None
    maximum: Fraction | None
    valid_from: date
    recorded_at: datetime


@dataclass(frozen=True)
class Band:
    tier_from: Fraction
    tier_to: Fraction | None
    unit_price: Fraction
    flat_fee: Fraction
    package_size: Fraction
    percent: Fraction
    event_fee: Fraction
    free_amount: Fraction
    free_events: Fraction


@dataclass(frozen=True)
class PriceRow:
    """All bands that share charge, currency, dimension values, valid_from, customer, contract
    month and recorded_at. A blank customer is everybody.
    """

    plan_id: str
    charge_id: str
    currency: str
    dimension_values: str
    named: tuple[tuple[str, str], ...]
    position: int
    valid_from: date
    recorded_at: datetime
    bands: tuple[Band, ...]
    customer_id: str = ""
    contract_month: int = 1
    applies_to: str = ""


@dataclass(frozen=True)
class UnitRate:
    """What one of a unit of credit is worth in a currency from a day on."""

    unit: str
    exponent: int
    currency: str
    rate: Fraction
    valid_from: date
    recorded_at: datetime


@dataclass(frozen=True)
class Filter:
    path: str
    operator: str
    value: str


@dataclass(frozen=True)
class Profile:
    """A meter version: what is measured of an event."""

    profile_id: str
    event_name: str
    aggregation: str
    path: str
    dimensions: tuple[str, ...]
    multiplier: Fraction
    rounding: str
    rounding_digits: int
    percentile: Fraction
    weighted_mode: str
    carry_over: bool
    amount_path: str
    filters: tuple[Filter, ...]


@dataclass(frozen=True)
class Subscription:
    subscription_id: str
    customer_id: str
    plan_id: str
    currency: str
    starts_at: datetime
    ends_at: datetime | None
    anchor_date: date | None
    recorded_at: datetime
    prices_as_of: date | None = None
    trial_days: int | None = None


@dataclass(frozen=True)
class Change:
    """A change of a subscription that stands: the latest recorded row of its key."""

    subscription_id: str
    changes_at: datetime
    kind: str
    plan_id: str
    charge_id: str
    quantity: Fraction | None
    anchor_date: date | None
    prices_as_of: date | None
    recorded_at: datetime


@dataclass(frozen=True)
class Migration:
    """All subscribers of a plan move at a time, which a date says in each customer's zone."""

    from_plan_id: str
    to_plan_id: str
    migrates_at: str
    recorded_at: datetime


@dataclass(frozen=True)
class Allowance:
    """An included quantity that several charges of a plan share, or that is carried over."""

    plan_id: str
    allowance_id: str
    charge_ids: tuple[str, ...]
    quantity: Fraction
    proration: str
    rollover_periods: int
    rollover_cap: Fraction | None
    is_pooled: bool


@dataclass(frozen=True)
class Commitment:
    """What a plan's subscribers, or one subscription, have promised to spend or to use."""

    commitment_id: str
    plan_id: str
    subscription_id: str
    currency: str
    amount: Fraction | None
    quantity: Fraction | None
    unit_price: Fraction
    charge_ids: tuple[str, ...]
    window_cycles: int
    overage_factor: Fraction | None


@dataclass(frozen=True)
class Discount:
    """A reduction of lines, a product or an invoice; blank ids match everything."""

    discount_id: str
    level: str
    position: int
    customer_id: str
    subscription_id: str
    plan_id: str
    product_id: str
    charge_id: str
    percent: Fraction | None
    amount: Fraction | None
    total_amount: Fraction | None
    currency: str
    periods: int | None
    valid_from: date | None
    valid_to: date | None
    recorded_at: datetime


@dataclass(frozen=True)
class Action:
    """What somebody does to a closed invoice, or to a line of one."""

    action_id: str
    action: str
    invoice_id: str
    line_id: str
    amount: Fraction
    recorded_at: datetime


@dataclass
class Catalog:
    customers: dict[str, list[CustomerState]] = field(default_factory=dict)
    plans: dict[str, Plan] = field(default_factory=dict)
    charges: dict[str, list[Charge]] = field(default_factory=dict)
    limits: list[Limit] = field(default_factory=list)
    price_rows: dict[tuple[str, str], list[PriceRow]] = field(default_factory=dict)
    profiles: dict[str, Profile] = field(default_factory=dict)
    by_customer: dict[str, list[Subscription]] = field(default_factory=dict)
    changes: dict[str, list[Change]] = field(default_factory=dict)
    migrations: list[Migration] = field(default_factory=list)
    allowances: dict[str, list[Allowance]] = field(default_factory=dict)
    commitments: list[Commitment] = field(default_factory=list)
    discounts: list[Discount] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    #: Rates by unit of credit.
    units: dict[str, list[UnitRate]] = field(default_factory=dict)
    #: Worked out once a subscription: changes.life_of keeps them here.
    lives: dict[str, object] = field(default_factory=dict)

    @property
    def subscriptions(self) -> list[Subscription]:
        return [one for owned in self.by_customer.values() for one in owned]

    def subscriptions_of(self, customer_id: str) -> list[Subscription]:
        return self.by_customer.get(customer_id, [])


def number(text: str, default: Fraction | int | None = 0) -> Fraction | None:
    return Fraction(text) if text else (None if default is None else Fraction(default))


def recorded(row: dict[str, str]) -> datetime:
    """When the row became known; blank is from the beginning, a date its UTC midnight."""
    text = row.get("recorded_at", "")
    return parse_instant(text) if text else ALWAYS


def valid_date(row: dict[str, str]) -> date:
    text = row.get("valid_from", "")
    return date.fromisoformat(text[:10]) if text else ALWAYS_DATE


def optional_date(text: str) -> date | None:
    return date.fromisoformat(text[:10]) if text else None


def ids(text: str) -> tuple[str, ...]:
    """`a|b` as names."""
    return tuple(part for part in text.split("|") if part)


def is_true(text: str) -> bool:
    return text.lower() == "true"


def parse_named(text: str) -> tuple[tuple[str, str], ...]:
    """`region=eu|model=a%7Cb` as pairs; only %25 and %7C are encoded."""
    if not text:
        return ()
    pairs = (part.partition("=") for part in text.split("|"))
    return tuple((unquote(name), unquote(value)) for name, _, value in pairs)


def state_at(states: list[CustomerState], instant: datetime) -> CustomerState:
    """Zone and entity as read at an instant: the newest row valid and recorded by then.

    A customer recorded later than the instant is read from the first row recorded.
    """
    valid = [state for state in states if state.valid_from <= instant]
    known = [state for state in valid if state.recorded_at <= instant]
    if known:
        return max(known, key=lambda state: (state.valid_from, state.recorded_at))
    if valid:
        return min(valid, key=lambda state: (state.recorded_at, state.valid_from))
    return min(states, key=lambda state: (state.valid_from, state.recorded_at))


def customer_instant(text: str, states: list[CustomerState]) -> datetime:
    """A time of a customer's subscription, in the zone that holds at that very time."""
    for state in sorted(states, key=lambda state: state.valid_from, reverse=True):
        instant = catalogue_instant(text, state.time_zone)
        if state_at(states, instant).time_zone == state.time_zone:
            return instant
    return catalogue_instant(text, states[0].time_zone)


def read_bands(rows: list[dict[str, str]]) -> tuple[Band, ...]:
    """Tiers (previous up_to, up_to], the open one last."""
    ordered = sorted(rows, key=lambda row: (not row["up_to"], number(row["up_to"])))
    bands, tier_from = [], Fraction(0)
    for row in ordered:
        tier_to = number(row["up_to"], None)
        names = ("unit_price", "flat_fee", "package_size", "percent", "event_fee")
        names += ("free_amount", "free_events")
        values = {name: number(row.get(name, "")) for name in names}
        bands.append(Band(tier_from=tier_from, tier_to=tier_to, **values))
        tier_from = tier_to
    return tuple(bands)


def read_changes(
    rows: list[dict[str, str]], customer_of: dict[str, str], catalog: Catalog
) -> dict[str, list[Change]]:
    """Changes that stand: of the rows of a key the latest recorded, unless it withdraws."""
    latest: dict[tuple, dict[str, str]] = {}
    for row in rows:
        key = (row["subscription_id"], row["change"], row["charge_id"], row["changes_at"])
        if key not in latest or recorded(latest[key]) < recorded(row):
            latest[key] = row
    changes: dict[str, list[Change]] = {}
    for row in latest.values():
        states = catalog.customers.get(customer_of.get(row["subscription_id"], ""))
        if states is None or is_true(row["withdrawn"]):
            continue
        changes.setdefault(row["subscription_id"], []).append(
            Change(
                subscription_id=row["subscription_id"],
                changes_at=customer_instant(row["changes_at"], states),
                kind=row["change"],
                plan_id=row["plan_id"],
                charge_id=row["charge_id"],
                quantity=number(row["quantity"], None),
                anchor_date=optional_date(row["anchor_date"]),
                prices_as_of=optional_date(row["prices_as_of"]),
                recorded_at=recorded(row),
            )
        )
    return changes


def read_allowance(row: dict[str, str]) -> Allowance:
    return Allowance(
        plan_id=row["plan_id"],
        allowance_id=row["allowance_id"],
        charge_ids=ids(row["charge_ids"]),
        quantity=number(row["quantity"]),
        proration=row["proration"] or "none",
        rollover_periods=int(row["rollover_periods"] or 0),
        rollover_cap=number(row["rollover_cap"], None),
        is_pooled=is_true(row["pooled"]),
    )


def read_commitment(row: dict[str, str]) -> Commitment:
    return Commitment(
        commitment_id=row["commitment_id"],
        plan_id=row["plan_id"],
        subscription_id=row["subscription_id"],
        currency=row["currency"],
        amount=number(row["amount"], None),
        quantity=number(row["quantity"], None),
        unit_price=number(row["unit_price"]),
        charge_ids=ids(row["charge_ids"]),
        window_cycles=int(row["window_cycles"] or 1),
        overage_factor=number(row["overage_factor"], None),
    )


def read_discount(row: dict[str, str]) -> Discount:
    return Discount(
        discount_id=row["discount_id"],
        level=row["level"],
        position=int(row["position"] or 1),
        customer_id=row["customer_id"],
        subscription_id=row["subscription_id"],
        plan_id=row["plan_id"],
        product_id=row["product_id"],
        charge_id=row["charge_id"],
        percent=number(row["percent"], None),
        amount=number(row["amount"], None),
        total_amount=number(row["total_amount"], None),
        currency=row["currency"],
        periods=int(row["periods"]) if row["periods"] else None,
        valid_from=optional_date(row["valid_from"]),
        valid_to=optional_date(row["valid_to"]),
        recorded_at=recorded(row),
    )


def read_catalog(rows: Rows, as_of_at: datetime) -> Catalog:
    """The catalogue as known at an instant: rows recorded before it."""
    known = {
        name: [
            defaultdict(str, {column: value or "" for column, value in row.items()})
            for row in table
            if recorded(row) < as_of_at
        ]
        for name, table in rows.items()
    }
    catalog = Catalog()
    for row in known.get("customers", []):
        valid_from = ALWAYS
        if row["valid_from"]:
            valid_from = catalogue_instant(row["valid_from"], row["time_zone"])
        state = CustomerState(
            customer_id=row["customer_id"],
            currency=row["currency"],
            time_zone=row["time_zone"],
            billing_entity=row["billing_entity"],
            valid_from=valid_from,
            recorded_at=recorded(row),
        )
        catalog.customers.setdefault(state.customer_id, []).append(state)
    for row in known.get("plans", []):
        catalog.plans[row["plan_id"]] = Plan(
            plan_id=row["plan_id"],
            cycle=parse_cycle(row["cycle"]),
            cycle_name=row["cycle"],
            alignment=row["alignment"],
            grace_days=int(row["grace_days"] or 1),
            recorded_at=recorded(row),
            product_id=row["product_id"],
            trial_days=int(row["trial_days"] or 0),
            correction_days=int(row["correction_days"]) if row["correction_days"] else None,
        )
    for row in known.get("charges", []):
        charge = Charge(
            plan_id=row["plan_id"],
            charge_id=row["charge_id"],
            position=int(row["position"]),
            charge_type=row["charge_type"],
            timing="arrears" if row["charge_type"] == "usage" else row["timing"] or "arrears",
            every_cycles=int(row["every_cycles"] or 1),
            profile_id=f"{row['meter']}@{row['meter_version']}" if row["meter"] else "",
            pricing_model=row["pricing_model"],
            allowance=number(row["allowance"]),
            flat_fee_at_zero=is_true(row["flat_fee_at_zero"]),
            recorded_at=recorded(row),
            proration=row["proration"] or ("days" if row["charge_type"] == "recurring" else "none"),
            split=row["split"] or "share",
            price_at=row["price_at"] or "start",
        )
        catalog.charges.setdefault(charge.plan_id, []).append(charge)
    for row in known.get("charge_limits", []):
        catalog.limits.append(
            Limit(
                plan_id=row["plan_id"],
                charge_id=row["charge_id"],
                currency=row["currency"],
                minimum=number(row["minimum"], None),
                maximum=number(row["maximum"], None),
                valid_from=valid_date(row),
                recorded_at=recorded(row),
            )
        )
    grouped: dict[tuple, list[dict[str, str]]] = {}
    for row in known.get("prices", []):
        key = (row["plan_id"], row["charge_id"], row["currency"], row["dimension_values"])
        key += (valid_date(row), recorded(row), row["customer_id"])
        grouped.setdefault((*key, int(row["contract_month"] or 1)), []).append(row)
    for key, bands in grouped.items():
        price_row = PriceRow(
            plan_id=key[0],
            charge_id=key[1],
            currency=key[2],
            dimension_values=key[3],
            named=parse_named(key[3]),
            position=min(int(row["position"] or 0) for row in bands),
            valid_from=key[4],
            recorded_at=key[5],
            bands=read_bands(bands),
            customer_id=key[6],
            contract_month=key[7],
            applies_to=bands[0]["applies_to"],
        )
        catalog.price_rows.setdefault(key[:2], []).append(price_row)
    filters: dict[str, list[Filter]] = {}
    for row in known.get("meter_filters", []):
        one = Filter(row["property"], row["operator"], row["value"])
        filters.setdefault(f"{row['meter']}@{row['version']}", []).append(one)
    for row in known.get("meters", []):
        profile_id = f"{row['meter']}@{row['version']}"
        catalog.profiles[profile_id] = Profile(
            profile_id=profile_id,
            event_name=row["event_name"],
            aggregation=row["aggregation"],
            path=row["property"],
            dimensions=tuple(part for part in row["dimensions"].split("|") if part),
            multiplier=number(row["multiplier"], 1),
            rounding=row["rounding"] or "none",
            rounding_digits=int(row["rounding_digits"] or 0),
            percentile=number(row["percentile"], 50),
            weighted_mode=row["weighted_mode"] or "change",
            carry_over=is_true(row["carry_over"]),
            amount_path=row["amount_property"],
            filters=tuple(filters.get(profile_id, [])),
        )
    for row in known.get("subscriptions", []):
        states = catalog.customers.get(row["customer_id"])
        if states is None:
            continue
        anchor = row["anchor_date"]
        catalog.by_customer.setdefault(row["customer_id"], []).append(
            Subscription(
                subscription_id=row["subscription_id"],
                customer_id=row["customer_id"],
                plan_id=row["plan_id"],
                currency=row["currency"] or states[0].currency,
                starts_at=customer_instant(row["starts_at"], states),
                ends_at=customer_instant(row["ends_at"], states) if row["ends_at"] else None,
                anchor_date=date.fromisoformat(anchor) if anchor else None,
                recorded_at=recorded(row),
                prices_as_of=optional_date(row["prices_as_of"]),
                trial_days=int(row["trial_days"]) if row["trial_days"] else None,
            )
        )
    customer_of = {one.subscription_id: one.customer_id for one in catalog.subscriptions}
    catalog.changes = read_changes(known.get("subscription_changes", []), customer_of, catalog)
    for row in known.get("plan_migrations", []):
        columns = (row["from_plan_id"], row["to_plan_id"], row["migrates_at"])
        catalog.migrations.append(Migration(*columns, recorded(row)))
    for row in known.get("allowances", []):
        catalog.allowances.setdefault(row["plan_id"], []).append(read_allowance(row))
    catalog.commitments = [read_commitment(row) for row in known.get("commitments", [])]
    catalog.discounts = [read_discount(row) for row in known.get("discounts", [])]
    for row in known.get("credit_units", []):
        exponent, rate = int(row["exponent"]), number(row["rate"])
        catalog.units.setdefault(row["unit"], []).append(
            UnitRate(row["unit"], exponent, row["currency"], rate, valid_date(row), recorded(row))
        )
    for row in known.get("invoice_actions", []):
        columns = (row["action_id"], row["action"], row["invoice_id"], row["line_id"])
        catalog.actions.append(Action(*columns, number(row["amount"]), recorded(row)))
    return catalog
