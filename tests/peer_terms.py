"""Cases of other billing systems about commercial terms: changes, seats, discounts, commitments."""

from datetime import datetime, timedelta
from fractions import Fraction

from tests.oracle.amounts import fixed
from tests.peer_pricing import tier_rows, usage_month
from tests.peer_world import (
    CYCLES,
    CaseWorld,
    cents_text,
    days_after,
    instant_text,
    next_day,
    with_day,
)

MICROSECONDS_OF_A_DAY = 86_400 * 10**6


# -- changes of plan ---------------------------------------------------------------------------


def plan_change_proration(world: CaseWorld, given: dict, wanted: dict) -> None:
    """A fee in advance; its change is known when it happens, so that the rest is credited."""
    if "same_component" in given:
        plan_change_of_parts(world, given, wanted)
    elif "period_start" in given:
        plan_change_in_period(world, given, wanted)
    elif "old_price" in given:
        # Monthly from the 20th, then yearly from the day of the change on.
        start, changed = "2011-07-20", given["change_at"]
        world.subscribe(start, "2012-07-31", alignment="anniversary")
        world.fee("10", timing="advance")
        world.plan("new", cycle="year", alignment="anniversary")
        world.fee("100", timing="advance", plan="new")
        world.change_plan(changed, anchor_date=changed)
        world.check(wanted["amount"], field="line_total", period_from=instant_text(changed))
    else:
        upgrade(world, given, wanted)


def plan_change_in_period(world: CaseWorld, given: dict, wanted: dict) -> None:
    """A cycle with an end that the case leaves out, but for the one that counts both ends."""
    start, changed = given["period_start"], given["change_at"]
    if "strategy" in given:
        cycle = {"cycle": "month", "alignment": "anniversary"}
        end = next_day(given["period_end"])
    else:
        cycle = {"cycle": "30 days", "alignment": "anniversary"}
        end = given["period_end"]
    world.subscribe(start, days_after(end, 30), **cycle)
    old = given.get("old") or given.get("old_unit_price") or given.get("seat_price") or "20"
    new = given.get("new") or given.get("new_unit_price") or old
    world.fee(old, timing="advance")
    counts = [given.get(name) for name in ("old_quantity", "new_quantity")]
    if "old_seats" in given:
        counts = [given["old_seats"], given["new_seats"]]
    if counts[0]:
        seats(world, start, counts[0])
        seats(world, changed, counts[1])
    if new != old or "added" in given:
        world.plan("new", **cycle)
        world.fee(new, timing="advance", plan="new")
        for price in given.get("added", []):
            world.fee(price, timing="advance", charge_id="added", plan="new")
        world.change_plan(changed)
    if changed == given["period_end"]:
        # A change at a boundary is no change inside a cycle.
        world.check(wanted["net_cents"], field="line_total", kind="credit")
        world.check(old, field="line_total", holds=instant_text(start))
        return
    at = {"period_from": instant_text(changed)}
    if "added" in given:
        at["charge_id"] = "added"
    for name, kind in {"credit": "credit", "charge": "recurring"}.items():
        if value := stated(wanted, name):
            world.check(value, field="line_total", kind=kind, **at)
    if value := stated(wanted, "net"):
        world.check(value, field="line_total", **at)


def plan_change_of_parts(world: CaseWorld, given: dict, wanted: dict) -> None:
    """Credit and charge alone: prices whose half they are."""
    halves = [abs(Fraction(given[name])) / 50 for name in ("credit_cents", "charge_cents")]
    old, new = (fixed(half, 2) for half in halves)
    period = {"period_start": "2025-01-01", "period_end": "2025-01-31", "change_at": "2025-01-16"}
    plan_change_in_period(world, period | {"old": old, "new": new}, wanted)


def upgrade(world: CaseWorld, given: dict, wanted: dict) -> None:
    """The first plan's fee, the credit for what is left of it, or the fee of the next plan."""
    start, changed = given["start"], given.get("change_at")
    new_cycle = CYCLES[given["interval"]]
    # The case of the yearly plan's fee names only that; the plan before is monthly.
    cycle = "month"
    terms = {"alignment": given["billing_time"]}
    world.subscribe(start, days_after(start, 400), cycle=cycle, **terms)
    old = given.get("old_plan_cents") or given.get("plan_cents") or "1000"
    world.fee(cents_text(old), timing="advance")
    if changed is None:
        world.check(cents_text(wanted["fees_cents"]), field="line_total", holds=instant_text(start))
        return
    if "credit_cents" in wanted:
        new_cycle = "year"
    world.plan("new", cycle=new_cycle, **terms)
    world.fee(cents_text(given.get("new_plan_cents") or "12000"), timing="advance", plan="new")
    world.change_plan(f"{changed}Z")
    at = {"period_from": instant_text(f"{changed}Z")}
    if "credit_cents" in wanted:
        value = "-" + cents_text(wanted["credit_cents"])
        world.check(value, field="line_total", kind="credit", **at)
    else:
        value = cents_text(wanted["fees_cents"])
        world.check(value, field="line_total", kind="recurring", **at)


def stated(wanted: dict, name: str) -> str | None:
    """The amount that a case states in cents or whole."""
    cents = wanted.get(f"{name}_cents")
    return wanted.get(name) if cents is None else fixed(Fraction(cents) / 100, 2)


def seats(world: CaseWorld, day: str, quantity: str) -> None:
    values = {"charge_id": "fee", "quantity": quantity}
    world.change("quantity", day, f"{day}T00:00:00Z", **values)


def seat_proration(world: CaseWorld, given: dict, wanted: dict) -> None:
    """Seats are the quantity of a fee in advance."""
    month = given.get("month") or given["period"]
    first = f"{month}-01"
    added = given.get("added_on", first)
    world.subscribe("2024-06-01", with_day(days_after(first, 31), 1))
    world.fee(given["seat_price"], timing="advance")
    seats(world, "2024-06-01", "0")
    seats(world, "2024-06-11" if added == first else added, given.get("seats", "1"))
    in_month = {"holds": instant_text(f"{month}-20")}
    world.check(cents_text(wanted["amount_cents"]), field="line_total", **in_month)


def credit_note(world: CaseWorld, given: dict, wanted: dict) -> None:
    """What is left of a fee when the subscription ends; taxes are another ledger's."""
    price = given.get("fee_cents") or given["plan_amount_cents"]
    if "terminated_after_days" in given:
        start, terms = given["start"], {"alignment": given["billing_time"]}
        used = int(given["terminated_after_days"].split("/")[0])
    else:
        start, terms = "2022-02-01", {}
        unused, full = map(int, given["unused_days"].split("/"))
        used = full - unused
    end = days_after(start, used)
    world.subscribe(start, "", **terms)
    world.fee(cents_text(price), timing="advance")
    world.change("end", end, f"{end}T00:00:00Z")
    value = wanted.get("item_cents") or wanted["sub_total_excluding_taxes_cents"]
    world.check("-" + cents_text(value), field="line_total", kind="credit")


def credit_cap(world: CaseWorld, given: dict, wanted: dict) -> None:
    """Half of a fee of which a discount left only so much to pay."""
    price = 2 * Fraction(given["potential_credit"])
    world.subscribe("2026-01-01", "", cycle="30 days", alignment="anniversary")
    world.fee(fixed(price, 2), timing="advance")
    discount(world, amount=fixed(price - Fraction(given["original_paid"]), 2))
    world.change("end", "2026-01-16", "2026-01-16T00:00:00Z")
    world.check(given["original_paid"], field="line_total", kind="recurring")
    world.check(wanted["credit"], field="line_total", kind="credit")


def progressive_billing(world: CaseWorld, given: dict, wanted: dict) -> None:
    """No invoice is made at a threshold: what stood there stands on the cycle's own."""
    start = given["start"]
    world.subscribe(start, days_after(start, 90))
    world.fee(cents_text(given["plan_cents"]))
    world.usage_charge("per_unit", [{"unit_price": given["unit_price"]}])
    months = [start, "2023-01-01", "2023-02-01"]
    for when, value in given["events"]:
        begin = months[int(when[1])] if "month" in when else start
        days = int(when.split("+")[-1].removesuffix("d"))
        world.event({"value": value}, at=f"{days_after(begin, days)}T12:00:00Z")
    progressive = given["thresholds_cents"][0]
    if "upgraded" in given:
        changed = days_after(start, int(given["upgraded"][1:-1]))
        world.plan("new")
        world.fee("50", plan="new")
        world.change_plan(changed)
        at = {"holds": instant_text(days_after(changed, -1))}
        world.check(cents_text(wanted["final_fees_cents"]), field="line_total", **at)
    elif "month1_total_cents" in wanted:
        totals = [wanted[f"month{number}_total_cents"] for number in (1, 2, 3)]
        totals[0] = str(int(totals[0]) + int(progressive))
        for begin, cents in zip(months, totals, strict=True):
            world.check(cents_text(cents), field="line_total", holds=instant_text(begin))
    else:
        value = cents_text(wanted["progressive_invoice_cents"])
        world.check(value, field="line_total", kind="usage")


# -- usage of parts of a cycle -----------------------------------------------------------------


def level_charge(world: CaseWorld, model: str, rows: list[dict], **meter: str) -> None:
    """A level that events change, weighted by the time that it lasts."""
    columns = {"aggregation": "weighted_sum", "weighted_mode": "change", "carry_over": "true"}
    world.usage_charge(model, rows, meter=columns | meter)


def prorated_graduated(world: CaseWorld, given: dict, wanted: dict) -> None:
    """An event stands where the rest of the month is its prorated share."""
    world.subscribe("2026-06-01", "2026-07-01")
    level_charge(world, "tiered", tier_rows(given["tiers"]))
    pairs = zip(given["event_units"], given["event_prorated_units"], strict=True)
    for units, prorated in pairs:
        rest = Fraction(prorated) / Fraction(units) * 30 * MICROSECONDS_OF_A_DAY
        at = datetime(2026, 7, 1) - timedelta(microseconds=round(rest))
        world.event({"value": units}, at=f"{at.isoformat()}Z")
    world.check(wanted["amount"], digits=2)


def prorated_sum(world: CaseWorld, given: dict, wanted: dict) -> None:
    """A month that a level is carried into."""
    world.subscribe("2023-04-01", "2023-06-01")
    meter = {}
    if "rounding" in given:
        meter = {"rounding": "up", "rounding_digits": str(given["precision"])}
    level_charge(world, "per_unit", [{"unit_price": "1"}], **meter)
    for value in given["carried_in"]:
        world.event({"value": value}, at="2023-04-20T12:00:00Z")
    for day, value in given["events"]:
        world.event({"value": value}, at=f"{day}T00:00:00Z")
    if "count" in wanted:
        # Counted once: those carried in in their own month, the others in theirs.
        world.check(wanted["count"], field="event_count")
    else:
        may = {"period_from": instant_text(given["period_from"] + "Z")}
        world.check(wanted["aggregation"], field="quantity", **may)


def prorated_unique_count(world: CaseWorld, given: dict, wanted: dict) -> None:
    """A value that comes and goes is a level that goes up and down."""
    start = given["period_from"][:10]
    end = next_day(given["period_to"][:10])
    world.subscribe(start, end, alignment="anniversary", anchor_date=end)
    level_charge(world, "per_unit", [{"unit_price": "1"}])
    for name, value in {"adds": "1", "removes": "-1"}.items():
        for at in given[name]:
            instant = instant_text(f"{at}Z" if "T" in at else at)
            world.event({"value": value}, at=f"{instant}Z")
    world.check(wanted["aggregation"], field="quantity", digits=5)


def usage_discount(world: CaseWorld, given: dict, wanted: dict) -> None:
    """Free units of a cycle, used by what came first."""
    usage_month(world)
    world.usage_charge("per_unit", [{"unit_price": "1"}], allowance=given["free_units"])
    for day, name in enumerate(("already_billed_quantity", "quantity"), start=10):
        world.event({"value": given[name]}, at=f"2026-01-{day}T12:00:00Z")
    billable = Fraction(wanted["billable_quantity"]) + Fraction(wanted["billable_pre_quantity"])
    world.check(str(billable))


def credit_rollover(world: CaseWorld, given: dict, wanted: dict) -> None:
    """Units included in a month, so many of which may be left for the next: seen by using all."""
    (grant,) = given["grants"].values()
    (used,) = (value for _, value in given["usage"])
    world.subscribe("2026-01-01", "2026-03-01")
    world.usage_charge("per_unit", [{"unit_price": "1"}])
    world.add(
        "allowances",
        plan_id=world.name("plan"),
        allowance_id="included",
        charge_ids="usage",
        quantity=grant["amount"],
        rollover_periods="1",
        rollover_cap=grant["reset_max_rollover"],
    )
    everything = 1000
    world.event({"value": used}, at="2026-01-15T12:00:00Z")
    world.event({"value": str(everything)}, at="2026-02-15T12:00:00Z")
    (balance,) = wanted["balances"].values()
    left = everything - Fraction(grant["amount"]) - Fraction(balance)
    world.check(str(left), period_from="2026-02-01T00:00:00")


# -- discounts ---------------------------------------------------------------------------------


def discount(world: CaseWorld, position: int = 1, level: str = "invoice", **values: str) -> None:
    if "percent" not in values:
        values["currency"] = world.currency
    world.add(
        "discounts",
        discount_id=world.name(f"discount{position}"),
        name="peer",
        level=level,
        position=position,
        customer_id=world.name("customer"),
        **values,
    )


def coupon(world: CaseWorld, given: dict, wanted: dict) -> None:
    used = given.get("already_used_cents")
    base = given.get("price") or cents_text(given["base_cents"])
    end = "2026-03-01" if used else "2026-02-01"
    world.subscribe("2026-01-01", end, currency=given.get("currency", "USD"))
    month = {"period_from": "2026-02-01T00:00:00" if used else "2026-01-01T00:00:00"}
    if used:
        # What is left of a total: January's invoice used the other part.
        world.usage_charge("per_unit", [{"unit_price": "1"}])
        world.event({"value": cents_text(used)}, at="2026-01-15T12:00:00Z")
        world.event({"value": base}, at="2026-02-15T12:00:00Z")
        discount(world, total_amount=cents_text(given["coupon_cents"]))
    else:
        world.fee(base)
        if "percent_off" in given:
            discount(world, level="line", percent=given["percent_off"])
        elif "coupon_cents" in given:
            discount(world, amount=cents_text(given["coupon_cents"]))
        else:
            percents = given.get("percents") or [given["coupon_percent"]]
            for position, percent in enumerate(percents, start=1):
                discount(world, position, percent=percent)
    cents = wanted.get("amount_cents") or wanted.get("discount_cents")
    value = wanted["discount"] if cents is None else cents_text(cents)
    world.check(value, field="discount_total", **month)
    if "final" in wanted:
        world.check(wanted["final"], field="line_total", **month)


def coupon_allocation(world: CaseWorld, given: dict, wanted: dict) -> None:
    world.subscribe("2026-01-01", "2026-02-01")
    discount(world, amount=cents_text(given["discount_cents"]))
    pairs = zip(given["line_cents"], wanted["taxable_cents"], strict=True)
    for number, (cents, taxable) in enumerate(pairs, start=1):
        charge_id = f"fee{number}"
        world.fee(cents_text(cents), charge_id=charge_id)
        world.check(cents_text(taxable), field="line_total", charge_id=charge_id)


def allocation(world: CaseWorld, given: dict, wanted: dict) -> None:
    """An amount off lines that are as their weights; equal remainders go by charge."""
    world.subscribe("2026-01-01", "2026-02-01", currency=given["currency"])
    discount(world, amount=given["amount"])
    for charge_id, weight in given["weights"].items():
        world.fee(str(1000 * int(weight)), charge_id=charge_id)
        value = wanted["allocations"][charge_id]
        world.check(value, field="discount_total", charge_id=charge_id)


# -- commitments -------------------------------------------------------------------------------


def commit(world: CaseWorld, amount: str, charge_id: str = "", **values: str) -> None:
    world.add(
        "commitments",
        commitment_id=world.name(f"commitment{charge_id}"),
        name="peer",
        plan_id=world.name("plan"),
        currency=world.currency,
        amount=amount,
        charge_ids=charge_id,
        **values,
    )


def minimum_commitment_proration(world: CaseWorld, given: dict, wanted: dict) -> None:
    """Without any fee the true-up is all that was committed."""
    cycle = {"cycle": CYCLES[given["interval"]], "alignment": given["billing_time"]}
    world.subscribe(given["from"], next_day(given["to"]), **cycle)
    world.fee("0")
    commit(world, cents_text(given["commitment_cents"]))
    value = cents_text(wanted["commitment_amount_cents"])
    world.check(value, field="line_total", kind="true_up")


def minimum_commitment_trueup(world: CaseWorld, given: dict, wanted: dict) -> None:
    if "fees_cents" in given:
        first, last = given["period"].split("..")
        fees = given["fees_cents"]
        end = next_day(last)
        world.subscribe(first, days_after(end, 365), cycle="year")
        world.fee(cents_text(fees["subscription"]))
        world.fee(cents_text(fees["fixed_charge"]), charge_id="fixed")
        world.usage_charge("per_unit", [{"unit_price": "1"}])
        world.event({"value": cents_text(fees["charge"])}, at="2024-05-15T12:00:00Z")
        # The next year's stands on the same invoice, and this year's costs nothing.
        world.fee("0", timing="advance", charge_id="ahead")
        ahead = world.catalog["prices"][-1]
        price = cents_text(fees["in_advance_charge_next_period"])
        world.catalog["prices"].append(ahead | {"unit_price": price, "valid_from": end})
        value = wanted["true_up_cents"]
    else:
        cycle = {"cycle": CYCLES[given["interval"]], "alignment": given["billing_time"]}
        end = given["billed_at"]
        world.subscribe(given["subscription_start"], end, **cycle)
        world.fee(cents_text(given["plan_amount_cents"]))
        value = wanted["commitment_fee_cents"]
    commit(world, cents_text(given["commitment_cents"]))
    at = {"kind": "true_up", "ends_by": instant_text(end)}
    world.check(cents_text(value), field="line_total", **at)


def windowed_commitment(world: CaseWorld, given: dict, wanted: dict) -> None:
    """Hours of the day with a price of their own are a charge; the window is the cycle."""
    (bucket,) = given["buckets"]
    usage_month(world)
    from_hour, to_hour = map(int, bucket["hours"].split("-"))
    for charge_id, terms in {"bucket": bucket, "others": given["line_item"]}.items():
        price = terms["unit_price"]
        world.usage_charge("per_unit", [{"unit_price": price}], charge_id=charge_id)
        amount = terms.get("commitment")
        if "commitment_quantity" in terms:
            amount = fixed(Fraction(terms["commitment_quantity"]) * Fraction(price), 2)
        if amount:
            commit(world, amount, charge_id, overage_factor=terms["overage_factor"])
    for time, value in given["windows"].items():
        is_in_bucket = from_hour <= int(time[:2]) < to_hour
        charge_id = "bucket" if is_in_bucket else "others"
        world.event({"value": value}, at=f"2026-01-15T{time}:00Z", charge_id=charge_id)
    world.check(wanted["amount"], field="line_total")
    world.check(wanted["true_up"], field="line_total", kind="true_up")
