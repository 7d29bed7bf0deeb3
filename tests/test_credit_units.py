"""Custom units of credit worked by hand and asked of the oracle; the arithmetic stands beside each.

A token costs 0.125 AI credits, kept to two decimals; one of these is worth 0.03 USD.
"""

from fractions import Fraction

from tests.test_credits_examples import CreditHouse

UNIT = "AI credits"


class UnitHouse(CreditHouse):
    """A house whose usage is priced in a unit."""

    def __init__(self, rate: str = "0.03", exponent: int = 2) -> None:
        super().__init__(bands=({"unit_price": "0.125"},))
        self.catalog["prices"][0]["currency"] = UNIT
        self.rate(rate, exponent=exponent)

    def rate(self, rate: str, **values: object) -> None:
        row = {"exponent": 2, "currency": "USD", "rate": rate} | values
        self.add("credit_units", unit=UNIT, **row)

    def gift(self, grant_id: str, amount: str, **values: str) -> None:
        self.grant(grant_id, amount, **({"currency": UNIT, "kind": "promotional"} | values))

    def totals(self, day: str, invoice_id: str) -> tuple[Fraction, Fraction, Fraction]:
        """What a document comes to, what credits pay of it, and what is due or becomes balance."""
        found = self.document(day, invoice_id)
        return Fraction(found.total), Fraction(found.credits_total), found.net


def three_days() -> UnitHouse:
    """40, 33 and 20 tokens: 5.00, 9.125 and 11.625 credits through each day."""
    house = UnitHouse()
    for day, tokens in (("01-05", "40"), ("01-06", "33"), ("01-07", "20")):
        house.use(day, tokens)
    return house


def test_units_are_drawn_by_day_and_rounded_at_their_exponent():
    """5.00, 9.13, 11.63 in all: 5.00, 4.13, 2.50. Of 10.00 are left 5.00, 0.87, nothing: 1.63 are
    not covered. 11.63 x 0.03 is 0.3489, 0.35; 1.63 x 0.03 is 0.0489: 0.05 is due, once.
    """
    house = three_days()
    house.gift("g", "10")
    assert house.draws("01-31") == [
        ("01-05", "g", "-5.0", "01-05"),
        ("01-06", "g", "-4.13", "01-06"),
        ("01-07", "g", "-0.87", "01-07"),
    ]
    line = house.document("02-05", "s@2026-02-01").lines[0]
    assert (line.unit, line.unit_total, line.line_total) == (UNIT, "11.6300", "0.3500")
    assert house.totals("02-05", "s@2026-02-01") == tuple(map(Fraction, ("0.35", "0.30", "0.05")))
    assert house.left("01-06") == {"g": Fraction("0.87")}


def test_money_does_not_pay_units_nor_units_money():
    """A fee of 4.00 and 11.63 credits, worth 0.35: the unit's grant pays the usage alone, that of
    money the fee alone.
    """
    house = three_days()
    house.fee("4", "arrears")
    house.gift("units", "100")
    house.grant("money", "3")
    assert {entry[:2] for entry in house.draws("02-05")} == {
        ("01-05", "units"), ("01-06", "units"), ("01-07", "units"), ("02-01", "money"),
    }  # fmt: skip
    assert house.totals("02-05", "s@2026-02-01") == tuple(map(Fraction, ("4.35", "3.35", "1.00")))


def test_the_rate_is_that_of_the_periods_start():
    """From 15 January on one is worth 0.05: January is still 0.35, February's 40 tokens, 5.00
    credits, are 0.25. One that was recorded when January had begun does not bind it.
    """
    house = three_days()
    house.rate("0.05", valid_from="2026-01-15")
    house.rate("0.09", valid_from="2026-01-01", recorded_at="2026-01-02T00:00:00Z")
    house.use("02-05", "40")
    assert house.totals("03-05", "s@2026-02-01")[0] == Fraction("0.35")
    assert house.totals("03-05", "s@2026-03-01")[0] == Fraction("0.25")


def test_late_usage_draws_units_and_the_rest_is_money():
    """8 tokens more of 5 January: 12.625, 12.63 credits, 0.38. A grant of 0.40 that has waited pays
    as much of the 1.00; 1.63 + 0.60 = 2.23 are not covered: 0.0669, 0.07, of which 0.05 was due.
    """
    house = three_days()
    house.gift("g", "10")
    house.gift("h", "0.40", effective_at="2026-01-01", recorded_at="2026-02-03T00:00:00Z")
    house.use("01-05", "8", loaded="02-10")
    assert house.draws("03-05")[3:] == [("03-01", "h", "-0.4", "01-05")]
    assert house.totals("03-05", "s@2026-03-01") == tuple(map(Fraction, ("0.03", "0.01", "0.02")))


def test_what_is_voided_gives_units_back():
    """The 20 tokens are withdrawn in February: 9.13 credits, 0.27. What was billed goes first: the
    1.63, then 0.87 to the grant. 0.05 had been due: -0.08 less what credits no longer pay, -0.03.
    """
    house = UnitHouse()
    for day, tokens in (("01-05", "40"), ("01-06", "33"), ("01-07", "20")):
        house.use(day, tokens, event_key=day)
    house.gift("g", "10")
    house.land("02-10", voids_key="01-07")
    assert house.draws("03-05")[3:] == [("03-01", "g", "0.87", "01-07")]
    assert house.totals("03-05", "s@2026-03-01") == tuple(
        map(Fraction, ("-0.08", "-0.03", "-0.05"))
    )
    assert house.left("03-05") == {"g": Fraction("0.87")}


def test_units_of_a_paid_grant_that_has_ended_become_balance_at_the_rate():
    """All 11.63 are covered, nothing is due. The void gives 2.50 back to a grant that is over: they
    are gone for it, and the document's -0.08 is the customer's: 2.50 x 0.03 = 0.075.
    """
    house = UnitHouse()
    for day, tokens in (("01-05", "40"), ("01-06", "33"), ("01-07", "20")):
        house.use(day, tokens, event_key=day)
    house.gift("g", "100", kind="paid", expires_at="2026-02-05T00:00:00Z")
    house.land("02-10", voids_key="01-07")
    assert house.entries("03-05", "give_back", "to_balance") == [
        ("03-01", "g", "give_back", "2.5", "01-07"),
        ("03-01", "g", "to_balance", "-2.5", "01-07"),
    ]
    assert house.totals("02-05", "s@2026-02-01")[2] == 0
    assert house.totals("03-05", "s@2026-03-01") == tuple(map(Fraction, ("-0.08", "0.00", "-0.08")))


def test_fewer_units_than_a_cent_still_draw():
    """One is worth 0.001: 5.00 credits are 0.005, 0.01 rounded; one more token, 5.13, is 0.01 too,
    and the late token draws its 0.13 all the same.
    """
    house = UnitHouse(rate="0.001")
    house.gift("g", "10")
    house.use("01-05", "40")
    house.use("01-05", "1", loaded="02-10")
    assert house.draws("03-05") == [
        ("01-05", "g", "-5.0", "01-05"),
        ("03-01", "g", "-0.13", "01-05"),
    ]
    assert house.totals("03-05", "s@2026-03-01") == (0, 0, 0)


def test_no_discount_and_no_commitment_takes_part():
    """10 % off the invoice is off the fee alone, and the commitment of 5.00 counts its 3.60."""
    house = three_days()
    house.fee("4", "arrears")
    house.add("discounts", discount_id="d", level="invoice", percent="10", customer_id="c")
    commitment = {"commitment_id": "k", "plan_id": "plan", "currency": "USD", "amount": "5"}
    house.add("commitments", **commitment)
    lines = house.document("02-05", "s@2026-02-01").lines
    assert [(line.kind, line.line_total) for line in lines] == [
        ("recurring", "3.6000"), ("usage", "0.3500"), ("true_up", "1.4000"),
    ]  # fmt: skip


def test_a_line_in_units_is_not_credited_but_voided():
    house = three_days()
    house.gift("g", "10")
    by = {"acted_by": "desk", "reason": "asked for"}
    line_id = "s@2026-02-01#1"
    house.add(
        "invoice_actions", action_id="a", action="credit", line_id=line_id, amount="0.01",
        recorded_at="2026-02-04T10:00:00Z", **by,
    )  # fmt: skip
    house.add(
        "invoice_actions", action_id="b", action="void", invoice_id="s@2026-02-01",
        recorded_at="2026-02-06T10:00:00Z", **by,
    )  # fmt: skip
    assert house.bill("02-10").refused == {"a": "priced_in_units"}
    assert house.totals("02-10", "s@2026-02-01.void.b") == tuple(
        map(Fraction, ("-0.35", "-0.30", "-0.05"))
    )
    assert house.left("02-10") == {"g": Fraction(10)}


def test_only_units_of_ones_own_kind_pay():
    """A period whose currency has no rate is not priced: its usage is billed by nothing."""
    house = three_days()
    house.catalog["credit_units"][0]["valid_from"] = "2026-02-01"
    assert [reason for *_, reason in house.bill("01-31").unbilled] == ["no_charge"] * 3
