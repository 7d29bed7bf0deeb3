"""Cases that other billing systems state in their own tests, through one build an engine.

The same cases as test_peer_cases_oracle, read from the marts; where our rule differs,
peer_cases.OURS says why and the case expects our value.
"""

import pytest

from tests.peer_cases import is_met, load_cases, merge, observe, translate

CASES = load_cases()
NO_FILE = "shared/cases/peer_cases.json is not beside the checkout (TALLY_SHARED names its folder)"
LINES = """
select
    invoice_lines.subscription_id,
    invoice_lines.invoice_id,
    invoice_lines.line_kind as kind,
    invoice_lines.charge_id,
    invoice_lines.dimension_values,
    invoice_lines.period_from,
    invoice_lines.period_to,
    invoice_lines.event_count,
    invoice_lines.quantity,
    invoice_lines.amount,
    invoice_lines.discount_total,
    invoice_lines.line_total
from marts.invoice_lines as invoice_lines
"""


@pytest.fixture(scope="module")
def billed(twins) -> dict[str, dict[str, list[dict]]]:
    """Lines by engine and subscription of all cases, in one build an engine."""
    if not CASES:
        print(NO_FILE)
        pytest.skip(NO_FILE)
    catalog, rows, as_of_day = merge([translate(case) for case in CASES])
    built = twins(catalog, rows, lambda each: each.build("--through", str(as_of_day)))
    lines: dict[str, dict[str, list[dict]]] = {}
    for engine, each in built.items():
        lines[engine] = {}
        for subscription_id, *values in each.query(LINES):
            names = (
                "invoice_id",
                "kind",
                "charge_id",
                "dimension_values",
                "period_from",
                "period_to",
                "event_count",
                "quantity",
                "amount",
                "discount_total",
                "line_total",
            )
            line = dict(zip(names, values, strict=True))
            lines[engine].setdefault(subscription_id, []).append(line)
    return lines


@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
def test_every_case_is_met(billed, engine):
    lacking = []
    for case in CASES:
        *_, expected = translate(case)
        lines = billed[engine].get(expected["subscription_id"], [])
        lacking += [
            f"{case['id']} ({case['source']}): {check}, seen {observe(lines, check)}"
            for check in expected["checks"]
            if not is_met(lines, check)
        ]
    assert not lacking, f"{len(lacking)} of {len(CASES)}:\n" + "\n".join(lacking[:20])
