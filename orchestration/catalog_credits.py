"""The rules of prepaid credits: grants, what is done with them, top-ups, alerts on what is left."""

from __future__ import annotations

import calendar
import re
from datetime import datetime, timedelta

from orchestration.catalog_fields import read_instant
from orchestration.catalog_files import Catalog, Row, quote
from orchestration.catalog_index import Index, first_by, refuse_blank, refuse_filled
from orchestration.catalog_reference import Reference

OCCURRENCE = re.compile(r"(?P<grant>.+)#(?P<number>[1-9][0-9]{0,5})")
NUMBERED = re.compile(r".*#[0-9]+")
MONTHS = {"month": 1, "quarter": 3, "year": 12}


def check_credits(catalog: Catalog, reference: Reference) -> None:
    """Check the rows of the credits against each other and against the rest of the catalogue."""
    _Credits(catalog, reference).check()


class _Credits(Index):
    def __init__(self, catalog: Catalog, reference: Reference) -> None:
        super().__init__(catalog, reference)
        self.grants = first_by(catalog["credit_grants"], "grant_id")

    def check(self) -> None:
        self.check_keys("credit_grants", "grant_id")
        for row in self.catalog["credit_grants"]:
            self._check_grant(row)
        self.check_keys("credit_actions", "action_id")
        voided: dict[str, Row] = {}
        for row in self.catalog["credit_actions"]:
            self._check_action(row, voided)
        self.check_keys("credit_top_ups", "top_up_id")
        for row in self.catalog["credit_top_ups"]:
            self.check_reference(row, "customer_id", self.customers, "customers.csv")
            if self.check_asset(row):
                self.check_decimals(row, "threshold", "amount")

    # Grants

    def _check_grant(self, row: Row) -> None:
        if row.holds("grant_id") and NUMBERED.fullmatch(row["grant_id"]):
            row.refuse("grant_id", "an id that does not end like an occurrence of another (#3)")
        self.check_reference(row, "customer_id", self.customers, "customers.csv")
        if self.check_asset(row):
            self.check_decimals(row, "amount", "rollover_cap")
            self._check_cost_basis(row)
        self._check_scope(row)
        if row["every"] and row.holds("every"):
            refuse_filled(row, ["expires_at"], "with every: the next occurrence ends it")
        elif row.holds("every"):
            refuse_filled(row, ["recurs_until", "rollover_cap"], "without every")
        begin = read_instant(row["effective_at"])
        for column in ("expires_at", "recurs_until"):
            end = read_instant(row[column])
            if begin and end and end <= begin and row.holds(column):
                row.refuse(column, f"an instant after effective_at ({row['effective_at']})")

    def _check_cost_basis(self, row: Row) -> None:
        """What was paid for a grant is money: of one in a unit, in the customer's currency."""
        if (row["currency"],) not in self.units:
            self.check_decimals(row, "cost_basis")
            return
        paid_in = self.customer_currency(row["customer_id"])
        exponent = self.reference.exponents.get(paid_in)
        decimals = len(row["cost_basis"].partition(".")[2])
        if exponent is not None and row.holds("cost_basis") and decimals > exponent:
            row.refuse("cost_basis", f"at most {exponent} decimals, as {paid_in} has")

    def _check_scope(self, row: Row) -> None:
        if not row.holds("scope", "scope_id"):
            return
        scope, named = row["scope"] or "all", row["scope_id"]
        if scope == "all":
            refuse_filled(row, ["scope_id"], "with the scope all")
        elif not named:
            refuse_blank(row, ["scope_id"], f"with the scope {scope}")
        elif scope == "product":
            if (named,) not in self.products:
                row.refuse("scope_id", "a product_id of products.csv")
        elif scope == "meter":
            if named not in self.meter_names:
                row.refuse("scope_id", "a meter of meters.csv")
        else:
            self._check_subscription(row, named)

    def _check_subscription(self, row: Row, named: str) -> None:
        subscription = self.subscriptions.get((named,))
        if subscription is None:
            row.refuse("scope_id", "a subscription_id of subscriptions.csv")
            return
        if not row.holds("customer_id", "currency"):
            return
        if subscription["customer_id"] != row["customer_id"]:
            row.refuse("scope_id", f"a subscription of customer {quote(row['customer_id'])}")
            return
        if (row["currency"],) in self.units:
            return
        billed_in = subscription["currency"] or self.customer_currency(row["customer_id"])
        if row["currency"] and billed_in not in ("", row["currency"]):
            row.refuse(
                "currency",
                f"{quote(billed_in)} as the subscription is billed in"
                f" (subscriptions.csv:{subscription.line})",
            )

    # Actions

    def _check_action(self, row: Row, voided: dict[str, Row]) -> None:
        grant = self._check_occurrence(row, "grant_id")
        if not row["action"] or not row.holds("action"):
            return
        where = f"with the action {row['action']}"
        if row["action"] == "void":
            refuse_filled(row, ["to_grant_id", "amount"], where)
            earlier = voided.setdefault(row["grant_id"], row)
            if grant and earlier is not row:
                row.refuse("grant_id", f"one void for each grant (line {earlier.line} has it)")
            return
        refuse_blank(row, ["to_grant_id", "amount"], where)
        receiver = self._check_occurrence(row, "to_grant_id")
        if grant and receiver:
            self._check_receiver(row, grant, receiver)
        if grant and row["amount"] and row.holds("amount"):
            exponent = self.exponents.get(grant["currency"])
            if exponent is not None and len(row["amount"].partition(".")[2]) > exponent:
                row.refuse("amount", f"at most {exponent} decimals, as {grant['currency']} has")

    def _check_receiver(self, row: Row, grant: Row, receiver: Row) -> None:
        if row["to_grant_id"] == row["grant_id"]:
            row.refuse("to_grant_id", "another grant than grant_id")
            return
        for column in ("customer_id", "currency"):
            if receiver[column] != grant[column]:
                row.refuse(
                    "to_grant_id",
                    f"a grant with the {column} of {row['grant_id']} ({quote(grant[column])})",
                )
                return

    def _check_occurrence(self, row: Row, column: str) -> Row | None:
        """The grant that `column` names, or whose occurrence it names; refuses what is not there.

        Of a recurring grant each occurrence is a grant of its own.
        """
        if not row[column] or not row.holds(column):
            return None
        if grant := self.grants.get((row[column],)):
            # A void may end a recurring grant as a whole.
            is_whole = column == "grant_id" and row["action"] == "void"
            if grant["every"] and grant.holds("every") and not is_whole:
                row.refuse(column, f"an occurrence of {row[column]}, like {row[column]}#1")
                return None
            return grant
        named = OCCURRENCE.fullmatch(row[column])
        grant = self.grants.get((named["grant"],)) if named else None
        if named is None or grant is None:
            row.refuse(column, "a grant_id of credit_grants.csv")
            return None
        if not grant.holds("every", "effective_at", "recurs_until"):
            return None
        if not grant["every"]:
            row.refuse(column, f"{named['grant']} without a number: it does not recur")
            return None
        begin, until = read_instant(grant["effective_at"]), read_instant(grant["recurs_until"])
        if begin and not _is_before(begin, grant["every"], int(named["number"]), until):
            row.refuse(
                column, f"an occurrence before recurs_until (credit_grants.csv:{grant.line})"
            )
            return None
        return grant


def _is_before(begin: datetime, every: str, number: int, until: datetime | None) -> bool:
    """Whether the occurrence of that number begins before `until`; the anchor day is kept."""
    if until is None:
        return True
    if every == "week":
        return timedelta(weeks=number - 1) < until - begin
    months = begin.year * 12 + begin.month - 1 + (number - 1) * MONTHS[every]
    year, month = divmod(months, 12)
    if (year, month + 1) != (until.year, until.month):
        return (year, month + 1) < (until.year, until.month)
    last = calendar.monthrange(year, month + 1)[1]
    return begin.replace(year=year, month=month + 1, day=min(begin.day, last)) < until
