"""A house whose documents have something of everything that a page shows, and how it is opened.

Three customers in three countries, one of them with a name that a spreadsheet would run and one
with markup in it; tiers, an allowance, a minimum, discounts on lines and invoices, a correction of
January in February's invoice, a credit that becomes customer balance and pays for March.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from orchestration.exports.billing_entities import BillingEntities, BillingEntity
from orchestration.warehouse import Warehouse
from tests.houses import House, _DuckDB, _Postgres
from tests.strategies import RAW_COLUMNS, catalog_row

THROUGH = "2026-04-03"
EXPORTED_AT = datetime(2026, 4, 4, 12)
RUNNABLE_NAME = '=HYPERLINK("http://x","y")'
MARKED_NAME = 'Nimbus & <b>"Games"</b> #strong[x]'
ENTITIES = BillingEntities(
    BillingEntity(),
    {
        "US": BillingEntity(name="Atlas <US>, Inc.", address=("548 Market Street",), terms_days=14),
        "EU": BillingEntity(name="Atlas GmbH", payment=("IBAN DE00",), tax_number="DE0"),
    },
)
CUSTOMERS = {
    "berlin": (RUNNABLE_NAME, "EUR", "Europe/Berlin", "EU"),
    "york": (MARKED_NAME, "USD", "America/New_York", "US"),
    "tokyo": ("Tōkyō 株式会社", "JPY", "Asia/Tokyo", "EU"),
}
#: (customer, day of the usage, day of its load, calls, region)
USAGE = [
    ("berlin", "01-10", "01-10", "1250", "eu"),
    ("berlin", "01-20", "01-20", "40.5", "us"),
    ("york", "01-10", "01-10", "3000", "us"),
    ("tokyo", "01-10", "01-10", "7", "eu"),
    ("berlin", "01-12", "02-10", "100", "eu"),
    ("york", "02-10", "02-10", "50", "us"),
    ("berlin", "02-11", "02-11", "10", "us"),
    ("york", "03-10", "03-10", "2000", "us"),
    ("york", "04-02", "04-02", "1", "us"),
]


def catalog() -> dict[str, list[dict]]:
    rows: dict[str, list[dict]] = {}

    def add(file: str, **values: object) -> None:
        rows.setdefault(file, []).append(catalog_row(file, **values))

    add("meters", meter="calls", version="1", event_name="call", aggregation="sum", property="n",
        dimensions="region")  # fmt: skip
    add("products", product_id="p", name="API", product_type="api")
    add("plans", plan_id="pro", product_id="p", name="Pro", cycle="month", alignment="calendar")
    add("charges", plan_id="pro", charge_id="fee", position=1, name="Base fee",
        charge_type="recurring", timing="advance", tax_code="saas")  # fmt: skip
    add("charges", plan_id="pro", charge_id="calls", position=2, name="+Calls", charge_type="usage",
        meter="calls", meter_version="1", pricing_model="tiered", allowance="100",
        tax_code="usage")  # fmt: skip
    for currency, fee, least in (("EUR", "99", "8"), ("USD", "99", "8"), ("JPY", "9900", "800")):
        price = {"plan_id": "pro", "currency": currency}
        add("prices", **price, charge_id="fee", unit_price=fee)
        add("prices", **price, charge_id="calls", dimension_values="region=eu", up_to="1000",
            unit_price="0.035", flat_fee="2")  # fmt: skip
        add("prices", **price, charge_id="calls", dimension_values="region=eu",
            unit_price="0.0125")  # fmt: skip
        add("prices", **price, charge_id="calls", unit_price="0.1")
        add("charge_limits", plan_id="pro", charge_id="calls", currency=currency, minimum=least)
    add("discounts", discount_id="early", name="Early bird", level="line", position=1,
        charge_id="calls", percent="10")  # fmt: skip
    add("discounts", discount_id="welcome", name="Welcome", level="invoice", position=2,
        percent="5")  # fmt: skip
    for customer, (name, currency, zone, entity) in CUSTOMERS.items():
        add("customers", customer_id=customer, name=name, currency=currency, time_zone=zone,
            billing_entity=entity)  # fmt: skip
        add("subscriptions", subscription_id=f"sub_{customer}", customer_id=customer, plan_id="pro",
            starts_at="2026-01-01")  # fmt: skip
    add("invoice_actions", action_id="a1", action="credit", line_id="sub_york@2026-02-01#2",
        amount="30", acted_by="fay", reason="as agreed",
        recorded_at="2026-02-10T09:00:00Z")  # fmt: skip
    return rows


def raw_rows() -> list[dict]:
    rows = []
    for number, (customer, day, loaded, calls, region) in enumerate(USAGE):
        row = dict.fromkeys(RAW_COLUMNS)
        row |= {
            "load_id": f"{number:032x}",
            "line_number": 1,
            "loaded_at": datetime.fromisoformat(f"2026-{loaded}T20:00:00"),
            "customer_id": customer,
            "event_name": "call",
            "occurred_at": f"2026-{day}T12:00:00Z",
            "event_key": f"k{number}",
            "properties": json.dumps({"n": calls, "region": region}),
        }
        rows.append(row)
    return rows


@contextmanager
def open_warehouse(engine: str, environment: Mapping[str, str]) -> Iterator[Warehouse]:
    """A house's warehouse, open for writing, by the variables of its environment."""
    kind = _DuckDB if engine == "duckdb" else _Postgres
    where = environment["TALLY_DUCKDB_PATH"] if engine == "duckdb" else environment
    with kind(where) as opened:
        yield Warehouse(engine, opened.connection, "test")


def open_house(house: House):
    """The same of a house."""
    return open_warehouse(house.engine, house.environment)


def files_below(folder: Path) -> dict[str, bytes]:
    """Each file of a folder by its path in it."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
