"""Time zones, local midnights, billing and fee periods: SQL on both engines beside the oracle."""

import os
import random
from datetime import date, datetime, timedelta
from functools import cache

import pytest
import tzdata

from orchestration import time_zones
from orchestration.catalog_files import COLUMNS
from tests.houses import PROJECT, House
from tests.oracle.catalog import read_catalog
from tests.oracle.clock import first_instant
from tests.oracle.periods import HORIZON, cutoff, known_at, list_fee_periods, list_periods
from tests.peer_cases import find_cases_file, load_cases, merge, translate
from tests.strategies import catalog_row

AS_OF_DAY = date(2026, 6, 30)
AS_OF_AT = datetime(2026, 7, 1)
CYCLES = ("week", "month", "quarter", "year", "1 days", "10 days", "45 days")
ZONES = (
    "UTC",
    "America/Havana",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Pacific/Apia",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
)
PERIOD_KINDS = {
    "billing_period",
    "day_price",
    "elapsed_cycles",
    "first_billing_cycle_date",
    "timezone_change",
}


def test_the_seed_is_what_the_wheel_says():
    if tzdata.IANA_VERSION != time_zones.SEED_TZDATA_VERSION:
        pytest.skip(f"the seed is made from tzdata {time_zones.SEED_TZDATA_VERSION}")
    assert time_zones.SEED_PATH.read_text(encoding="utf-8") == time_zones.seed_text()


def midnights() -> list[tuple[str, date]]:
    """(zone, date): days beside a change of the offset, of every zone."""
    chance = random.Random(7)
    found: dict[str, list[date]] = {}
    for row in time_zones.read_seed():
        changed_at = datetime.fromisoformat(row["utc_from"])
        if 2000 < changed_at.year < 2035:
            found.setdefault(row["zone"], []).append(changed_at.date())
        else:
            found.setdefault(row["zone"], []).append(date(2026, 3, 1))
    return [
        (zone, day + timedelta(days=step))
        for zone, days in sorted(found.items())
        for day in sorted(chance.sample(days, min(len(days), 2)))
        for step in (-1, 0, 1)
    ]


def instant_or_date(chance: random.Random, first: date, days: int) -> str:
    day = first + timedelta(days=chance.randrange(days))
    if chance.random() < 0.5:
        return day.isoformat()
    return f"{day}T{chance.randrange(24):02}:{chance.choice(('00', '07', '30'))}:00Z"


def add_midnights(catalog: dict[str, list[dict]]) -> None:
    pairs = midnights()
    for zone in sorted({zone for zone, _ in pairs}):
        catalog["customers"].append(
            catalog_row("customers", customer_id=f"at {zone}", currency="USD", time_zone=zone)
        )
    for zone, day in dict.fromkeys(pairs):
        catalog["subscriptions"].append(
            catalog_row(
                "subscriptions",
                subscription_id=f"{zone} {day}",
                customer_id=f"at {zone}",
                plan_id="plan_month_calendar",
                starts_at=day.isoformat(),
                ends_at=(day + timedelta(days=2)).isoformat(),
            )
        )


def add_plans(catalog: dict[str, list[dict]]) -> list[str]:
    plans = []
    for cycle in CYCLES:
        for alignment in ("anniversary",) if "days" in cycle else ("calendar", "anniversary"):
            plan_id = f"plan_{cycle}_{alignment}".replace(" ", "_")
            plans.append(plan_id)
            catalog["plans"].append(
                catalog_row(
                    "plans",
                    plan_id=plan_id,
                    cycle=cycle,
                    alignment=alignment,
                    grace_days="2" if cycle == "year" else "",
                )
            )
            for timing in ("advance", "arrears"):
                for every in ("1", "3", "12"):
                    catalog["charges"].append(
                        catalog_row(
                            "charges",
                            plan_id=plan_id,
                            charge_id=f"{timing}_{every}",
                            position="1",
                            charge_type="recurring",
                            timing=timing,
                            every_cycles=every,
                        )
                    )
                catalog["charges"].append(
                    catalog_row(
                        "charges",
                        plan_id=plan_id,
                        charge_id=f"once_{timing}",
                        position="2",
                        charge_type="one_time",
                        timing=timing,
                    )
                )
    return plans


def add_random(catalog: dict[str, list[dict]], plans: list[str], count: int) -> None:
    chance = random.Random(11)
    for number in range(count):
        customer_id = f"customer_{number}"
        valid_froms = [""]
        while chance.random() < 0.4:
            valid_froms.append(instant_or_date(chance, date(2025, 6, 1), 400))
        for valid_from in dict.fromkeys(valid_froms):
            recorded_at = ""
            if chance.random() < 0.3:
                recorded_at = f"{date(2025, 5, 1) + timedelta(days=chance.randrange(500))}T05:00Z"
            catalog["customers"].append(
                catalog_row(
                    "customers",
                    customer_id=customer_id,
                    currency="USD",
                    time_zone=chance.choice(ZONES),
                    billing_entity=chance.choice(("ONE", "TWO")),
                    valid_from=valid_from,
                    recorded_at=recorded_at if valid_from else "",
                )
            )
        starts_at = instant_or_date(chance, date(2025, 5, 1), 430)
        ends_at = anchor_date = recorded_at = ""
        if chance.random() < 0.5:
            first = date.fromisoformat(starts_at[:10]) + timedelta(days=2)
            ends_at = instant_or_date(chance, first, 300)
        if chance.random() < 0.4:
            first = date.fromisoformat(starts_at[:10]) - timedelta(days=40)
            anchor_date = (first + timedelta(days=chance.randrange(80))).isoformat()
        if chance.random() < 0.3:
            recorded_at = f"{date(2026, 1, 1) + timedelta(days=chance.randrange(190))}T00:00Z"
        catalog["subscriptions"].append(
            catalog_row(
                "subscriptions",
                subscription_id=f"subscription_{number}",
                customer_id=customer_id,
                plan_id=chance.choice(plans),
                starts_at=starts_at,
                ends_at=ends_at,
                anchor_date=anchor_date,
                recorded_at=recorded_at,
            )
        )


def add_peer_cases(catalog: dict[str, list[dict]]) -> None:
    """Peers' cases of these kinds; test_peer_cases_oracle holds the oracle to their numbers."""
    if find_cases_file() is None:
        print("peer cases left out: no ../shared/cases beside the checkout, no TALLY_SHARED")
        return
    translations = [translate(case) for case in load_cases() if case["kind"] in PERIOD_KINDS]
    merged, _, _ = merge([one for one in translations if one is not None])
    for name in ("customers", "plans", "charges", "subscriptions"):
        catalog[name] += merged.get(name, [])


@cache
def catalog() -> dict[str, list[dict]]:
    made: dict[str, list[dict]] = {name: [] for name in COLUMNS}
    plans = add_plans(made)
    add_random(made, plans, 300)
    add_midnights(made)
    add_peer_cases(made)
    return made


@cache
def expected() -> tuple[set[tuple], set[tuple]]:
    """Periods and fee periods of the oracle, with the columns that the queries below read."""
    known = read_catalog(catalog(), AS_OF_AT)
    periods, fees = set(), set()
    for subscription in known.subscriptions:
        name = subscription.subscription_id
        if "/" in name or subscription.plan_id not in known.plans:
            continue
        found = list_periods(known, subscription, AS_OF_AT, beyond=1)
        for one in found:
            if one.period_from < AS_OF_AT + HORIZON:
                periods.add(
                    (
                        name,
                        one.number,
                        one.cycle_index,
                        one.time_zone,
                        one.billing_entity,
                        one.period_from,
                        one.period_to,
                        one.from_date,
                        one.to_date,
                        one.cycle_from,
                        one.cycle_to,
                        one.cycle_from_date,
                        one.cycle_to_date,
                        one.is_last,
                        one.cutoff_at,
                    )
                )
        opening_at = cutoff(subscription.starts_at, known_at(known, subscription))
        for charge in known.charges.get(subscription.plan_id, []) if found else []:
            if charge.charge_type == "usage":
                continue
            for fee in list_fee_periods(known, subscription, charge, found):
                invoice = fee.invoice_index
                begun = found[max(invoice, 1) - 1].period_from
                if begun >= AS_OF_AT + HORIZON:
                    continue
                is_once = charge.charge_type == "one_time"
                fees.add(
                    (
                        name,
                        charge.charge_id,
                        invoice,
                        fee.fee_from,
                        fee.fee_to,
                        fee.from_date,
                        fee.to_date,
                        fee.full_days if is_once else fee.billed_days,
                        fee.full_days,
                        found[invoice - 1].cutoff_at if invoice else opening_at,
                    )
                )
    return periods, fees


def build_periods(house: House) -> None:
    """The models of periods alone, as of the day above."""
    for words in (
        (
            "seed",
            "--select",
            "path:seeds/reference",
            "path:" + os.path.relpath(house.catalog, PROJECT),
        ),
        (
            "run",
            "--select",
            "+int_subscriptions__periods +int_subscriptions__fee_periods",
            "--vars",
            f"{{through_day: '{AS_OF_DAY}'}}",
        ),
    ):
        done = house.dbt(*words)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def houses(twins):
    return twins(catalog(), [], build_periods)


@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
def test_midnights_are_zoneinfos(houses, engine):
    found = houses[engine].query(
        "select subscription_id, starts_at, ends_at from subscriptions.int_subscriptions__terms "
        "where subscription_id like '%/% 20%'"
    )
    wrong = []
    for name, starts_at, ends_at in found:
        zone, day = name.rsplit(" ", 1)
        first = date.fromisoformat(day)
        wanted = first_instant(first, zone), first_instant(first + timedelta(days=2), zone)
        if (starts_at, ends_at) != wanted:
            wrong.append((name, starts_at, ends_at, wanted))
    assert len(found) > 2000
    assert not wrong


@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
def test_periods_are_the_oracles(houses, engine):
    found = set(
        houses[engine].query(
            "select subscription_id, period_number, cycle_index, time_zone, "
            "coalesce(billing_entity, ''), period_from, period_to, period_from_date, "
            "period_to_date, cycle_from, cycle_to, cycle_from_date, cycle_to_date, is_last, "
            "cutoff_at from subscriptions.int_subscriptions__periods "
            "where subscription_id not like '%/%'"
        )
    )
    wanted, _ = expected()
    assert len(wanted) > 1000
    assert sorted(found ^ wanted)[:10] == []


@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
def test_fee_periods_are_the_oracles(houses, engine):
    found = set(
        houses[engine].query(
            "select subscription_id, charge_id, invoice_number_in_subscription, fee_from, fee_to, "
            "fee_from_date, fee_to_date, case when charge_type = 'one_time' "
            "then full_to_date - full_from_date else fee_to_date - fee_from_date end, "
            "full_to_date - full_from_date, cutoff_at "
            "from subscriptions.int_subscriptions__fee_periods where subscription_id not like '%/%'"
        )
    )
    _, wanted = expected()
    assert len(wanted) > 1000
    assert sorted(found ^ wanted)[:10] == []
