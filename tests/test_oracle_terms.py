"""Commercial terms worked by hand and asked of the oracle.

Numbers in comments are the days or units that the amounts are made of.
"""

from datetime import date, datetime
from decimal import Decimal

import pytest

from tests.oracle import bill
from tests.strategies import COLUMNS, RAW_COLUMNS, catalog_row

LATE = "2026-01-20T00:00:00Z"


class House:
    """One customer, by default in UTC, with plans that a test writes; events by day."""

    def __init__(self, plan: str = "small", starts_at: str = "2026-01-01", **subscription) -> None:
        self.catalog = {name: [] for name in COLUMNS}
        self.rows: list[dict] = []
        self.add("products", product_id="p", name="p", product_type="saas")
        self.add("customers", customer_id="c", currency="USD", time_zone="UTC", billing_entity="E")
        self.subscribe("s", plan, starts_at, **subscription)

    def add(self, file: str, **values: object) -> None:
        self.catalog[file].append(catalog_row(file, **values))

    def subscribe(self, name: str, plan: str, starts_at: str = "2026-01-01", **values) -> None:
        columns = {"subscription_id": name, "customer_id": "c", "plan_id": plan}
        self.add("subscriptions", **columns, starts_at=starts_at, **values)

    def plan(self, name: str, cycle: str = "month", alignment: str = "calendar", **values) -> None:
        columns = {"plan_id": name, "product_id": "p", "name": name, **values}
        self.add("plans", **columns, cycle=cycle, alignment=alignment)

    def fee(self, plan: str, price: str, timing: str = "advance", **values: object) -> None:
        name = values.pop("charge_id", "fee")
        common = {"plan_id": plan, "charge_id": name}
        columns = {"charge_type": "recurring", "timing": timing, **values}
        self.add("charges", **common, position=1, **columns)
        self.price(plan, name, unit_price=price)

    def price(self, plan: str, charge: str, **values: object) -> None:
        common = {"plan_id": plan, "charge_id": charge, "currency": "USD", "position": 1}
        self.add("prices", **common, **values)

    def meter(self, name: str, **values: str) -> None:
        columns = {"aggregation": "sum", "property": "v", **values}
        self.add("meters", meter=name, version="1", event_name=name, **columns)

    def usage(self, plan: str, charge: str, *bands: dict, **values: object) -> None:
        """A usage charge on the meter of its name."""
        columns = {"pricing_model": "per_unit", "position": 2, **values}
        meter = {"meter": charge, "meter_version": "1"}
        self.add("charges", plan_id=plan, charge_id=charge, charge_type="usage", **meter, **columns)
        for band in bands:
            self.price(plan, charge, **band)

    def change(self, kind: str, at: str, recorded_at: str = "", name: str = "s", **values) -> None:
        columns = {"subscription_id": name, "changes_at": at, "change": kind, **values}
        self.add("subscription_changes", **columns, recorded_at=recorded_at)

    def land(self, occurred_at: str, value: object, event: str = "units", **values: str) -> None:
        row = dict.fromkeys(RAW_COLUMNS)
        instant = occurred_at if "T" in occurred_at else f"{occurred_at}T12:00:00"
        row |= {"load_id": f"{len(self.rows):032x}", "line_number": 1, "customer_id": "c"}
        row |= {"loaded_at": datetime.fromisoformat(instant), "event_name": event}
        row |= {"occurred_at": instant + "Z", "properties": f'{{"v":{value}}}'}
        self.rows.append(row | values)

    def bill(self, day: str):
        return bill(self.catalog, self.rows, date.fromisoformat(day))

    def lines(self, day: str, *kinds: str) -> list[tuple]:
        """(invoice date, kind, charge, first day, total) of every line, or of some kinds."""
        return [
            (
                line.invoice_id.partition("@")[2],
                line.kind,
                line.charge_id,
                line.period_from.date().isoformat(),
                str(Decimal(line.line_total).quantize(Decimal("0.01"))),
            )
            for line in self.bill(day).lines
            if not kinds or line.kind in kinds
        ]

    def totals(self, day: str, *kinds: str) -> list[str]:
        return [total for *_, total in self.lines(day, *kinds)]


def two_plans(before: str = "10", after: str = "31", **fee: object) -> House:
    house = House()
    for plan, price in (("small", before), ("large", after)):
        house.plan(plan)
        house.fee(plan, price, **fee)
    return house


# -- fees --------------------------------------------------------------------------------------


def test_an_upgrade_known_late_is_credited_and_billed_on_the_next_invoice():
    house = two_plans()
    house.change("plan", "2026-01-17", LATE, plan_id="large")
    assert house.lines("2026-01-31") == [
        ("2026-01-01", "recurring", "fee", "2026-01-01", "10.00"),
        # 10.00 - round(10 x 16 / 31) = 10.00 - 5.16; 31 x 15 / 31
        ("2026-02-01", "recurring", "fee", "2026-01-17", "15.00"),
        ("2026-02-01", "credit", "fee", "2026-01-17", "-4.84"),
        ("2026-02-01", "recurring", "fee", "2026-02-01", "31.00"),
    ]


def test_an_upgrade_known_in_time_is_billed_at_once():
    house = two_plans()
    house.change("plan", "2026-01-17", plan_id="large")
    assert house.lines("2026-01-31") == [
        ("2026-01-01", "recurring", "fee", "2026-01-01", "5.16"),
        ("2026-01-01", "recurring", "fee", "2026-01-17", "15.00"),
        ("2026-02-01", "recurring", "fee", "2026-02-01", "31.00"),
    ]


def test_a_downgrade_may_leave_a_credit_note():
    house = two_plans("31", "310")
    house.catalog["subscriptions"][0]["plan_id"] = "large"
    house.change("plan", "2026-01-02", LATE, plan_id="small")
    # Used 10.00 of 310.00; the small plan's 30 days cost 30.00, and its February 31.00.
    assert house.totals("2026-01-31") == ["310.00", "30.00", "-300.00", "31.00"]
    assert house.bill("2026-01-31").invoices[-1].total == "-239.0000"


def test_an_arrears_fee_is_split_and_never_credited():
    house = two_plans(timing="arrears")
    house.change("plan", "2026-01-17", LATE, plan_id="large")
    assert house.lines("2026-01-31") == [
        ("2026-02-01", "recurring", "fee", "2026-01-01", "5.16"),
        ("2026-02-01", "recurring", "fee", "2026-01-17", "15.00"),
    ]


def test_an_equal_fee_goes_on_through_a_change_of_plan():
    house = two_plans("10", "10")
    house.change("plan", "2026-01-17", LATE, plan_id="large")
    assert house.totals("2026-01-31") == ["10.00", "10.00"]


def test_a_change_back_before_it_was_known_is_posted_in_order():
    house = two_plans()
    house.change("plan", "2026-01-11", "2026-02-10T00:00:00Z", plan_id="large")
    house.change("plan", "2026-01-21", LATE, plan_id="small")
    # Known after January's cutoff: both boundaries stand on February's invoice.
    assert house.lines("2026-02-28") == [
        ("2026-01-01", "recurring", "fee", "2026-01-01", "10.00"),
        ("2026-02-01", "recurring", "fee", "2026-02-01", "10.00"),
        ("2026-03-01", "recurring", "fee", "2026-01-11", "10.00"),  # 31 x 10 / 31
        ("2026-03-01", "credit", "fee", "2026-01-11", "-6.77"),  # 10 - 10 x 10 / 31
        ("2026-03-01", "recurring", "fee", "2026-01-21", "3.55"),  # 10 x 11 / 31
        ("2026-03-01", "recurring", "fee", "2026-03-01", "10.00"),
    ]


def test_seats_up_and_down_in_a_month():
    house = House()
    house.plan("small")
    house.fee("small", "31")
    house.change("quantity", "2025-12-01", charge_id="fee", quantity="2")
    house.change("quantity", "2026-01-11", LATE, charge_id="fee", quantity="5")
    house.change("quantity", "2026-01-21", LATE, charge_id="fee", quantity="3")
    assert house.lines("2026-01-31") == [
        ("2026-01-01", "recurring", "fee", "2026-01-01", "62.00"),
        ("2026-02-01", "recurring", "fee", "2026-01-11", "50.00"),
        ("2026-02-01", "credit", "fee", "2026-01-11", "-42.00"),
        ("2026-02-01", "recurring", "fee", "2026-01-21", "33.00"),
        ("2026-02-01", "recurring", "fee", "2026-02-01", "93.00"),
    ]


def test_seats_without_proration_count_at_the_fee_period_s_start():
    house = House()
    house.plan("small")
    house.fee("small", "31", proration="none")
    house.change("quantity", "2026-01-11", LATE, charge_id="fee", quantity="5")
    assert house.totals("2026-01-31") == ["31.00", "155.00"]


def test_a_withdrawn_change_never_was():
    house = two_plans()
    house.change("plan", "2026-01-17", plan_id="large")
    house.change("plan", "2026-01-17", LATE, plan_id="large", withdrawn="true")
    assert house.totals("2026-01-18") == ["5.16", "15.00", "31.00"]
    assert house.totals("2026-01-31") == ["10.00", "10.00"]


def test_pause_and_resume():
    house = two_plans("31")
    house.change("pause", "2026-01-11")
    house.change("pause", "2026-01-15")
    house.change("resume", "2026-02-08", LATE)
    # Before the resume is known February is not billed; then its 21 of 28 days.
    assert house.totals("2026-01-18") == ["10.00"]
    assert house.lines("2026-01-31") == [
        ("2026-01-01", "recurring", "fee", "2026-01-01", "10.00"),
        ("2026-02-01", "recurring", "fee", "2026-02-08", "23.25"),
    ]


def test_a_pause_known_late_is_credited():
    house = two_plans("31")
    house.change("pause", "2026-01-11", LATE)
    assert house.lines("2026-02-28") == [
        ("2026-01-01", "recurring", "fee", "2026-01-01", "31.00"),
        ("2026-02-01", "credit", "fee", "2026-01-11", "-21.00"),
    ]


def test_a_trial_is_free_of_fees_and_billed_when_it_ends():
    house = House(trial_days="10")
    house.plan("small", trial_days="31")
    house.fee("small", "31")
    house.meter("units")
    house.usage("small", "units", {"unit_price": "1"})
    house.land("2026-01-05", 3)
    assert house.lines("2026-01-31") == [
        ("2026-02-01", "recurring", "fee", "2026-01-11", "21.00"),
        ("2026-02-01", "recurring", "fee", "2026-02-01", "31.00"),
        ("2026-02-01", "usage", "units", "2026-01-01", "3.00"),
    ]
    house.catalog["subscriptions"][0]["trial_days"] = ""
    assert house.totals("2026-01-31", "recurring") == ["31.00"]


def test_an_end_known_late_is_credited():
    house = two_plans("31")
    house.change("end", "2026-01-11", LATE)
    assert house.lines("2026-01-31") == [
        ("2026-01-01", "recurring", "fee", "2026-01-01", "31.00"),
        ("2026-01-11", "credit", "fee", "2026-01-11", "-21.00"),
    ]


def test_an_end_in_the_row_bills_the_days_alone():
    house = House(ends_at="2026-01-11")
    house.plan("small")
    house.fee("small", "31")
    assert house.totals("2026-01-31") == ["10.00"]


def test_seconds():
    house = House(ends_at="2026-01-16T12:00:00Z")
    house.plan("small")
    house.fee("small", "31", proration="seconds")
    assert house.totals("2026-01-31") == ["15.50"]


def test_days_are_the_customer_s():
    house = two_plans("31", "31", proration="days")
    house.catalog["customers"][0]["time_zone"] = "America/New_York"
    house.change("end", "2026-01-11T04:59:59Z")  # still 10 January there
    assert house.totals("2026-01-31") == ["9.00"]


def test_a_one_time_fee_is_for_the_period_as_it_was_known_when_it_was_billed():
    for recorded_at, end in (("2026-01-09T10:00:00Z", 2), ("2025-12-20T10:00:00Z", 1)):
        house = House()
        house.plan("small")
        house.plan("yearly", cycle="year", alignment="anniversary")
        common = {"plan_id": "small", "charge_id": "setup", "timing": "advance"}
        house.add("charges", **common, charge_type="one_time", position=1)
        house.price("small", "setup", unit_price="50")
        house.change("plan", "2026-01-10", recorded_at, plan_id="yearly")
        (line,) = [one for one in house.bill("2026-01-31").lines if one.kind == "one_time"]
        # Billed on 1 January: to the 10th only where the change was known by then.
        assert (line.line_total, line.period_to.month) == ("50.0000", end)


def test_an_unlike_plan_begins_its_own_cycles():
    house = House()
    house.plan("small")
    house.fee("small", "31")
    house.plan("yearly", "year", "anniversary")
    house.fee("yearly", "365")
    house.change("plan", "2026-01-17", "2026-01-10T00:00:00Z", plan_id="yearly")
    # The year's anchor is the subscription's start: 349 of 365 days are left on 17 January.
    assert house.lines("2026-01-31") == [
        ("2026-01-01", "recurring", "fee", "2026-01-01", "31.00"),
        ("2026-01-17", "recurring", "fee", "2026-01-17", "349.00"),
        ("2026-01-17", "credit", "fee", "2026-01-17", "-15.00"),
        ("2027-01-01", "recurring", "fee", "2027-01-01", "365.00"),
    ]
    house.catalog["subscription_changes"][0]["anchor_date"] = "2026-01-17"
    assert house.totals("2026-01-31") == ["31.00", "365.00", "-15.00", "365.00"]


def test_a_migration_moves_all_subscribers():
    house = two_plans()
    house.subscribe("t", "small")
    columns = {"from_plan_id": "small", "to_plan_id": "large"}
    house.add("plan_migrations", **columns, migrates_at="2026-01-17")
    assert house.totals("2026-01-31") == ["5.16", "15.00", "31.00"] * 2


def test_a_credit_is_net_of_the_discount():
    house = two_plans()
    house.change("plan", "2026-01-17", LATE, plan_id="large")
    columns = {"discount_id": "d", "name": "d", "level": "invoice", "position": 1}
    house.add("discounts", **columns, plan_id="small", percent="50")
    # Billed 5.00; used round(5.16 x 5 / 10) = 2.58.
    assert house.totals("2026-01-31", "credit") == ["-2.42"]


# -- prices ------------------------------------------------------------------------------------


def test_a_pin_keeps_old_prices_and_sees_late_rows():
    house = House(prices_as_of="2025-06-01")
    house.plan("small")
    house.fee("small", "10")
    house.price("small", "fee", unit_price="20", valid_from="2026-01-01")
    recorded_at = "2026-01-15T00:00:00Z"
    house.price("small", "fee", unit_price="9", valid_from="2025-05-01", recorded_at=recorded_at)
    assert house.totals("2026-01-10") == ["10.00", "10.00"]
    assert house.totals("2026-01-31") == ["9.00", "9.00"]
    house.catalog["subscriptions"][0]["prices_as_of"] = ""
    assert house.totals("2026-01-31") == ["20.00", "20.00"]


def test_overrides_and_ramps():
    house = House(starts_at="2026-01-31")
    house.plan("small", alignment="anniversary")
    house.fee("small", "10")
    house.price("small", "fee", unit_price="20", contract_month="2")
    house.price("small", "fee", unit_price="30", contract_month="3", valid_from="2025-01-01")
    house.price("small", "fee", unit_price="7", customer_id="other")
    # The second month begins on 28 February, the third on 31 March.
    assert house.totals("2026-03-15") == ["10.00", "20.00", "30.00"]
    house.price("small", "fee", unit_price="8", customer_id="c")
    assert house.totals("2026-03-15") == ["8.00", "8.00", "8.00"]


def test_a_price_at_the_close():
    house = House()
    house.plan("small")
    house.fee("small", "10", timing="arrears", price_at="close")
    house.price("small", "fee", unit_price="20", valid_from="2026-01-31")
    house.price("small", "fee", unit_price="30", valid_from="2026-02-01")
    assert house.totals("2026-01-31") == ["20.00"]


@pytest.mark.parametrize(
    ("applies_to", "recorded_at", "totals"),
    [
        ("", "2026-01-20T00:00:00Z", ["10.00", "20.00"]),
        ("open", "2026-01-20T00:00:00Z", ["20.00", "20.00"]),
        ("open", "2026-02-02T00:00:00Z", ["10.00", "20.00"]),
        # January had closed: February's invoice corrects it.
        ("closed", "2026-02-20T00:00:00Z", ["10.00", "20.00", "10.00"]),
    ],
)
def test_prices_recorded_late(applies_to, recorded_at, totals):
    house = House()
    house.plan("small")
    house.meter("units")
    house.usage("small", "units", {"unit_price": "10"})
    late = {"unit_price": "20", "applies_to": applies_to, "recorded_at": recorded_at}
    house.price("small", "units", valid_from="2026-01-01", **late)
    house.land("2026-01-05", 1)
    house.land("2026-02-05", 1)
    assert house.totals("2026-02-28") == totals


# -- usage -------------------------------------------------------------------------------------


def usage_plans(bands: tuple, after: tuple, charge: dict | None = None, **meter: str) -> House:
    """Plans `small` and `large` with one usage charge each; the change is on 11 January."""
    house = House()
    house.meter("units", **meter)
    for plan, prices in (("small", bands), ("large", after)):
        house.plan(plan)
        house.usage(plan, "units", *prices, **(charge or {}))
    house.change("plan", "2026-01-11", plan_id="large")
    return house


def test_tiers_begin_again_in_a_split_month_and_fees_are_in_proportion():
    small = ({"up_to": "10", "unit_price": "1"}, {"unit_price": "0.5", "flat_fee": "31"})
    large = ({"up_to": "10", "unit_price": "2"}, {"unit_price": "1", "flat_fee": "62"})
    charge = {"pricing_model": "tiered", "allowance": "31"}
    house = usage_plans(small, large, charge)
    house.land("2026-01-05", 30)
    house.land("2026-01-20", 40)
    # 10 days: 30 - 10 covered: 10 + 10 x 0.5 + 31 x 10/31. 21 days: 40 - 21: 20 + 9 + 62 x 21/31.
    assert house.lines("2026-01-31") == [
        ("2026-02-01", "usage", "units", "2026-01-01", "25.00"),
        ("2026-02-01", "usage", "units", "2026-01-11", "71.00"),
    ]
    lines = house.bill("2026-01-31").lines
    assert [line.part_number for line in lines] == [1, 2]
    assert [line.rated_quantity for line in lines] == ["20.0000000000", "19.0000000000"]


@pytest.mark.parametrize(("split", "totals"), [("share", ["31.00", "84.00"]), ("full", None)])
def test_a_peak_is_billed_by_its_share_unless_in_full(split, totals):
    prices = ({"unit_price": "9.61"},), ({"unit_price": "12.4"},)
    house = usage_plans(*prices, {"split": split}, aggregation="max")
    house.land("2026-01-05", 10)
    house.land("2026-01-20", 10)
    # 96.10 x 10/31 and 124.00 x 21/31
    assert house.totals("2026-01-31") == (totals or ["96.10", "124.00"])


def test_a_level_is_over_the_full_cycle_in_each_part():
    prices = ({"unit_price": "31"},), ({"unit_price": "62"},)
    meter = {"weighted_mode": "reading", "carry_over": "true"}
    house = usage_plans(*prices, aggregation="weighted_sum", **meter)
    house.land("2026-01-01T00:00:00", 1)
    # Level 1 for 10 and for 21 days of 31.
    quantities = [line.quantity for line in house.bill("2026-01-31").lines]
    assert quantities == ["0.3225806452", "0.6774193548"]
    assert house.totals("2026-01-31") == ["10.00", "42.00"]


def test_an_equal_charge_is_not_split_by_a_change_of_plan():
    prices = ({"up_to": "10", "unit_price": "1"}, {"unit_price": "0"})
    house = usage_plans(prices, prices, {"pricing_model": "tiered", "allowance": "5"})
    house.land("2026-01-05", 10)
    house.land("2026-01-20", 10)
    assert house.lines("2026-01-31") == [("2026-02-01", "usage", "units", "2026-01-01", "10.00")]


def test_a_charge_of_one_plan_alone_is_in_proportion():
    house = House()
    house.meter("units")
    house.plan("small")
    house.plan("large")
    house.usage("large", "units", {"unit_price": "1"}, allowance="31")
    house.add("charge_limits", plan_id="large", charge_id="units", currency="USD", minimum="62")
    house.change("plan", "2026-01-11", plan_id="large")
    house.land("2026-01-05", 1)
    house.land("2026-01-20", 22)
    # 22 - 21 covered; the minimum is 62 x 21/31 = 42.
    assert house.totals("2026-01-31") == ["1.00", "41.00"]
    assert [reason for *_, reason in house.bill("2026-01-31").unbilled] == ["no_charge"]


def test_a_month_begun_in_an_eastern_zone_has_no_more_days_than_the_month():
    house = House()
    (customer,) = house.catalog["customers"]
    customer["time_zone"] = "Asia/Tokyo"
    house.add(
        "customers", **(customer | {"time_zone": "America/Sao_Paulo", "valid_from": "2026-01-15"})
    )
    house.meter("units")
    house.plan("small")
    house.plan("large")
    for plan, price in (("small", "1"), ("large", "2")):
        house.usage(plan, "units", {"unit_price": price})
        house.add("charge_limits", plan_id=plan, charge_id="units", currency="USD", minimum="28")
    # February began at midnight in Tokyo; in Sao Paulo the plan changes on the last of January.
    house.change("plan", "2026-01-31T18:00:00Z", plan_id="large")
    # No day of small, 28 of 28 of large.
    february = [line for line in house.lines("2026-02-28") if line[0] == "2026-03-01"]
    assert february == [("2026-03-01", "minimum", "units", "2026-01-31", "28.00")]


def test_a_partial_month_is_in_proportion_only_if_the_charge_says_so():
    for proration, total in (("", "0.00"), ("days", "16.00")):
        house = House(starts_at="2026-01-17")
        house.meter("units")
        house.plan("small")
        house.usage("small", "units", {"unit_price": "1"}, allowance="31", proration=proration)
        house.land("2026-01-20", 31)
        assert house.totals("2026-01-31") == [total]


def test_usage_in_a_pause_is_unbilled_and_the_rest_is_one_part():
    bands = ({"up_to": "10", "unit_price": "1"}, {"unit_price": "0"})
    house = House()
    house.meter("units")
    house.plan("small")
    house.usage("small", "units", *bands, pricing_model="tiered", allowance="2", proration="days")
    house.change("pause", "2026-01-10")
    house.change("resume", "2026-01-20")
    for day in ("2026-01-05", "2026-01-15", "2026-01-25"):
        house.land(day, 4)
    (line,) = house.bill("2026-01-31").lines
    assert (line.quantity, line.rated_quantity) == ("8.0000000000", "6.0000000000")
    assert [reason for *_, reason in house.bill("2026-01-31").unbilled] == ["paused"]


def test_a_month_paused_from_end_to_end_has_no_minimum():
    house = House()
    house.meter("units")
    house.plan("small")
    house.usage("small", "units", {"unit_price": "1"})
    columns = {"plan_id": "small", "charge_id": "units", "currency": "USD"}
    house.add("charge_limits", **columns, minimum="5")
    house.change("pause", "2026-02-01")
    house.change("resume", "2026-03-01")
    assert [line[0] for line in house.lines("2026-03-31")] == ["2026-02-01", "2026-04-01"]


def test_a_level_goes_on_after_a_pause_only_if_it_is_carried():
    for carry_over, quantity in (("true", "22"), ("false", "10")):
        house = House()
        house.meter(
            "units", aggregation="weighted_sum", weighted_mode="reading", carry_over=carry_over
        )
        house.plan("small")
        house.usage("small", "units", {"unit_price": "1"})
        house.change("pause", "2026-01-11")
        house.change("resume", "2026-01-20")
        house.land("2026-01-01T00:00:00", 31)
        (line,) = house.bill("2026-01-31").lines
        assert Decimal(line.quantity) == Decimal(quantity)


# -- allowances --------------------------------------------------------------------------------


def with_allowance(*charges: str, **allowance: object) -> House:
    house = House()
    house.plan("small")
    for place, charge in enumerate(charges, start=2):
        house.meter(charge)
        house.usage("small", charge, {"unit_price": "1"}, position=place)
    names = "|".join(charges)
    house.add("allowances", plan_id="small", allowance_id="a", charge_ids=names, **allowance)
    return house


def test_rollover_with_a_cap_and_a_life():
    house = with_allowance("units", quantity="10", rollover_periods="2", rollover_cap="12")
    for month, value in (("01", 3), ("02", 4), ("03", 30), ("04", 15)):
        house.land(f"2026-{month}-05", value)
    # January leaves 7. February takes 4 of them and leaves 3 + 10, over the cap: 2 + 10.
    # March has 12 + 10 = 22 for 30 and leaves nothing.
    assert house.totals("2026-04-30") == ["0.00", "0.00", "8.00", "5.00"]


def test_what_is_older_than_its_life_is_lost():
    house = with_allowance("units", quantity="10", rollover_periods="1")
    house.land("2026-03-05", 25)
    # 10 of February are there yet, those of January are not.
    assert house.totals("2026-03-31") == ["5.00"]


def test_a_shared_allowance_goes_in_the_order_of_charges():
    house = with_allowance("units", "calls", quantity="10")
    house.land("2026-01-06", 7, "calls")
    house.land("2026-01-05", 6)
    assert house.totals("2026-01-31") == ["0.00", "3.00"]


def test_a_pool_goes_in_the_order_of_subscriptions():
    house = with_allowance("units", quantity="10", pooled="true")
    house.subscribe("a", "small", "2026-01-17")
    house.catalog["allowances"][0]["proration"] = "days"
    house.catalog["allowances"][0]["quantity"] = "31"
    # 31 + 15 = 46 together; `s` began earlier and goes first.
    house.land("2026-01-20", 20, subscription_id="a")
    house.land("2026-01-05", 40, subscription_id="s")
    assert house.totals("2026-01-31") == ["14.00", "0.00"]


# -- discounts ---------------------------------------------------------------------------------


def discounted() -> House:
    """Three lines of 10.00 and one of 0.01."""
    house = House()
    house.plan("small")
    house.fee("small", "10", timing="arrears", charge_id="one")
    house.fee("small", "10", timing="arrears", charge_id="two")
    house.meter("units")
    house.usage("small", "units", {"unit_price": "0.01"})
    house.land("2026-01-05", 1)
    house.meter("calls")
    house.usage("small", "calls", {"unit_price": "1"}, position=3)
    house.land("2026-01-05", 10, "calls")
    return house


def take(house: House, name: str, level: str, position: int = 1, **values: object) -> None:
    columns = {"discount_id": name, "name": name, "level": level, "position": position}
    house.add("discounts", **columns, **values)


def test_a_fixed_discount_is_spread_by_largest_remainder():
    house = discounted()
    take(house, "d", "invoice", amount="1", currency="USD")
    # Of 100 cents: 33.32, 33.32, 0.03, 33.32: the cent left over goes to the first of equals.
    assert house.totals("2026-01-31") == ["9.66", "9.67", "0.01", "9.67"]


def test_discounts_stack_in_order():
    house = discounted()
    take(house, "z", "invoice", percent="50")
    take(house, "b", "line", 2, charge_id="calls", amount="1", currency="USD")
    take(house, "a", "line", 1, charge_id="calls", percent="50")
    take(house, "p", "product", product_id="p", amount="4", currency="USD", charge_id="one")
    # calls: 10 - 5 - 1; one: 10 - 4; then half of 6.00 + 10.00 + 0.01 + 4.00 = 10.01 (10.005).
    assert house.totals("2026-01-31") == ["3.00", "5.00", "0.00", "2.00"]
    lines = house.bill("2026-01-31").lines
    assert [line.discount_total for line in lines] == ["7.0000", "5.0000", "0.0100", "8.0000"]


def test_a_total_is_used_up_over_invoices_and_periods_run_out():
    house = House()
    house.plan("small")
    house.fee("small", "10", timing="arrears")
    take(house, "t", "line", total_amount="15", currency="USD")
    assert house.totals("2026-03-31") == ["0.00", "5.00", "10.00"]
    house.catalog["discounts"].clear()
    take(house, "n", "line", percent="100", periods="2", valid_from="2026-01-15")
    assert house.totals("2026-04-30") == ["10.00", "0.00", "0.00", "10.00"]


def test_line_discounts_come_before_the_maximum_and_the_minimum():
    house = House()
    house.plan("small")
    house.meter("units")
    house.usage("small", "units", {"unit_price": "1"})
    columns = {"plan_id": "small", "charge_id": "units", "currency": "USD"}
    house.add("charge_limits", **columns, minimum="20", maximum="60")
    take(house, "d", "line", percent="50")
    take(house, "e", "invoice", percent="10")
    house.land("2026-01-05", 200)
    house.land("2026-02-05", 30)
    # 200 - 100, at most 60, less 6; 30 - 15, at least 20: both lines less a tenth.
    assert house.totals("2026-02-28") == ["54.00", "13.50", "4.50"]


# -- commitments -------------------------------------------------------------------------------


def committed(**commitment: object) -> House:
    house = House()
    house.plan("small")
    house.meter("units")
    house.usage("small", "units", {"unit_price": "1"})
    columns = {"commitment_id": "k", "name": "k", "plan_id": "small", "currency": "USD"}
    house.add("commitments", **columns, **commitment)
    return house


def test_an_annual_commitment_is_trued_up_at_its_end():
    house = committed(amount="1200", window_cycles="12")
    for month in range(1, 13):
        house.land(f"2026-{month:02d}-05", 10 * month)
    # 780 in twelve months.
    assert house.totals("2026-11-30", "true_up") == []
    assert house.lines("2026-12-31", "true_up")[0][::4] == ("2027-01-01", "420.00")


def test_a_commitment_is_in_proportion_of_its_days():
    house = committed(amount="365", window_cycles="12")
    house.change("end", "2026-04-11")
    house.land("2026-01-05", 40)
    # 100 days of 365.
    assert house.totals("2026-04-30", "true_up") == ["60.00"]


def test_overage_is_what_is_over_the_commitment_at_its_factor():
    house = committed(amount="100", window_cycles="3", overage_factor="0.8")
    for month, value in (("01", 60), ("02", 60), ("03", 50)):
        house.land(f"2026-{month}-05", value)
    # 20 over in February, 50 more in March.
    assert house.lines("2026-03-31", "overage", "true_up") == [
        ("2026-03-01", "overage", "k", "2026-02-01", "-4.00"),
        ("2026-04-01", "overage", "k", "2026-03-01", "-10.00"),
    ]


def test_a_committed_quantity():
    house = committed(quantity="100", unit_price="0.9")
    house.land("2026-01-05", 40)
    assert house.totals("2026-01-31") == ["40.00", "54.00"]
