"""What scenarios of commercial terms are written with: a catalogue and events of their own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import datetime, timedelta

from tests.strategies import COLUMNS, RAW_COLUMNS, catalog_row

#: (invoice date, kind, charge, from, to, total); dates are of 2026, times are UTC.
Line = tuple[str, str, str, str | None, str | None, str]
#: Where a line's own span says nothing.
ANY = None


def whole(text: str) -> str:
    """`01-11` as `2026-01-11`; what has a year keeps it."""
    return text if len(text) > 9 and text[4] == "-" else f"2026-{text}"


def instant(text: str) -> str:
    """The midnight of a day, or a time of 2026, in UTC as the catalogue writes it."""
    text = whole(text)
    return f"{text}Z" if "T" in text else f"{text}T00:00:00Z"


class Terms:
    """The catalogue and events of a scenario; everything is named after it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.catalog: dict[str, list[dict]] = {file: [] for file in COLUMNS}
        self.rows: list[dict] = []
        self.positions = 0
        self.add("products", product_id=name, name=name, product_type="saas")

    def add(self, file: str, **values: object) -> None:
        self.catalog[file].append(catalog_row(file, **values))

    def id(self, suffix: str) -> str:
        return f"{self.name}_{suffix}" if suffix else self.name

    def plan(
        self, plan: str = "", cycle: str = "month", alignment: str = "calendar", **values: object
    ) -> None:
        columns = {"name": self.id(plan), "cycle": cycle, "alignment": alignment} | values
        self.add("plans", plan_id=self.id(plan), product_id=self.name, **columns)

    def subscribe(
        self,
        starts: str = "01-01",
        ends: str = "",
        plan: str = "",
        suffix: str = "",
        customer: str | None = None,
        zone: str = "UTC",
        **values: object,
    ) -> None:
        """A subscription, named by its suffix, of a customer of its own unless one is named."""
        if customer is None:
            customer = suffix
            home = {"name": self.id(suffix), "currency": "USD", "time_zone": zone}
            self.add("customers", customer_id=self.id(suffix), billing_entity="terms", **home)
        self.add(
            "subscriptions",
            subscription_id=self.id(suffix),
            customer_id=self.id(customer),
            plan_id=self.id(plan),
            starts_at=whole(starts),
            ends_at=whole(ends) if ends else "",
            **values,
        )

    def fee(
        self,
        price: str,
        plan: str = "",
        charge: str = "fee",
        timing: str = "advance",
        **values: object,
    ) -> None:
        self.positions += 1
        self.add(
            "charges",
            plan_id=self.id(plan),
            charge_id=charge,
            position=self.positions,
            name=charge,
            timing=timing,
            **({"charge_type": "recurring"} | values),
        )
        self.price(charge, plan, unit_price=price)

    def usage(
        self,
        price: str = "",
        plan: str = "",
        charge: str = "usage",
        model: str = "per_unit",
        meter: str = "units",
        bands: tuple[dict, ...] = (),
        **values: object,
    ) -> None:
        self.positions += 1
        self.add(
            "charges",
            plan_id=self.id(plan),
            charge_id=charge,
            position=self.positions,
            name=charge,
            charge_type="usage",
            meter=f"terms_{meter}",
            meter_version="1",
            pricing_model=model,
            **values,
        )
        for band in bands or ({"unit_price": price},):
            self.price(charge, plan, **band)

    def price(self, charge: str, plan: str = "", **values: object) -> None:
        key = {"plan_id": self.id(plan), "charge_id": charge, "currency": "USD", "position": 1}
        self.add("prices", **key, **values)

    def limits(self, plan: str = "", charge: str = "usage", **values: str) -> None:
        key = {"plan_id": self.id(plan), "charge_id": charge, "currency": "USD"}
        self.add("charge_limits", **key, **values)

    def change(
        self, kind: str, at: str, known: str | None = None, suffix: str = "", **values: object
    ) -> None:
        """A change; known when it happens, unless told otherwise (blank: from the beginning)."""
        self.add(
            "subscription_changes",
            subscription_id=self.id(suffix),
            change=kind,
            changes_at=instant(at) if "T" in at else whole(at),
            recorded_at=instant(at if known is None else known) if known != "" else "",
            **values,
        )

    def change_plan(self, at: str, plan: str, known: str | None = None, **values: str) -> None:
        self.change("plan", at, known, plan_id=self.id(plan), **values)

    def seats(self, at: str, quantity: int, known: str | None = None) -> None:
        self.change("quantity", at, known, charge_id="fee", quantity=quantity)

    def allow(self, quantity: int, plan: str = "", **values: object) -> None:
        key = {"plan_id": self.id(plan), "allowance_id": "included", "charge_ids": "usage"}
        self.add("allowances", **key, quantity=quantity, **values)

    def discount(self, position: int, level: str, suffix: str = "", **values: object) -> None:
        self.add(
            "discounts",
            discount_id=f"{self.id(suffix)} {position}",
            name="less",
            level=level,
            position=position,
            customer_id=self.id(suffix),
            currency="" if "percent" in values else "USD",
            **values,
        )

    def commit(self, suffix: str = "", **values: object) -> None:
        names = {"commitment_id": self.id(suffix), "name": "committed", "currency": "USD"}
        owner = {} if "subscription_id" in values else {"plan_id": self.name}
        self.add("commitments", **names, **owner, **values)

    def use(
        self, at: str, value: object, event: str = "units", suffix: str = "", **values: str
    ) -> None:
        occurred_at = whole(at) if "T" in at else f"{whole(at)}T12:00:00"
        row = dict.fromkeys(RAW_COLUMNS)
        row |= {
            "load_id": hashlib.sha256(f"{self.name} {whole(at)[:10]}".encode()).hexdigest()[:32],
            "line_number": len(self.rows) + 1,
            "loaded_at": datetime.fromisoformat(occurred_at) + timedelta(minutes=5),
            "customer_id": self.id(suffix),
            "event_name": f"terms_{event}",
            "occurred_at": f"{occurred_at}Z",
            "event_key": str(len(self.rows) + 1),
            "properties": json.dumps({"value": value}),
        }
        self.rows.append(row | values)


Scenario = Callable[[Terms], list[Line] | dict[str, list[Line]]]
SCENARIOS: dict[str, Scenario] = {}


def scenario(made: Scenario) -> Scenario:
    SCENARIOS[made.__name__] = made
    return made
