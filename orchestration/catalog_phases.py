"""The plans that each subscription goes through, and what they must have in common.

Every charge needs a price in the subscription's currency when its plan begins, and the
subscriptions that share an allowance need periods that begin and end together.
"""

from __future__ import annotations

import calendar
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from orchestration.catalog_fields import CYCLE, read_date, read_instant
from orchestration.catalog_files import Catalog, Row, quote
from orchestration.catalog_index import Index, known_at, valid_from
from orchestration.catalog_reference import Reference

MONTHS = {"month": 1, "quarter": 3, "year": 12}


def check_phases(catalog: Catalog, reference: Reference) -> None:
    """Check prices and pooled allowances along the plans of each subscription."""
    _Phases(catalog, reference).check()


@dataclass(frozen=True)
class Phase:
    """A stretch of a subscription on one plan; `row` is what began it."""

    row: Row
    plan: Row
    begin_date: date
    price_date: date
    contract_month: int
    anchor: date
    is_first: bool


def months_between(start: date, day: date) -> int:
    """Whole months from start to day; the day of the month is cut at the month's end."""
    months = (day.year - start.year) * 12 + day.month - start.month
    last = calendar.monthrange(day.year, day.month)[1]
    return months - (day.day < min(start.day, last))


def has_cycle(plan: Row) -> bool:
    return bool(CYCLE.fullmatch(plan["cycle"])) and plan.holds("cycle", "alignment")


def cycle_of(plan: Row) -> tuple[str, str]:
    """Cycle and alignment, in one way of writing them."""
    days = CYCLE.fullmatch(plan["cycle"])
    return f"{days[1]} days" if days and days[1] else plan["cycle"], plan["alignment"]


def grid(plan: Row, anchor: date) -> tuple[str, str, tuple[int, ...]]:
    """Cycle, alignment, and where in time the boundaries lie."""
    cycle, alignment = cycle_of(plan)
    if alignment == "calendar":
        return cycle, alignment, ()
    if months := MONTHS.get(cycle):
        return cycle, alignment, (anchor.day, (anchor.year * 12 + anchor.month) % months)
    days = int(cycle.split()[0]) if cycle != "week" else 7
    return cycle, alignment, (anchor.toordinal() % days,)


class _Phases(Index):
    def check(self) -> None:
        self._read_changes()
        self._read_prices()
        pools: dict[tuple[str, str], tuple[Row, Phase]] = {}
        pooled: dict[str, list[str]] = defaultdict(list)
        for row in self.catalog["allowances"]:
            if row["pooled"] == "true":
                pooled[row["plan_id"]].append(row["allowance_id"])
        for row in self.catalog["subscriptions"]:
            homes = self.homes(row)
            if not homes or not row["starts_at"] or not row.holds("starts_at", "ends_at"):
                continue
            for phase in self._phases(row, homes):
                self._check_prices(row, phase)
                for allowance in pooled.get(phase.plan["plan_id"], ()):
                    key = (row["customer_id"], allowance)
                    mate = pools.setdefault(key, (row, phase))
                    if mate[1] is not phase:
                        self._check_pool(allowance, mate, (row, phase))

    def _read_changes(self) -> None:
        """Of the rows of one change the latest recorded counts, unless it withdraws it."""
        latest: dict[tuple[object, ...], Row] = {}
        for row in self.catalog["subscription_changes"]:
            if not row["changes_at"] or not row.holds(*row.values):
                continue
            moment = read_instant(row["changes_at"]) or row["changes_at"]
            key = (*row.key("subscription_id", "change", "charge_id"), moment)
            if key not in latest or known_at(latest[key]) <= known_at(row):
                latest[key] = row
        self.changes: dict[str, list[Row]] = defaultdict(list)
        for row in latest.values():
            if row["withdrawn"] != "true" and row["change"] in ("plan", "end"):
                self.changes[row["subscription_id"]].append(row)
        self.migrations = [
            row
            for row in self.catalog["plan_migrations"]
            if row["migrates_at"] and row.holds(*row.values)
        ]

    def _phases(self, subscription: Row, homes: list[Row]) -> Iterator[Phase]:
        plan = self.plans.get((subscription["plan_id"],))
        if plan is None or not has_cycle(plan):
            return
        start = self.local_date(subscription["starts_at"], homes)
        anchor = home_anchor = read_date(subscription["anchor_date"]) or start
        pin = read_date(subscription["prices_as_of"])
        yield Phase(subscription, plan, start, pin or start, 1, anchor, True)
        for row, column in self._moves(subscription, homes):
            if column == "to_plan_id" and row["from_plan_id"] != plan["plan_id"]:
                continue
            next_plan = self.plans.get((row[column],))
            if next_plan is None or not has_cycle(next_plan):
                return
            given = read_date(row["anchor_date"])
            pin = read_date(row["prices_as_of"])
            if next_plan is plan and not given and not pin:
                continue
            if cycle_of(next_plan) != cycle_of(plan):
                anchor = given or home_anchor
            else:
                anchor = given or anchor
            plan = next_plan
            day = self.local_date(row["changes_at"] or row["migrates_at"], homes)
            month = months_between(start, day) + 1
            yield Phase(row, plan, day, pin or day, month, anchor, False)

    def _moves(self, subscription: Row, homes: list[Row]) -> list[tuple[Row, str]]:
        """Changes and migrations in the life of the subscription, in the order they happen."""
        changes = self.changes.get(subscription["subscription_id"], [])
        if not changes and not self.migrations:
            return []
        begin = self.instant(subscription["starts_at"], homes)
        moments = {id(row): self.instant(row["changes_at"], homes) for row in changes}
        ends = [
            moments[id(row)]
            for row in changes
            if row["change"] == "end" and moments[id(row)] > begin
        ]
        if subscription["ends_at"]:
            ends.append(self.instant(subscription["ends_at"], homes))
        moves = [
            ((moments[id(row)], 0, ""), row, "plan_id")
            for row in changes
            if row["change"] == "plan"
        ]
        for row in self.migrations:
            moment = self.instant(row["migrates_at"], homes)
            moves.append(((moment, 1, row["from_plan_id"]), row, "to_plan_id"))
        moves.sort(key=lambda move: move[0])
        return [
            (row, column)
            for order, row, column in moves
            if order[0] > begin and all(order[0] < end for end in ends)
        ]

    # A charge without a price in a currency that it is subscribed in is a fault

    def _read_prices(self) -> None:
        # Customer -> (contract month, first day) of each price of the charge and currency.
        self.prices: dict[tuple[str, ...], dict[str, set[tuple[int, date]]]] = defaultdict(
            lambda: defaultdict(set)
        )
        for row in self.catalog["prices"]:
            if row.holds("valid_from", "contract_month"):
                offers = self.prices[row.key("plan_id", "charge_id", "currency")]
                month = int(row["contract_month"] or "1")
                offers[row["customer_id"]].add((month, valid_from(row)))
        #: Unit of credit by the charges that are priced in one, and the days of its rates.
        self.units_of: dict[tuple[str, ...], str] = {
            row.key("plan_id", "charge_id"): row["currency"]
            for row in self.catalog["prices"]
            if (row["currency"],) in self.units
        }
        self.rates: dict[tuple[str, ...], list[date]] = defaultdict(list)
        for row in self.catalog["credit_units"]:
            if row.holds("valid_from"):
                self.rates[row.key("unit", "currency")].append(valid_from(row))
        self.customers_with_prices = {row["customer_id"] for row in self.catalog["prices"]}
        self.told: set[tuple[str, ...]] = set()
        self.checked: set[tuple[object, ...]] = set()

    def _check_prices(self, subscription: Row, phase: Phase) -> None:
        homes = self.customers[subscription["customer_id"]]
        currency = subscription["currency"] or homes[0]["currency"]
        if not subscription.holds("currency") or currency not in self.reference.exponents:
            return
        customer = subscription["customer_id"]
        customer = customer if customer in self.customers_with_prices else ""
        plan = phase.plan["plan_id"]
        case = (plan, currency, customer, phase.price_date, phase.contract_month, phase.is_first,
                phase.begin_date if self.units else None)  # fmt: skip
        if case in self.checked:
            return
        self.checked.add(case)
        for charge in self.charges_by_plan[plan]:
            place = charge.key("plan_id", "charge_id")
            priced_in = self.units_of.get(place, currency)
            key = (*place, priced_in)
            if priced_in != currency and not self._check_rate(charge, currency, phase):
                continue
            if key in self.told or not charge["charge_id"]:
                continue
            if charge["charge_type"] == "one_time" and not phase.is_first:
                continue
            offers = self.prices.get(key, {})
            found = [offer for named in {"", customer} for offer in offers.get(named, ())]
            row = phase.row
            missing = f"a price in {priced_in} in prices.csv"
            if found:
                in_time = [offer for offer in found if offer[0] <= phase.contract_month]
                if not in_time:
                    missing += f" for contract month {phase.contract_month}"
                elif charge["price_at"] == "close" or any(
                    day <= phase.price_date for _, day in in_time
                ):
                    continue
                else:
                    missing += f" that is valid from {phase.price_date} or before"
            self.told.add(key)
            charge.refuse(
                "charge_id", f"{missing} ({row.file}.csv:{row.line} is billed in {currency})"
            )

    def _check_rate(self, charge: Row, currency: str, phase: Phase) -> bool:
        """Whether the unit that the charge is priced in is worth something in the currency."""
        unit = self.units_of[charge.key("plan_id", "charge_id")]
        days = self.rates.get((unit, currency), [])
        if any(day <= phase.begin_date for day in days):
            return True
        if (unit, currency) not in self.told:
            self.told.add((unit, currency))
            valid = f" that is valid from {phase.begin_date} or before" if days else ""
            charge.refuse(
                "charge_id",
                f"a rate of {unit} in {currency} in credit_units.csv{valid}"
                f" ({phase.row.file}.csv:{phase.row.line} is billed in {currency})",
            )
        return False

    # A pool adds quantities of one span of time

    def _check_pool(self, allowance: str, mate: tuple[Row, Phase], one: tuple[Row, Phase]) -> None:
        (subscription, first), (row, phase) = mate, one
        cycle, alignment, place = grid(phase.plan, phase.anchor)
        first_cycle, first_alignment, first_place = grid(first.plan, first.anchor)
        column = "to_plan_id" if phase.row.file == "plan_migrations" else "plan_id"
        because = (
            f"as subscription {quote(subscription['subscription_id'])}"
            f" ({first.row.file}.csv:{first.row.line}): they share the allowance {quote(allowance)}"
        )
        currencies = [
            sub["currency"] or self.customers[sub["customer_id"]][0]["currency"]
            for sub in (subscription, row)
        ]
        graces = [int(p.plan["grace_days"] or "1") if p.plan.holds("grace_days") else 1
                  for p in (first, phase)]  # fmt: skip
        if (cycle, alignment) != (first_cycle, first_alignment):
            phase.row.refuse(
                column, f"a plan with the cycle {first_cycle}, {first_alignment}, {because}"
            )
        elif place != first_place:
            anchor_column = "changes_at" if phase.row["changes_at"] else "starts_at"
            if phase.row["anchor_date"] or phase.row.file == "plan_migrations":
                anchor_column = "anchor_date" if phase.row["anchor_date"] else column
            phase.row.refuse(
                anchor_column, f"cycles that begin on the days of {first.anchor}, {because}"
            )
        elif graces[0] != graces[1]:
            phase.row.refuse(column, f"a plan with grace_days {graces[0]}, {because}")
        elif currencies[0] != currencies[1] and row.holds("currency"):
            row.refuse("currency", f"{quote(currencies[0])} {because}")
