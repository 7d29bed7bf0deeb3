"""The rules of commercial terms: changes, migrations, allowances, commitments, discounts,
entitlements, alerts. Each row by itself and with what it names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal

from orchestration.catalog_fields import read_date, read_instant
from orchestration.catalog_files import Catalog, Row, quote
from orchestration.catalog_index import Index, known_at, refuse_blank, refuse_filled
from orchestration.catalog_reference import Reference

# Columns of a change by its kind: those it needs, those it may have.
CHANGE_COLUMNS = {
    "plan": (("plan_id",), ("anchor_date", "prices_as_of")),
    "quantity": (("charge_id", "quantity"), ()),
    "pause": ((), ()),
    "resume": ((), ()),
    "end": ((), ()),
}
KIND_COLUMNS = ("plan_id", "charge_id", "quantity", "anchor_date", "prices_as_of")
SHAREABLE = ("count", "sum")
# Credits are a customer's: an alert on what is left of them names nothing else.
CREDIT_BLANKS = ("subscription_id", "plan_id", "charge_id", "meter", "meter_version")


def check_terms(catalog: Catalog, reference: Reference) -> None:
    """Check the rows of the terms against each other and against the rest of the catalogue."""
    _Terms(catalog, reference).check()


class _Terms(Index):
    def __init__(self, catalog: Catalog, reference: Reference) -> None:
        super().__init__(catalog, reference)
        # Every plan that a subscription may ever be on: its own, changes', migrations'.
        self.plans_of: dict[str, set[str]] = {
            key[0]: {row["plan_id"]} for key, row in self.subscriptions.items()
        }
        for row in catalog["subscription_changes"]:
            if row["change"] == "plan" and row["subscription_id"] in self.plans_of:
                self.plans_of[row["subscription_id"]].add(row["plan_id"])
        moves: dict[str, set[str]] = defaultdict(set)
        for row in catalog["plan_migrations"]:
            moves[row["from_plan_id"]].add(row["to_plan_id"])
        if moves:
            for plans in self.plans_of.values():
                waiting = list(plans)
                while waiting:
                    reached = moves.get(waiting.pop(), set()) - plans
                    plans |= reached
                    waiting += reached

    def check(self) -> None:
        self._check_changes()
        self._check_migrations()
        self._check_allowances()
        self.check_keys("commitments", "commitment_id")
        for row in self.catalog["commitments"]:
            self._check_commitment(row)
        self.check_keys("discounts", "discount_id")
        for row in self.catalog["discounts"]:
            self._check_discount(row)
        self.check_keys("entitlements", "product_id", "plan_id", "feature")
        for row in self.catalog["entitlements"]:
            self._check_entitlement(row)
        self.check_keys("alerts", "alert_id")
        for row in self.catalog["alerts"]:
            self._check_alert(row)

    # Changes and migrations

    def _check_changes(self) -> None:
        first: dict[tuple[object, ...], Row] = {}
        for row in self.catalog["subscription_changes"]:
            self._check_change(row)
            if not row.holds("subscription_id", "changes_at", "change", "recorded_at"):
                continue
            key = (
                *row.key("subscription_id", "change", "charge_id"),
                read_instant(row["changes_at"]) or row["changes_at"],
                known_at(row),
            )
            earlier = first.setdefault(key, row)
            if earlier is not row:
                row.refuse(
                    "changes_at",
                    "one row for each subscription_id, change, charge_id, changes_at and"
                    f" recorded_at (line {earlier.line} has it)",
                )

    def _check_change(self, row: Row) -> None:
        subscription = self._check_named(row, "subscription_id")
        kind = row["change"]
        if kind in CHANGE_COLUMNS and row.holds("change"):
            needs, allowed = CHANGE_COLUMNS[kind]
            where = f"with the change {kind}"
            if row["withdrawn"] == "true":
                # What is withdrawn needs its key alone.
                refuse_blank(row, [name for name in needs if name == "charge_id"], where)
            else:
                refuse_blank(row, needs, where)
            unused = [name for name in KIND_COLUMNS if name not in (*needs, *allowed)]
            refuse_filled(row, unused, where)
            if subscription and kind != "quantity":
                self._check_after_start(row, subscription)
        if row.holds("plan_id") and row["plan_id"]:
            plan = self._check_named(row, "plan_id")
            if plan and row["anchor_date"] and plan["alignment"] == "calendar":
                row.refuse("anchor_date", "a blank on a plan whose alignment is calendar")
        if subscription and row["charge_id"] and row.holds("charge_id"):
            charges = self._charges(self.plans_of[row["subscription_id"]], row["charge_id"])
            if not charges:
                row.refuse(
                    "charge_id",
                    f"a charge of a plan of {quote(row['subscription_id'])} in charges.csv",
                )
            elif all(charge["charge_type"] != "recurring" for charge in charges):
                row.refuse("charge_id", "a recurring charge: only it has a quantity")

    def _check_after_start(self, row: Row, subscription: Row) -> None:
        """Compared where both are dates or both are instants: a zone decides nothing then."""
        if not row.holds("changes_at") or not subscription.holds("starts_at"):
            return
        for read in (read_date, read_instant):
            begin, change = read(subscription["starts_at"]), read(row["changes_at"])
            if begin and change and change <= begin:  # type: ignore[operator]
                row.refuse(
                    "changes_at",
                    f"a time after the starts_at of the subscription"
                    f" ({subscription['starts_at']}, subscriptions.csv:{subscription.line})",
                )

    def _check_migrations(self) -> None:
        first: dict[tuple[object, ...], Row] = {}
        for row in self.catalog["plan_migrations"]:
            for column in ("from_plan_id", "to_plan_id"):
                if row.holds(column) and row[column] and row[column] not in self.plan_ids:
                    row.refuse(column, "a plan_id of plans.csv")
            if row["from_plan_id"] == row["to_plan_id"] and row.holds("from_plan_id"):
                row.refuse("to_plan_id", "another plan than from_plan_id")
            if not row.holds("from_plan_id", "migrates_at"):
                continue
            moment = read_instant(row["migrates_at"]) or row["migrates_at"]
            earlier = first.setdefault((row["from_plan_id"], moment), row)
            if earlier is not row:
                row.refuse(
                    "migrates_at",
                    f"one row for each from_plan_id, migrates_at (line {earlier.line} has it)",
                )

    # Allowances

    def _check_allowances(self) -> None:
        self.check_keys("allowances", "plan_id", "allowance_id")
        owners: dict[tuple[str, str], Row] = {}
        for row in self.catalog["allowances"]:
            found = self._check_named(row, "plan_id")
            if found and row["charge_ids"] and row.holds("charge_ids"):
                for name in row["charge_ids"].split("|"):
                    owner = owners.setdefault((row["plan_id"], name), row)
                    if owner is not row:
                        row.refuse(
                            "charge_ids",
                            f"each charge in one allowance (line {owner.line} has it)",
                            name,
                        )
                    else:
                        self._check_shared_charge(row, name)
            rollover = row.holds("rollover_periods") and int(row["rollover_periods"] or "0")
            if rollover and row["pooled"] == "true":
                row.refuse("rollover_periods", "0 or a blank where the allowance is pooled")
            elif not rollover and row.holds("rollover_periods"):
                refuse_filled(row, ["rollover_cap"], "without rollover_periods")

    def _check_shared_charge(self, row: Row, name: str) -> None:
        charge = self.charges.get((row["plan_id"], name))
        if charge is None:
            row.refuse(
                "charge_ids", f"a charge of plan {quote(row['plan_id'])} in charges.csv", name
            )
        elif charge["charge_type"] != "usage":
            row.refuse("charge_ids", "a usage charge: only usage has an allowance", name)
        elif charge["pricing_model"] in ("flat", "dynamic"):
            row.refuse(
                "charge_ids",
                f"a charge whose pricing_model is not {charge['pricing_model']}"
                f" (charges.csv:{charge.line})",
                name,
            )
        elif charge["allowance"]:
            row.refuse(
                "charge_ids",
                f"a charge without an allowance of its own (charges.csv:{charge.line})",
                name,
            )
        else:
            meter = self.meter_of_charge(charge)
            if meter and meter.holds("aggregation") and meter["aggregation"] not in SHAREABLE:
                row.refuse(
                    "charge_ids",
                    "a charge whose meter counts or sums: the aggregation of"
                    f" {meter['meter']} is {meter['aggregation']} (meters.csv:{meter.line})",
                    name,
                )

    # Commitments

    def _check_commitment(self, row: Row) -> None:
        self._check_one_of(row, "plan_id", "subscription_id")
        self._check_one_of(row, "amount", "quantity")
        if row["quantity"]:
            refuse_blank(row, ["unit_price"], "with a quantity")
            refuse_filled(row, ["overage_factor"], "with a quantity")
        elif row["amount"]:
            refuse_filled(row, ["unit_price"], "with an amount")
        if self.check_currency(row):
            self.check_decimals(row, "amount")
        plans: Iterable[str] = []
        if row["plan_id"]:
            plans = [row["plan_id"]] if self._check_named(row, "plan_id") else []
        elif subscription := self._check_named(row, "subscription_id"):
            plans = self.plans_of[row["subscription_id"]]
            self._check_billed_in(row, subscription)
        if not plans or not row["charge_ids"] or not row.holds("charge_ids"):
            return
        for name in row["charge_ids"].split("|"):
            if not self._charges(plans, name):
                whose = row["plan_id"] or row["subscription_id"]
                row.refuse(
                    "charge_ids",
                    f"a charge of {'plan' if row['plan_id'] else 'a plan of'} {quote(whose)}"
                    " in charges.csv",
                    name,
                )

    def _check_billed_in(self, row: Row, subscription: Row) -> None:
        """Amounts for one subscription are in its currency: nothing is converted."""
        homes = self.customers.get(subscription["customer_id"])
        billed_in = subscription["currency"] or (homes[0]["currency"] if homes else "")
        if row["currency"] and row.holds("currency") and billed_in not in ("", row["currency"]):
            row.refuse(
                "currency",
                f"{quote(billed_in)} as the subscription is billed in"
                f" (subscriptions.csv:{subscription.line})",
            )

    # Discounts

    def _check_discount(self, row: Row) -> None:
        given = self._check_one_of(row, "percent", "amount", "total_amount")
        if given == "percent":
            refuse_filled(row, ["currency"], "with a percent")
        elif given:
            refuse_blank(row, ["currency"], f"with {'an' if given == 'amount' else 'a'} {given}")
        if self.check_currency(row):
            self.check_decimals(row, "amount", "total_amount")
        if row.holds("level") and row["level"] == "product":
            refuse_blank(row, ["product_id"], "with the level product")
        if row.holds("level") and row["level"] in ("product", "invoice"):
            refuse_filled(row, ["charge_id"], f"with the level {row['level']}")
        subscription = self._check_whose(row)
        if subscription:
            self._check_billed_in(row, subscription)
        plan = self._check_named(row, "plan_id")
        if self._check_named(row, "product_id") and plan:
            self._check_plan_of_product(row, plan)
        self._check_named_charge(row)
        begin, end = read_date(row["valid_from"]), read_date(row["valid_to"])
        if begin and end and end <= begin:
            row.refuse("valid_to", f"a date after valid_from ({row['valid_from']})")

    # Entitlements and alerts

    def _check_entitlement(self, row: Row) -> None:
        plan = self._check_named(row, "plan_id")
        if self._check_named(row, "product_id") and plan:
            self._check_plan_of_product(row, plan)
        if row.holds("kind") and row["kind"]:
            where = f"with the kind {row['kind']}"
            if row["kind"] == "boolean":
                refuse_filled(row, ["meter", "meter_version", "limit_quantity"], where)
            else:
                refuse_blank(row, ["meter", "limit_quantity"], where)
        self.meter_of(row, "meter_version")

    def _check_alert(self, row: Row) -> None:
        self._check_whose(row)
        self._check_named(row, "plan_id")
        if row.holds("kind") and row["kind"]:
            where = f"with the kind {row['kind']}"
            if row["kind"] == "credits":
                refuse_blank(row, ["customer_id"], where)
                refuse_filled(row, CREDIT_BLANKS, where)
                if row.holds("threshold") and Decimal(row["threshold"] or "1") > 1:
                    row.refuse("threshold", f"a share above 0 to 1 {where}")
                return
            if row["kind"] == "usage":
                refuse_blank(row, ["meter"], where)
                refuse_filled(row, ["charge_id"], where)
            else:
                refuse_filled(row, ["meter", "meter_version"], where)
            if row["kind"] == "allowance":
                refuse_blank(row, ["charge_id"], where)
        self.meter_of(row, "meter_version")
        charges = self._check_named_charge(row)
        if not charges or not row.holds("kind", "charge_id"):
            return
        if all(charge["charge_type"] != "usage" for charge in charges):
            row.refuse("charge_id", "a usage charge")
        elif row["kind"] == "allowance" and not any(map(self._has_allowance, charges)):
            row.refuse("charge_id", "a charge with an allowance (charges.csv, allowances.csv)")

    def _has_allowance(self, charge: Row) -> bool:
        return bool(charge["allowance"]) or any(
            allowance["plan_id"] == charge["plan_id"]
            and charge["charge_id"] in allowance["charge_ids"].split("|")
            for allowance in self.catalog["allowances"]
        )

    # What several of them name

    def _check_one_of(self, row: Row, *columns: str) -> str:
        """Which of the columns is given, if exactly one is; a fault otherwise."""
        given = [column for column in columns if row[column]]
        if not given:
            row.refuse(columns[0], f"exactly one of {', '.join(columns)}")
        for column in given[1:]:
            row.refuse(column, f"a blank: exactly one of {', '.join(columns)} is given")
        return given[0] if len(given) == 1 else ""

    def _check_named(self, row: Row, column: str) -> Row | None:
        """The row that `column` names, None where it is blank; refuses what is not there."""
        file, rows = {
            "plan_id": ("plans.csv", self.plans),
            "product_id": ("products.csv", self.products),
            "subscription_id": ("subscriptions.csv", self.subscriptions),
        }[column]
        if not row[column] or not row.holds(column):
            return None
        found = rows.get((row[column],))
        if found is None:
            row.refuse(column, f"a {column} of {file}")
        return found

    def _check_whose(self, row: Row) -> Row | None:
        """Customer and subscription of a row, which are one's; returns the subscription."""
        self.check_reference(row, "customer_id", self.customers, "customers.csv")
        subscription = self._check_named(row, "subscription_id")
        if (
            subscription
            and row["customer_id"]
            and row.holds("customer_id")
            and subscription["customer_id"] != row["customer_id"]
        ):
            row.refuse("subscription_id", f"a subscription of customer {quote(row['customer_id'])}")
        return subscription

    def _check_plan_of_product(self, row: Row, plan: Row) -> None:
        if plan["product_id"] != row["product_id"]:
            row.refuse("plan_id", f"a plan of product {quote(row['product_id'])} in plans.csv")

    def _check_named_charge(self, row: Row) -> list[Row]:
        """The charges that charge_id may mean, by the row's plan, subscription and product."""
        names = ("plan_id", "subscription_id", "product_id")
        if not row["charge_id"] or not row.holds("charge_id", *names):
            return []
        plans: set[str] = set(self.plan_ids)
        if row["plan_id"]:
            plans &= {row["plan_id"]}
        if row["subscription_id"]:
            plans &= self.plans_of[row["subscription_id"]]
        if row["product_id"]:
            plans = {p for p in plans if self.plans[(p,)]["product_id"] == row["product_id"]}
        charges = self._charges(plans, row["charge_id"])
        if not charges:
            given = [f"{name} {quote(row[name])}" for name in names if row[name]]
            whose = f" of {' and '.join(given)}" if given else ""
            row.refuse("charge_id", f"a charge{whose} in charges.csv")
        return charges

    def _charges(self, plans: Iterable[str], charge_id: str) -> list[Row]:
        found = (self.charges.get((plan, charge_id)) for plan in plans)
        return [charge for charge in found if charge is not None]
