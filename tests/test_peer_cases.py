"""Cases that other billing systems state in their own tests, through one build an engine.

The same cases as test_peer_cases_oracle, read from the marts; where our rule differs,
peer_cases.OURS says why and the case expects our value.
"""

import pytest

from tests.peer_cases import is_met, load_cases, merge, observe, translate
from tests.peer_credit_rows import CreditRows

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
#: What of credits is read, by the list of CreditRows that holds it.
CREDITS = {
    "entries": """
        select customer_id, grant_id, entry_kind, posted_date, amount
        from marts.credit_ledger_entries
    """,
    "balances": """
        select customer_id, grant_id, balance_date, balance_total
        from marts.credit_balances_daily
    """,
    "invoices": "select customer_id, invoice_total, credits_total from marts.invoices",
}
CREDIT_COLUMNS = {
    "entries": ("grant_id", "entry_kind", "posted_date", "amount"),
    "balances": ("grant_id", "balance_date", "balance_total"),
    "invoices": ("invoice_total", "credits_total"),
}


@pytest.fixture(scope="module")
def houses(twins):
    """All cases in one build an engine."""
    if not CASES:
        print(NO_FILE)
        pytest.skip(NO_FILE)
    catalog, rows, as_of_day = merge([translate(case) for case in CASES])
    return twins(catalog, rows, lambda each: each.build("--through", str(as_of_day)))


@pytest.fixture(scope="module")
def credits(houses) -> dict[str, dict[str, CreditRows]]:
    """What is seen of credits by engine and customer."""
    found: dict[str, dict[str, CreditRows]] = {}
    for engine, each in houses.items():
        own = found[engine] = {}
        for name, query in CREDITS.items():
            for customer_id, *values in each.query(query):
                row = dict(zip(CREDIT_COLUMNS[name], values, strict=True))
                getattr(own.setdefault(customer_id, CreditRows()), name).append(row)
    return found


@pytest.fixture(scope="module")
def billed(houses) -> dict[str, dict[str, list[dict]]]:
    """Lines by engine and subscription of all cases."""
    lines: dict[str, dict[str, list[dict]]] = {}
    for engine, each in houses.items():
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
def test_every_case_is_met(billed, credits, engine):
    lacking = []
    for case in CASES:
        *_, expected = translate(case)
        lines = billed[engine].get(expected["subscription_id"], [])
        paid = credits[engine].get(expected["customer_id"], CreditRows())
        lacking += [
            f"{case['id']} ({case['source']}): {check}, seen {observe(lines, check, paid)}"
            for check in expected["checks"]
            if not is_met(lines, check, paid)
        ]
    assert not lacking, f"{len(lacking)} of {len(CASES)}:\n" + "\n".join(lacking[:20])
