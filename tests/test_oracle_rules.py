"""Rules that are easy to get wrong, worked by hand and asked of the oracle."""

from datetime import date, datetime
from fractions import Fraction

import pytest

from tests.oracle import bill
from tests.oracle.amounts import OutOfRange, canonical_number, half_away, parse_number
from tests.oracle.clock import add_cycles, first_instant, parse_cycle, parse_instant
from tests.oracle.staging import MalformedJson, parse_properties
from tests.strategies import COLUMNS, RAW_COLUMNS, catalog_row

JANUARY = datetime(2026, 1, 1)


@pytest.mark.parametrize(
    ("day", "zone_name", "instant"),
    [
        (date(2011, 12, 30), "Pacific/Apia", datetime(2011, 12, 30, 10)),  # a day left out
        (date(2011, 12, 31), "Pacific/Apia", datetime(2011, 12, 30, 10)),
        (date(2018, 11, 4), "America/Sao_Paulo", datetime(2018, 11, 4, 3)),  # no midnight
        (date(2018, 2, 18), "America/Sao_Paulo", datetime(2018, 2, 18, 3)),
        (date(2026, 3, 8), "America/Havana", datetime(2026, 3, 8, 5)),  # no midnight
        (date(2026, 11, 1), "America/Havana", datetime(2026, 11, 1, 4)),  # two: the first
        (date(2026, 3, 9), "America/New_York", datetime(2026, 3, 9, 4)),
        (date(2026, 4, 5), "Australia/Lord_Howe", datetime(2026, 4, 4, 13)),
        (date(2026, 1, 1), "Asia/Kathmandu", datetime(2025, 12, 31, 18, 15)),
    ],
)
def test_local_midnight(day, zone_name, instant):
    assert first_instant(day, zone_name) == instant


def test_the_anchor_day_is_kept():
    month = parse_cycle("month")
    found = [add_cycles(date(2025, 12, 31), month, count).isoformat() for count in range(4)]
    assert found == ["2025-12-31", "2026-01-31", "2026-02-28", "2026-03-31"]
    assert add_cycles(date(2024, 2, 29), parse_cycle("year"), 1) == date(2025, 2, 28)
    assert add_cycles(date(2026, 1, 1), parse_cycle("30 days"), -1) == date(2025, 12, 2)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-01-01", JANUARY),
        ("2026-01-01T00:00", JANUARY),
        ("2026-01-01 05:30:00.000+05:30", JANUARY),
        ("2025-12-31T19:00:00-05", JANUARY),
        ("2026-01-01T00:00:00.1234569Z", datetime(2026, 1, 1, 0, 0, 0, 123456)),
        ("2026-01-01T24:00:00Z", None),
        ("2026-01-01T10", None),
        ("2026-02-29", None),
        ("2026-01-01Z", None),
        ("2026-01-01T00:00:00z", None),
        (" 2026-01-01", None),
    ],
)
def test_times_of_events(text, instant):
    assert parse_instant(text) == instant


@pytest.mark.parametrize(
    ("text", "number", "canonical"),
    [
        ("1.50", Fraction(3, 2), "1.5"),
        ("1e3", 1000, "1000"),
        ("-0", 0, "0"),
        ("12E-1", Fraction(6, 5), "1.2"),
        ("-0.0050", Fraction(-1, 200), "-0.005"),
        ("0.00000000005", Fraction(1, 10**10), "0.0000000001"),
        ("999999999999.99999999994", 10**12 - Fraction(1, 10**10), "999999999999.9999999999"),
    ],
)
def test_numbers(text, number, canonical):
    assert parse_number(text) == number
    assert canonical_number(text) == canonical


def test_numbers_that_are_none():
    for text in ("1,5", "", " 1", "+1", ".5", "1.", "01", "NaN", "0x1", "\u0661"):
        assert parse_number(text) is None
    for text in ("1e12", "-1e999999999", "999999999999.99999999995", "9" * 101, "0." + "0" * 99):
        with pytest.raises(OutOfRange):
            parse_number(text)


def test_rounding_is_half_away_from_zero():
    assert [half_away(Fraction(text), 0) for text in ("2.5", "-2.5", "2.4999")] == [3, -3, 2]


def test_properties():
    for text in ('{"a":NaN}', '{"a":1,}', "[]", '{"a":"\\u0000"}', '{"a":"\\ud800"}', "{", "1"):
        with pytest.raises(MalformedJson):
            parse_properties(text)
    assert parse_properties('{"a":{"b":[{"c":1,"\\u0063":2}]}}')[1]
    assert not parse_properties('{"a":{"a":"\\ud83d\\ude00"}}')[1]


# -- a small house -----------------------------------------------------------------------------


class House:
    """One customer in UTC on a monthly plan with one usage charge; events by day."""

    def __init__(self, model: str = "per_unit", bands: tuple = (), **meter: str) -> None:
        self.catalog = {name: [] for name in COLUMNS}
        self.rows: list[dict] = []
        common = {"plan_id": "plan", "charge_id": "usage"}
        self.add("customers", customer_id="c", currency="USD", time_zone="UTC", billing_entity="E")
        self.add("plans", plan_id="plan", cycle="month", alignment="calendar")
        self.add("subscriptions", subscription_id="s", customer_id="c", plan_id="plan")
        self.catalog["subscriptions"][0]["starts_at"] = "2026-01-01"
        columns = {"aggregation": "sum", "property": "v"} | meter
        self.add("meters", meter="m", version="1", event_name="e", **columns)
        charge = {"charge_type": "usage", "meter": "m", "meter_version": "1"}
        self.add("charges", **common, position=1, pricing_model=model, **charge)
        for band in bands or ({"unit_price": "1"},):
            self.add("prices", **common, currency="USD", position=1, **band)

    def add(self, file: str, **values: object) -> None:
        self.catalog[file].append(catalog_row(file, **values))

    def land(self, loaded: str, properties: str = '{"v":1}', **values: str) -> None:
        """One delivery loaded at noon of a day of 2026 (`01-31`), in a load of its own."""
        row = dict.fromkeys(RAW_COLUMNS)
        loaded_at = datetime.fromisoformat(f"2026-{loaded}T12:00:00")
        row |= {"load_id": f"{len(self.rows):032x}", "line_number": 1, "loaded_at": loaded_at}
        row |= {"customer_id": "c", "event_name": "e", "properties": properties}
        self.rows.append(row | values)

    def bill(self, day: str):
        return bill(self.catalog, self.rows, date.fromisoformat(f"2026-{day}"))

    def quantities(self, day: str) -> dict[str, str]:
        """Quantity by invoice."""
        return {line.invoice_id: line.quantity for line in self.bill(day).lines}


def test_a_void_counts_from_its_own_load_day():
    house = House()
    house.land("01-10", event_key="a")
    house.land("01-11", event_key="b")
    house.land("01-12", voids_key="a")
    house.land("02-02", voids_key="b")  # January's cutoff is the midnight that begins 2 February
    assert house.quantities("01-11") == {"s@2026-02-01": "2.0000000000"}
    for day in ("01-31", "02-01", "03-01"):
        known = "1.0000000000"
        assert house.quantities(day)["s@2026-02-01"] == known
    assert house.bill("03-01").unbilled == []


def test_a_void_may_come_before_its_event():
    house = House()
    house.land("01-10", voids_key="a")
    house.land("01-11", event_key="a")
    made = house.bill("01-31")
    assert made.invoices == []
    assert len(made.accepted) == 2
    assert made.unbilled == []


def test_late_usage_of_a_closed_period_is_on_the_next_invoice():
    """February's, which has no line of its own; its period is January's."""
    house = House()
    house.land("01-10")
    house.land("02-01", occurred_at="2026-01-20")
    house.land("02-02", occurred_at="2026-01-20")
    assert house.quantities("02-03") == {
        "s@2026-02-01": "2.0000000000",
        "s@2026-03-01": "1.0000000000",
    }
    made = house.bill("02-03")
    assert made.unbilled == []
    assert [line.adjusts for line in made.lines] == ["", "s@2026-02-01"]
    assert [line.period_to.isoformat() for line in made.lines] == ["2026-02-01T00:00:00"] * 2


def test_first_accepted_delivery_holds_its_key():
    house = House()
    house.land("01-10", event_key="a", properties='{"v":NaN}')
    house.land("01-11", event_key="a", properties='{"v":2}')
    house.land("01-12", event_key="a", properties='{"v":3}')
    house.land("01-13", event_key="a", properties='{"v":2}')
    made = house.bill("01-31")
    assert [reason for *_, reason in made.rejects] == ["malformed", "conflict"]
    assert made.duplicate == [(f"{3:032x}", 1)]
    assert made.lines[0].quantity == "2.0000000000"


@pytest.mark.parametrize(
    ("mode", "carry_over", "quantity"),
    [
        # February has 28 days; 10 from before, then 4 from the 15th on (14 days).
        ("reading", "true", "7.0000000000"),
        ("reading", "false", "2.0000000000"),
        ("change", "true", "12.0000000000"),
        ("change", "false", "2.0000000000"),
    ],
)
def test_weighted_sum(mode, carry_over, quantity):
    meter = {"aggregation": "weighted_sum", "weighted_mode": mode, "carry_over": carry_over}
    house = House(**meter)
    house.land("01-20", '{"v":10}')
    house.land("02-15", '{"v":4}', occurred_at="2026-02-15")
    assert house.quantities("03-05")["s@2026-03-01"] == quantity


def test_latest_carries_over():
    house = House(aggregation="latest", carry_over="true")
    house.land("01-20", '{"v":10}')
    found = house.quantities("03-05")
    assert found["s@2026-03-01"] == "10.0000000000"


def test_percentile_is_the_nearest_rank():
    house = House(aggregation="percentile", percentile="50")
    for value in (3, 1, 2, 4):
        house.land("01-20", f'{{"v":{value}}}')
    assert house.quantities("01-31")["s@2026-02-01"] == "2.0000000000"


def test_a_negative_quantity_is_shown_and_rated_as_zero():
    house = House()
    house.land("01-20", '{"v":-5}')
    (line,) = house.bill("01-31").lines
    assert (line.quantity, line.rated_quantity, line.line_total) == (
        "-5.0000000000",
        "0.0000000000",
        "0.0000",
    )


def test_amounts_out_of_range_are_not_billed():
    house = House(bands=({"unit_price": "100"},))
    house.land("01-20", '{"v":999999999999}')
    made = house.bill("01-31")
    assert made.invoices == []
    assert made.unbilled == [(f"{0:032x}", 1, "out_of_range")]


def test_a_late_known_subscription_closes_after_it_became_known():
    house = House()
    house.catalog["subscriptions"][0]["recorded_at"] = "2026-03-10T09:00:00Z"
    house.land("01-20")
    assert house.bill("03-09").unbilled == [(f"{0:032x}", 1, "no_subscription")]
    finals = [one for one in house.bill("03-10").invoices if one.status == "final"]
    assert [(one.invoice_id, one.invoice_number) for one in finals] == [
        ("s@2026-02-01", "E-000001"),
    ]
    assert finals[0].cutoff == datetime(2026, 3, 11)
