"""What must hold of prepaid credits, asked of the oracle alone, and cases worked by hand."""

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from fractions import Fraction
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.credit_comparison import differences
from tests.credit_histories import UNIT, History, histories, history
from tests.credit_strategies import with_credits
from tests.oracle import bill
from tests.oracle.amounts import half_away
from tests.oracle.corrections import line_key
from tests.oracle.credits import SHOWN
from tests.strategies import RAW_COLUMNS, plain_world

SEEDS = tuple(range(60))
DAY = timedelta(days=1)
quick = settings(max_examples=len(SEEDS), deadline=None, derandomize=True)
#: For what bills anew.
few = settings(max_examples=15, deadline=None, derandomize=True)


def seeds() -> st.SearchStrategy[int]:
    return st.sampled_from(SEEDS)


@cache
def made(seed):
    return bill(*history(seed))


@cache
def made_plain(seed):
    """A history without fees, minimums and grants that end."""
    return bill(*History(seed, is_plain=True).make())


def entries_by_grant(credits):
    found = defaultdict(list)
    for entry in credits.entries:
        found[entry.grant_id].append(entry)
    return found


# -- properties ----------------------------------------------------------------------------------


def test_the_histories_are_worth_asking():
    """Where nothing happens, everything holds."""
    bills = [made(seed) for seed in SEEDS]
    entries = [entry for one in bills for entry in one.credits.entries]
    assert set(Counter(entry.kind for entry in entries)) == {
        "grant", "draw", "give_back", "transfer", "void", "expiry", "to_balance",
    }  # fmt: skip
    documents = Counter(invoice.kind for one in bills for invoice in one.invoices)
    assert set(documents) >= {"invoice", "adjustment", "void", "reissue", "credit"}
    lines = {
        line.key for one in bills for _, change in one.credits.changes for line in [change.line]
    }
    assert {key.split("/")[3].split(".")[0] for key in lines} >= {
        "recurring", "usage", "minimum", "true_up",
    }  # fmt: skip
    paid = {entry.line_key.split("/")[3] for entry in entries if entry.kind == "draw"}
    assert paid >= {"recurring", "usage", "minimum", "true_up"}
    units = Counter(entry.kind for entry in entries if entry.currency == UNIT)
    assert set(units) >= {"grant", "draw", "give_back", "transfer", "void", "expiry", "to_balance"}
    assert any(line.unit and not line.adjusts for one in bills for line in one.lines)
    assert any(line.unit and line.adjusts for one in bills for line in one.lines)
    assert any(entry.moment > 1 for entry in entries if entry.kind == "draw")
    grants = [grant for one in bills for grant in one.credits.grants.values()]
    assert {grant.scope for grant in grants} == {"all", "subscription", "product", "meter"}


@quick
@given(seeds())
def test_no_balance_is_ever_below_zero(seed):
    """Not even between two entries of a day."""
    for entries in entries_by_grant(made(seed).credits).values():
        balance = Fraction(0)
        for entry in entries:
            balance += entry.amount
            assert balance >= 0, entry


@quick
@given(seeds())
def test_every_day_adds_up(seed):
    """What came in is what was drawn, less given back, expired, voided, moved, and what is left."""
    rows, _, as_of_day = history(seed)
    credits = made(seed).credits
    left = {(one.grant_id, one.balance_date): one.total for one in credits.balances(as_of_day)}
    amounts = {row["grant_id"]: Fraction(row["amount"]) for row in rows["credit_grants"]}
    for grant_id, entries in entries_by_grant(credits).items():
        for day in {entry.posted_date for entry in entries}:
            sums = Counter()
            for entry in entries:
                if entry.posted_date <= day:
                    way = "in" if entry.amount > 0 else "out"
                    sums[entry.kind, way] += entry.amount
            grant = credits.grants[grant_id]
            assert sums["grant", "in"] in (0, amounts[grant.catalog_grant_id])
            came_in = sums["grant", "in"] + sums["transfer", "in"]
            used = -sums["draw", "out"] - sums["give_back", "in"]
            gone = sum(-sums[kind, "out"] for kind in ("expiry", "void", "to_balance", "transfer"))
            assert came_in == used + gone + left[grant_id, day]
            # Nothing has another sign.
            assert set(sums) <= {
                ("grant", "in"), ("draw", "out"), ("give_back", "in"), ("expiry", "out"),
                ("void", "out"), ("to_balance", "out"), ("transfer", "in"), ("transfer", "out"),
            }  # fmt: skip


@quick
@given(seeds())
def test_transfers_come_out_even(seed):
    sums = Counter()
    for entry in made(seed).credits.entries:
        if entry.kind == "transfer":
            sums[entry.posted_date] += entry.amount
    assert not any(sums.values())


def nets(billed, rows):
    """What the closed lines of a bill come to by key, all that was done to them counted; a credit
    of a fee counts with nothing here."""
    found = Counter()
    numbers = {one.invoice_id: one.cycle for one in billed.invoices if one.cycle is not None}
    credited = {}
    for invoice in billed.invoices:
        if invoice.status != "final":
            continue
        for line in invoice.lines:
            if line.kind in ("credit", "credited"):
                continue
            number = numbers.get(line.adjusts, 0) if line.adjusts else invoice.cycle
            key = line_key(invoice.subscription_id, number, line)[1]
            found[key] += Fraction(line.unit_total if line.unit else line.line_total)
            if not line.adjusts:
                credited[line.line_id] = key
    made_of = {invoice.invoice_id for invoice in billed.invoices}
    for row in rows["invoice_actions"]:
        invoice_id = row["line_id"].rpartition("#")[0]
        if f"{invoice_id}.credit.{row['action_id']}" in made_of:
            found[credited[row["line_id"]]] -= Fraction(row["amount"])
    return found


@quick
@given(seeds())
def test_what_is_drawn_of_a_line_is_between_nothing_and_its_net(seed):
    rows, _, _ = history(seed)
    billed = made(seed)
    net = nets(billed, rows)
    drawn, by_day, targets = Counter(), Counter(), {}
    changes = defaultdict(list)
    for moment, change in billed.credits.changes:
        changes[moment].append(change)
    posted = defaultdict(list)
    for entry in billed.credits.entries:
        if entry.kind in ("draw", "give_back"):
            posted[entry.posted_date, entry.moment].append(entry)
    for moment in sorted(changes.keys() | posted.keys()):
        for entry in posted[moment]:
            drawn[entry.line_key] -= entry.amount
            by_day[entry.line_key, entry.usage_date] -= entry.amount
        for change in changes[moment]:
            targets[change.line.key] = change.after
        for (key, day), amount in by_day.items():
            assert 0 <= amount <= targets[key].get(day, 0), (key, day)
    for key, amount in drawn.items():
        assert amount >= 0
        if key in net:
            assert amount <= max(net[key], 0), key


@quick
@given(seeds())
def test_a_line_s_target_is_its_net_once_it_has_closed(seed):
    rows, _, _ = history(seed)
    billed = made(seed)
    net = nets(billed, rows)
    targets = {}
    for _, change in billed.credits.changes:
        assert all(amount >= 0 for amount in change.after.values())
        targets[change.line.key] = sum(change.after.values())
    assert targets
    asked = {grant.currency for grant in billed.credits.grants.values()}
    for key, total in net.items():
        # A fee's target is net of its credit; where no grant is in the unit nothing is asked.
        if "/base/" not in key and ("/prompts/" not in key or UNIT in asked):
            assert targets[key] == max(total, 0), key


@quick
@given(seeds())
def test_a_grant_pays_in_its_scope_on_its_days_while_it_is_there(seed):
    credits = made(seed).credits
    lines = {change.line.key: change.line for _, change in credits.changes}
    for entry in credits.entries:
        if entry.kind != "draw":
            continue
        grant, line = credits.grants[entry.grant_id], lines[entry.line_key]
        subscription_id, _, charge_id, *_ = entry.line_key.split("/")
        meter = "tokens" if charge_id == "steps" else charge_id
        assert (
            grant.scope_id
            in {
                "all": [""],
                "subscription": [subscription_id],
                "product": ["api"],
                "meter": [meter] if line.kind in ("usage", "minimum") else [],
            }[grant.scope]
        )
        if line.kind in ("true_up", "overage"):
            assert grant.covers_true_up
        at = datetime(entry.usage_date.year, entry.usage_date.month, entry.usage_date.day)
        assert grant.effective_at < at + DAY
        assert grant.expires_at is None or at < grant.expires_at
        posted = entry.posted_date
        assert max(grant.effective_at.date(), grant.recorded_on) <= posted
        assert grant.voided_on is None or posted <= grant.voided_on
        assert grant.expires_at is None or datetime.combine(posted, at.time()) < grant.expires_at


@quick
@given(seeds())
def test_who_pays_first_has_nothing_left_for_who_pays_later(seed):
    """At each moment: an earlier grant that could pay had no balance when a later one paid."""
    credits = made(seed).credits
    lines = {change.line.key: change.line for _, change in credits.changes}
    balance = Counter()
    grants = sorted(credits.grants.values(), key=lambda one: one.order)
    for entry in credits.entries:
        if entry.kind == "draw":
            line, paying = lines[entry.line_key], credits.grants[entry.grant_id]
            for grant in grants:
                if grant.order >= paying.order:
                    break
                own = {"all": "", "subscription": line.subscription_id, "meter": line.meter}
                fits = grant.scope_id == own.get(grant.scope, line.product_id)
                fits = fits and grant.currency == line.currency
                fits = fits and (line.kind != "true_up" or grant.covers_true_up)
                fits = fits and (line.kind != "overage" or grant.covers_true_up)
                if fits and grant.has_day(entry.usage_date) and grant.can_post(entry.posted_date):
                    assert balance[grant.grant_id] == 0, (entry, grant)
        balance[entry.grant_id] += entry.amount


@quick
@given(seeds())
def test_a_grant_that_is_over_keeps_nothing(seed):
    _, _, as_of_day = history(seed)
    credits = made(seed).credits
    for one in credits.balances(as_of_day):
        grant = credits.grants[one.grant_id]
        if grant.is_over(one.balance_date) and one.balance_date >= grant.first_posting:
            assert one.total == 0, (one, grant)


@quick
@given(seeds())
def test_documents_show_what_credits_pay_of_them(seed):
    billed = made(seed)
    shown, moved = Counter(), Counter()
    covered = Counter()
    for entry in billed.credits.entries:
        if entry.kind in SHOWN and entry.currency == UNIT:
            covered[entry.line_key] -= entry.amount
        elif entry.kind in SHOWN:
            shown[entry.invoice_id] -= entry.amount
        if entry.kind == "to_balance":
            moved[entry.invoice_id, entry.currency] -= entry.amount
    known = {invoice.invoice_id for invoice in billed.invoices}
    assert {invoice_id for invoice_id, total in shown.items() if total} <= known
    in_units = {one.invoice_id for one in billed.credits.entries if one.currency == UNIT}
    worth = Fraction(0)
    for invoice in billed.invoices:
        paid = Fraction(invoice.credits_total)
        if any(line.unit for line in invoice.lines) or invoice.invoice_id in in_units:
            worth += paid - shown[invoice.invoice_id]
        else:
            assert paid == shown[invoice.invoice_id]
        assert invoice.due >= 0
        is_moved = moved[invoice.invoice_id, UNIT] != 0
        if invoice.kind == "invoice" and invoice.status == "final" and not is_moved:
            asking = [max(Fraction(line.line_total), 0) for line in invoice.lines]
            # What could not go back to its grant is balance, which pays the document too.
            assert paid - moved[invoice.invoice_id, "USD"] <= sum(asking)
    assert worth == worth_of_units(billed, history(seed)[0], covered)


def worth_of_units(billed, rows, covered):
    """Over all documents of a line, credits pay its worth less the worth of what none covers."""
    numbers = {one.invoice_id: one.cycle for one in billed.invoices if one.cycle is not None}
    used, begins = Counter(), {}
    for invoice in billed.invoices:
        for line in invoice.lines:
            if line.unit and line.kind == "usage":
                number = numbers.get(line.adjusts, 0) if line.adjusts else invoice.cycle
                key = line_key(invoice.subscription_id, number, line)[1]
                used[key] += Fraction(line.unit_total)
                begins[key] = (line.period_from.date(), line.period_from)
    worth = Fraction(0)
    for key, units in used.items():
        rates = [
            (row["valid_from"], Fraction(row["rate"]))
            for row in rows["credit_units"]
            if row["valid_from"] <= begins[key][1].date().isoformat()
            and row["recorded_at"][:10] <= begins[key][1].date().isoformat()
        ]
        rate = max(rates)[1]
        worth += half_away(units * rate, 2) - half_away((units - covered[key]) * rate, 2)
    return worth


@few
@given(st.sampled_from(SEEDS[:15]))
def test_what_is_posted_stays(seed):
    """Days are posted one by one: an earlier build has the same entries, as far as it goes."""
    rows, raw_rows, as_of_day = history(seed)
    earlier = as_of_day - timedelta(days=17)
    found = bill(rows, raw_rows, earlier).credits.entries
    assert found == [entry for entry in made(seed).credits.entries if entry.posted_date <= earlier]


@few
@given(st.sampled_from(SEEDS[:15]))
def test_all_given_back_is_all_there_again(seed):
    """Every event is voided at the end: what was drawn comes back, once corrections have closed."""
    rows, raw_rows, as_of_day = History(seed, is_plain=True).make()
    drawn = [entry for entry in made_plain(seed).credits.entries if entry.kind == "draw"]
    end = datetime(as_of_day.year, as_of_day.month, as_of_day.day, 12) + timedelta(days=40)
    voids = [
        dict.fromkeys(RAW_COLUMNS)
        | {"load_id": "void", "line_number": number, "loaded_at": end}
        | {"customer_id": "c", "voids_key": row["event_key"]}
        for number, row in enumerate(raw_rows, start=1)
        if row["event_key"]
    ]
    through = end.date() + timedelta(days=63)
    after = bill(rows, raw_rows + voids, through)
    balances = {
        one.grant_id: one.total
        for one in after.credits.balances(through)
        if one.balance_date == through
    }
    assert balances == {row["grant_id"]: Fraction(row["amount"]) for row in rows["credit_grants"]}
    kinds = Counter(entry.kind for entry in after.credits.entries)
    assert bool(drawn) <= bool(kinds["give_back"])


def test_plain_histories_draw():
    drawing = [
        seed
        for seed in SEEDS[:15]
        if any(entry.kind == "draw" for entry in made_plain(seed).credits.entries)
    ]
    assert len(drawing) > 10


def test_histories_are_billed_together_as_alone():
    """Of one world: each customer's entries are what they are alone, but for the names."""
    seeds = SEEDS[:5]
    together = bill(*histories(seeds)).credits.entries
    for seed in seeds:
        found = [entry for entry in together if entry.customer_id == f"{seed:04x}c"]
        alone = made(seed).credits.entries
        assert [(one.posted_date, one.kind, one.amount, one.usage_date) for one in found] == [
            (one.posted_date, one.kind, one.amount, one.usage_date) for one in alone
        ]


# -- worlds and the comparison -------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20261000, 20261003))
def test_grants_of_a_random_world(seed):
    """A world with grants has entries of most kinds, and agrees with itself as a warehouse."""
    rows, raw_rows, as_of_day = with_credits(plain_world(seed), seed)
    for name, table in rows.items():
        if name not in ("credit_grants", "credit_actions", "invoice_actions"):
            assert all(row["recorded_at"][:10] <= "1970-01-02" for row in table), name
    billed = bill(rows, raw_rows, as_of_day)
    assert {"grant", "draw"} <= {entry.kind for entry in billed.credits.entries}
    marts = as_marts(billed, as_of_day)
    assert differences(billed, as_of_day, *marts) == []


def as_marts(billed, as_of_day):
    """The oracle's own credits as rows of the marts."""
    grants = billed.credits.grants
    entries = [
        {
            "entry_id": str(number),
            "posted_date": entry.posted_date,
            "moment_number": entry.moment,
            "entry_kind": entry.kind,
            "grant_id": entry.grant_id,
            "catalog_grant_id": grants[entry.grant_id].catalog_grant_id,
            "customer_id": entry.customer_id,
            "wallet": grants[entry.grant_id].wallet,
            "currency": entry.currency,
            "amount": entry.amount,
            "rated_line_id": entry.line_key or None,
            "usage_date": entry.usage_date,
            "invoice_id": entry.invoice_id or None,
        }
        for number, entry in enumerate(billed.credits.entries)
    ]
    balances = [
        {
            "balance_date": one.balance_date,
            "customer_id": one.customer_id,
            "wallet": one.wallet,
            "currency": one.currency,
            "grant_id": one.grant_id,
            "balance_total": one.total,
        }
        for one in billed.credits.balances(as_of_day)
    ]
    invoices = [
        {"invoice_id": one.invoice_id, "credits_total": one.credits_total}
        for one in billed.invoices
    ]
    return entries, balances, invoices


def test_the_comparison_finds_what_differs():
    seed = next(one for one in SEEDS if any(e.kind == "draw" for e in made(one).credits.entries))
    billed, as_of_day = made(seed), history(seed)[2]
    entries, balances, invoices = as_marts(billed, as_of_day)
    draw = next(row for row in entries if row["entry_kind"] == "draw")

    def found(entries=entries, balances=balances, invoices=invoices):
        return differences(billed, as_of_day, entries, balances, invoices)

    assert found() == []
    (text,) = found(entries=[row for row in entries if row is not draw])
    assert "missing" in text and draw["rated_line_id"] in text
    other = {**draw, "amount": draw["amount"] * 2}
    (text,) = found(entries=[other if row is draw else row for row in entries])
    assert "expected" in text and "found" in text
    (text,) = found(entries=[*entries, {**draw, "grant_id": "nobody's"}])
    assert "too many" in text
    (text,) = found(entries=[{**row, "wallet": "x"} if row is draw else row for row in entries])
    assert "wallet" in text
    (text,) = found(balances=balances[1:])
    assert text.startswith("balance") and "missing" in text
    paid = next(row for row in invoices if Fraction(row["credits_total"]))
    (text,) = found(
        invoices=[{**row, "credits_total": None} if row is paid else row for row in invoices]
    )
    assert text.startswith("credits_total")
