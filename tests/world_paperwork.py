"""When the changes of a random world were recorded: late ones on a few days of paperwork.

A run ends before each day on which a row was recorded that held before it, so that there must be
few such days: in a world with paperwork two, on which rows of weeks ago come in; else none, and
what is recorded after it took effect is so on the same day, or before any usage was landed. So is
what may move where a fee was known to be cut (another change before it, one that is taken back, a
migration). Prices that a pin may choose are late whenever they are recorded: on days of paperwork,
in a world without on one day.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from tests.oracle.knowledge import day_of, pins_of, rows_that_move_cuts

if TYPE_CHECKING:
    from tests.strategies import Row, World

#: Days of paperwork after the first load, where a world has them.
DAYS = (38, 58)
#: The day of prices under a pin in a world without.
PRICE_DAY = 24
#: What a late change must not move: it would cut periods that have closed.
GRID = ("cycle", "alignment", "grace_days")


def make_paperwork(world: World, has_paperwork: bool) -> None:
    """Set `recorded_at` of changes, migrations and prices; see the module."""
    days = [world.start + timedelta(days=day) for day in DAYS] if has_paperwork else []
    Clerk(world, days).work()


class Clerk:
    def __init__(self, world: World, days: list[datetime]) -> None:
        self.world = world
        self.days = days
        self.plans = {row["plan_id"]: row for row in world.catalog["plans"]}
        self.pins: list[tuple[str, date, date]] = []

    def work(self) -> None:
        catalog = self.world.catalog
        if self.days:
            catalog["plan_migrations"] = [
                row
                for row in catalog["plan_migrations"]
                if self.are_alike([row["from_plan_id"], row["to_plan_id"]])
            ]
        begin = self.world.start.date().isoformat()
        for row in catalog["plan_migrations"]:
            self.record(row, row["migrates_at"], may_be_late=True)
            is_late = any(row["recorded_at"].startswith(str(one.date())) for one in self.days)
            if row["recorded_at"][:10] > begin and not is_late:
                row["recorded_at"] = f"{begin}{row['recorded_at'][10:]}"
        changes: dict[str, list[Row]] = {}
        for row in catalog["subscription_changes"]:
            changes.setdefault(row["subscription_id"], []).append(row)
        for subscription in catalog["subscriptions"]:
            own = changes.get(subscription["subscription_id"], [])
            self.record_changes(subscription, own)
        self.make_known()
        self.pins = pins_of(catalog)
        for row in catalog["prices"]:
            if row["recorded_at"]:
                self.record_price(row)

    def make_known(self) -> None:
        """Rows that move cuts were known from the beginning, but for those of paperwork."""
        begin = self.world.start.date().isoformat()
        days = {one.date().isoformat() for one in self.days}
        while True:
            moving = rows_that_move_cuts(self.world.catalog)
            found = [
                row
                for row in self.world.catalog["subscription_changes"]
                if id(row) in moving and row["recorded_at"][:10] not in {*days, begin}
                if row["recorded_at"][:10] > begin
            ]
            for row in found:
                row["recorded_at"] = f"{begin}{row['recorded_at'][10:]}"
            if not found:
                return

    def are_alike(self, plan_ids: list[str]) -> bool:
        grids = {tuple((self.plans[plan_id][name] or "1") for name in GRID) for plan_id in plan_ids}
        return len(grids) == 1

    def record_changes(self, subscription: Row, changes: list[Row]) -> None:
        plans = [subscription["plan_id"], *(row["plan_id"] for row in changes if row["plan_id"])]
        # Migrations may bring any plan of the family.
        family = [other for plan in plans for other in self.world.family_of(plan)]
        keeps_grid = self.are_alike(family) and not any(row["anchor_date"] for row in changes)
        first: dict[tuple[str, str, str], str] = {}
        for row in changes:
            key = (row["change"], row["charge_id"], row["changes_at"])
            moves_grid = row["change"] in ("plan", "end")
            earlier = first.get(key)
            if earlier is None:
                self.record(row, row["changes_at"], keeps_grid or not moves_grid)
                first[key] = row["recorded_at"]
            else:
                # Said again: taken back, or another quantity.
                is_late = not moves_grid or (keeps_grid and row["change"] == "plan")
                self.record_again(row, earlier, is_late)

    def record(self, row: Row, at: str, may_be_late: bool) -> None:
        day = day_of(at).isoformat()
        later = [one for one in self.days if one.date().isoformat() > day]
        if may_be_late and later and row["recorded_at"] and self.world.chance(0.4):
            row["recorded_at"] = self.time_of(later[0])
        elif row["recorded_at"][:10] > day:
            row["recorded_at"] = f"{day}{row['recorded_at'][10:]}"

    def record_again(self, row: Row, earlier: str, may_be_late: bool) -> None:
        day = day_of(row["changes_at"]).isoformat()
        later = [
            one
            for one in self.days
            if one.date().isoformat() > earlier[:10]
            and (may_be_late or one.date().isoformat() < day)
        ]
        if later:
            row["recorded_at"] = self.time_of(later[0])
        else:
            # The day's last instant: what it takes back may be of the day's last second.
            begin = self.world.start.date().isoformat()
            row["recorded_at"] = f"{max(earlier[:10], begin)}T23:59:59.999999Z"

    def record_price(self, row: Row) -> None:
        begin = self.world.start.date().isoformat()
        known = row["recorded_at"][:10]
        is_late = known > (row["valid_from"] or "1970-01-01")
        if self.days and (is_late or self.is_pinned(row)):
            # All bands of a row are recorded at once.
            day = self.days[int(known[8:10]) % len(self.days)].date().isoformat()
        elif is_late and (row["applies_to"] == "closed" or not self.is_pinned(row)):
            day = min(known, begin)
        elif self.is_pinned(row):
            day = (self.world.start + timedelta(days=PRICE_DAY)).date().isoformat()
        else:
            return
        row["recorded_at"] = f"{day}{row['recorded_at'][10:]}"

    def is_pinned(self, row: Row) -> bool:
        """Whether it is recorded after the first load and a pin may choose it."""
        valid = row["valid_from"] or "1970-01-01"
        return row["recorded_at"][:10] > self.world.start.date().isoformat() and any(
            plan == row["plan_id"] and valid <= pin.isoformat() for plan, pin, _ in self.pins
        )

    def time_of(self, day: datetime) -> str:
        seconds = self.world.random.randint(0, 86399)
        return f"{(day + timedelta(seconds=seconds)).isoformat()}Z"
