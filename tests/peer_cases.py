"""Numeric cases of other billing systems' tests, as catalogues and events of ours.

`translate` makes of a case one customer with its own plan and meters, so that all cases go through
one build (`merge`). Its checks are about invoice lines alone, whoever made them: the oracle or
the warehouse (`observe`), or about credits. Where our rule is another one, OURS holds our value
and the reason; WAITING says of the other cases what they wait for. The translators are
peer_pricing, peer_periods, peer_terms, peer_corrections and peer_credits.
"""

import json
import os
from collections.abc import Callable
from datetime import date, datetime
from fractions import Fraction
from pathlib import Path

from tests import peer_corrections, peer_credits, peer_periods, peer_pricing, peer_terms
from tests.oracle.amounts import half_away
from tests.peer_credit_rows import FIELDS as CREDIT_FIELDS
from tests.peer_credit_rows import CreditRows, observe_credits
from tests.peer_world import CaseWorld, Check
from tests.strategies import COLUMNS, Row

AS_OF_DAY = date(2030, 1, 1)
#: What is added up over the lines of a check.
SUMS = ("amount", "line_total", "discount_total", "event_count")
Translator = Callable[[CaseWorld, dict, dict], None]
Translation = tuple[dict[str, list[Row]], list[dict], date, dict]

#: Kinds of cases that are about what is built so far, and what translates them.
TRANSLATORS: dict[str, Translator] = {
    # pricing models and limits
    "block_tiers": peer_pricing.block_tiers,
    "bucketed": peer_pricing.bucketed,
    "charge_minimum_trueup": peer_pricing.charge_minimum,
    "dimensional": peer_pricing.dimensional,
    "dynamic": peer_pricing.dynamic,
    "graduated": peer_pricing.graduated,
    "graduated_percentage": peer_pricing.graduated_percentage,
    "max_spend": peer_pricing.spend,
    "min_spend": peer_pricing.spend,
    "package": peer_pricing.package,
    "per_unit": peer_pricing.per_unit,
    "percentage": peer_pricing.percentage,
    "percentage_min_max": peer_pricing.percentage,
    "percentage_scenario": peer_pricing.percentage,
    "rounding": peer_pricing.rounding,
    "stairstep": peer_pricing.stairstep,
    "unit_conversion": peer_pricing.unit_conversion,
    "volume": peer_pricing.volume,
    # aggregations
    "count": peer_pricing.count,
    "latest": peer_pricing.latest,
    "max": peer_pricing.maximum,
    "sum": peer_pricing.total,
    "unique_count": peer_pricing.unique_count,
    "weighted_sum": peer_pricing.weighted_sum,
    # cycles
    "billing_period": peer_periods.billing_period,
    "elapsed_cycles": peer_periods.elapsed_cycles,
    "first_billing_cycle_date": peer_periods.first_billing_cycle_date,
    "timezone_change": peer_periods.timezone_change,
    # parts of a cycle
    "day_price": peer_periods.day_price,
    "days_between": peer_periods.days_between,
    "fixed_days_between": peer_periods.fixed_days_between,
    "flat_fee_proration": peer_periods.flat_fee_proration,
    "invoice_generation": peer_periods.invoice_generation,
    "proration_cycles": peer_periods.proration_cycles,
    "proration_ratio": peer_periods.proration_ratio,
    "subscription_proration": peer_periods.subscription_proration,
    "prorated_graduated": peer_terms.prorated_graduated,
    "prorated_sum": peer_terms.prorated_sum,
    "prorated_unique_count": peer_terms.prorated_unique_count,
    # changes
    "credit_cap": peer_terms.credit_cap,
    "credit_note": peer_terms.credit_note,
    "plan_change_proration": peer_terms.plan_change_proration,
    "progressive_billing": peer_terms.progressive_billing,
    "seat_proration": peer_terms.seat_proration,
    # allowances, discounts, commitments
    "allocation": peer_terms.allocation,
    "coupon": peer_terms.coupon,
    "coupon_allocation": peer_terms.coupon_allocation,
    "credit_rollover": peer_terms.credit_rollover,
    "minimum_commitment_proration": peer_terms.minimum_commitment_proration,
    "minimum_commitment_trueup": peer_terms.minimum_commitment_trueup,
    "usage_discount": peer_terms.usage_discount,
    "windowed_commitment": peer_terms.windowed_commitment,
    # corrections
    "late_usage_delta": peer_corrections.late_usage_delta,
    # prepaid credits
    **peer_credits.TRANSLATORS,
}

#: Kinds, or single cases, that are about what is not built, and what they wait for.
PRORATED = "a grant is of the amount that its row says: nothing prorates it"
CREDITED_BEFORE = "the credit of a fee that ends early counts the fee, not what an action credited"
WAITING = {
    "credit_grant_proration": PRORATED,
    "fx-creditcap-2": CREDITED_BEFORE,
    "fx-creditcap-6": CREDITED_BEFORE,
    "revenue_recognition": "revenue is not built",
    "tax_rounding": "lines carry tax codes: tax amounts are the receivables ledger's",
}

#: Cases whose rule is not ours: the values of our checks in order, and why.
MIDNIGHT = "boundaries are local midnight, not the time of day of the start"
WHOLE_MONTHS = "days are calendar days over the days of the full cycle, not of a month of 30 or 28"
FREE_EVENTS = "free events are free of the fee per event, not of the percentage"
AVERAGE_LEVEL = "tiers are of the level's average over the cycle, not of each event's whole units"
REAL_SECONDS = "a level is weighted by real seconds, and no quantity is rounded up"
NOT_BEFORE = "a grant never pays for usage of before it began: what no grant covers is billed"
TAXES = "lines carry no tax amounts: credits pay what the line says"
OURS: dict[str, tuple[str, list[str]]] = {
    "om-credit-activates": (NOT_BEFORE, ["75"]),
    "om-credit-recurring": (NOT_BEFORE, ["100"]),
    "lago-wallet-bm": (
        TAXES,
        ["0", "0", "-0.60", "0", "-0.40", "0", "0", "0"],
    ),
    "lago-wallet-decimal": (TAXES, ["-1.04"]),
    "lago-wallet-feecap": (TAXES, ["-0.60"]),
    "lago-wallet-rounding-gap": (TAXES, ["-1000"]),
    "fx-next-28feb": (MIDNIGHT, ["2025-03-27T18:30:00"]),
    "fx-next-y-3": (MIDNIGHT, ["2027-02-27T18:30:00"]),
    "om-recur-31-aug": (MIDNIGHT, ["2025-07-31T00:00:00", "2025-08-31T00:00:00"]),
    "fx-next-y-cutoff": (
        "a period ends at the next boundary after its start, however soon",
        ["2024-02-29T00:00:00"],
    ),
    "fx-pkground-2": ("a part package is billed whole; nothing rounds it down", ["1"]),
    "lago-pct-no-free-amount": (FREE_EVENTS, ["12.4"]),
    "lago-pct-zero": (FREE_EVENTS + "; an event past them pays its fee at any value", ["2"]),
    "lago-scen-pct-free3ev": (FREE_EVENTS, ["5.4"]),
    "lago-max-nan": ("an event without a number is unbilled: no quantity, no line", ["0"]),
    "lago-uniq-removed": (
        "values do not carry between periods; what takes a value out is a void: no line",
        ["0"],
    ),
    "lago-ws-none": ("a level without events has no quantity and no line", ["0"]),
    "om-rounddown": ("money is rounded half away from zero, always", ["1.23"]),
    "kb-stair-1": ("fees of the steps entered are stacked, each unit is a charge", ["30"]),
    "kb-stair-5": ("fees of the steps entered are stacked, each unit is a charge", ["70"]),
    "kb-days-28-feb-leap": (WHOLE_MONTHS, ["21"]),
    "kb-days-30-feb-leap": (WHOLE_MONTHS, ["21"]),
    "kb-pr-fixed30-1": (WHOLE_MONTHS, ["7419354.84"]),
    "kb-pr-after-2.967": ("every cycle is over its own days: three whole ones", ["30000000"]),
    "kb-cyc-bcd31": ("the cycle of 14 Feb is 31 Jan to 28 Feb: 14/28, not 14/31", ["15000000"]),
    "lago-date-m-tzchange-after": (
        "the zone is read at a period's start and holds for it: a move never shifts its end",
        ["2022-01-31T15:00:00", "2022-02-28T15:00:00"],
    ),
    "lago-prograd-neg-overflow": (AVERAGE_LEVEL, ["132"]),
    "lago-prograd-split": (AVERAGE_LEVEL, ["138.67"]),
    "lago-prograd-zero-final": (AVERAGE_LEVEL, ["116.13"]),
    "lago-puniq-29": (REAL_SECONDS, ["0.93548"]),
    "lago-puniq-3days": (REAL_SECONDS + ": an hour a day is no day", ["0.00403"]),
    "lago-puniq-started8": (REAL_SECONDS, ["0.25806"]),
    "lago-psum-ceil2": ("values are rounded one by one, never their sum", ["9.7303225806"]),
    "fx-win-47": (
        "a commitment's window is a cycle, not an hour: 11 units of 2 against 5, and 3 against 10",
        ["49", "7"],
    ),
}


def find_cases_file() -> Path | None:
    """The shared file: named by TALLY_SHARED, or in a folder `shared` beside the checkout."""
    named = os.environ.get("TALLY_SHARED")
    roots = [Path(named)] if named else [one / "shared" for one in Path(__file__).parents]
    files = (root / "cases" / "peer_cases.json" for root in roots)
    return next((path for path in files if path.is_file()), None)


def load_all_cases() -> list[dict]:
    """Every case; none where the shared file is not there."""
    path = find_cases_file()
    return json.loads(path.read_text(encoding="utf-8")) if path else []


def load_cases() -> list[dict]:
    """Every case that waits for nothing."""
    return [case for case in load_all_cases() if not {case["id"], case["kind"]} & set(WAITING)]


def translate(case: dict) -> Translation:
    """(catalogue, raw rows, as-of day, expected) of a case that waits for nothing.

    `expected` holds the subscription_id, the customer_id and the checks; the value of a check is
    ours where OURS names the case, and `peer_value` is always the peer's.
    """
    world = CaseWorld(case["id"])
    TRANSLATORS[case["kind"]](world, case["inputs"], case["expected"])
    ours = OURS.get(case["id"])
    for number, check in enumerate(world.checks):
        check["peer_value"] = check["value"]
        if ours is not None:
            check["value"] = ours[1][number]
    expected = {
        "subscription_id": world.name("subscription"),
        "customer_id": world.name("customer"),
        "checks": world.checks,
    }
    return world.catalog, world.raw_rows, AS_OF_DAY, expected


def merge(translations: list[Translation]) -> tuple[dict[str, list[Row]], list[dict], date]:
    """All cases as one catalogue and one list of deliveries."""
    catalog: dict[str, list[Row]] = {name: [] for name in COLUMNS}
    raw_rows: list[dict] = []
    for rows, deliveries, _, _ in translations:
        for name, table in rows.items():
            catalog[name] += table
        raw_rows += deliveries
    return catalog, raw_rows, AS_OF_DAY


def as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def pick(lines: list[dict], select: dict) -> list[dict]:
    """The lines that a check is about; instants compare as ISO text without zone."""
    found = list(lines)
    for name, value in select.items():
        if name == "holds":
            found = [
                line
                for line in found
                if as_text(line["period_from"]) <= value < as_text(line["period_to"])
            ]
        elif name in ("ends_by", "all_ending_by"):
            found = [line for line in found if as_text(line["period_to"]) <= value]
            if name == "ends_by":
                found = sorted(found, key=lambda line: as_text(line["period_to"]))[-1:]
        elif name == "all_starting_by":
            found = [line for line in found if as_text(line["period_from"]) <= value]
        else:
            found = [line for line in found if as_text(line[name]) == value]
    return found


def observe(lines: list[dict], check: Check, credits: CreditRows | None = None) -> str:
    """What the lines of a case's subscription show, as text to compare with the check's value.

    Lines have kind, charge_id, dimension_values, period_from, period_to (naive UTC datetimes or
    ISO text), event_count, quantity, amount, discount_total and line_total (numbers or text).
    SUMS are of the lines picked, `lines` is their number, anything else is read of the only one.
    What is about credits is read of the customer's.
    """
    if check["field"] in CREDIT_FIELDS:
        return observe_credits(credits or CreditRows(), check)
    found = pick(lines, check["select"])
    name = check["field"]
    if name == "lines":
        return str(len(found))
    if name in SUMS:
        value = sum((Fraction(str(line[name] or 0)) for line in found), Fraction(0))
    elif len(found) != 1:
        return f"{len(found)} lines"
    elif name == "quantity":
        value = Fraction(str(found[0][name]))
    else:
        return as_text(found[0][name])
    return str(value if check["digits"] is None else half_away(value, check["digits"]))


def is_met(lines: list[dict], check: Check, credits: CreditRows | None = None) -> bool:
    """Whether the lines, or credits, show the check's value; numbers compare as numbers."""
    seen, value = observe(lines, check, credits), check["value"]
    if check["field"].startswith("period_"):
        return seen == value
    try:
        return Fraction(seen) == Fraction(value)
    except ValueError:
        return False
