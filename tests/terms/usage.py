"""Usage of parts of a cycle, and what a plan includes of it."""

from datetime import datetime

from tests.terms.builder import Line, Terms, scenario


@scenario
def unsplit(terms: Terms) -> list[Line]:
    """Two plans with the same tiers: one total, the second tier reached in the second plan."""
    bands = ({"up_to": "100", "unit_price": "1"}, {"unit_price": "0.5"})
    terms.plan()
    terms.usage(model="tiered", bands=bands)
    terms.plan("next")
    terms.usage(model="tiered", bands=bands, plan="next")
    terms.subscribe(ends="02-01")
    terms.change_plan("01-16", "next")
    terms.use("01-10", 80)
    terms.use("01-20", 60)
    # 100 x 1 + 40 x 0.5
    return [("02-01", "usage", "usage", "01-01", "02-01", "120.00")]


@scenario
def split(terms: Terms) -> list[Line]:
    """Another price inside a quarter of an hour: exact to the event, all else by days."""
    terms.plan()
    terms.usage("1", allowance=31)
    terms.limits(minimum="62")
    terms.plan("next")
    terms.usage("2", plan="next", allowance=31)
    terms.limits("next", minimum="62")
    terms.subscribe(ends="02-01")
    terms.change_plan("01-16T10:07:00", "next")
    terms.use("01-10", 20)
    terms.use("01-16T10:06:59.999999", 5)
    terms.use("01-16T10:07:00", 7)
    terms.use("01-20", 20)
    return [
        # 25 units less 31 x 15 / 31 = 15 at 1; minimum 62 x 15 / 31 = 30
        ("02-01", "usage", "usage", "01-01", "01-16T10:07", "10.00"),
        ("02-01", "minimum", "usage", "01-01", "01-16T10:07", "20.00"),
        # 27 units less 31 x 16 / 31 = 16 at 2; minimum 62 x 16 / 31 = 32
        ("02-01", "usage", "usage", "01-16T10:07", "02-01", "22.00"),
        ("02-01", "minimum", "usage", "01-16T10:07", "02-01", "10.00"),
    ]


@scenario
def split_peaks(terms: Terms) -> list[Line]:
    """A peak's amount is times its part's share, or in full; a charge of one plan is a part too."""
    terms.plan()
    terms.plan("next")
    for charge in ("share", "full"):
        terms.usage("31", charge=charge, meter="peak", split=charge)
        terms.usage("62", charge=charge, meter="peak", split=charge, plan="next")
    terms.usage(charge="entry", model="flat", bands=({"flat_fee": "31"},), plan="next")
    terms.subscribe(ends="02-01")
    terms.change_plan("01-11", "next")
    terms.use("01-05", 2, event="peak")
    terms.use("01-06", 1, event="peak")
    terms.use("01-20", 2, event="peak")
    terms.use("01-21", 1)
    return [
        # 2 x 31 x 10 / 31 and 2 x 62 x 21 / 31
        ("02-01", "usage", "share", "01-01", "01-11", "20.00"),
        ("02-01", "usage", "share", "01-11", "02-01", "84.00"),
        ("02-01", "usage", "full", "01-01", "01-11", "62.00"),
        ("02-01", "usage", "full", "01-11", "02-01", "124.00"),
        # 31 x 21 / 31
        ("02-01", "usage", "entry", "01-11", "02-01", "21.00"),
    ]


@scenario
def split_level(terms: Terms) -> list[Line]:
    """A level of 31 goes on in the next part; its quantity is by the whole cycle's seconds."""
    terms.plan()
    terms.usage("1", meter="level")
    terms.plan("next")
    terms.usage("2", meter="level", plan="next")
    terms.subscribe(ends="02-01")
    terms.change_plan("01-11", "next")
    terms.use("01-01T00:00:00", 31, event="level")
    return [
        ("02-01", "usage", "usage", "01-01", "01-11", "10.00"),
        ("02-01", "usage", "usage", "01-11", "02-01", "42.00"),
    ]


@scenario
def split_percentage(terms: Terms) -> list[Line]:
    """The free amount goes with the days, and so do the free events."""
    free = {"free_amount": "310", "free_events": "31", "event_fee": "1"}
    terms.plan()
    terms.usage(model="percentage", bands=({"percent": "10", **free},))
    terms.plan("next")
    terms.usage(model="percentage", bands=({"percent": "20", **free},), plan="next")
    terms.subscribe(ends="02-01")
    terms.change_plan("01-11", "next")
    for number in range(12):
        terms.use(f"01-05T00:{number:02}:00", 25)
    terms.use("01-20", 410)
    return [
        # 10 % of 300 - 100, and 12 - 10 events
        ("02-01", "usage", "usage", "01-01", "01-11", "22.00"),
        # 20 % of 410 - 210, and no event past 21
        ("02-01", "usage", "usage", "01-11", "02-01", "40.00"),
    ]


@scenario
def usage_by_days(terms: Terms) -> list[Line]:
    """A first part of a cycle has its part of allowance and maximum, if the charge says so."""
    terms.plan()
    terms.usage("1", charge="days", allowance=31, proration="days")
    terms.limits(charge="days", maximum="62")
    terms.usage("1", charge="whole", allowance=31)
    terms.subscribe("01-22", "02-01")
    terms.use("01-25", 50)
    return [
        # 50 less 31 x 10 / 31 = 10 at 1 is 40; at most 62 x 10 / 31 = 20
        ("02-01", "usage", "days", "01-22", "02-01", "20.00"),
        ("02-01", "usage", "whole", "01-22", "02-01", "19.00"),
    ]


# -- allowances --------------------------------------------------------------------------------


@scenario
def rollover(terms: Terms) -> list[Line]:
    """At most 50 are carried over, and used first."""
    terms.plan()
    terms.usage("1")
    terms.allow(100, rollover_periods=1, rollover_cap=50)
    terms.subscribe(ends="04-01")
    terms.use("01-10", 30)
    terms.use("02-10", 120)
    terms.use("03-10", 200)
    return [
        ("02-01", "usage", "usage", "01-01", "02-01", "0.00"),
        # 50 of January, 70 of its own: 30 are left
        ("03-01", "usage", "usage", "02-01", "03-01", "0.00"),
        # 200 - 30 - 100
        ("04-01", "usage", "usage", "03-01", "04-01", "70.00"),
    ]


@scenario
def rollover_of_two(terms: Terms) -> list[Line]:
    """What was carried over once may be again, the oldest is used first."""
    terms.plan()
    terms.usage("1")
    terms.allow(100, rollover_periods=2)
    terms.subscribe(ends="04-01")
    terms.use("01-10", 30)
    terms.use("02-10", 40)
    terms.use("03-10", 400)
    return [
        ("02-01", "usage", "usage", "01-01", "02-01", "0.00"),
        # 40 of January's 70: 30 of January and 100 of February are left
        ("03-01", "usage", "usage", "02-01", "03-01", "0.00"),
        # 400 - 30 - 100 - 100
        ("04-01", "usage", "usage", "03-01", "04-01", "170.00"),
    ]


@scenario
def rollover_over_parts(terms: Terms) -> list[Line]:
    """What a part leaves goes to the next part."""
    terms.plan()
    terms.usage("1")
    terms.plan("next")
    terms.usage("2", plan="next")
    for plan in ("", "next"):
        terms.allow(31, plan, rollover_periods=1)
    terms.subscribe(ends="02-01")
    terms.change_plan("01-11", "next")
    terms.use("01-05", 4)
    terms.use("01-20", 30)
    return [
        # 10 of 31: 6 are left
        ("02-01", "usage", "usage", "01-01", "01-11", "0.00"),
        # 30 - 6 - 21 at 2
        ("02-01", "usage", "usage", "01-11", "02-01", "6.00"),
    ]


@scenario
def pool(terms: Terms) -> dict[str, list[Line]]:
    """Two subscriptions of a customer share 200: the one that started first takes first."""
    terms.plan()
    terms.usage("1")
    terms.allow(100, pooled="true")
    terms.subscribe("01-01", "02-01", suffix="second")
    terms.subscribe("2025-12-01", "02-01", suffix="first", customer="second")
    for subscription, quantity in {"second": 80, "first": 150}.items():
        named = {"subscription_id": terms.id(subscription)}
        terms.use("01-10", quantity, suffix="second", **named)
    return {
        "first": [("02-01", "usage", "usage", "01-01", "02-01", "0.00")],
        # 200 - 150 = 50 are left for 80
        "second": [("02-01", "usage", "usage", "01-01", "02-01", "30.00")],
    }


@scenario
def pool_by_days(terms: Terms) -> dict[str, list[Line]]:
    """The one that starts on the 16th brings 100 x 16 / 31 = 51.6129032258."""
    terms.plan()
    terms.usage("1")
    terms.allow(100, pooled="true", proration="days")
    terms.subscribe("01-01", "02-01", suffix="first")
    terms.subscribe("01-16", "02-01", suffix="second", customer="first")
    for subscription, quantity in {"first": 150, "second": 10}.items():
        named = {"subscription_id": terms.id(subscription)}
        terms.use("01-20", quantity, suffix="first", **named)
    return {
        "first": [("02-01", "usage", "usage", "01-01", "02-01", "0.00")],
        # 10 - 1.6129032258
        "second": [("02-01", "usage", "usage", "01-16", "02-01", "8.39")],
    }


# -- late usage --------------------------------------------------------------------------------


@scenario
def late_before_a_cut(terms: Terms) -> dict[str, list[Line]]:
    """Where what is late stands is decided on the first of the month, by what is known then."""
    terms.plan(cycle="quarter", alignment="anniversary")
    terms.usage("1")
    terms.plan("next", cycle="quarter", alignment="anniversary")
    terms.usage("1", plan="next")
    for suffix in ("told_later", "announced", "called_off", "overtaken", "put_off"):
        terms.subscribe("2025-12-05", suffix=suffix)
        terms.use("01-10", 4, suffix=suffix)
        # Of the quarter that closed on the 6th, and known on the 21st.
        terms.use("03-04", 6, suffix=suffix, loaded_at=datetime(2026, 3, 20))
        terms.use("03-10", 3, suffix=suffix)
        terms.use("04-16", 2, suffix=suffix)

    def change(suffix: str, at: str, known: str, **values: str) -> None:
        anchor = {"plan_id": terms.id("next"), "anchor_date": f"2026-{at}"}
        terms.change("plan", at, known, suffix, **anchor, **values)

    change("told_later", "04-10", "04-10")
    change("announced", "04-15", "03-30T23:59:59")
    change("called_off", "04-15", "03-12")
    change("called_off", "04-15", "04-05", withdrawn="true")
    terms.change("end", "04-18", "03-12", "overtaken")
    change("overtaken", "04-10", "04-10")
    change("put_off", "04-15", "03-12")
    change("put_off", "04-15", "04-01T00:00:01", withdrawn="true")
    change("put_off", "04-28", "04-01T00:00:02")
    terms.subscribe("2025-08-05", suffix="ended")
    terms.use("2025-11-04", 6, suffix="ended", loaded_at=datetime(2026, 2, 20))
    terms.use("01-10", 4, suffix="ended")
    change("ended", "03-15", "02-12")
    terms.change("end", "02-05", "03-10", "ended")
    first = ("03-05", "usage", "usage", "2025-12-05", "03-05", "4.00")
    late = ("usage", "usage", "2025-12-05", "03-05", "6.00")
    return {
        # On the 1st the next invoice is that of 5 June.
        "told_later": [
            first,
            ("04-01.adjustments", *late),
            ("04-10", "usage", "usage", "03-05", "04-10", "3.00"),
            ("07-10", "usage", "usage", "04-10", "07-10", "2.00"),
        ],
        # On the 1st it closes on the 16th: less than a month from the 21st.
        "announced": [
            first,
            ("04-15", "usage", "usage", "03-05", "04-15", "3.00"),
            ("04-15", *late),
            ("07-15", "usage", "usage", "04-15", "07-15", "2.00"),
        ],
        # So it was waited for; then it is that of 5 June, and the next first of a month comes.
        "called_off": [
            first,
            ("05-01.adjustments", *late),
            ("06-05", "usage", "usage", "03-05", "06-05", "5.00"),
        ],
        # The end on the 18th was waited for, and the change comes first.
        "overtaken": [
            first,
            ("04-10", "usage", "usage", "03-05", "04-10", "3.00"),
            ("04-10", *late),
            ("04-18", "usage", "usage", "04-10", "04-18", "2.00"),
        ],
        # What was waited for comes later, but before the next first of a month.
        "put_off": [
            first,
            ("04-28", "usage", "usage", "03-05", "04-28", "5.00"),
            ("04-28", *late),
        ],
        # On 1 March it waits for the 16th; then it turns out that all had ended with February's.
        "ended": [
            ("02-05", "usage", "usage", "2025-11-05", "02-05", "4.00"),
            ("04-01.adjustments", "usage", "usage", "2025-08-05", "2025-11-05", "6.00"),
        ],
    }
