"""Plan changes, seats, pauses, trials, ends: fees and what goes back of them."""

from datetime import datetime

from tests.terms.builder import Line, Terms, scenario


@scenario
def upgrade(terms: Terms) -> list[Line]:
    terms.plan()
    terms.fee("31")
    terms.plan("big")
    terms.fee("62", plan="big")
    terms.subscribe(ends="03-01")
    terms.change_plan("01-11", "big")
    return [
        ("01-01", "recurring", "fee", "01-01", "02-01", "31.00"),
        # used 31 x 10 / 31 = 10: 31 - 10 goes back
        ("02-01", "credit", "fee", "01-11", "02-01", "-21.00"),
        # 62 x 21 / 31
        ("02-01", "recurring", "fee", "01-11", "02-01", "42.00"),
        ("02-01", "recurring", "fee", "02-01", "03-01", "62.00"),
    ]


@scenario
def downgrade_with_discount(terms: Terms) -> list[Line]:
    """The credit is net of the tenth that was off."""
    terms.plan()
    terms.fee("62")
    terms.plan("small")
    terms.fee("31", plan="small")
    terms.subscribe(ends="03-01")
    terms.discount(1, "line", percent=10)
    terms.change_plan("01-11", "small")
    return [
        # 62.00 - 6.20
        ("01-01", "recurring", "fee", "01-01", "02-01", "55.80"),
        # used 62 x 10 / 31 = 20.00, net 20.00 x 55.80 / 62.00 = 18.00; 55.80 - 18.00
        ("02-01", "credit", "fee", "01-11", "02-01", "-37.80"),
        # 10 % of 21.00 + 31.00 is 5.20, of which 5.20 x 21 / 52 = 2.10
        ("02-01", "recurring", "fee", "01-11", "02-01", "18.90"),
        ("02-01", "recurring", "fee", "02-01", "03-01", "27.90"),
    ]


@scenario
def credit_of_a_corrected_fee(terms: Terms) -> dict[str, list[Line]]:
    """Late usage takes over some of a fee's discount: what goes back is of what was paid by then.

    The same of a subscription whose closes rate all periods again (it has a commitment).
    """
    terms.plan()
    terms.fee("31")
    terms.usage("1")
    for suffix in ("alone", "committed"):
        terms.subscribe(ends="03-01", suffix=suffix)
        terms.discount(1, "invoice", suffix, amount=20)
        terms.change("quantity", "02-15", suffix=suffix, charge_id="fee", quantity=2)
        terms.use("01-10", 69, suffix=suffix)
        terms.use("01-20", 55, suffix=suffix, loaded_at=datetime(2026, 2, 5))
    name = terms.id("committed")
    terms.commit("committed", subscription_id=name, amount=1)
    lines = [
        ("01-01", "recurring", "fee", "01-01", "02-01", "11.00"),
        # 20 of 31 + 69 are 6.20 and 13.80
        ("02-01", "recurring", "fee", "02-01", "03-01", "24.80"),
        ("02-01", "usage", "usage", "01-01", "02-01", "55.20"),
        # 20 of 31 + 124 are 4.00 and 16.00
        ("03-01", "recurring", "fee", "02-01", "03-01", "2.20"),
        ("03-01", "usage", "usage", "01-01", "02-01", "52.80"),
        # used 31 x 14 / 28 = 15.50, net 15.50 x 27 / 31 = 13.50
        ("03-01", "credit", "fee", "02-15", "03-01", "-13.50"),
        # 62 x 14 / 28 - 20
        ("03-01", "recurring", "fee", "02-15", "03-01", "11.00"),
    ]
    return {"alone": lines, "committed": lines}


@scenario
def credit_after_a_correction(terms: Terms) -> list[Line]:
    """A fee of twice ten days, corrected after the first ten and given back after the others."""
    terms.plan(cycle="10 days", alignment="anniversary")
    terms.fee("20", every_cycles=2)
    terms.usage("1")
    terms.subscribe("01-05", "02-14")
    terms.discount(1, "invoice", amount=10)
    terms.seats("02-09", 2)
    terms.use("01-18", 30)
    terms.use("01-20", 50, loaded_at=datetime(2026, 1, 29))
    return [
        ("01-05", "recurring", "fee", "01-05", "01-25", "10.00"),
        # 10 of 20 + 30 are 4.00 and 6.00
        ("01-25", "recurring", "fee", "01-25", "02-14", "16.00"),
        ("01-25", "usage", "usage", "01-15", "01-25", "24.00"),
        # 10 of 20 + 80 are 2.00 and 8.00
        ("02-04", "recurring", "fee", "01-25", "02-14", "2.00"),
        ("02-04", "usage", "usage", "01-15", "01-25", "48.00"),
        # used 20 x 15 / 20 = 15.00, net 15.00 x 18 / 20 = 13.50
        ("02-14", "credit", "fee", "02-09", "02-14", "-4.50"),
        # 40 x 5 / 20 - 10
        ("02-14", "recurring", "fee", "02-09", "02-14", "0.00"),
    ]


@scenario
def known_late(terms: Terms) -> list[Line]:
    """A change told in the period after: settled there, and February is the new plan's."""
    terms.plan()
    terms.fee("31")
    terms.plan("big")
    terms.fee("62", plan="big")
    terms.subscribe(ends="03-01")
    terms.change_plan("01-11", "big", known="02-20")
    return [
        ("01-01", "recurring", "fee", "01-01", "02-01", "31.00"),
        # nobody knew of it; corrected a month later
        ("02-01", "recurring", "fee", "02-01", "03-01", "31.00"),
        ("03-01", "recurring", "fee", "02-01", "03-01", "31.00"),
        # February closes on 2 March: the first cutoff after it was told
        ("03-01", "credit", "fee", "01-11", "02-01", "-21.00"),
        ("03-01", "recurring", "fee", "01-11", "02-01", "42.00"),
    ]


@scenario
def known_late_then_in_time(terms: Terms) -> list[Line]:
    """A change in time is billed; one told late before it makes its lines anew."""
    terms.plan()
    terms.fee("31")
    terms.subscribe(ends="03-01")
    terms.seats("01-11", 2, known="02-20")
    terms.seats("01-21", 3)
    return [
        ("01-01", "recurring", "fee", "01-01", "02-01", "31.00"),
        # three seats
        ("02-01", "credit", "fee", "01-21", "02-01", "-11.00"),
        ("02-01", "recurring", "fee", "01-21", "02-01", "33.00"),
        ("02-01", "recurring", "fee", "02-01", "03-01", "93.00"),
        # that goes back, for the change before it is credited on a later document
        ("03-01", "credit", "fee", "01-21", "02-01", "11.00"),
        ("03-01", "recurring", "fee", "01-21", "02-01", "-33.00"),
        ("03-01", "credit", "fee", "01-11", "02-01", "-21.00"),
        # 62 x 10 / 31 and 93 x 11 / 31, both told by then: no credit between them
        ("03-01", "recurring", "fee", "01-11", "01-21", "20.00"),
        ("03-01", "recurring", "fee", "01-21", "02-01", "33.00"),
    ]


@scenario
def withdrawn(terms: Terms) -> list[Line]:
    terms.plan()
    terms.fee("31", timing="arrears")
    terms.plan("big")
    terms.fee("62", plan="big", timing="arrears")
    terms.subscribe(ends="02-01")
    terms.change_plan("01-11", "big", known="01-05")
    terms.change_plan("01-11", "big", known="01-08", withdrawn="true")
    return [("02-01", "recurring", "fee", "01-01", "02-01", "31.00")]


@scenario
def withdrawn_after_the_bill(terms: Terms) -> list[Line]:
    """A plan that was to follow, billed ahead and taken back: no fee of it is left to be asked."""
    terms.plan()
    terms.usage("1")
    terms.plan("big")
    terms.usage("1", plan="big")
    terms.fee("56", plan="big")
    terms.subscribe(ends="03-01")
    terms.change_plan("02-25", "big", known="01-20")
    terms.change_plan("02-25", "big", known="02-20", withdrawn="true")
    terms.use("01-10", 3)
    terms.use("02-26", 5)
    return [
        ("02-01", "usage", "usage", "01-01", "02-01", "3.00"),
        # 56 x 4 / 28
        ("02-01", "recurring", "fee", "02-25", "03-01", "8.00"),
        ("03-01", "usage", "usage", "02-01", "03-01", "5.00"),
        ("03-01", "recurring", "fee", "02-25", "03-01", "-8.00"),
    ]


@scenario
def end_known_ahead(terms: Terms) -> list[Line]:
    terms.plan()
    terms.fee("31")
    terms.subscribe(ends="01-16")
    # 31 x 15 / 31, and nothing to give back
    return [("01-01", "recurring", "fee", "01-01", "01-16", "15.00")]


@scenario
def other_charges(terms: Terms) -> list[Line]:
    """Fees of one plan alone: the old one's is credited, a setup fee is due once and kept."""
    terms.plan()
    terms.fee("31", charge="old")
    terms.fee("99", charge="setup", charge_type="one_time")
    terms.plan("next")
    terms.fee("62", charge="new", plan="next")
    terms.fee("50", charge="other_setup", plan="next", charge_type="one_time")
    terms.subscribe(ends="02-01")
    terms.change_plan("01-11", "next")
    return [
        ("01-01", "recurring", "old", "01-01", "02-01", "31.00"),
        ("01-01", "one_time", "setup", "01-01", "02-01", "99.00"),
        ("02-01", "credit", "old", "01-11", "02-01", "-21.00"),
        ("02-01", "recurring", "new", "01-11", "02-01", "42.00"),
    ]


@scenario
def seats(terms: Terms) -> list[Line]:
    terms.plan()
    terms.fee("10")
    terms.subscribe(ends="03-01")
    terms.seats("01-01", 3, known="")
    terms.seats("01-21T15:00:00", 5, known="01-11")
    terms.seats("02-15", 4, known="01-05")
    return [
        ("01-01", "recurring", "fee", "01-01", "02-01", "30.00"),
        # used 30 x 20 / 31 = 19.35: the day of the change is the five seats'
        ("02-01", "credit", "fee", "01-21T15:00", "02-01", "-10.65"),
        # 50 x 11 / 31 = 17.74
        ("02-01", "recurring", "fee", "01-21T15:00", "02-01", "17.74"),
        # known before February was billed: 50 x 14 / 28, then 40 x 14 / 28, and no credit
        ("02-01", "recurring", "fee", "02-01", "02-15", "25.00"),
        ("02-01", "recurring", "fee", "02-15", "03-01", "20.00"),
    ]


@scenario
def seats_by_local_day(terms: Terms) -> list[Line]:
    """Two in the morning in UTC is the evening of 20 January in New York."""
    terms.plan()
    terms.fee("10")
    terms.subscribe(ends="02-01", zone="America/New_York")
    terms.seats("01-01", 3, known="")
    terms.seats("01-21T02:00:00", 6)
    return [
        ("01-01", "recurring", "fee", "01-01T05:00", "02-01T05:00", "30.00"),
        # used 30 x 19 / 31 = 18.39
        ("02-01", "credit", "fee", "01-21T02:00", "02-01T05:00", "-11.61"),
        # 60 x 12 / 31 = 23.23
        ("02-01", "recurring", "fee", "01-21T02:00", "02-01T05:00", "23.23"),
    ]


@scenario
def seats_by_seconds(terms: Terms) -> list[Line]:
    terms.plan()
    terms.fee("31", proration="seconds")
    terms.subscribe(ends="02-01")
    terms.seats("01-16T12:00:00", 2)
    return [
        ("01-01", "recurring", "fee", "01-01", "02-01", "31.00"),
        # 15.5 of 31 days used, as many left
        ("02-01", "credit", "fee", "01-16T12:00", "02-01", "-15.50"),
        ("02-01", "recurring", "fee", "01-16T12:00", "02-01", "31.00"),
    ]


@scenario
def fee_without_proration(terms: Terms) -> list[Line]:
    """Seats wait for the next cycle; a plan's own fee is due in full and the old one stays."""
    terms.plan()
    terms.fee("20", proration="none")
    terms.plan("big")
    terms.fee("40", plan="big", proration="none")
    terms.subscribe(ends="03-01")
    terms.seats("01-10", 2)
    terms.change_plan("01-20", "big")
    return [
        ("01-01", "recurring", "fee", "01-01", "02-01", "20.00"),
        ("02-01", "recurring", "fee", "01-20", "02-01", "80.00"),
        ("02-01", "recurring", "fee", "02-01", "03-01", "80.00"),
    ]


@scenario
def fee_by_seconds(terms: Terms) -> list[Line]:
    terms.plan()
    terms.fee("31", timing="arrears", proration="seconds")
    terms.subscribe(ends="01-16T12:00:00Z")
    # 15.5 of 31 days
    return [("01-16", "recurring", "fee", "01-01", "01-16T12:00", "15.50")]


@scenario
def yearly_fee(terms: Terms) -> list[Line]:
    """A fee of twelve cycles is credited on the invoice of the month of the change."""
    terms.plan()
    terms.fee("365", every_cycles=12)
    terms.plan("big")
    terms.fee("730", plan="big", every_cycles=12)
    terms.subscribe()
    terms.change_plan("02-10", "big")
    return [
        ("01-01", "recurring", "fee", "01-01", "2027-01-01", "365.00"),
        # 31 + 9 = 40 days used; 730 x 325 / 365
        ("03-01", "credit", "fee", "02-10", "2027-01-01", "-325.00"),
        ("03-01", "recurring", "fee", "02-10", "2027-01-01", "650.00"),
    ]


@scenario
def fee_of_two_months(terms: Terms) -> list[Line]:
    """January and February are 59 days; a bound of a month inside is a change like any other."""
    terms.plan()
    terms.fee("59", timing="arrears", every_cycles=2)
    terms.plan("big")
    terms.fee("118", plan="big", timing="arrears", every_cycles=2)
    terms.subscribe(ends="03-01")
    terms.change_plan("02-01", "big")
    return [
        ("03-01", "recurring", "fee", "01-01", "02-01", "31.00"),
        # 118 x 28 / 59
        ("03-01", "recurring", "fee", "02-01", "03-01", "56.00"),
    ]


@scenario
def pause(terms: Terms) -> list[Line]:
    """Nothing is due in it; usage before and after is one total, usage inside is unbilled."""
    terms.plan()
    terms.fee("31")
    terms.fee("62", charge="later", timing="arrears")
    terms.usage("0.10")
    terms.subscribe(ends="02-01")
    terms.change("pause", "01-11")
    terms.change("pause", "01-12", known="01-11")
    terms.change("resume", "01-21")
    terms.use("01-05", 100)
    terms.use("01-15", 50)
    terms.use("01-25", 30)
    return [
        ("01-01", "recurring", "fee", "01-01", "02-01", "31.00"),
        ("02-01", "credit", "fee", "01-11", "02-01", "-21.00"),
        # 31 x 11 / 31
        ("02-01", "recurring", "fee", "01-21", "02-01", "11.00"),
        # 62 x 10 / 31 and 62 x 11 / 31
        ("02-01", "recurring", "later", "01-01", "01-11", "20.00"),
        ("02-01", "recurring", "later", "01-21", "02-01", "22.00"),
        # (100 + 30) x 0.10
        ("02-01", "usage", "usage", "01-01", "02-01", "13.00"),
    ]


@scenario
def paused_month(terms: Terms) -> list[Line]:
    """Not even the minimum of a month that is paused from end to end."""
    terms.plan()
    terms.usage("1")
    terms.limits(minimum="10")
    terms.subscribe(ends="04-01")
    terms.change("pause", "02-01")
    terms.change("resume", "03-01")
    terms.use("01-10", 4)
    return [
        ("02-01", "usage", "usage", "01-01", "02-01", "4.00"),
        ("02-01", "minimum", "usage", "01-01", "02-01", "6.00"),
        ("04-01", "minimum", "usage", "03-01", "04-01", "10.00"),
    ]


@scenario
def paused_rival(terms: Terms) -> dict[str, list[Line]]:
    """Usage that names no subscription is the only one's that is not paused."""
    terms.plan()
    terms.usage("1")
    terms.plan("other")
    terms.usage("2", plan="other")
    terms.subscribe(ends="02-01", suffix="paused")
    terms.subscribe(ends="02-01", suffix="running", customer="paused", plan="other")
    terms.change("pause", "01-11", suffix="paused")
    terms.change("resume", "01-21", suffix="paused")
    terms.use("01-05", 5, suffix="paused")
    terms.use("01-15", 7, suffix="paused")
    return {
        "paused": [],
        "running": [("02-01", "usage", "usage", "01-01", "02-01", "14.00")],
    }


@scenario
def level_in_pause(terms: Terms) -> list[Line]:
    """A level of 31 in 21 of 31 days."""
    terms.plan()
    terms.usage("1", meter="level")
    terms.subscribe(ends="02-01")
    terms.change("pause", "01-11")
    terms.change("resume", "01-21")
    terms.use("01-01T00:00:00", 31, event="level")
    return [("02-01", "usage", "usage", "01-01", "02-01", "21.00")]


@scenario
def trial(terms: Terms) -> list[Line]:
    """Fees are free for a fortnight, usage is not."""
    terms.plan(trial_days=14)
    terms.fee("28")
    terms.usage("1")
    terms.subscribe("02-01", "03-01")
    terms.use("02-03", 10)
    return [
        # 28 x 14 / 28
        ("03-01", "recurring", "fee", "02-15", "03-01", "14.00"),
        ("03-01", "usage", "usage", "02-01", "03-01", "10.00"),
    ]


@scenario
def trial_past_a_month(terms: Terms) -> list[Line]:
    """45 days end on 15 February; the invoice of the first was made by then."""
    terms.plan(trial_days=14)
    terms.fee("28")
    terms.subscribe(ends="03-01", trial_days=45)
    return [("03-01", "recurring", "fee", "02-15", "03-01", "14.00")]


@scenario
def end(terms: Terms) -> list[Line]:
    terms.plan()
    terms.fee("28")
    terms.usage("1")
    terms.subscribe("02-01")
    terms.change("end", "02-15")
    terms.use("02-10", 5)
    terms.use("02-20", 7)
    return [
        ("02-01", "recurring", "fee", "02-01", "03-01", "28.00"),
        ("02-15", "credit", "fee", "02-15", "03-01", "-14.00"),
        ("02-15", "usage", "usage", "02-01", "02-15", "5.00"),
    ]


@scenario
def unlike_change(terms: Terms) -> list[Line]:
    """Another cycle ends the running period, and its own begins on the day of the change."""
    terms.plan()
    terms.fee("31")
    terms.usage("1")
    terms.plan("ten", cycle="10 days", alignment="anniversary")
    terms.fee("10", plan="ten")
    terms.usage("2", plan="ten")
    terms.subscribe(ends="01-31")
    terms.change_plan("01-11", "ten", anchor_date="2026-01-11")
    terms.use("01-05", 4)
    terms.use("01-12", 6)
    return [
        # to the end that was known then; the change comes before it
        ("01-01", "recurring", "fee", "01-01", "01-31", "30.00"),
        ("01-11", "recurring", "fee", "01-01", "02-01", "1.00"),
        ("01-11", "credit", "fee", "01-11", "02-01", "-21.00"),
        ("01-11", "recurring", "fee", "01-11", "01-21", "10.00"),
        ("01-11", "usage", "usage", "01-01", "01-11", "4.00"),
        ("01-21", "recurring", "fee", "01-21", "01-31", "10.00"),
        ("01-21", "usage", "usage", "01-11", "01-21", "12.00"),
    ]


@scenario
def new_anchor(terms: Terms) -> list[Line]:
    """The same cycle from another day on."""
    terms.plan(alignment="anniversary")
    terms.fee("31", timing="arrears")
    terms.plan("next", alignment="anniversary")
    terms.fee("62", plan="next", timing="arrears")
    terms.subscribe("01-05", "02-20")
    terms.change_plan("01-20", "next", anchor_date="2026-01-20")
    return [
        # 31 x 15 / 31
        ("01-20", "recurring", "fee", "01-05", "01-20", "15.00"),
        ("02-20", "recurring", "fee", "01-20", "02-20", "62.00"),
    ]


@scenario
def change_at_a_closed_end(terms: Terms) -> list[Line]:
    """A new plan from the end of a period on, told when that had closed: its cutoff has passed."""
    terms.plan(cycle="5 days", alignment="anniversary", grace_days=0)
    terms.usage("1")
    terms.fee("5")
    terms.plan("next", cycle="5 days", alignment="anniversary", grace_days=0)
    terms.usage("2", plan="next")
    terms.fee("10", plan="next")
    terms.subscribe("01-06", "01-16")
    terms.change_plan("01-11", "next", known="01-11T09:00:00", anchor_date="2026-01-11")
    terms.use("01-07", 4)
    terms.use("01-12", 6)
    return [
        ("01-06", "recurring", "fee", "01-06", "01-11", "5.00"),
        # billed with the period that had closed, before the change was told
        ("01-11", "recurring", "fee", "01-11", "01-16", "5.00"),
        ("01-11", "usage", "usage", "01-06", "01-11", "4.00"),
        ("01-16", "usage", "usage", "01-11", "01-16", "12.00"),
        ("01-16", "recurring", "fee", "01-11", "01-16", "5.00"),
    ]


@scenario
def change_before_a_known_end(terms: Terms) -> list[Line]:
    """The bill went to the end that was known; a change that is told later takes from there."""
    terms.plan()
    terms.fee("31")
    terms.plan("next")
    terms.fee("62", plan="next")
    terms.subscribe(ends="01-31")
    terms.change_plan("01-21", "next", known="01-11")
    return [
        ("01-01", "recurring", "fee", "01-01", "01-31", "30.00"),
        # 20 of the 30 days billed are used; the new plan is billed to the same end
        ("01-31", "credit", "fee", "01-21", "01-31", "-10.00"),
        ("01-31", "recurring", "fee", "01-21", "01-31", "20.00"),
    ]


@scenario
def pause_before_a_known_end(terms: Terms) -> list[Line]:
    """Nothing is due from the pause on, so the end is no change any more: but the bill knew it."""
    terms.plan()
    terms.fee("31")
    terms.subscribe(ends="01-31")
    terms.change("pause", "01-21", known="01-11")
    return [
        ("01-01", "recurring", "fee", "01-01", "01-31", "30.00"),
        ("01-31", "credit", "fee", "01-21", "01-31", "-10.00"),
    ]


@scenario
def price_before_a_known_end(terms: Terms) -> list[Line]:
    """A change is one of the fee only since its price was told, weeks after the change itself."""
    terms.plan()
    terms.fee("90", every_cycles="3")
    terms.plan("next")
    terms.fee("90", plan="next", every_cycles="3")
    told = {"valid_from": "2026-02-25", "recorded_at": "2026-02-22T09:00:00Z"}
    terms.price("fee", "next", unit_price="180", **told)
    terms.subscribe(ends="03-21")
    terms.change_plan("02-25", "next", known="01-11")
    return [
        # 79 of the quarter's 90 days
        ("01-01", "recurring", "fee", "01-01", "03-21", "79.00"),
        # 55 of them at the old price, 24 at the new one
        ("03-01", "credit", "fee", "02-25", "03-21", "-24.00"),
        ("03-01", "recurring", "fee", "02-25", "03-21", "48.00"),
    ]


@scenario
def migration(terms: Terms) -> dict[str, list[Line]]:
    """All who are on the plan then, at midnight of their own zone."""
    terms.plan()
    terms.fee("31", timing="arrears")
    terms.plan("next")
    terms.fee("62", plan="next", timing="arrears")
    terms.add(
        "plan_migrations",
        from_plan_id="migration",
        to_plan_id="migration_next",
        migrates_at="2026-01-16",
    )
    terms.subscribe(ends="02-01", suffix="york", zone="America/New_York")
    terms.subscribe(ends="02-01", suffix="tokyo", zone="Asia/Tokyo")
    # 31 x 15 / 31 and 62 x 16 / 31
    return {
        "york": [
            ("02-01", "recurring", "fee", "01-01T05:00", "01-16T05:00", "15.00"),
            ("02-01", "recurring", "fee", "01-16T05:00", "02-01T05:00", "32.00"),
        ],
        "tokyo": [
            ("02-01", "recurring", "fee", "2025-12-31T15:00", "01-15T15:00", "15.00"),
            ("02-01", "recurring", "fee", "01-15T15:00", "01-31T15:00", "32.00"),
        ],
    }


@scenario
def change_then_migration(terms: Terms) -> list[Line]:
    """At one instant the subscription's own change goes first, and is migrated on."""
    for plan, price in {"": "31", "next": "62", "last": "93"}.items():
        terms.plan(plan)
        terms.fee(price, plan=plan, timing="arrears")
    key = {"from_plan_id": terms.id("next"), "to_plan_id": terms.id("last")}
    terms.add("plan_migrations", **key, migrates_at="2026-01-16")
    terms.subscribe(ends="02-01")
    terms.change_plan("01-16", "next")
    return [
        ("02-01", "recurring", "fee", "01-01", "01-16", "15.00"),
        ("02-01", "recurring", "fee", "01-16", "02-01", "48.00"),
    ]
