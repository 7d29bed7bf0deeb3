"""Commercial terms of a random world: plans that are alike or not, and what changes on them.

Everything is drawn from the world's own random numbers, in a fixed order, and stays valid for the
check of the catalogue.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tests.oracle.catalog import read_catalog
from tests.oracle.clock import DAY, catalogue_instant, first_instant, local_date
from tests.oracle.periods import list_periods

if TYPE_CHECKING:
    from tests.strategies import Account, Row, World

#: Longest look ahead for boundaries to hit.
AHEAD = timedelta(days=200)
UNLIKE_CYCLES = ("month", "year", "week", "quarter", "10 days")
MICROSECOND = timedelta(microseconds=1)


# -- plans -------------------------------------------------------------------------------------


def make_sibling(world: World, plan: Row) -> None:
    """A plan with the charges of another: equal, priced anew, of other terms, or left out."""
    draw = world.random
    plan_id = f"{plan['plan_id']}{'xyz'[len(world.family_of(plan['plan_id'])) - 1]}"
    sibling = {**plan, "plan_id": plan_id, "name": plan_id}
    if world.chance(0.35):
        sibling["cycle"] = draw.choice(UNLIKE_CYCLES)
        if sibling["cycle"].endswith("days"):
            sibling["alignment"] = "anniversary"
    if world.chance(0.2):
        sibling["grace_days"] = draw.choice(["", "0", "1", "3"])
    world.catalog["plans"].append(sibling)
    world.families[plan_id] = world.family_of(plan["plan_id"])
    world.families[plan_id].append(plan_id)
    copied = set()
    for charge in [row for row in world.catalog["charges"] if row["plan_id"] == plan["plan_id"]]:
        if world.chance(0.12):
            continue
        copied.add(charge["charge_id"])
        if world.chance(0.55):
            copy_charge(world, charge, plan_id, change_terms(world, charge))
        elif charge["charge_type"] == "usage":
            key = (charge["meter"], charge["meter_version"])
            meter = next(
                row for row in world.catalog["meters"] if (row["meter"], row["version"]) == key
            )
            world.make_usage_charge(plan_id, charge["charge_id"], meter)
        else:
            world.make_fee(plan_id, charge["charge_id"], sibling["cycle"])
    if world.chance(0.3) and "more" not in copied:
        world.make_fee(plan_id, "more", sibling["cycle"])


def change_terms(world: World, charge: Row) -> dict[str, str]:
    """Columns in which a copied charge differs, mostly none."""
    if world.chance(0.6):
        return {}
    draw = world.random
    if charge["charge_type"] == "one_time":
        timing = draw.choice(["advance", "arrears"])
        # What is due in advance is not asked for at a close.
        return {"timing": timing} | ({"price_at": ""} if timing == "advance" else {})
    if charge["charge_type"] == "recurring":
        return {"proration": draw.choice(["", "days", "seconds", "none"])}
    changes = [{"proration": draw.choice(["", "days", "seconds"])}]
    changes.append({"split": draw.choice(["share", "full"])})
    if charge["allowance"]:
        changes.append({"allowance": world.decimal(50, 2)})
    return draw.choice(changes)


def copy_charge(world: World, charge: Row, plan_id: str, changed: dict[str, str]) -> None:
    name = charge["charge_id"]
    world.catalog["charges"].append({**charge, "plan_id": plan_id, **changed})
    for file in ("prices", "charge_limits"):
        rows = world.catalog[file]
        own = [row for row in rows if row["plan_id"] == charge["plan_id"]]
        rows += [{**row, "plan_id": plan_id} for row in own if row["charge_id"] == name]


def make_allowance(world: World, plan: Row) -> None:
    """A quantity that some of a plan's counts and sums share, with or without a rollover."""
    draw = world.random
    kinds = {(row["meter"], row["version"]): row["aggregation"] for row in world.catalog["meters"]}
    able = [
        row
        for row in world.catalog["charges"]
        if row["plan_id"] == plan["plan_id"]
        and row["charge_type"] == "usage"
        and row["pricing_model"] not in ("flat", "dynamic")
        and kinds[row["meter"], row["meter_version"]] in ("count", "sum")
    ]
    if not able:
        return
    chosen = draw.sample(able, draw.randint(1, len(able)))
    for row in chosen:
        row["allowance"] = ""
    is_pooled = plan["alignment"] == "calendar" and world.chance(0.4)
    rollover = "" if is_pooled else draw.choice(["", "0", "1", "2", "3"])
    allowance = world.add(
        "allowances",
        plan_id=plan["plan_id"],
        allowance_id=f"pool {plan['plan_id']}" if is_pooled else "shared",
        charge_ids="|".join(row["charge_id"] for row in chosen),
        quantity=world.decimal(400, 2),
        proration=draw.choice(["", "days", "seconds"]),
        rollover_periods=rollover,
        rollover_cap=world.decimal(300, 1)
        if rollover not in ("", "0") and world.chance(0.5)
        else "",
        pooled="true" if is_pooled else draw.choice(["", "false"]),
    )
    if is_pooled:
        world.pooled.append(plan["plan_id"])
        return
    # Plans of the family that have the same charges may have the same allowance.
    for other in world.family_of(plan["plan_id"])[1:]:
        theirs = {
            row["charge_id"]: row for row in world.catalog["charges"] if row["plan_id"] == other
        }
        names = [row["charge_id"] for row in chosen]
        fits = all(
            name in theirs
            and theirs[name]["pricing_model"] not in ("flat", "dynamic")
            and kinds[theirs[name]["meter"], theirs[name]["meter_version"]] in ("count", "sum")
            for name in names
        )
        if fits and world.chance(0.7):
            for name in names:
                theirs[name]["allowance"] = ""
            world.catalog["allowances"].append({**allowance, "plan_id": other})


def make_plan_commitments(world: World, plan: Row) -> None:
    from tests.strategies import CURRENCIES

    draw = world.random
    window = draw.choice(["", "1", "2", "3", "12"])
    for currency, digits in CURRENCIES.items():
        world.add(
            "commitments",
            commitment_id=f"{draw.choice('kK_')}{plan['plan_id']}{currency}",
            name="Commitment",
            plan_id=plan["plan_id"],
            currency=currency,
            window_cycles=window,
            **make_promise(world, [plan["plan_id"]], digits),
        )


def make_promise(world: World, plan_ids: list[str], digits: int) -> dict[str, str]:
    """An amount or a quantity, and the charges that count."""
    draw = world.random
    charges = [row for row in world.catalog["charges"] if row["plan_id"] in plan_ids]
    names = sorted({row["charge_id"] for row in charges})
    usage = sorted({row["charge_id"] for row in charges if row["charge_type"] == "usage"})
    if usage and world.chance(0.3):
        chosen = draw.sample(usage, draw.randint(1, len(usage)))
        return {
            "quantity": world.decimal(3000, 3),
            "unit_price": world.decimal(2, 5),
            "charge_ids": "|".join(chosen),
        }
    chosen = draw.sample(names, draw.randint(1, len(names))) if names and world.chance(0.4) else []
    return {
        "amount": world.decimal(4000, digits),
        "charge_ids": "|".join(chosen),
        "overage_factor": draw.choice(["", "", "1", "0.8", "1.5", "0", "2.345"]),
    }


def make_migrations(world: World) -> None:
    """Whole plans' subscribers move: to a like plan at any time, to an unlike one at midnight."""
    draw = world.random
    plans = {row["plan_id"]: row for row in world.catalog["plans"]}
    families = [ids for ids in world.families.values() if len(ids) > 1]
    for _ in range(max(2, len(plans) // 20) if families else 0):
        before, after = draw.sample(draw.choice(families), 2)
        # Who shares a pool would be moved out of step with the others.
        if {before, after} & set(world.pooled):
            continue
        at = world.start + timedelta(days=draw.randint(5, 65))
        text = at.date().isoformat()
        is_like = all(plans[before][name] == plans[after][name] for name in ("cycle", "alignment"))
        if is_like and world.chance(0.5):
            at += timedelta(seconds=draw.randint(0, 86399))
            text = world.instant_text(at, is_catalogue=True)
        known = {
            (row["from_plan_id"], row["migrates_at"]) for row in world.catalog["plan_migrations"]
        }
        if (before, text) in known:
            continue
        world.add(
            "plan_migrations",
            from_plan_id=before,
            to_plan_id=after,
            migrates_at=text,
            recorded_at=recorded_text(world, at),
        )


# -- what is known when ------------------------------------------------------------------------


def recorded_text(world: World, at: datetime) -> str:
    """When a change became known: always, well before, at the time itself, or after it."""
    draw = world.random
    roll = draw.random()
    if roll < 0.25:
        return ""
    if roll < 0.5:
        known = at - timedelta(days=draw.randint(1, 40), seconds=draw.randint(0, 86399))
    elif roll < 0.6:
        known = at
    else:
        known = at + timedelta(days=draw.randint(0, 25), seconds=draw.randint(1, 86399))
    return f"{known.replace(microsecond=0).isoformat()}Z"


# -- changes of subscriptions ------------------------------------------------------------------


def make_changes(world: World) -> None:
    """Changes of about two subscriptions in three, at instants that are worth hitting."""
    catalog = read_catalog(world.catalog, world.start + AHEAD)
    for account in world.accounts:
        for row in account.subscriptions:
            if world.chance(0.3):
                continue
            subscription = next(
                one
                for one in catalog.subscriptions_of(account.customer_id)
                if one.subscription_id == row["subscription_id"]
            )
            periods = list_periods(catalog, subscription, world.start + timedelta(days=100))
            edges = [period.period_to for period in periods]
            Changer(world, account, row, subscription.starts_at, edges).make()


class Changer:
    """Makes the changes of one subscription; no two of its plan and pause changes at one time."""

    def __init__(
        self,
        world: World,
        account: Account,
        row: Row,
        starts_at: datetime,
        edges: list[datetime],
    ) -> None:
        self.world = world
        self.account = account
        self.row = row
        self.starts_at = starts_at
        self.edges = edges
        self.taken: set[datetime] = set()
        self.keys: set[tuple[str, str, str]] = set()

    def make(self) -> None:
        world, draw = self.world, self.world.random
        plan_id = self.row["plan_id"]
        is_pooled = plan_id in world.pooled
        for _ in range(draw.choice([1, 2, 2, 3, 4, 6])):
            roll = draw.random()
            if roll < 0.55 and not is_pooled:
                plan_id = self.change_plan(plan_id)
            elif roll < 0.8:
                self.change_quantity()
            elif roll < 0.95:
                self.pause()
            else:
                self.end()

    def pick(self) -> tuple[datetime, str]:
        """An instant after the start and its text: anywhere, or where it hurts."""
        draw, world, zone = self.world.random, self.world, self.account.zone
        low = max(self.starts_at, world.start - timedelta(days=10))
        for _ in range(20):
            at = low + (world.start + timedelta(days=75) - low) * draw.random()
            at = at.replace(microsecond=0)
            roll = draw.random()
            if roll < 0.2 and self.edges:
                at = draw.choice(self.edges) + draw.choice(
                    [timedelta(0), timedelta(0), -MICROSECOND]
                )
            elif roll < 0.45:
                at = first_instant(local_date(at, zone), zone)
            elif roll < 0.65:
                at = at.replace(minute=draw.choice([0, 7, 15, 22, 37, 52]), second=0)
            elif roll < 0.75 and self.taken:
                near = draw.choice(sorted(self.taken))
                at = near + draw.choice([timedelta(minutes=4), timedelta(hours=5), 2 * DAY])
            if at > self.starts_at and at not in self.taken:
                break
        else:
            at = max([self.starts_at, *self.taken]) + DAY
        self.taken.add(at)
        self.account.edges.append(at)
        day = local_date(at, zone)
        is_midnight = at == first_instant(day, zone) and not self.account.is_moving
        if is_midnight and day.isoformat() > self.row["starts_at"][:10]:
            return at, day.isoformat()
        return at, world.instant_text(at, is_catalogue=True)

    def add(self, kind: str, at: datetime, text: str, **values: str) -> None:
        world = self.world
        key = (kind, values.get("charge_id", ""), text)
        if key in self.keys:
            return
        self.keys.add(key)
        recorded_at = recorded_text(world, at)
        name = self.row["subscription_id"]
        common = {"subscription_id": name, "changes_at": text, "change": kind, **values}
        row = world.add("subscription_changes", **common, recorded_at=recorded_at)
        if world.chance(0.08):
            later = max(at, world.start) + timedelta(days=world.random.randint(26, 50))
            later_text = f"{later.replace(microsecond=0).isoformat()}Z"
            again = {**row, "recorded_at": later_text, "withdrawn": "true"}
            if kind == "quantity" and world.chance(0.5):
                again |= {"quantity": "7", "withdrawn": ""}
            world.catalog["subscription_changes"].append(again)

    def change_plan(self, plan_id: str) -> str:
        world, draw = self.world, self.world.random
        family = [one for one in world.family_of(plan_id) if one not in world.pooled]
        others = [one for one in family if one != plan_id]
        others = others or [
            row["plan_id"] for row in world.catalog["plans"] if row["plan_id"] not in world.pooled
        ]
        chosen = plan_id if world.chance(0.04) else draw.choice(others)
        plan = next(row for row in world.catalog["plans"] if row["plan_id"] == chosen)
        at, text = self.pick()
        values = {"plan_id": chosen}
        if world.chance(0.15):
            values["prices_as_of"] = world.pin_text()
        if plan["alignment"] == "anniversary" and chosen != plan_id and world.chance(0.2):
            day = local_date(at, self.account.zone) + timedelta(days=draw.choice([0, 0, -9, 40]))
            values["anchor_date"] = day.isoformat()
        self.add("plan", at, text, **values)
        if world.chance(0.2):
            back, back_text = self.pick()
            if back > at:
                self.add("plan", back, back_text, plan_id=plan_id)
                return plan_id
        return chosen

    def change_quantity(self) -> None:
        world, draw = self.world, self.world.random
        name = self.row["subscription_id"]
        plans = {self.row["plan_id"]} | {
            row["plan_id"]
            for row in world.catalog["subscription_changes"]
            if row["subscription_id"] == name and row["plan_id"]
        }
        fees = sorted(
            {
                row["charge_id"]
                for row in world.catalog["charges"]
                if row["charge_type"] == "recurring" and row["plan_id"] in plans
            }
        )
        if not fees:
            return
        charge_id = draw.choice(fees)
        times = [self.pick() for _ in range(draw.choice([1, 2, 3]))]
        # Seats may change together with the plan.
        together = [
            row["changes_at"]
            for row in world.catalog["subscription_changes"]
            if row["subscription_id"] == name and row["change"] in ("plan", "pause")
        ]
        if together and world.chance(0.2):
            text = draw.choice(together)
            times.append((catalogue_instant(text, self.account.zone), text))
        for at, text in times:
            quantity = draw.choice(["0", "1", "2", "3", "10", "2.5", "0.125"])
            self.add("quantity", at, text, charge_id=charge_id, quantity=quantity)

    def pause(self) -> None:
        self.add("pause", *self.pick())
        if self.world.chance(0.85):
            self.add("resume", *self.pick())

    def end(self) -> None:
        at, text = self.pick()
        if at > self.starts_at + 2 * DAY:
            self.add("end", at, text)


# -- prices, discounts, commitments of customers -----------------------------------------------


def make_overrides(world: World) -> None:
    """Prices of one customer for a charge of its plan, on dimension values that there are."""
    for account in world.accounts:
        if not world.chance(0.12):
            continue
        row = world.random.choice(account.subscriptions)
        charges = [one for one in world.catalog["charges"] if one["plan_id"] == row["plan_id"]]
        if not charges:
            continue
        charge = world.random.choice(charges)
        own = [
            one
            for one in world.catalog["prices"]
            if (one["plan_id"], one["charge_id"], one["currency"])
            == (charge["plan_id"], charge["charge_id"], account.currency)
        ]
        model = charge["pricing_model"] or "fee"
        for key in sorted({one["dimension_values"] for one in own}):
            columns = {
                "plan_id": charge["plan_id"],
                "charge_id": charge["charge_id"],
                "currency": account.currency,
                "dimension_values": key,
                "position": next(one["position"] for one in own if one["dimension_values"] == key),
                "customer_id": account.customer_id,
                "valid_from": "".join(world.later_price()),
            }
            world.make_bands(model, **columns)


def make_discounts(world: World) -> None:
    """Of some customers, subscriptions and plans; several of a customer stack."""
    draw = world.random
    number = 0
    for account in world.accounts:
        if not world.chance(0.3):
            continue
        for _ in range(draw.choice([1, 1, 2, 3])):
            number += 1
            row = draw.choice(account.subscriptions)
            whose = {"customer_id": account.customer_id}
            if world.chance(0.4):
                whose = {"subscription_id": row["subscription_id"]}
            make_discount(world, number, row["plan_id"], account.currency, **whose)
    for plan in draw.sample(world.catalog["plans"], max(1, len(world.catalog["plans"]) // 12)):
        number += 1
        currency = draw.choice(["USD", "JPY", "BHD"])
        make_discount(world, number, plan["plan_id"], currency, plan_id=plan["plan_id"])


def make_discount(world: World, number: int, own_plan: str, currency: str, **whose: str) -> None:
    from tests.strategies import CURRENCIES

    draw = world.random
    level = draw.choice(["line", "line", "product", "invoice"])
    charges = [row for row in world.catalog["charges"] if row["plan_id"] == own_plan]
    if level == "product" or world.chance(0.1):
        whose["product_id"] = world.product_of(own_plan)
    if level == "line" and charges and world.chance(0.5):
        whose["charge_id"] = draw.choice(charges)["charge_id"]
    values = {}
    kind = draw.choice(["percent", "percent", "amount", "total_amount"])
    if kind == "percent":
        values["percent"] = draw.choice(["10", "33.3333", "50", "100", "0.5", "7.25"])
    else:
        values[kind] = world.decimal(300 if kind == "amount" else 900, CURRENCIES[currency])
        values["currency"] = currency
    if world.chance(0.35):
        values["periods"] = str(draw.randint(1, 3))
    first = world.first_day + timedelta(days=draw.randint(-60, 40))
    if world.chance(0.4):
        values["valid_from"] = first.isoformat()
    if world.chance(0.3):
        values["valid_to"] = (first + timedelta(days=draw.randint(10, 60))).isoformat()
    recorded_at = ""
    if world.chance(0.3):
        known = world.start + timedelta(days=draw.randint(-20, 60), hours=draw.randint(0, 23))
        recorded_at = f"{known.isoformat()}Z"
    world.add(
        "discounts",
        discount_id=f"{draw.choice('dDé_')}{number:04d}",
        name="Discount",
        level=level,
        position=draw.randint(1, 3),
        recorded_at=recorded_at,
        **whose,
        **values,
    )


def make_contracts(world: World) -> None:
    """Commitments of single subscriptions."""
    from tests.strategies import CURRENCIES

    for account in world.accounts:
        for row in account.subscriptions:
            if not world.chance(0.06):
                continue
            world.add(
                "commitments",
                commitment_id=f"contract {row['subscription_id']}",
                name="Contract",
                subscription_id=row["subscription_id"],
                currency=account.currency,
                window_cycles=world.random.choice(["", "2", "3", "6"]),
                **make_promise(world, [row["plan_id"]], CURRENCIES[account.currency]),
            )


# -- what no invoice can tell apart ------------------------------------------------------------


def settle(world: World, as_of_at: datetime) -> None:
    """Take away changes that would give two invoices of a subscription one date.

    Asked at the day of the build and with everything known.
    """
    by_id = {row["subscription_id"]: row for row in world.catalog["subscriptions"]}
    settled = 0
    for turn, known_until in enumerate((as_of_at, world.start + AHEAD) * 3):
        if settled == 2:
            return
        catalog = read_catalog(world.catalog, known_until)
        torn = set()
        for subscription in catalog.subscriptions:
            periods = list_periods(catalog, subscription, world.start + AHEAD)
            dates = [periods[0].from_date, *(period.to_date for period in periods)]
            if len(set(dates)) < len(dates):
                torn.add(subscription.subscription_id)
        settled = 0 if torn else settled + 1
        for name in torn:
            by_id[name]["ends_at"] = ""
        kinds = ("plan", "end", "quantity")
        world.catalog["subscription_changes"] = [
            row
            for row in world.catalog["subscription_changes"]
            if row["subscription_id"] not in torn or row["change"] not in kinds
        ]
        if turn >= 2:
            moved = {other for name in torn for other in world.family_of(by_id[name]["plan_id"])}
            migrations = world.catalog["plan_migrations"]
            world.catalog["plan_migrations"] = [
                row for row in migrations if row["from_plan_id"] not in moved
            ]
