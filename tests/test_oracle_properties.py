"""What must hold of every bill, asked of the oracle alone on small random worlds."""

import random
from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import pairwise

from hypothesis import HealthCheck, given, settings

from tests.oracle import bill
from tests.oracle.catalog import read_catalog
from tests.oracle.changes import life_of
from tests.oracle.parts import list_parts
from tests.oracle.periods import list_periods
from tests.strategies import PROPERTY_SEEDS, plain_world, seeds, small_world

quick = settings(
    max_examples=len(PROPERTY_SEEDS),
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)


@cache
def small_bill(seed):
    return bill(*small_world(seed))


@cache
def plain_bill(seed):
    return bill(*plain_world(seed))


def as_of_at(day):
    return datetime(day.year, day.month, day.day) + timedelta(days=1)


@quick
@given(seeds())
def test_periods_tile_the_subscription(seed):
    rows, _, day = small_world(seed)
    catalog = read_catalog(rows, as_of_at(day))
    for subscription in catalog.subscriptions:
        periods = list_periods(catalog, subscription, as_of_at(day))
        if not periods:
            assert subscription.starts_at >= as_of_at(day)
            continue
        life = life_of(catalog, subscription)
        assert periods[0].period_from == subscription.starts_at
        for earlier, later in pairwise(periods):
            assert earlier.period_to == later.period_from
            assert earlier.is_last == (earlier.term is not later.term)
            if not earlier.is_last:
                assert earlier.to_date == later.from_date
        for period in periods:
            assert period.cycle_from <= period.period_from < period.period_to <= period.cycle_to
            assert period.cutoff_at >= period.period_to
            assert period.is_last == (period.period_to == period.term.end)
        if life.ends_at is None:
            assert periods[-1].period_to >= as_of_at(day)


@quick
@given(seeds())
def test_every_delivery_has_one_verdict(seed):
    _, raw_rows, _ = small_world(seed)
    made = small_bill(seed)
    landed = [(row["load_id"], row["line_number"]) for row in raw_rows]
    verdicts = made.accepted + made.duplicate + [reject[:2] for reject in made.rejects]
    assert Counter(verdicts) == Counter(landed)
    assert {place[:2] for place in made.unbilled} <= set(made.accepted)


@quick
@given(seeds())
def test_an_invoice_is_the_sum_of_its_lines(seed):
    made = small_bill(seed)
    assert made.invoices
    for invoice in made.invoices:
        totals = [Decimal(line.line_total) for line in invoice.lines]
        assert sum(totals) == Decimal(invoice.total)
        assert [line.line_number for line in invoice.lines] == list(range(1, len(totals) + 1))


@quick
@given(seeds())
def test_numbers_are_gapless_and_drafts_have_none(seed):
    made = small_bill(seed)
    numbers: dict[str, list[str]] = {}
    for invoice in made.invoices:
        assert (invoice.invoice_number is None) == (invoice.status == "draft")
        if invoice.invoice_number:
            numbers.setdefault(invoice.billing_entity, []).append(invoice.invoice_number)
    for entity, given_numbers in numbers.items():
        wanted = [f"{entity}-{count:06d}" for count in range(1, len(given_numbers) + 1)]
        assert sorted(given_numbers) == wanted


@quick
@given(seeds())
def test_the_order_of_the_rows_does_not_matter(seed):
    rows, raw_rows, day = small_world(seed)
    order = random.Random(seed)
    shuffled = {name: order.sample(table, len(table)) for name, table in rows.items()}
    assert bill(shuffled, order.sample(raw_rows, len(raw_rows)), day) == small_bill(seed)


@quick
@given(seeds())
def test_a_closed_invoice_never_changes(seed):
    """Where no change is known late, which rates what is closed again."""
    rows, raw_rows, day = plain_world(seed)
    earlier = bill(rows, raw_rows, day - timedelta(days=20))
    later = {invoice.invoice_id: invoice for invoice in plain_bill(seed).invoices}
    for invoice in earlier.invoices:
        if invoice.status == "final":
            assert later[invoice.invoice_id] == invoice


@quick
@given(seeds())
def test_a_charge_stays_within_its_limits(seed):
    rows, _, _ = plain_world(seed)
    made = plain_bill(seed)
    plans = {row["subscription_id"]: row["plan_id"] for row in rows["subscriptions"]}
    limits = {
        (row["plan_id"], row["charge_id"], row["currency"]): row for row in rows["charge_limits"]
    }
    # A correction counts with the invoice that it corrects.
    totals: Counter[tuple[str, str, str, str]] = Counter()
    for invoice in made.invoices:
        for line in invoice.lines:
            billed_on = line.adjusts or invoice.invoice_id
            key = (billed_on, plans[invoice.subscription_id], line.charge_id, invoice.currency)
            totals[key] += Decimal(line.line_total)
    for (_, *key), total in totals.items():
        limit = limits.get(tuple(key))
        if limit is not None:
            assert total >= Decimal(limit["minimum"])
            assert not limit["maximum"] or total <= Decimal(limit["maximum"])


@quick
@given(seeds())
def test_parts_tile_the_phases_of_their_charge(seed):
    rows, _, day = small_world(seed)
    catalog = read_catalog(rows, as_of_at(day))
    for subscription in catalog.subscriptions:
        life = life_of(catalog, subscription)
        for period in list_periods(catalog, subscription, as_of_at(day)):
            parts = list_parts(catalog, life, period)
            for phase in life.phases_in(period.period_from, period.period_to):
                begin = max(phase.begin, period.period_from)
                charges = {
                    charge.charge_id
                    for charge in catalog.charges[phase.plan_id]
                    if charge.charge_type == "usage" and charge.recorded_at <= begin
                }
                held = [part.charge.charge_id for part in parts if part.holds(begin)]
                assert sorted(held) == sorted(charges)


@quick
@given(seeds())
def test_discounts_and_credits_never_exceed_what_they_are_of(seed):
    made = small_bill(seed)
    totals: Counter[tuple] = Counter()
    discounts: Counter[tuple] = Counter()
    for line in made.lines:
        # A correction counts with the line that it corrects.
        billed_on = line.adjusts or line.invoice_id
        place = (line.charge_id, line.part_number, line.dimension_values, line.from_date)
        key = (line.kind, billed_on, *place)
        totals[key] += Decimal(line.line_total)
        discounts[key] += Decimal(line.discount_total)
    for key, discount in discounts.items():
        assert discount >= 0
        if key[0] == "credit":
            assert totals[key] <= 0 and discount == 0
        elif discount:
            assert totals[key] >= 0
