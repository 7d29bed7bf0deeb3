"""The suites: what is expected of each frame, in words and as Great Expectations has it.

A share of what is usual is a multiple: 1 is as ever. The bounds are wide: what they stop is not a
good month, but a price with a digit too many, a day that is missing, a file that came twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Expectation:
    """What is expected of a column of a frame, under the name that a failed check has.

    Values are between `at_least` and `at_most`, or one of `one_of`; a blank is not looked at. One
    that is not blocking warns: nothing wrong with a bill follows from it.
    """

    name: str
    says: str
    column: str
    at_least: float | None = None
    at_most: float | None = None
    one_of: Sequence[Any] | None = None
    is_blocking: bool = True


@dataclass(frozen=True)
class Suite:
    """Expectations of one frame, which are checks of one asset.

    `keys` are the columns that say which row it is.
    """

    name: str
    asset: tuple[str, str]
    frame: str
    keys: tuple[str, ...]
    expectations: tuple[Expectation, ...]


RAW = ("raw", "usage_events")
ROLLUPS = ("metering", "int_metering__rollups")
LINES = ("marts", "rated_lines")
UNBILLED = ("marts", "unbilled_usage")
DOCUMENTS = ("invoicing", "int_invoicing__documents")
PRICES = ("catalog", "prices")

SUITES = (
    Suite(
        "raw_events_by_day",
        RAW,
        "days_of_usage",
        ("day",),
        (
            Expectation(
                "every_day_has_usage",
                "A day has usage, where days have: else none came, or none was landed.",
                "count_where_usual", at_least=1,
            ),
            Expectation(
                "volume_is_usual",
                "A day has between two fifths and twice the records of the trailing weeks' median.",
                "share_of_usual", at_least=0.4, at_most=1.95,
            ),
            Expectation(
                "few_are_rejected", "At most a twentieth of a day's records is rejected.",
                "rejected_share", at_most=0.05,
            ),
            Expectation(
                "few_came_before", "At most three tenths of a day's records are duplicates.",
                "duplicate_share", at_most=0.3, is_blocking=False,
            ),
        ),
    ),
    Suite(
        "raw_events_by_name",
        RAW,
        "event_names",
        ("day", "event_name"),
        (
            Expectation(
                "event_names_still_come",
                "An event name that comes by the dozen each day does not stop.",
                "share_of_usual", at_least=0.1,
            ),
            Expectation(
                "event_names_do_not_flood",
                "An event name has at most four times the events of its trailing weeks' median.",
                "share_of_usual", at_most=4,
            ),
        ),
    ),
    Suite(
        "raw_events_by_customer",
        RAW,
        "customer_events",
        ("day", "customer_id"),
        (
            Expectation(
                "customers_do_not_spike",
                "A customer has at most eight times the events of its trailing weeks' median.",
                "share_of_usual", at_most=8,
            ),
            Expectation(
                "customers_still_come",
                "A customer with dozens of events each day does not fall silent.",
                "share_of_usual", at_least=0.02, is_blocking=False,
            ),
        ),
    ),
    Suite(
        "raw_events_by_time",
        RAW,
        "delays",
        ("day", "event_name"),
        (
            Expectation(
                "times_are_of_the_day",
                "Events are of the day on which they are landed as far as they usually are: a zone"
                " that was lost or mistaken moves them into another.",
                "more_than_usual", at_most=0.15,
            ),
        ),
    ),
    Suite(
        "rollups_by_meter",
        ROLLUPS,
        "meters",
        ("day", "meter_profile"),
        (
            Expectation(
                "meters_still_measure",
                "A meter that measures dozens of events a day does not stop.",
                "share_of_usual", at_least=0.1,
            ),
            Expectation(
                "measures_are_usual",
                "What an event measures is on average between a fifth and five times the usual.",
                "mean_share_of_usual", at_least=0.2, at_most=5,
            ),
            Expectation(
                "quantities_are_not_negative",
                "No quarter of an hour measures less than nothing, but of a meter of changes.",
                "least_value", at_least=0,
            ),
            Expectation(
                "most_is_measured",
                "Of a meter's events at most a fifth more than usual cannot be measured.",
                "unmeasured_more_than_usual", at_most=0.2,
            ),
        ),
    ),
    Suite(
        "rollups_by_customer",
        ROLLUPS,
        "customer_meters",
        ("day", "customer_id", "meter_profile"),
        (
            Expectation(
                "quantities_do_not_spike",
                "A customer's quantity of a day is at most a hundred times its usual.",
                "share_of_usual", at_most=100,
            ),
        ),
    ),
    Suite(
        "unbilled_usage",
        UNBILLED,
        "unbilled",
        ("day", "reason"),
        (
            Expectation(
                "unbilled_share_is_usual",
                "Of a day's usage at most a twentieth more than usual is billed by nothing.",
                "more_than_usual", at_most=0.05,
            ),
        ),
    ),
    Suite(
        "prices",
        PRICES,
        "prices",
        ("plan_id", "charge_id", "dimension_values", "currency"),
        (
            Expectation(
                "prices_agree_across_currencies",
                "A price in one currency is to the same price in another as other prices are.",
                "share_of_usual_rate", at_least=0.25, at_most=4,
            ),
        ),
    ),
    Suite(
        "rates",
        LINES,
        "rates",
        ("rating_step_id", "customer_id", "charge_id", "currency"),
        (
            Expectation(
                "unit_prices_are_usual",
                "A unit costs between a fifth and five times what it cost on closed lines of the"
                " same charge, currency, dimension values and band.",
                "rate_share_of_usual", at_least=0.2, at_most=5,
            ),
        ),
    ),
    Suite(
        "rated_lines",
        LINES,
        "lines",
        ("rated_line_id", "customer_id", "charge_id", "currency"),
        (
            Expectation(
                "line_totals_are_usual",
                "A line is at most fifty times the subscription's earlier lines of the charge.",
                "total_share_of_usual", at_most=50,
            ),
            Expectation(
                "lines_are_in_the_customers_currency",
                "A line is in the currency of its customer.",
                "is_in_the_customers_currency", one_of=(True,),
            ),
            Expectation(
                "charges_are_not_negative", "What is charged is not below zero.",
                "is_below_zero", one_of=(False,),
            ),
        ),
    ),
    Suite(
        "invoices",
        DOCUMENTS,
        "documents",
        ("invoice_id", "customer_id", "currency"),
        (
            Expectation(
                "invoice_totals_are_usual",
                "An invoice is at most forty times the subscription's earlier ones.",
                "total_share_of_usual", at_most=40,
            ),
            Expectation(
                "invoices_have_lines", "An invoice has lines, and not a hundred thousand.",
                "line_count", at_least=1, at_most=100_000,
            ),
            Expectation(
                "invoices_below_zero_are_rare", "An invoice below zero is looked at by a person.",
                "is_below_zero", one_of=(False,), is_blocking=False,
            ),
        ),
    ),
    Suite(
        "credits",
        LINES,
        "credits",
        ("customer_id", "currency"),
        (
            Expectation(
                "credits_are_less_than_charges",
                "What a customer is credited is at most twice what is charged beside it.",
                "credited_share", at_most=2,
            ),
            Expectation(
                "balances_are_not_negative", "Nobody has less than no balance.",
                "is_balance_below_zero", one_of=(False,),
            ),
        ),
    ),
)  # fmt: skip
