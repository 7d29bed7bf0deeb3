"""The rules of custom units of credit: their rates, and the charges that are priced in them."""

from __future__ import annotations

from collections import defaultdict

from orchestration.catalog_files import Catalog, Row, quote
from orchestration.catalog_index import Index
from orchestration.catalog_reference import Reference

#: Pricing models of amounts, which are money.
OF_MONEY = ("percentage", "tiered_percentage", "dynamic")


def check_units(catalog: Catalog, reference: Reference) -> None:
    """Check the units of credit, and what names a charge that is priced in one."""
    _Units(catalog, reference).check()


class _Units(Index):
    def check(self) -> None:
        self.check_dated_keys("credit_units", "unit", "currency")
        for row in self.catalog["credit_units"]:
            self._check_unit(row)
        self._check_prices()
        self._check_plans()
        for name in ("charge_limits", "discounts", "commitments"):
            for row in self.catalog[name]:
                self._check_naming(row, "charge_ids" if name == "commitments" else "charge_id")

    def _check_unit(self, row: Row) -> None:
        self.check_currency(row)
        first = self.units[(row["unit"],)]
        if row["unit"] in self.reference.exponents and row.holds("unit"):
            row.refuse("unit", "a name that is no code of currencies.csv, like AI credits")
        if row["exponent"] != first["exponent"] and row.holds("exponent"):
            row.refuse(
                "exponent",
                f"{quote(first['exponent'])} as in line {first.line} (a unit has one exponent)",
            )

    def _check_prices(self) -> None:
        #: The first price of a plan's charge.
        self.priced: dict[tuple[str, ...], Row] = {}
        for row in self.catalog["prices"]:
            charge = self.charges.get(row.key("plan_id", "charge_id"))
            if charge is None or not row.holds("plan_id", "charge_id", "currency"):
                continue
            first = self.priced.setdefault(row.key("plan_id", "charge_id"), row)
            if self._unit(row) != self._unit(first):
                self._refuse_other(row, first, "a charge is")
            if not self._unit(row):
                continue
            model = charge["pricing_model"]
            if charge["charge_type"] in ("recurring", "one_time"):
                row.refuse("currency", "a currency: only usage is priced in a unit")
            elif model in OF_MONEY:
                row.refuse("currency", f"a currency with the pricing model {model}")

    def _check_plans(self) -> None:
        """What a line of a subscription is priced in does not hang on the plan that it is on."""
        if not self.units:
            return
        plans: dict[str, set[str]] = defaultdict(set)
        for row in [*self.catalog["subscriptions"], *self.catalog["subscription_changes"]]:
            if row["plan_id"]:
                plans[row["subscription_id"]].add(row["plan_id"])
        moves = [row.key("from_plan_id", "to_plan_id") for row in self.catalog["plan_migrations"]]
        #: The first subscription by the plans that it may be on.
        first_on: dict[frozenset[str], str] = {}
        for name, own in plans.items():
            while more := {after for before, after in moves if before in own} - own:
                own |= more
            if len(own) > 1:
                first_on.setdefault(frozenset(own), name)
        for own, name in first_on.items():
            first: dict[str, Row] = {}
            prices = [row for key, row in self.priced.items() if key[0] in own]
            for row in sorted(prices, key=lambda one: one.line):
                earlier = first.setdefault(row["charge_id"], row)
                if self._unit(row) != self._unit(earlier) and row.holds("currency"):
                    who = f"plans of {quote(name)} have charges of one id"
                    self._refuse_other(row, earlier, who)

    def _refuse_other(self, row: Row, first: Row, who: str) -> None:
        unit = self._unit(first)
        row.refuse(
            "currency",
            f"{quote(unit) if unit else 'a currency'} as in line {first.line}"
            f" ({who} priced in one unit, or in money)",
        )

    def _unit(self, row: Row) -> str:
        return row["currency"] if (row["currency"],) in self.units else ""

    def _check_naming(self, row: Row, column: str) -> None:
        """A row that can mean nothing but charges in a unit; one that means others passes by."""
        if not row.holds(column, "plan_id"):
            return
        for charge_id in filter(None, row[column].split("|")):
            prices = [
                price
                for key, price in self.priced.items()
                if key[1] == charge_id and row["plan_id"] in ("", key[0])
            ]
            if prices and all(map(self._unit, prices)):
                row.refuse(
                    column,
                    f"a charge priced in money: it is priced in {self._unit(prices[0])}"
                    f" (prices.csv:{prices[0].line})",
                    charge_id,
                )
