"""What a case of another billing system becomes: a customer, a plan and meters of its own."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

from tests.oracle.clock import zone
from tests.strategies import COLUMNS, RAW_COLUMNS, Row, catalog_row

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


# -- texts of the cases ------------------------------------------------------------------------


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


# -- the world of a case -----------------------------------------------------------------------


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
        trial_days: object = "",
    ) -> None:
        customer = {"customer_id": self.name("customer"), "name": "peer", "currency": currency}
        self.add("customers", **customer, time_zone=time_zone, billing_entity="peers")
        self.add("products", product_id=self.name("product"), name="peer", product_type="saas")
        self.plan(cycle=cycle, alignment=alignment)
        self.add(
            "subscriptions",
            subscription_id=self.name("subscription"),
            customer_id=self.name("customer"),
            plan_id=self.name("plan"),
            starts_at=starts_at,
            ends_at=ends_at,
            anchor_date=anchor_date,
            trial_days=trial_days,
        )

    def plan(self, plan: str = "plan", cycle: str = "month", alignment: str = "calendar") -> None:
        self.add(
            "plans",
            plan_id=self.name(plan),
            product_id=self.name("product"),
            name="peer",
            cycle=cycle,
            alignment=alignment,
        )

    def fee(
        self,
        price: str,
        timing: str = "arrears",
        every: object = "",
        charge_id: str = "fee",
        plan: str = "plan",
    ) -> None:
        charge = {"plan_id": self.name(plan), "charge_id": charge_id}
        self.add(
            "charges",
            **charge,
            position=1,
            name=charge_id,
            charge_type="recurring",
            timing=timing,
            every_cycles=every,
        )
        self.add("prices", **charge, currency=self.currency, position=1, unit_price=price)

    def change(self, kind: str, changes_at: str, known_at: str = "", **values: object) -> None:
        """A change of the subscription; what is not known before is never seen in advance."""
        self.add(
            "subscription_changes",
            subscription_id=self.name("subscription"),
            change=kind,
            changes_at=changes_at,
            recorded_at=known_at,
            **values,
        )

    def change_plan(self, changes_at: str, **values: object) -> None:
        """To the plan `new`, known only when it happens."""
        known_at = changes_at if "T" in changes_at else f"{changes_at}T00:00:00Z"
        self.change("plan", changes_at, known_at, plan_id=self.name("new"), **values)

    @property
    def currency(self) -> str:
        return self.catalog["customers"][0]["currency"]

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
            self.add("prices", **charge, currency=self.currency, **({"position": 1} | row))

    @staticmethod
    def instant(text: str) -> datetime:
        """A time with Z as raw holds it."""
        return datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None)

    def limits(self, minimum: str = "", maximum: str = "", charge_id: str = "usage") -> None:
        self.add(
            "charge_limits",
            plan_id=self.name("plan"),
            charge_id=charge_id,
            currency=self.currency,
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
            "load_id": hashlib.sha256(f"{self.case_id} {at[:10]}".encode()).hexdigest()[:32],
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
