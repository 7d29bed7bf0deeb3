"""Prepaid credits worked by hand and asked of the oracle; the arithmetic stands beside each."""

from datetime import date
from fractions import Fraction

from tests.test_oracle_rules import House

ALWAYS = "2026-01-01"


class CreditHouse(House):
    """A customer in UTC with one usage charge by the month, and credits."""

    def grant(self, grant_id: str, amount: str, **values: str) -> None:
        columns = {"kind": "paid", "currency": "USD", "effective_at": ALWAYS} | values
        self.add("credit_grants", grant_id=grant_id, customer_id="c", amount=amount, **columns)

    def use(self, day: str, units: str, loaded: str = "", **values: str) -> None:
        """Usage of 10 o'clock UTC of a day, loaded at its noon or on another day."""
        properties = f'{{"v":{units}}}'
        at = f"2026-{day}T10:00:00Z"
        self.land(loaded or day, properties, occurred_at=at, **values)

    def share(self, quantity: str, **values: str) -> None:
        """An included quantity of the usage charge and of a second one, of events `mail`."""
        charge = {"charge_type": "usage", "meter": "mails", "meter_version": "1", "position": 2}
        common = {"plan_id": "plan", "charge_id": "mails"}
        meter = {"version": "1", "aggregation": "sum", "property": "v"}
        self.add("meters", meter="mails", event_name="mail", **meter)
        self.add("charges", **common, pricing_model="per_unit", **charge)
        self.add("prices", **common, currency="USD", position=1, unit_price="1")
        ids = {"plan_id": "plan", "allowance_id": "a", "charge_ids": "usage|mails"}
        self.add("allowances", **ids, quantity=quantity, **values)

    def charge_row(self, **values: str) -> None:
        self.catalog["charges"][0] |= values

    def fee(self, price: str, timing: str, charge_id: str = "base") -> None:
        common = {"plan_id": "plan", "charge_id": charge_id}
        self.add("charges", **common, position=2, charge_type="recurring", timing=timing)
        self.add("prices", **common, currency="USD", position=1, unit_price=price)

    def entries(self, day: str, *kinds: str) -> list[tuple]:
        """(posted, grant, kind, amount, usage date) of a build through a day."""
        return [
            (
                entry.posted_date.isoformat()[5:],
                entry.grant_id,
                entry.kind,
                str(float(entry.amount)),
                entry.usage_date and entry.usage_date.isoformat()[5:],
            )
            for entry in self.bill(day).credits.entries
            if not kinds or entry.kind in kinds
        ]

    def draws(self, day: str) -> list[tuple]:
        return [(*entry[:2], *entry[3:]) for entry in self.entries(day, "draw", "give_back")]

    def left(self, day: str) -> dict[str, Fraction]:
        on = date.fromisoformat(f"2026-{day}")
        balances = self.bill(day).credits.balances(on)
        return {one.grant_id: one.total for one in balances if one.balance_date == on}

    def document(self, day: str, invoice_id: str):
        return next(one for one in self.bill(day).invoices if one.invoice_id == invoice_id)


def test_days_add_up_to_the_rounded_line():
    """0.333, 0.666, 0.999 are 0.33, 0.67, 1.00: steps of 0.33, 0.34, 0.33."""
    house = CreditHouse(bands=({"unit_price": "0.333"},))
    house.grant("g", "5")
    for day in ("01-05", "01-06", "01-07"):
        house.use(day, "1")
    assert house.draws("01-31") == [
        ("01-05", "g", "-0.33", "01-05"),
        ("01-06", "g", "-0.34", "01-06"),
        ("01-07", "g", "-0.33", "01-07"),
    ]
    assert house.left("02-05") == {"g": Fraction("4.00")}
    assert house.document("02-05", "s@2026-02-01").due == 0


def test_late_usage_moves_only_the_days_from_its_own_on():
    """The first two units are 2 each, all later ones 1. Known on 6 January: 2 units on the 6th
    (4.00). On the 8th comes one of the 5th: it is 2.00, and those of the 6th are now 2 + 1 = 3.00.
    """
    house = CreditHouse("tiered", ({"up_to": "2", "unit_price": "2"}, {"unit_price": "1"}))
    house.grant("g", "10")
    house.use("01-06", "2")
    house.use("01-05", "1", loaded="01-08")
    assert house.draws("01-31") == [
        ("01-06", "g", "-4.0", "01-06"),
        ("01-08", "g", "1.0", "01-06"),
        ("01-08", "g", "-2.0", "01-05"),
    ]


def test_a_grant_pays_what_is_used_on_its_days_and_posted_while_it_is_there():
    """Effective 3 to 6 January: not the usage of the 2nd (before it) nor of the 7th, but that of
    the 5th; late usage of the 4th comes on the 9th, when it has expired.
    """
    house = CreditHouse()
    house.grant("g", "10", effective_at="2026-01-03T15:00:00Z", expires_at="2026-01-07")
    house.use("01-02", "1", loaded="01-05")
    house.use("01-05", "2")
    house.use("01-07", "4")
    house.use("01-04", "1", loaded="01-09")
    assert house.entries("01-31") == [
        ("01-03", "g", "grant", "10.0", None),
        ("01-05", "g", "draw", "-2.0", "01-05"),
        ("01-06", "g", "expiry", "-8.0", None),
    ]


def test_usage_days_are_local_and_grants_have_utc_days():
    """10:00 UTC on the 5th is the 5th in Tokyo too, 16:00 is the 6th there; the grant is of UTC's
    6th, and pays the second alone: 3.00.
    """
    house = CreditHouse()
    house.catalog["customers"][0]["time_zone"] = "Asia/Tokyo"
    house.grant("g", "10", effective_at="2026-01-06")
    house.land("01-06", '{"v":2}', occurred_at="2026-01-05T10:00:00Z")
    house.land("01-06", '{"v":3}', occurred_at="2026-01-05T16:00:00Z")
    assert house.draws("01-31") == [("01-06", "g", "-3.0", "01-06")]


def test_what_no_grant_paid_is_not_asked_again():
    """7 units, 4.00 of credit: 3.00 is billed; a grant of the next day pays nothing of them. One
    unit more of the same day is 8 in all: 1.00, which it does not pay either (its days are later).
    """
    house = CreditHouse()
    house.grant("g", "4")
    house.grant("h", "50", effective_at="2026-01-06")
    house.use("01-05", "7")
    house.use("01-05", "1", loaded="01-07")
    assert house.draws("02-05") == [("01-05", "g", "-4.0", "01-05")]
    assert house.document("02-05", "s@2026-02-01").due == 4


def test_a_grant_recorded_late_pays_nothing_that_was_posted_before():
    """Known on 8 January: the usage of the 5th is posted, that of the 6th comes in on the 9th."""
    house = CreditHouse()
    house.grant("g", "10", recorded_at="2026-01-08T09:00:00Z")
    house.use("01-05", "1")
    house.use("01-06", "2", loaded="01-09")
    assert house.entries("01-31") == [
        ("01-08", "g", "grant", "10.0", None),
        ("01-09", "g", "draw", "-2.0", "01-06"),
    ]


def test_a_grant_recorded_after_it_expired_comes_and_goes():
    house = CreditHouse()
    house.grant("g", "10", expires_at="2026-01-06", recorded_at="2026-01-08")
    house.use("01-08", "1")
    assert house.entries("01-31") == [
        ("01-08", "g", "grant", "10.0", None),
        ("01-08", "g", "expiry", "-10.0", None),
    ]


def test_the_order_of_grants():
    """One unit each: by priority, then the narrower scope, promotional, the earlier expiry, the
    earlier begin, the id in binary. 9 grants of 1.00, 9 units.
    """
    house = CreditHouse()
    house.add("products", product_id="product")
    house.catalog["plans"][0]["product_id"] = "product"
    late = {"effective_at": "2026-01-02"}
    house.grant("i-id", "1", **late)
    house.grant("Z-id", "1", **late)
    house.grant("h-early", "1")
    house.grant("g-end", "1", expires_at="2026-03-01")
    house.grant("f-end", "1", expires_at="2026-02-01")
    house.grant("e-gift", "1", kind="promotional")
    house.grant("d-sub", "1", scope="subscription", scope_id="s")
    house.grant("c-product", "1", scope="product", scope_id="product")
    house.grant("b-meter", "1", scope="meter", scope_id="m")
    house.grant("a-first", "1", priority="99")
    house.use("01-05", "10")
    assert [one[1] for one in house.draws("01-05")] == [
        "a-first",
        "b-meter",
        "c-product",
        "d-sub",
        "e-gift",
        "f-end",
        "g-end",
        "h-early",
        "Z-id",
        "i-id",
    ]


def test_scopes_of_others_pay_nothing():
    house = CreditHouse()
    house.grant("a", "9", scope="meter", scope_id="other")
    house.grant("b", "9", scope="product", scope_id="other")
    house.grant("c", "9", scope="subscription", scope_id="other")
    house.grant("d", "9", currency="EUR")
    house.use("01-05", "1")
    assert house.draws("02-05") == []


def test_a_discount_is_given_back_at_the_close_latest_days_first():
    """10.00 and 10.00, less 25 %: 15.00 is due. The cap leaves 10.00 and 5.00: 5.00 comes back."""
    house = CreditHouse()
    house.add("discounts", discount_id="d", level="invoice", percent="25")
    house.grant("g", "30")
    house.use("01-05", "10")
    house.use("01-06", "10")
    assert house.draws("02-01") == [
        ("01-05", "g", "-10.0", "01-05"),
        ("01-06", "g", "-10.0", "01-06"),
        ("02-01", "g", "5.0", "01-06"),
    ]
    assert house.document("02-01", "s@2026-02-01").credits_total == "15.0000"


def test_days_are_net_of_line_discounts():
    """25 % of 1.00, 2.00, 3.00 so far is 0.25, 0.50, 0.75: 0.75 a day, and nothing comes back."""
    house = CreditHouse()
    house.add("discounts", discount_id="d", level="line", percent="25")
    house.grant("g", "30")
    for day in ("01-05", "01-06", "01-07"):
        house.use(day, "1")
    assert house.draws("02-05") == [
        ("01-05", "g", "-0.75", "01-05"),
        ("01-06", "g", "-0.75", "01-06"),
        ("01-07", "g", "-0.75", "01-07"),
    ]
    assert house.document("02-05", "s@2026-02-01").credits_total == "2.2500"


def test_an_amount_off_a_charge_is_taken_first_and_a_percentage_of_what_it_leaves():
    """3.00 off, then 10 %: of 2.00, 5.00, 9.00 so far 0.00, 2.00, 6.00 are left, then 0.00, 1.80,
    5.40; a maximum of 5.00 comes after both: 0.00, 1.80, 5.00.
    """
    house = CreditHouse()
    house.add("discounts", discount_id="a", level="line", position="1", amount="3", currency="USD")
    house.add("discounts", discount_id="b", level="line", position="2", percent="10")
    limit = {"plan_id": "plan", "charge_id": "usage", "currency": "USD"}
    house.add("charge_limits", **limit, minimum="", maximum="5")
    house.grant("g", "30")
    for day, units in (("01-05", "2"), ("01-06", "3"), ("01-07", "4")):
        house.use(day, units)
    assert house.draws("02-05") == [
        ("01-06", "g", "-1.8", "01-06"),
        ("01-07", "g", "-3.2", "01-07"),
    ]


def test_a_discount_told_later_gives_back_on_the_day_on_which_it_is_known():
    """10.00 on the 5th; on the 9th half of it is known to be off: 5.00 comes back, of its day."""
    house = CreditHouse()
    known = "2026-01-09T10:00:00Z"
    house.add("discounts", discount_id="d", level="line", percent="50", recorded_at=known)
    house.grant("g", "30")
    house.use("01-05", "10")
    house.use("01-12", "10")
    assert house.draws("02-05") == [
        ("01-05", "g", "-10.0", "01-05"),
        ("01-09", "g", "5.0", "01-05"),
        ("01-12", "g", "-5.0", "01-12"),
    ]


def test_what_is_used_up_over_invoices_is_taken_off_at_the_close():
    """4.00 in all: 10.00 is drawn on its day, and 4.00 comes back when the month closes."""
    house = CreditHouse()
    house.add("discounts", discount_id="d", level="line", total_amount="4", currency="USD")
    house.grant("g", "30")
    house.use("01-05", "10")
    assert house.draws("02-05") == [
        ("01-05", "g", "-10.0", "01-05"),
        ("02-01", "g", "4.0", "01-05"),
    ]


def test_a_maximum_caps_the_days_and_a_minimum_draws_on_the_last():
    """A maximum of 12.00: 10.00, then 2.00. In February 4.00 is used of a minimum of 9.00: the
    line of 5.00 draws at the close, on 28 February.
    """
    house = CreditHouse()
    limit = {"plan_id": "plan", "charge_id": "usage", "currency": "USD"}
    house.add("charge_limits", **limit, minimum="9", maximum="12")
    house.grant("g", "100")
    house.use("01-05", "10")
    house.use("01-06", "10")
    house.use("02-05", "4")
    assert house.draws("03-01") == [
        ("01-05", "g", "-10.0", "01-05"),
        ("01-06", "g", "-2.0", "01-06"),
        ("02-05", "g", "-4.0", "02-05"),
        ("03-01", "g", "-5.0", "02-28"),
    ]


def test_what_can_fall_draws_at_the_close():
    """A latest value of 3, then 8 units is 8.00, drawn on the last day of the month."""
    house = CreditHouse(aggregation="latest")
    house.grant("g", "100")
    house.use("01-05", "3")
    house.use("01-09", "8")
    assert house.draws("02-05") == [("02-01", "g", "-8.0", "01-31")]


def test_a_greatest_value_draws_as_it_grows():
    """3, 8 and 4 units: 3.00, then 5.00 more, then nothing. A 6 of day 6 that comes in on day 12
    costs 3.00 there, and day 9 only 2.00 above it; 7 on day 9 would not have moved anything.
    """
    house = CreditHouse(aggregation="max")
    house.grant("g", "100")
    for day, units in (("01-05", "3"), ("01-09", "8"), ("01-11", "4")):
        house.use(day, units)
    house.use("01-06", "6", loaded="01-12")
    assert house.draws("02-05") == [
        ("01-05", "g", "-3.0", "01-05"),
        ("01-09", "g", "-5.0", "01-09"),
        ("01-12", "g", "3.0", "01-09"),
        ("01-12", "g", "-3.0", "01-06"),
    ]


def test_a_greatest_value_that_is_voided_leaves_the_next():
    """3, 8 and 5 units, then the 8 is voided: day 9 gives its 5.00 back, day 10 asks for 2.00. With
    the others voided too nothing is left of it.
    """
    house = CreditHouse(aggregation="max")
    house.grant("g", "100")
    for day, units in (("01-05", "3"), ("01-09", "8"), ("01-10", "5")):
        house.use(day, units, event_key=f"of {day}")
    house.land("01-12", voids_key="of 01-09")
    house.land("01-14", voids_key="of 01-05")
    house.land("01-16", voids_key="of 01-10")
    assert house.draws("02-05") == [
        ("01-05", "g", "-3.0", "01-05"),
        ("01-09", "g", "-5.0", "01-09"),
        ("01-12", "g", "5.0", "01-09"),
        ("01-12", "g", "-2.0", "01-10"),
        ("01-14", "g", "3.0", "01-05"),
        ("01-14", "g", "-3.0", "01-10"),
        ("01-16", "g", "5.0", "01-10"),
    ]
    assert house.left("01-16") == {"g": 100}


def test_an_allowance_comes_first():
    """5 are included: of 3, 3 and 3 units 0, 1 and 3 are charged."""
    house = CreditHouse()
    house.charge_row(allowance="5")
    house.grant("g", "100")
    for day in ("01-05", "01-06", "01-07"):
        house.use(day, "3")
    assert house.draws("01-31") == [
        ("01-06", "g", "-1.0", "01-06"),
        ("01-07", "g", "-3.0", "01-07"),
    ]


def test_a_shared_allowance_covers_by_the_day_in_the_order_of_charges():
    """10 are included. 4 units on day 5 and 8 mails on day 6: 2 mails are charged. 5 units more on
    day 7 take their place first, so that 5 mails more are: of day 7, for they cost it then.
    """
    house = CreditHouse()
    house.share("10")
    house.grant("g", "100")
    house.use("01-05", "4")
    house.use("01-06", "8", event_name="mail")
    house.use("01-07", "5")
    assert house.draws("02-05") == [
        ("01-06", "g", "-2.0", "01-06"),
        ("01-07", "g", "-5.0", "01-07"),
    ]


def test_what_is_carried_over_is_known_day_by_day():
    """10 a month, of which January leaves 6: of 20 in February 16 are covered, 4.00 are drawn.
    2 of January that come in within its days of grace leave 4: 2.00 more of the same day.
    """
    house = CreditHouse()
    house.catalog["plans"][0]["grace_days"] = "5"
    house.share("10", rollover_periods="1")
    house.grant("g", "100")
    house.use("01-10", "4")
    house.use("02-03", "20")
    house.use("01-30", "2", loaded="02-04")
    house.use("02-06", "1", event_name="mail")
    assert house.draws("02-10") == [
        ("02-03", "g", "-4.0", "02-03"),
        ("02-04", "g", "-2.0", "02-03"),
        ("02-06", "g", "-1.0", "02-06"),
    ]


def test_a_pool_covers_by_the_day_what_all_its_members_use():
    """Two subscriptions with 10 each: `t`, from 8 January, uses 12 on day 9, all covered. 11 of `s`
    on day 12 go first, as it is older: 9 are left for `t`, whose 3.00 are of day 12.
    """
    house = CreditHouse()
    house.add("subscriptions", subscription_id="t", customer_id="c", plan_id="plan")
    house.catalog["subscriptions"][1]["starts_at"] = "2026-01-08"
    house.share("10", pooled="true")
    house.grant("g", "100", scope="subscription", scope_id="t")
    house.use("01-09", "12", subscription_id="t")
    house.use("01-12", "11", subscription_id="s")
    assert house.draws("02-05") == [("01-12", "g", "-3.0", "01-12")]


def test_a_day_that_falls_asks_nothing_and_the_close_puts_it_right():
    """5 units, then 2 less, then 4: 5.00, 3.00, 7.00. Steps of 5, none and 4; 7.00 at the close:
    the last day keeps 2.00 of its 4.00.
    """
    house = CreditHouse()
    house.grant("g", "100")
    for day, units in (("01-05", "5"), ("01-06", "-2"), ("01-07", "4")):
        house.use(day, units)
    assert house.draws("02-05") == [
        ("01-05", "g", "-5.0", "01-05"),
        ("01-07", "g", "-4.0", "01-07"),
        ("02-01", "g", "2.0", "01-07"),
    ]


def test_a_void_gives_back_in_reverse_order():
    """8 units are 5.00 of a and 3.00 of b. 5 are voided: 3.00 to b first, then 2.00 to a."""
    house = CreditHouse()
    house.grant("a", "5", expires_at="2026-02-10")
    house.grant("b", "5", expires_at="2026-02-20")
    house.use("01-05", "3", event_key="keep")
    house.use("01-05", "5", event_key="x")
    house.land("01-09", voids_key="x")
    assert house.draws("01-09") == [
        ("01-05", "a", "-5.0", "01-05"),
        ("01-05", "b", "-3.0", "01-05"),
        ("01-09", "b", "3.0", "01-05"),
        ("01-09", "a", "2.0", "01-05"),
    ]
    assert house.left("01-09") == {"a": 2, "b": 5}


def test_a_fee_in_advance_is_of_its_first_day():
    """February's 20.00 closes on 1 February (the invoice of January), of 1 February; a fee in
    arrears is of the last day. A grant of January alone pays the fee in arrears, not the other.
    """
    house = CreditHouse()
    house.fee("20", "advance", "ahead")
    house.fee("7", "arrears", "after")
    house.grant("g", "100", effective_at="2026-01-02", expires_at="2026-02-01")
    house.grant("h", "15", effective_at="2026-02-01")
    assert house.draws("02-01") == [("02-01", "h", "-15.0", "02-01")]
    # The grant of January was over when January closed: known in time, credits that end with the
    # month pay no line that closes after it.
    house = CreditHouse()
    house.fee("7", "arrears", "after")
    house.grant("g", "100", effective_at="2026-01-02", expires_at="2026-02-03")
    assert house.draws("02-01") == [("02-01", "g", "-7.0", "01-31")]


def test_the_credit_of_a_fee_gives_back_to_the_grant():
    """28.00 for February in advance; the subscription ends on 15 February, known on the 10th: 14
    of 28 days are used, 14.00 is credited on the last invoice, and goes back.
    """
    house = CreditHouse()
    house.fee("28", "advance")
    house.grant("g", "100", effective_at="2026-02-01")
    change = {"subscription_id": "s", "change": "end", "changes_at": "2026-02-15"}
    house.add("subscription_changes", **change, recorded_at="2026-02-10T09:00:00Z")
    assert house.draws("03-01") == [
        ("02-01", "g", "-28.0", "02-01"),
        ("02-15", "g", "14.0", "02-01"),
    ]
    last = house.document("03-01", "s@2026-02-15")
    assert (last.total, last.credits_total, last.due) == ("-14.0000", "-14.0000", 0)


def test_a_give_back_to_a_grant_that_is_over():
    """4.00 of a gift and 6.00 of what was paid for, both over on 31 January. All 10 units are
    voided after January closed; corrected with February: the gift's 4.00 is lost, the 6.00 is
    balance. The document of -10.00 shows credits of -4.00: 6.00 is left for the next one.
    """
    house = CreditHouse()
    house.grant("gift", "4", kind="promotional", expires_at="2026-02-01")
    house.grant("paid", "6", expires_at="2026-02-01")
    house.use("01-05", "10", event_key="x")
    house.land("02-10", voids_key="x")
    assert [entry[:4] for entry in house.entries("03-01") if entry[0] > "02"] == [
        ("03-01", "paid", "give_back", "6.0"),
        ("03-01", "paid", "to_balance", "-6.0"),
        ("03-01", "gift", "give_back", "4.0"),
        ("03-01", "gift", "expiry", "-4.0"),
    ]
    corrected = house.document("03-01", "s@2026-03-01")
    assert (corrected.total, corrected.credits_total) == ("-10.0000", "-4.0000")
    assert house.bill("03-01").balances == {("c", "E", "USD"): 6}


def test_the_balance_pays_what_credits_left():
    """The 6.00 of before: March is 9.00, of which a grant pays 2.00, the balance 6.00, 1.00 is
    due.
    """
    house = CreditHouse()
    house.grant("paid", "6", expires_at="2026-02-01")
    house.grant("new", "2", effective_at="2026-03-01")
    house.use("01-05", "6", event_key="x")
    house.land("02-10", voids_key="x")
    house.use("03-05", "9")
    march = house.document("04-01", "s@2026-04-01")
    assert (march.total, march.credits_total, march.balance_applied) == (
        "9.0000",
        "2.0000",
        "6.0000",
    )
    assert march.due == 1


def test_recurring_credits_roll_over_up_to_the_cap():
    """10.00 a month from 31 January, at most 4.00 goes on: 3.00 is used in the first (7.00 left:
    4.00 on, 3.00 lost). The second begins on 28 February with 14.00, and goes on with 4.00.
    """
    house = CreditHouse()
    house.grant("r", "10", effective_at="2026-01-31", every="month", rollover_cap="4")
    house.use("02-05", "3")
    entries = [entry[:4] for entry in house.entries("03-31")]
    assert entries == [
        ("01-31", "r#1", "grant", "10.0"),
        ("02-05", "r#1", "draw", "-3.0"),
        ("02-27", "r#1", "transfer", "-4.0"),
        ("02-27", "r#2", "transfer", "4.0"),
        ("02-27", "r#1", "expiry", "-3.0"),
        ("02-28", "r#2", "grant", "10.0"),
        ("03-30", "r#2", "transfer", "-4.0"),
        ("03-30", "r#3", "transfer", "4.0"),
        ("03-30", "r#2", "expiry", "-10.0"),
        ("03-31", "r#3", "grant", "10.0"),
    ]
    # A build through the day of the rollover says the same of it.
    assert [entry[:4] for entry in house.entries("02-27")] == entries[:5]


def test_recurring_credits_end():
    """Until 1 March: 31 January and 28 February, none of 31 March. None follows the last."""
    house = CreditHouse()
    columns = {"effective_at": "2026-01-31", "every": "month", "rollover_cap": "4"}
    house.grant("r", "10", recurs_until="2026-03-01", **columns)
    entries = [entry[:4] for entry in house.entries("04-05")]
    assert entries[-1] == ("03-30", "r#2", "expiry", "-14.0")
    assert not any("r#3" in entry for entry in entries)


def test_a_void_takes_what_is_left_after_the_day_s_draws():
    """10.00, of which 3.00 is drawn on the day of the void; it does not expire again."""
    house = CreditHouse()
    house.grant("g", "10", expires_at="2026-01-20")
    void = {"action_id": "v", "action": "void", "grant_id": "g", "acts_at": "2026-01-06"}
    house.add("credit_actions", **void, recorded_at="2026-01-07T08:00:00Z")
    for day in ("01-07", "01-08"):
        house.use(day, "3")
    assert house.entries("01-31") == [
        ("01-01", "g", "grant", "10.0", None),
        ("01-07", "g", "draw", "-3.0", "01-07"),
        ("01-07", "g", "void", "-7.0", None),
    ]


def test_a_recurring_grant_is_voided_as_a_whole():
    """Weekly from 1 January, void on the 10th: that of the 8th ends, and none is made after."""
    house = CreditHouse()
    house.grant("r", "5", every="week")
    void = {"action_id": "v", "action": "void", "grant_id": "r", "acts_at": "2026-01-10"}
    house.add("credit_actions", **void)
    assert [entry[:4] for entry in house.entries("01-31")] == [
        ("01-01", "r#1", "grant", "5.0"),
        ("01-07", "r#1", "expiry", "-5.0"),
        ("01-08", "r#2", "grant", "5.0"),
        ("01-10", "r#2", "void", "-5.0"),
    ]


def test_transfers_move_at_most_what_is_left():
    """8.00 of 10.00 is left after the day's draw: 6.00, then 2.00 of the 5.00 asked for. The
    receiver expires on the same day, after them, with 1.00 + 8.00.
    """
    house = CreditHouse()
    house.grant("a", "10", priority="1")
    house.grant("b", "1", expires_at="2026-01-07")
    move = {"action": "transfer", "grant_id": "a", "to_grant_id": "b"}
    house.add("credit_actions", action_id="t1", **move, amount="6", acts_at="2026-01-05")
    house.add("credit_actions", action_id="t2", **move, amount="5", acts_at="2026-01-06")
    house.add("credit_actions", action_id="t3", **move, amount="5", acts_at="2026-01-07")
    house.use("01-05", "2")
    assert [entry[:4] for entry in house.entries("01-31") if entry[2] != "grant"] == [
        ("01-05", "a", "draw", "-2.0"),
        ("01-05", "a", "transfer", "-6.0"),
        ("01-05", "b", "transfer", "6.0"),
        ("01-06", "a", "transfer", "-2.0"),
        ("01-06", "b", "transfer", "2.0"),
        ("01-06", "b", "expiry", "-9.0"),
    ]


def test_a_true_up_needs_a_grant_that_covers_it():
    """50.00 is committed, 20.00 used: the true-up of 30.00 is paid by the second grant alone."""
    house = CreditHouse()
    columns = {"commitment_id": "k", "plan_id": "plan", "currency": "USD", "amount": "50"}
    house.add("commitments", **columns)
    house.grant("a", "100", priority="1")
    house.grant("b", "25", covers_true_up="true")
    house.use("01-05", "20")
    assert house.draws("02-01") == [
        ("01-05", "a", "-20.0", "01-05"),
        ("02-01", "b", "-25.0", "01-31"),
    ]
    assert house.document("02-01", "s@2026-02-01").due == 5


def test_a_correction_of_what_closed_before_any_grant_asks_for_the_change_alone():
    """January closed at 10.00 without credits. 4 units more of 6 January come in on 10 February,
    when there is a grant that is effective since 1 January: it pays 4.00 of the correction.
    """
    house = CreditHouse()
    house.grant("g", "100", recorded_at="2026-02-05")
    house.use("01-05", "10")
    house.use("01-06", "4", loaded="02-10")
    assert house.draws("03-01") == [("03-01", "g", "-4.0", "01-06")]


def test_a_void_invoice_gives_back_and_its_reissue_draws_again():
    """10.00 on two days, voided on 10 February and reissued on the 12th: the days are kept. A
    grant of 5.00 paid 5.00 of the 5th; void: it comes back; reissued: 5.00 of the 5th again.
    """
    house = CreditHouse()
    house.grant("g", "5")
    house.use("01-05", "6")
    house.use("01-06", "4")
    about = {"invoice_id": "s@2026-02-01"}
    house.add("invoice_actions", action_id="v", action="void", **about, recorded_at="2026-02-10")
    house.add("invoice_actions", action_id="r", action="reissue", **about, recorded_at="2026-02-12")
    assert house.draws("02-15") == [
        ("01-05", "g", "-5.0", "01-05"),
        ("02-10", "g", "5.0", "01-05"),
        ("02-12", "g", "-5.0", "01-05"),
    ]
    totals = {
        one.invoice_id: (one.total, one.credits_total) for one in house.bill("02-15").invoices
    }
    assert totals["s@2026-02-01.void.v"] == ("-10.0000", "-5.0000")
    assert totals["s@2026-02-01.reissue.r"] == ("10.0000", "5.0000")


def test_a_credit_note_gives_back_what_credits_paid_above_what_is_left():
    """10.00, of which credits paid 8.00; 5.00 is credited: 5.00 is left. The cap takes from the
    latest day: 6.00 and 4.00 become 5.00 and nothing. Paid were 6.00 and 2.00: 1.00 and 2.00 come
    back.
    """
    house = CreditHouse()
    house.grant("g", "8")
    house.use("01-05", "6")
    house.use("01-06", "4")
    action = {"action_id": "k", "action": "credit", "line_id": "s@2026-02-01#1", "amount": "5"}
    house.add("invoice_actions", **action, recorded_at="2026-02-10")
    assert house.draws("02-15")[2:] == [
        ("02-10", "g", "1.0", "01-05"),
        ("02-10", "g", "2.0", "01-06"),
    ]
    credited = house.document("02-15", "s@2026-02-01.credit.k")
    assert (credited.total, credited.credits_total) == ("-5.0000", "-3.0000")


def test_lines_of_a_day_are_paid_fees_first():
    """At the close of January: the fee in arrears (31 January) before what is used at its end.
    12.00 of credit: 7.00 for the fee, 5.00 of the usage's 8.00.
    """
    house = CreditHouse(aggregation="latest")
    house.fee("7", "arrears")
    house.grant("g", "12")
    house.use("01-05", "8")
    bill = house.bill("02-01")
    drawn = [(one.line_key, one.amount) for one in bill.credits.entries if one.kind == "draw"]
    assert drawn == [("s/1/base/recurring/2026-01-01", -7), ("s/1/usage/usage", -5)]


def test_a_price_that_is_known_late_asks_for_the_difference():
    """10 units at 1.00 on the 5th; known on the 10th: 2.00 each, for what is open too."""
    house = CreditHouse()
    house.grant("g", "100")
    house.use("01-05", "10")
    price = {"plan_id": "plan", "charge_id": "usage", "currency": "USD", "position": 1}
    late = {"applies_to": "open", "recorded_at": "2026-01-10T09:00:00Z"}
    house.add("prices", **price, **late, unit_price="2")
    assert house.draws("01-31") == [
        ("01-05", "g", "-10.0", "01-05"),
        ("01-10", "g", "-10.0", "01-05"),
    ]
    assert house.draws("01-08") == [("01-05", "g", "-10.0", "01-05")]


def test_what_is_rated_no_more_is_given_back():
    """On the 10th it is known that it ended on the 4th: usage of the 5th is nobody's."""
    house = CreditHouse()
    house.grant("g", "100")
    house.use("01-05", "10")
    change = {"subscription_id": "s", "change": "end", "changes_at": "2026-01-04"}
    house.add("subscription_changes", **change, recorded_at="2026-01-10T09:00:00Z")
    assert house.draws("01-31") == [
        ("01-05", "g", "-10.0", "01-05"),
        ("01-10", "g", "10.0", "01-05"),
    ]
