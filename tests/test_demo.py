"""The demo is the README's first command: it lands, builds, sums up, and may be run again."""

import re

import pytest


@pytest.fixture(scope="module")
def demo(house):
    """A house in which `tally demo` ran, and what it said."""
    made = house("duckdb")
    done = made.run("demo", with_catalog=False)
    assert done.returncode == 0, done.stderr
    return made, done.stdout


def test_it_says_what_was_landed_and_billed(demo):
    made, said = demo
    landed, accepted, duplicate, rejected = map(
        int,
        re.search(
            r"([\d,]+) landed: ([\d,]+) accepted, ([\d,]+) duplicate, ([\d,]+) rejected", said
        )
        .expand(r"\1 \2 \3 \4")
        .replace(",", "")
        .split(),
    )
    assert landed == accepted + duplicate + rejected
    assert landed > 500_000 and duplicate and rejected
    assert made.query("select count(*) from raw.usage_events") == [(landed,)]
    for currency in ("USD", "EUR", "GBP", "JPY", "BHD"):
        assert currency in said


def test_every_accepted_event_is_billed_or_unbilled(demo):
    """Units metered = units rated + unbilled, for a meter that only adds up.

    A period is taken as it was rated last: late usage that moves no total is on no invoice.
    """
    made, _ = demo
    metered = made.query(
        "select sum(quantity) from marts.metered_events "
        "where meter_profile = 'images@1' and outcome = 'metered' and voided_day is null"
    )
    billed = made.query(
        "select sum(quantity) from ("
        "select rated_lines.*, max(invoice_number_in_subscription) over ("
        "partition by subscription_id, mod(invoice_number_in_subscription, 1000000)"
        ") as last_number from marts.rated_lines) as rated "
        "where charge_id = 'images' and line_kind = 'usage' "
        "and invoice_number_in_subscription = last_number"
    )
    unbilled = made.query(
        "select sum(metered_events.quantity) from marts.metered_events as metered_events "
        "inner join marts.unbilled_usage as unbilled_usage "
        "on metered_events.load_id = unbilled_usage.load_id "
        "and metered_events.line_number = unbilled_usage.line_number "
        "where metered_events.meter_profile = 'images@1' and outcome = 'metered'"
    )
    assert metered[0][0] == billed[0][0] + (unbilled[0][0] or 0)


def test_running_it_again_changes_nothing(demo):
    made, _ = demo
    before = made.export("marts.invoice_lines")
    done = made.run("demo", with_catalog=False)
    assert done.returncode == 0, done.stderr
    assert made.export("marts.invoice_lines") == before
