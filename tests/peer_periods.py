"""Cases of other billing systems about cycles, their bounds, and fees of parts of them."""

from datetime import date, timedelta
from fractions import Fraction

from tests.oracle.amounts import half_away
from tests.peer_world import (
    CYCLES,
    CaseWorld,
    cents_text,
    days_after,
    instant_text,
    next_day,
    utc_text,
    with_day,
)

#: The price whose cents show nine digits of a ratio.
UNIT_FEE = 10**7
RATIO = {"field": "line_total", "digits": 2}


def fee_periods(world: CaseWorld, starts_at: str, until: str, cycle: str, **columns: str) -> None:
    """A fee in arrears shows the periods; the subscription runs on past the case's dates."""
    room = 800 if cycle == "year" else 220
    every = columns.pop("every", "")
    ends_at = days_after(until, room * int(every or 1))
    world.subscribe(starts_at, ends_at, cycle=cycle, **columns)
    world.fee("1", every=every)


def check_bounds(world: CaseWorld, wanted: dict, **select: str) -> None:
    names = {"from": "period_from", "to": "period_to"}
    for name, field_name in names.items():
        if name in wanted:
            world.check(instant_text(wanted[name]), field=field_name, **select)


def billing_period(world: CaseWorld, given: dict, wanted: dict) -> None:
    cycle = CYCLES[given["interval"]]
    if "billing_time" in given:
        aligned = {"alignment": given["billing_time"]}
        fee_periods(world, given["subscription_at"], given["billing_at"], cycle, **aligned)
        at = instant_text(given["billing_at"])
        is_running = given.get("pay_in_advance") or given.get("terminated")
        check_bounds(world, wanted, **({"holds": at} if is_running else {"ends_by": at}))
    elif "billing_day" in given:
        at = given.get("invoice_date") or given["at"]
        start = given.get("billing_start") or at
        if given.get("first_period") is False:
            start = "2021-01-01"
        anchor = {"alignment": "anniversary", "anchor_date": with_day(start, given["billing_day"])}
        fee_periods(world, start, max(at, start), cycle, **anchor)
        if given.get("mode") == "arrears":
            check_bounds(world, wanted, ends_by=instant_text(at))
        else:
            check_bounds(world, wanted, holds=instant_text(max(at, start)))
    elif "anchor_day" in given:
        anchor = {"alignment": "anniversary"}
        anchor["anchor_date"] = with_day(given["from"], given["anchor_day"])
        fee_periods(world, given["from"], given["from"], cycle, **anchor)
        at = instant_text(given["from"])
        world.check(instant_text(wanted["next"]), field="period_to", holds=at)
    else:
        start = given.get("current_start") or given["anchor"]
        start = start[:16] + ":00" + start[16:].removeprefix(":00")
        anchor = {"alignment": "anniversary", "anchor_date": given["anchor"][:10]}
        if start.endswith("+05:30"):
            anchor["time_zone"] = "Asia/Kolkata"
        if given.get("interval_count", 1) > 1:
            anchor["every"] = str(given["interval_count"])
        until = given.get("at", start)
        fee_periods(world, start, until, cycle, **anchor)
        at = instant_text(until)
        if "next_billing_date" in wanted:
            wanted = {"to": wanted["next_billing_date"]}
        check_bounds(world, wanted, holds=at)


def elapsed_cycles(world: CaseWorld, given: dict, wanted: dict) -> None:
    start, target = given["billing_start"], given["target"]
    anchor = {"alignment": "anniversary", "anchor_date": with_day(start, given["billing_day"])}
    fee_periods(world, start, max(start, target), CYCLES[given["interval"]], **anchor)
    world.check(wanted["elapsed_cycles"], field="lines", all_ending_by=instant_text(target))


def first_billing_cycle_date(world: CaseWorld, given: dict, wanted: dict) -> None:
    start = given["start"]
    anchor = {"alignment": "anniversary", "anchor_date": with_day(start, given["bill_cycle_day"])}
    fee_periods(world, start, given.get("target", start), CYCLES[given["period"]], **anchor)
    if "whole_billing_periods" in wanted:
        target = instant_text(given["target"])
        world.check(wanted["whole_billing_periods"], field="lines", all_starting_by=target)
        return
    begins = int(start[8:]) == given["bill_cycle_day"]
    field_name = "period_from" if begins else "period_to"
    value = instant_text(wanted["first_billing_cycle_date"])
    world.check(value, field=field_name, holds=instant_text(start))


def timezone_change(world: CaseWorld, given: dict, wanted: dict) -> None:
    fee_periods(world, "2022-01-01", "2022-03-01", "month", time_zone=given["timezone"])
    world.add(
        "customers",
        customer_id=world.name("customer"),
        name="peer",
        currency="USD",
        time_zone=given["new_timezone"],
        billing_entity="peers",
        valid_from="2022-02-10T00:00:00Z",
    )
    bounds = {"from": wanted["charges_from"], "to": wanted["charges_to"]}
    check_bounds(world, bounds, holds="2022-02-15T00:00:00")


# -- proration ---------------------------------------------------------------------------------


def fee_part(world: CaseWorld, starts_at: str, ends_at: str, price: str, **columns: str) -> None:
    timing = columns.pop("timing", "arrears")
    world.subscribe(starts_at, ends_at, **columns)
    world.fee(price, timing=timing)


def days_between(world: CaseWorld, given: dict, wanted: dict) -> None:
    """A fee of a unit of money a day of the month shows the days billed."""
    start, end, time_zone = given["from"], given["to"], given["timezone"]
    month = date.fromisoformat(start[:10]).replace(day=1)
    days = ((month + timedelta(days=32)).replace(day=1) - month).days
    bounds = (utc_text(start, time_zone), utc_text(end, time_zone))
    fee_part(world, *bounds, str(days), time_zone=time_zone)
    world.check(wanted["days"], field="line_total")


def fixed_days_between(world: CaseWorld, given: dict, wanted: dict) -> None:
    anchor = {"alignment": "anniversary", "anchor_date": given["to"]}
    fee_part(world, given["from"], given["to"], "29", **anchor)
    world.check(wanted["days"], field="line_total")


def day_price(world: CaseWorld, given: dict, wanted: dict) -> None:
    """A day of the month before the billing date costs amount / 28."""
    fee_part(world, "2022-02-10", "2022-02-11", wanted["single_day_price"].split("/")[1])
    world.check("1", field="line_total")


def flat_fee_proration(world: CaseWorld, given: dict, wanted: dict) -> None:
    bounds = (given["service_from"], given["service_to"])
    fee_part(world, *bounds, given["amount"], currency=given["currency"])
    world.check(wanted["amount"], field="line_total")


def proration_ratio(world: CaseWorld, given: dict, wanted: dict) -> None:
    """A fee of ten million shows nine digits of the ratio."""
    if "partial" in given:
        start, end = given["partial"].split("..")
        if start == end:
            # No time at all is no subscription: some hours of one day are no day.
            start, end = f"{start}T08:00:00Z", f"{end}T17:00:00Z"
        anchor = {"alignment": "anniversary", "anchor_date": start[:8] + "01"}
        cycle = "month" if wanted["factor"] == "0" else "year"
        fee_part(world, start, end, str(UNIT_FEE), cycle=cycle, **anchor)
        value = half_away(Fraction(wanted["factor"]) * UNIT_FEE, 2)
    else:
        start = given.get("from") or given["previous_bill_through"]
        end = given.get("to") or given["end"]
        anchor = {"alignment": "anniversary", "anchor_date": end}
        fee_part(world, start, end, str(UNIT_FEE), **anchor)
        value = half_away(Fraction(wanted["proration"]) * UNIT_FEE, 2)
    world.check(str(value), **RATIO)


def proration_cycles(world: CaseWorld, given: dict, wanted: dict) -> None:
    start, target = given["start"], given["target"]
    cycle = CYCLES[given["billing_period"]]
    anchor = {"alignment": "anniversary", "anchor_date": with_day(start, given["bill_cycle_day"])}
    end = given["end"] or days_after(target, 900 if cycle == "year" else 75)
    fee_part(world, start, end, str(UNIT_FEE), cycle=cycle, timing="advance", **anchor)
    value = half_away(Fraction(wanted["billing_cycles"]) * UNIT_FEE, 2)
    world.check(str(value), **RATIO, all_starting_by=instant_text(target))


def subscription_proration(world: CaseWorld, given: dict, wanted: dict) -> None:
    if "bill_cycle_day" in given:
        start = given["start"]
        anchor = {"alignment": "anniversary"}
        anchor["anchor_date"] = with_day(start, given["bill_cycle_day"])
        fee_part(world, start, days_after(start, 60), given["price"], **anchor)
        value = wanted["amount"]
    else:
        start = given.get("from") or given["subscription_start"]
        last = given.get("to")
        cycle = {"cycle": CYCLES[given["interval"]], "trial_days": given.get("trial_days", "")}
        cycle["timing"] = "advance" if given.get("pay_in_advance") else "arrears"
        end = next_day(last) if last else days_after(start, 10)
        fee_part(world, start, end, cents_text(given["plan_amount_cents"]), **cycle)
        value = cents_text(wanted["amount_cents"])
        if "previous_plan_amount_cents" in given:
            # The plan before has the days before.
            world.catalog["subscriptions"][0]["plan_id"] = world.name("previous")
            world.catalog["subscriptions"][0]["starts_at"] = with_day(start, 1)
            world.plan("previous")
            world.fee(cents_text(given["previous_plan_amount_cents"]), plan="previous")
            world.change("plan", start, plan_id=world.name("plan"))
        if "trial_days" in given:
            # What is left of the only cycle begins where the trial ends.
            world.check(value, field="line_total")
            return
    world.check(value, field="line_total", holds=instant_text(start))


def invoice_generation(world: CaseWorld, given: dict, wanted: dict) -> None:
    start, target = given["start"], given["target"]
    anchor = {"alignment": "anniversary", "anchor_date": with_day(start, given["bill_cycle_day"])}
    fee_part(world, start, days_after(target, 75), given["price"], timing="advance", **anchor)
    world.check(wanted["amount"], field="line_total", all_starting_by=instant_text(target))
