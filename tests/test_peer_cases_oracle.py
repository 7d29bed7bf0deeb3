"""Cases that other billing systems state in their own tests, through the oracle.

Every case passes, or is named in peer_cases.OURS with our value and why, or in WAITING.
"""

import pytest

from tests.oracle import bill
from tests.peer_cases import (
    AS_OF_DAY,
    OURS,
    TRANSLATORS,
    WAITING,
    is_met,
    load_all_cases,
    load_cases,
    merge,
    observe,
    translate,
)
from tests.peer_credit_rows import CreditRows, rows_of

CASES = load_cases()
NO_FILE = "shared/cases/peer_cases.json is not beside the checkout (TALLY_SHARED names its folder)"


@pytest.mark.skipif(bool(CASES), reason="the cases are there and run one by one")
def test_cases_are_there():
    print(NO_FILE)
    pytest.skip(NO_FILE)


@pytest.fixture(scope="module")
def billed() -> tuple[dict[str, list[dict]], dict[str, CreditRows]]:
    """Lines by subscription and credits by customer of all cases, billed at once."""
    made = bill(*merge([translate(case) for case in CASES]))
    subscriptions = {invoice.invoice_id: invoice.subscription_id for invoice in made.invoices}
    lines: dict[str, list[dict]] = {}
    for line in made.lines:
        lines.setdefault(subscriptions[line.invoice_id], []).append(vars(line))
    return lines, rows_of(made, AS_OF_DAY)


def seen_of(billed, expected) -> tuple[list[dict], CreditRows]:
    lines, credits = billed
    found = credits.get(expected["customer_id"], CreditRows())
    return lines.get(expected["subscription_id"], []), found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_case(case, billed):
    *_, expected = translate(case)
    assert expected["checks"]
    seen = seen_of(billed, expected)
    for check in expected["checks"]:
        found = observe(seen[0], check, seen[1])
        assert is_met(seen[0], check, seen[1]), f"{case['source']}: {check}, seen {found}"


@pytest.mark.skipif(not CASES, reason=NO_FILE)
def test_only_cases_that_differ_are_named_as_ours(billed):
    by_id = {case["id"]: case for case in CASES}
    assert set(OURS) <= set(by_id)
    for case_id in OURS:
        *_, expected = translate(by_id[case_id])
        lines, credits = seen_of(billed, expected)
        peers = [
            {**check, "value": check["peer_value"], "field": check["peer_field"]}
            for check in expected["checks"]
        ]
        assert not all(is_met(lines, check, credits) for check in peers), case_id


@pytest.mark.skipif(not CASES, reason=NO_FILE)
def test_every_case_is_translated_or_waits():
    cases = load_all_cases()
    assert set(WAITING) <= {name for case in cases for name in (case["id"], case["kind"])}
    assert set(TRANSLATORS) == {case["kind"] for case in CASES}
