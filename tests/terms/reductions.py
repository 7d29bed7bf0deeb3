"""Discounts and commitments."""

from datetime import datetime

from tests.terms.builder import ANY, Line, Terms, scenario


@scenario
def stacked_discounts(terms: Terms) -> list[Line]:
    terms.plan()
    terms.fee("100", timing="arrears")
    terms.usage("1")
    terms.discount(3, "line", percent=10, charge_id="fee")
    terms.discount(2, "product", amount=20, product_id="stacked_discounts")
    terms.discount(1, "invoice", percent=5)
    terms.subscribe(ends="02-01")
    terms.use("01-10", 60)
    # 100 - 10 = 90 beside 60; 20 of 150 is 12 and 8: 78 and 52; 5 % of 130 is 3.90 and 2.60
    return [
        ("02-01", "recurring", "fee", "01-01", "02-01", "74.10"),
        ("02-01", "usage", "usage", "01-01", "02-01", "49.40"),
    ]


@scenario
def discounts_in_time(terms: Terms) -> dict[str, list[Line]]:
    """A total is used up; a share is off for two periods."""
    terms.plan()
    terms.fee("100", timing="arrears")
    for suffix in ("total", "two"):
        terms.subscribe(ends="04-01", suffix=suffix)
    terms.discount(1, "invoice", "total", total_amount=150)
    terms.discount(1, "invoice", "two", percent=10, periods=2)
    months = (("02-01", "01-01"), ("03-01", "02-01"), ("04-01", "03-01"))
    totals = {"total": ("0.00", "50.00", "100.00"), "two": ("90.00", "90.00", "100.00")}
    return {
        suffix: [
            (to, "recurring", "fee", begin, to, value)
            for (to, begin), value in zip(months, values, strict=True)
        ]
        for suffix, values in totals.items()
    }


@scenario
def discount_from_a_day(terms: Terms) -> list[Line]:
    """For the first period that begins on the day or after."""
    terms.plan()
    terms.fee("100", timing="arrears")
    terms.subscribe(ends="04-01")
    terms.discount(1, "line", percent=10, periods=1, valid_from="2026-01-15")
    return [
        ("02-01", "recurring", "fee", "01-01", "02-01", "100.00"),
        ("03-01", "recurring", "fee", "02-01", "03-01", "90.00"),
        ("04-01", "recurring", "fee", "03-01", "04-01", "100.00"),
    ]


@scenario
def discount_of_a_plan(terms: Terms) -> list[Line]:
    terms.plan()
    terms.fee("31", timing="arrears")
    terms.plan("big")
    terms.fee("62", plan="big", timing="arrears")
    terms.subscribe(ends="02-01")
    terms.discount(1, "line", percent=10, plan_id=terms.name)
    terms.change_plan("01-11", "big")
    return [
        # 10 less a tenth, then 42
        ("02-01", "recurring", "fee", "01-01", "01-11", "9.00"),
        ("02-01", "recurring", "fee", "01-11", "02-01", "42.00"),
    ]


@scenario
def discount_and_limits(terms: Terms) -> list[Line]:
    """A line's discount goes before the maximum, an invoice's after it and after the minimum."""
    terms.plan()
    terms.usage("1", charge="capped")
    terms.limits(charge="capped", maximum="80")
    terms.usage("0.1", charge="least")
    terms.limits(charge="least", minimum="40")
    terms.discount(1, "line", percent=10)
    terms.discount(2, "invoice", percent=5)
    terms.subscribe(ends="02-01")
    terms.use("01-10", 100)
    return [
        # 100 - 10 = 90, at most 80, less 4
        ("02-01", "usage", "capped", "01-01", "02-01", "76.00"),
        # 10 - 1 = 9, less 0.45
        ("02-01", "usage", "least", "01-01", "02-01", "8.55"),
        # 40 - 9 = 31, less 1.55
        ("02-01", "minimum", "least", "01-01", "02-01", "29.45"),
    ]


@scenario
def commitment(terms: Terms) -> list[Line]:
    """Of usage alone: what lacks in January, half more for what is over it in February."""
    terms.plan()
    terms.fee("10", timing="arrears")
    terms.usage("1")
    terms.commit(amount=100, charge_ids="usage", overage_factor="1.5")
    terms.subscribe(ends="03-01")
    terms.use("01-10", 60)
    terms.use("02-10", 160)
    return [
        ("02-01", "recurring", "fee", "01-01", "02-01", "10.00"),
        ("02-01", "usage", "usage", "01-01", "02-01", "60.00"),
        ("02-01", "true_up", "commitment", ANY, ANY, "40.00"),
        ("03-01", "recurring", "fee", "02-01", "03-01", "10.00"),
        ("03-01", "usage", "usage", "02-01", "03-01", "160.00"),
        # 0.5 x 60
        ("03-01", "overage", "commitment", ANY, ANY, "30.00"),
    ]


@scenario
def commitment_of_later_fees(terms: Terms) -> list[Line]:
    """A fee of two months in arrears is invoiced with the second, and counts there."""
    terms.plan()
    terms.fee("30", timing="arrears", every_cycles=2)
    terms.usage("1")
    terms.commit(amount=100)
    terms.subscribe(ends="03-01")
    terms.use("01-10", 60)
    terms.use("02-10", 60)
    return [
        ("02-01", "usage", "usage", "01-01", "02-01", "60.00"),
        ("02-01", "true_up", "commitment_of_later_fees", ANY, ANY, "40.00"),
        ("03-01", "recurring", "fee", "01-01", "03-01", "30.00"),
        ("03-01", "usage", "usage", "02-01", "03-01", "60.00"),
        # 100 - 30 - 60
        ("03-01", "true_up", "commitment_of_later_fees", ANY, ANY, "10.00"),
    ]


@scenario
def commitment_with_credit(terms: Terms) -> list[Line]:
    """A plan's commitment is of the periods that began on it; its fee counts net of the credit."""
    terms.plan()
    terms.fee("31")
    terms.plan("big")
    terms.fee("62", plan="big")
    terms.commit(amount=100)
    terms.subscribe(ends="03-01")
    terms.change_plan("01-11", "big")
    return [
        ("01-01", "recurring", "fee", "01-01", "02-01", "31.00"),
        ("02-01", "credit", "fee", "01-11", "02-01", "-21.00"),
        ("02-01", "recurring", "fee", "01-11", "02-01", "42.00"),
        ("02-01", "recurring", "fee", "02-01", "03-01", "62.00"),
        # 100 - 31 + 21 - 42
        ("02-01", "true_up", "commitment_with_credit", ANY, ANY, "48.00"),
    ]


@scenario
def commitment_of_units(terms: Terms) -> list[Line]:
    """31 units a month are 15 in the days from the 17th on; 10 lack, at 2 each."""
    terms.plan()
    terms.usage("1")
    terms.commit(quantity=31, unit_price=2, charge_ids="usage")
    terms.subscribe("01-17", "02-01")
    terms.use("01-20", 5)
    return [
        ("02-01", "usage", "usage", "01-17", "02-01", "5.00"),
        ("02-01", "true_up", "commitment_of_units", ANY, ANY, "20.00"),
    ]


@scenario
def commitment_of_a_quarter(terms: Terms) -> list[Line]:
    """The window's last invoice settles it, on what is left after discounts."""
    terms.plan()
    terms.usage("1")
    terms.commit(amount=300, window_cycles=3)
    terms.discount(1, "invoice", percent=10)
    terms.subscribe(ends="04-01")
    for day, quantity in {"01-10": 50, "02-10": 60, "03-10": 70}.items():
        terms.use(day, quantity)
    return [
        ("02-01", "usage", "usage", "01-01", "02-01", "45.00"),
        ("03-01", "usage", "usage", "02-01", "03-01", "54.00"),
        ("04-01", "usage", "usage", "03-01", "04-01", "63.00"),
        # 300 - 45 - 54 - 63
        ("04-01", "true_up", "commitment_of_a_quarter", ANY, ANY, "138.00"),
    ]


@scenario
def commitment_of_an_opening(terms: Terms) -> list[Line]:
    """What was billed at the start counts also where a later run corrects what has been settled."""
    terms.plan()
    terms.fee("100")
    terms.usage("1")
    terms.commit(amount=500, window_cycles=2)
    terms.subscribe(ends="03-01")
    for day, quantity in {"01-10": 60, "02-10": 50}.items():
        terms.use(day, quantity)
    terms.use("01-11", 40, loaded_at=datetime(2026, 3, 5))
    return [
        ("01-01", "recurring", "fee", "01-01", "02-01", "100.00"),
        ("02-01", "recurring", "fee", "02-01", "03-01", "100.00"),
        ("02-01", "usage", "usage", "01-01", "02-01", "60.00"),
        ("03-01", "usage", "usage", "02-01", "03-01", "50.00"),
        # 500 - 2 x 100 - 60 - 50
        ("03-01", "true_up", "commitment_of_an_opening", ANY, ANY, "190.00"),
        ("04-01.adjustments", "usage", "usage", "01-01", "02-01", "40.00"),
        ("04-01.adjustments", "true_up", "commitment_of_an_opening", ANY, ANY, "-40.00"),
    ]


@scenario
def overage_of_a_quarter(terms: Terms) -> list[Line]:
    """A contract of one subscription: a fifth more for what passes 300, month by month."""
    terms.plan()
    terms.usage("1")
    values = {"amount": 300, "window_cycles": 3, "overage_factor": "1.2"}
    terms.commit(subscription_id="overage_of_a_quarter", **values)
    terms.subscribe(ends="04-01")
    for day, quantity in {"01-10": 200, "02-10": 150, "03-10": 50}.items():
        terms.use(day, quantity)
    return [
        ("02-01", "usage", "usage", "01-01", "02-01", "200.00"),
        ("03-01", "usage", "usage", "02-01", "03-01", "150.00"),
        # 0.2 x (350 - 300)
        ("03-01", "overage", "overage_of_a_quarter", ANY, ANY, "10.00"),
        ("04-01", "usage", "usage", "03-01", "04-01", "50.00"),
        # 0.2 x (400 - 300) less what was
        ("04-01", "overage", "overage_of_a_quarter", ANY, ANY, "10.00"),
    ]


@scenario
def ended_before_the_next_plan(terms: Terms) -> list[Line]:
    """The fee of a plan that was to follow was billed ahead: the end before it gives it back."""
    terms.plan()
    terms.usage("1")
    terms.plan("big")
    terms.usage("1", plan="big")
    terms.fee("56", plan="big")
    values = {"amount": 28, "overage_factor": 2}
    terms.commit(subscription_id="ended_before_the_next_plan", **values)
    terms.subscribe()
    terms.change_plan("02-15", "big", known="01-20")
    terms.change("end", "02-10", known="02-20")
    terms.use("01-10", 28)
    terms.use("02-05", 40)
    return [
        ("02-01", "usage", "usage", "01-01", "02-01", "28.00"),
        # 56 x 14 / 28
        ("02-01", "recurring", "fee", "02-15", "03-01", "28.00"),
        ("02-10", "usage", "usage", "02-01", "02-10", "40.00"),
        # 28 x 9 / 28 were committed; the fee that goes back counts no more
        ("02-10", "overage", "ended_before_the_next_plan", ANY, ANY, "31.00"),
        ("02-10", "recurring", "fee", "02-15", "03-01", "-28.00"),
    ]
