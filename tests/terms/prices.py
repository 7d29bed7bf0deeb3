"""Pins, overrides, ramps, prices at the close, prices told late."""

from tests.terms.builder import Line, Terms, instant, scenario


@scenario
def pin(terms: Terms) -> dict[str, list[Line]]:
    """Prices of the day that the subscription names, or of its periods."""
    terms.plan()
    terms.fee("10", timing="arrears")
    terms.price("fee", unit_price="12", valid_from="2026-02-01")
    terms.usage("1")
    terms.price("usage", unit_price="2", valid_from="2026-02-01")
    terms.subscribe("02-01", "03-01", suffix="kept", prices_as_of="2026-01-15")
    terms.subscribe("02-01", "03-01", suffix="new")
    for suffix in ("kept", "new"):
        terms.use("02-10", 10, suffix=suffix)
    return {
        "kept": [
            ("03-01", "recurring", "fee", "02-01", "03-01", "10.00"),
            ("03-01", "usage", "usage", "02-01", "03-01", "10.00"),
        ],
        "new": [
            ("03-01", "recurring", "fee", "02-01", "03-01", "12.00"),
            ("03-01", "usage", "usage", "02-01", "03-01", "20.00"),
        ],
    }


@scenario
def pin_of_a_change(terms: Terms) -> list[Line]:
    """To the plan in force, but with the prices of another day."""
    terms.plan()
    terms.fee("31", timing="arrears")
    terms.price("fee", unit_price="62", valid_from="2026-01-05")
    terms.subscribe(ends="02-01")
    terms.change_plan("01-11", "", prices_as_of="2026-01-08")
    return [
        # 31 x 10 / 31 and 62 x 21 / 31
        ("02-01", "recurring", "fee", "01-01", "01-11", "10.00"),
        ("02-01", "recurring", "fee", "01-11", "02-01", "42.00"),
    ]


@scenario
def override(terms: Terms) -> dict[str, list[Line]]:
    """A customer's own price goes before a later one of everybody."""
    terms.plan()
    terms.fee("10", timing="arrears")
    terms.price("fee", unit_price="12", valid_from="2026-01-01")
    terms.price("fee", unit_price="8", customer_id="override_own")
    for suffix in ("own", "other"):
        terms.subscribe(ends="02-01", suffix=suffix)
    return {
        "own": [("02-01", "recurring", "fee", "01-01", "02-01", "8.00")],
        "other": [("02-01", "recurring", "fee", "01-01", "02-01", "12.00")],
    }


@scenario
def ramp(terms: Terms) -> list[Line]:
    """The second month of the contract begins on 15 February: seen on 1 March."""
    terms.plan()
    terms.fee("10", timing="arrears")
    terms.price("fee", unit_price="20", contract_month=2)
    terms.price("fee", unit_price="30", contract_month=3)
    terms.subscribe("01-15", "04-01")
    return [
        # 10 x 17 / 31 = 5.48
        ("02-01", "recurring", "fee", "01-15", "02-01", "5.48"),
        ("03-01", "recurring", "fee", "02-01", "03-01", "10.00"),
        ("04-01", "recurring", "fee", "03-01", "04-01", "20.00"),
    ]


@scenario
def price_at_close(terms: Terms) -> list[Line]:
    terms.plan()
    terms.fee("31", timing="arrears", price_at="close")
    terms.price("fee", unit_price="62", valid_from="2026-01-15")
    for charge in ("start", "close"):
        terms.usage("1", charge=charge, price_at=charge)
        terms.price(charge, unit_price="2", valid_from="2026-01-15")
        # of the first day after the cycle, which is not its close
        terms.price(charge, unit_price="3", valid_from="2026-02-01")
    terms.subscribe(ends="02-01")
    terms.use("01-10", 10)
    return [
        ("02-01", "recurring", "fee", "01-01", "02-01", "62.00"),
        ("02-01", "usage", "start", "01-01", "02-01", "10.00"),
        ("02-01", "usage", "close", "01-01", "02-01", "20.00"),
    ]


@scenario
def applies_to(terms: Terms) -> list[Line]:
    """A price told after the start of a period binds it only if it says so; January is cut off
    at the midnight that ends 1 February.
    """
    terms.plan()
    told = {
        "not_said": ("01-20", ""),
        "open": ("01-20", "open"),
        "open_late": ("02-02", "open"),
        "closed": ("03-10", "closed"),
    }
    for charge, (known, applies) in told.items():
        terms.usage("1", charge=charge)
        row = {"valid_from": "2026-01-01", "recorded_at": instant(known), "applies_to": applies}
        terms.price(charge, unit_price="3", **row)
    terms.subscribe(ends="02-01")
    terms.use("01-10", 10)
    return [
        ("02-01", "usage", "not_said", "01-01", "02-01", "10.00"),
        ("02-01", "usage", "open", "01-01", "02-01", "30.00"),
        ("02-01", "usage", "open_late", "01-01", "02-01", "10.00"),
        # told on 10 March, when January had closed
        ("02-01", "usage", "closed", "01-01", "02-01", "10.00"),
        ("04-01.adjustments", "usage", "closed", "01-01", "02-01", "20.00"),
    ]


@scenario
def fees_that_are_open(terms: Terms) -> list[Line]:
    """A price told on the 20th: the fee in advance was billed, the one in arrears was not."""
    terms.plan()
    row = {"valid_from": "2026-01-01", "recorded_at": instant("01-20"), "applies_to": "open"}
    for timing in ("advance", "arrears"):
        terms.fee("31", charge=timing, timing=timing)
        terms.price(timing, unit_price="62", **row)
    terms.subscribe(ends="02-01")
    return [
        ("01-01", "recurring", "advance", "01-01", "02-01", "31.00"),
        ("02-01", "recurring", "arrears", "01-01", "02-01", "62.00"),
    ]


@scenario
def price_told_after_the_bill(terms: Terms) -> list[Line]:
    """January was billed ahead, through a change that was known: what is told of the second plan's
    price in between is for February.
    """
    terms.plan()
    terms.plan("next")
    for plan in ("", "next"):
        terms.fee("310", plan)
    row = {"valid_from": "2026-01-01", "recorded_at": instant("01-10")}
    terms.price("fee", "next", unit_price="31", **row)
    terms.subscribe(ends="03-01")
    terms.change_plan("01-21", "next", known="")
    return [
        ("01-01", "recurring", "fee", "01-01", "02-01", "310.00"),
        ("02-01", "recurring", "fee", "02-01", "03-01", "31.00"),
    ]
