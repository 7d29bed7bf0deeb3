"""The rules of custom units of credit: their rates, and the charges that are priced in them."""

from __future__ import annotations

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
        """A charge is priced in money, or in one unit: so are those of its name in other plans."""
        #: The first price of a charge id.
        self.priced: dict[str, Row] = {}
        for row in self.catalog["prices"]:
            if not row["charge_id"] or not row.holds("charge_id", "currency"):
                continue
            first = self.priced.setdefault(row["charge_id"], row)
            ours, theirs = self._unit(row), self._unit(first)
            if ours != theirs:
                row.refuse(
                    "currency",
                    f"{quote(theirs) if theirs else 'a currency'} as in line {first.line}"
                    " (charges of one id are priced in one unit, or in money)",
                )
            charge = self.charges.get(row.key("plan_id", "charge_id"))
            if not ours or charge is None:
                continue
            model = charge["pricing_model"]
            if charge["charge_type"] in ("recurring", "one_time"):
                row.refuse("currency", "a currency: only usage is priced in a unit")
            elif model in OF_MONEY:
                row.refuse("currency", f"a currency with the pricing model {model}")

    def _unit(self, row: Row) -> str:
        return row["currency"] if (row["currency"],) in self.units else ""

    def _check_naming(self, row: Row, column: str) -> None:
        if not row.holds(column):
            return
        for charge_id in filter(None, row[column].split("|")):
            price = self.priced.get(charge_id)
            if price is not None and self._unit(price):
                row.refuse(
                    column,
                    f"a charge priced in money: it is priced in {self._unit(price)}"
                    f" (prices.csv:{price.line})",
                    charge_id,
                )
