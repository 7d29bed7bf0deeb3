"""The demo: an AI API business of about 200 customers over the first quarter of 2026.

Everything is drawn from one fixed seed, so that two machines make the same bytes. The prices,
plans and meters in seeds/catalog are written by hand; its customers and subscriptions are made
here (`python -m orchestration.demo catalog seeds/catalog`), and so is the usage.
"""

from __future__ import annotations

import csv
import random
import sys
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

from orchestration.catalog_files import COLUMNS

SEED = 20260101
FIRST_DAY = date(2026, 1, 1)
LAST_DAY = date(2026, 3, 31)
KNOWN_BEFORE = "2025-12-01T00:00:00Z"

# (time zone, currency, billing entity, share of the customers)
HOMES = [
    ("America/New_York", "USD", "ATLAS-US", 26),
    ("America/Los_Angeles", "USD", "ATLAS-US", 24),
    ("America/Sao_Paulo", "USD", "ATLAS-US", 8),
    ("Europe/Berlin", "EUR", "ATLAS-EU", 22),
    ("Europe/Paris", "EUR", "ATLAS-EU", 14),
    ("Europe/London", "GBP", "ATLAS-EU", 18),
    ("Asia/Tokyo", "JPY", "ATLAS-JP", 14),
    ("Asia/Bahrain", "BHD", "ATLAS-EU", 6),
    ("Asia/Kolkata", "USD", "ATLAS-JP", 8),
    ("Australia/Lord_Howe", "USD", "ATLAS-JP", 2),
]
FIRST_WORDS = (
    "Amber", "Basalt", "Cobalt", "Delta", "Ember", "Fjord", "Granite", "Harbor", "Indigo",
    "Juniper", "Kestrel", "Lumen", "Maple", "Nimbus", "Orchid", "Pioneer", "Quartz", "River",
    "Summit", "Tundra",
)  # fmt: skip
SECOND_WORDS = (
    "Analytics", "Robotics", "Health", "Logistics", "Games", "Legal", "Labs", "Retail", "Media",
    "Energy",
)  # fmt: skip


@dataclass(frozen=True)
class Subscription:
    """One subscription; usage is made from its first_day to its last_day."""

    subscription_id: str
    plan_id: str
    starts_at: str
    ends_at: str = ""
    anchor_date: str = ""
    recorded_at: str = KNOWN_BEFORE

    @property
    def first_day(self) -> date:
        # A start within a day: usage from the next one. A local date west of Greenwich begins
        # hours later than this UTC day does, so that a little usage comes before its subscription.
        start = date.fromisoformat(self.starts_at[:10])
        return max(start + timedelta(len(self.starts_at) > 10), FIRST_DAY)

    @property
    def last_day(self) -> date:
        if not self.ends_at:
            return LAST_DAY
        return date.fromisoformat(self.ends_at[:10]) - timedelta(2)


@dataclass(frozen=True)
class Customer:
    """One customer; `weight` is the share of the usage, with a heavy tail."""

    customer_id: str
    name: str
    currency: str
    time_zone: str
    billing_entity: str
    weight: float
    subscriptions: list[Subscription] = field(default_factory=list)


def make_customers() -> list[Customer]:
    """All customers with their subscriptions, the biggest first."""
    rng = random.Random(SEED)
    names = [f"{first} {second}" for first in FIRST_WORDS for second in SECOND_WORDS]
    rng.shuffle(names)
    homes = [home[:3] for home in HOMES for _ in range(home[3])]
    number_of_homes = sum(home[3] for home in HOMES)
    customers = []
    for index in range(200):
        zone, currency, entity = homes[rng.randrange(number_of_homes)]
        plan = _plan(index, currency)
        if currency == "GBP" and plan == "marketplace":
            plan = "marketplace_quarterly"
        customer_id = "007" if index == 41 else f"cus_{index + 1:04d}"
        customers.append(
            Customer(
                customer_id=customer_id,
                name=names[index],
                currency=currency,
                time_zone=zone,
                billing_entity=entity,
                weight=1 / (index + 3) ** 1.15,
                subscriptions=_subscriptions(rng, index, plan, currency),
            )
        )
    return customers


def _plan(index: int, currency: str) -> str:
    """The main plan of the customer that is `index`-th in size."""
    if index < 14:
        plan = "enterprise"
    elif index % 17 == 0:
        plan = "marketplace"
    elif index % 13 == 0 and currency in ("USD", "EUR", "JPY"):
        plan = "studio_weekly"
    elif index < 90:
        plan = ("pro", "pro", "usage_only")[index % 3]
    else:
        plan = ("starter", "starter", "usage_only")[index % 3]
    allowed = {
        "enterprise": ("USD", "EUR", "GBP", "JPY"),
        "starter": ("USD", "EUR", "GBP", "JPY"),
        "marketplace": ("USD", "EUR", "BHD", "GBP"),
    }.get(plan)
    return plan if allowed is None or currency in allowed else "pro"


def _subscriptions(rng: random.Random, index: int, plan: str, currency: str) -> list[Subscription]:
    """The subscriptions of one customer: the main plan, and for some an add-on."""
    main = f"sub_{index + 1:04d}"
    start = FIRST_DAY
    if plan == "pro":
        start = FIRST_DAY + timedelta(rng.randrange(-25, 50))
    elif index >= 14 and rng.random() < 0.3:
        start = FIRST_DAY + timedelta(rng.randrange(0, 60))
    starts_at = start.isoformat()
    if rng.random() < 0.15:
        starts_at += f"T{rng.randrange(24):02d}:{rng.randrange(60):02d}:00Z"
    ends_at = ""
    if index >= 5 and rng.random() < 0.08 and start < date(2026, 2, 10):
        ends_at = (start + timedelta(rng.randrange(35, 50))).isoformat()
    anchor = "2025-12-31" if plan == "pro" and index % 11 == 0 else ""
    recorded_at = KNOWN_BEFORE
    if index == 101:  # signed in February for a service that began in January
        starts_at, ends_at, recorded_at = "2026-01-01", "", "2026-02-10T14:30:00Z"
    made = [Subscription(main, plan, starts_at, ends_at, anchor, recorded_at)]
    if index % 12 == 5:
        made.append(Subscription(f"{main}_vectors", "vector_30", starts_at, ends_at))
    if index in (96, 120, 150) and currency in ("USD", "EUR", "JPY"):
        made.append(Subscription(f"{main}_studio", "studio_weekly", starts_at, ends_at))
    return made


def write_catalog(directory: Path) -> None:
    """Write customers.csv and subscriptions.csv of the demo catalogue into `directory`."""
    customers = make_customers()
    with (directory / "customers.csv").open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(COLUMNS["customers"])
        for customer in customers:
            home = [customer.time_zone, customer.billing_entity]
            identity = [customer.customer_id, customer.name, customer.currency]
            writer.writerow([*identity, *home, "", KNOWN_BEFORE])
            if customer.customer_id == "cus_0020":  # moves house in the middle of the quarter
                moved = ["America/Los_Angeles", "ATLAS-US"]
                writer.writerow([*identity, *moved, "2026-02-15", "2026-02-01T12:00:00Z"])
    with (directory / "subscriptions.csv").open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(COLUMNS["subscriptions"])
        for customer in customers:
            for made in customer.subscriptions:
                writer.writerow(
                    [
                        made.subscription_id,
                        customer.customer_id,
                        made.plan_id,
                        "",
                        made.starts_at,
                        made.ends_at,
                        made.anchor_date,
                        "",
                        "",
                        made.recorded_at,
                    ]
                )


def generate(directory: Path | str) -> list[tuple[Path, datetime]]:
    """Write the usage, a file a load day; returns each file with the time it is landed (UTC)."""
    from orchestration.demo_usage import write_usage

    return write_usage(Path(directory))


def main(arguments: list[str]) -> None:
    """`python -m orchestration.demo catalog|usage DIRECTORY`."""
    what, directory = arguments
    {"catalog": write_catalog, "usage": generate}[what](Path(directory))


if __name__ == "__main__":
    main(sys.argv[1:])
