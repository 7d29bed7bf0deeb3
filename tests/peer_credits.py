"""Cases of other billing systems about prepaid credits: grants, draws, expiry, voids.

An hour of a case is a day here, and days keep the order of a case's times: we post by the day. A
unit of usage costs 1, or what the case says. Amounts in cents become units of USD.
"""

from collections.abc import Callable
from datetime import date, timedelta
from fractions import Fraction

from tests.peer_world import CaseWorld, cents_text
from tests.strategies import catalog_row

START = date(2026, 1, 5)
BEGIN, END = "2026-01-01", "2026-04-01"
#: Days after the start of usage, and of a void, where a case says nothing of them.
USED, TAKEN_BACK = 1, 2
#: How long units of time are where days of a case are weeks here.
IN_WEEKS = {"m": Fraction(1, 30), "h": Fraction(2), "d": Fraction(7), "y": Fraction(7 * 365)}
IN_ORDER = {"m": Fraction(1), "h": Fraction(60), "d": Fraction(1440), "y": Fraction(525600)}
CYCLES = {"daily": "week"}
ISSUED = {"funded": "grant", "consumed": "draw", "expired": "expiry", "voided": "void"}


# -- a case's world ------------------------------------------------------------------------------


class CreditWorld:
    """A customer with a subscription by the month, its usage and grants by day after the start."""

    def __init__(self, world: CaseWorld, start: date = START) -> None:
        self.world = world
        self.start = start
        world.subscribe(BEGIN, END)

    def day(self, number: int) -> str:
        return (self.start + timedelta(days=number)).isoformat()

    def charge(self, charge_id: str = "usage", price: str = "1") -> None:
        self.world.usage_charge("per_unit", [{"unit_price": price}], charge_id=charge_id)

    def use(self, number: int, quantity: str, charge_id: str = "usage") -> str:
        """The key of the event."""
        self.world.event({"value": quantity}, f"{self.day(number)}T12:00:00Z", charge_id)
        return self.world.raw_rows[-1]["event_key"]

    def use_and_take_back(self, used: Fraction, given_back: Fraction) -> None:
        """Usage, of which a part is voided later."""
        if used > given_back:
            self.use(USED, str(used - given_back))
        if given_back:
            key = self.use(USED, str(given_back))
            at = f"{self.day(TAKEN_BACK)}T12:00:00Z"
            self.world.event({}, at, voids_key=key, event_name="")

    def grant(self, name: str, amount: object, effective: str = "", **values: object) -> str:
        grant_id = self.world.name(name)
        columns = {"name": name, "kind": "paid", "currency": self.world.currency} | values
        for end in ("expires_at", "recurs_until"):
            columns[end] = instant(columns.get(end, ""))
        self.world.add(
            "credit_grants",
            grant_id=grant_id,
            customer_id=self.world.name("customer"),
            amount=amount,
            effective_at=instant(effective or self.day(0)),
            **columns,
        )
        return grant_id

    def meter(self, charge_id: str) -> str:
        return f"{self.world.name('meter')}_{charge_id}"

    def balance(self, value: object, day: str, grant_id: str = "") -> None:
        select = {"day": day} | ({"grant": grant_id} if grant_id else {})
        self.world.check(value, "balance", **select)

    def entries(self, value: object, kinds: str, grant_id: str = "", posted: str = "") -> None:
        select = {"kinds": kinds}
        select |= {"grant": grant_id} if grant_id else {}
        select |= {"posted": posted} if posted else {}
        self.world.check(value, "entries", **select)

    def due(self, value: object) -> None:
        self.world.check(value, "due")


def hours(text: str) -> int:
    return int(text.removesuffix("h"))


def instant(day: str) -> str:
    """The UTC midnight of a day; an instant as it stands, and nothing of nothing."""
    return f"{day}T00:00:00Z" if len(day) == 10 else day


def day_before(day: str) -> str:
    return (date.fromisoformat(day[:10]) - timedelta(days=1)).isoformat()


# -- expiry --------------------------------------------------------------------------------------


def breakage(world: CaseWorld, given: dict, wanted: dict) -> None:
    """Expiry posts on the day that ends where the grant does."""
    is_dated = any("expires_at" in grant for grant in given["grants"])
    made = CreditWorld(world, date(2026, 1, 1) if is_dated else START)
    made.charge()
    ids, last_days = {}, {}
    for number, grant in enumerate(given["grants"], start=1):
        name = grant.get("id", f"g{number}")
        ends = grant.get("expires_at", "")
        if "expires_after" in grant:
            ends = made.day(hours(grant["expires_after"]))
        scope = {}
        if "features" in grant:
            (feature,) = grant["features"]
            made.charge(feature)
            scope = {"scope": "meter", "scope_id": made.meter(feature)}
        ids[name] = made.grant(name, grant["amount"], expires_at=ends, **scope)
        if ends:
            last_days[name] = day_before(ends)
    given_back = Fraction(given.get("given_back", 0))
    made.use_and_take_back(Fraction(given.get("used", 0)), given_back)
    first = next(iter(ids))
    if "expired" in wanted or "expired_amount" in wanted:
        # Of the view without a feature, the unrestricted grant, which is the first.
        (one,) = wanted.get("expired", [wanted | {"amount": wanted.get("expired_amount")}])
        made.entries(one["amount"], "expiry", ids[first], last_days[first])
        made.balance(one["balance_before"], day_before(last_days[first]), ids[first])
        made.balance(one["balance_after"], last_days[first], ids[first])
        return
    corrected = made.day(TAKEN_BACK)
    after = wanted["balance_after_correction"]
    for name, value in after.items() if isinstance(after, dict) else [(first, after)]:
        made.balance(value, corrected, ids[name])
    made.entries(f"-{wanted['accrued']}", "draw give_back")
    for name, value in wanted.get("released", {}).items():
        made.entries(f"-{value}", "draw", ids[name])
    for name, value in wanted.get("reopened", {}).items():
        made.entries(value, "give_back", ids[name])
    if "balance_at_expiry" in wanted:
        made.balance(wanted["balance_at_expiry"], last_days[first])
        made.entries(f"-{wanted['breakage_at_expiry']}", "expiry")
    for name, value in wanted.get("breakage_after_all", {}).items():
        made.entries(f"-{value}", "expiry", ids[name])


# -- draws ---------------------------------------------------------------------------------------


def credit_drawdown(world: CaseWorld, given: dict, wanted: dict) -> None:
    made = CreditWorld(world)
    features = {one for grant in given["grants"] for one in grant.get("features", [])}
    own = given.get("usage_feature") or "usage"
    for charge_id in sorted(features | {own}):
        made.charge(charge_id)
    ids = {}
    for number, grant in enumerate(given["grants"], start=1):
        name = grant.get("id", f"g{number}")
        amount = grant.get("amount") or grant.get("credits") or cents_text(grant["cents"])
        columns = {"priority": grant.get("priority") or "", "expires_at": grant.get("expiry", "")}
        if "features" in grant:
            columns |= {"scope": "meter", "scope_id": made.meter(grant["features"][0])}
        at = grant.get("at", "t0")
        effective = "" if at.startswith("t0") else at
        if at.startswith("t0+"):
            effective = made.day(hours(at.removeprefix("t0+")))
        ids[name] = made.grant(name, amount, effective, **columns)
    drawn = wanted.get("drawn", {})
    spends = given.get("usages") or [cents_text(one) for one in given.get("usage_cents", [])]
    if "usage_at" in given:
        number = (date.fromisoformat(given["usage_at"][:10]) - START).days
        made.use(number, given["usage"])
    elif "already_booked_for_tomorrow" in given:
        made.use(USED, given["already_booked_for_tomorrow"])
        made.use(USED + 1, given["usage"])
        for name, value in drawn.items():
            made.entries(f"-{value}", "draw", ids[name], made.day(USED + 1))
        return
    elif "order" in wanted:
        # So much as the first has on one day, the rest on the next: the order shows.
        rest = Fraction(given["usage"])
        for place, name in enumerate(wanted["order"]):
            amount = Fraction(drawn[name])
            made.use(USED + place, str(amount), own)
            made.entries(f"-{amount}", "draw", ids[name], made.day(USED + place))
            rest -= amount
        if rest:
            made.use(USED + len(drawn), str(rest), own)
    else:
        for place, amount in enumerate(spends or [given.get("usage") or given["debit"]]):
            made.use(USED + 1 + place, amount, own)
    for place, value in enumerate(wanted.get("accrued_by_spend", [])):
        made.entries(f"-{value}", "draw", posted=made.day(USED + 1 + place))
    in_cents = "usage_cents" in given
    for name, grant_id in ids.items():
        if "drawn" in wanted:
            value = drawn.get(name, "0")
            made.entries(f"-{cents_text(value) if in_cents else value}", "draw", grant_id)
        if name in wanted.get("remaining", {}):
            value = wanted["remaining"][name]
            made.balance(cents_text(value) if in_cents else value, made.day(60), grant_id)
    if "balance" in wanted:
        made.balance(wanted["balance"], made.day(60))
    if "receivable" in wanted:
        made.due(wanted["receivable"].removeprefix("-"))


# -- grants in time ------------------------------------------------------------------------------


class Times:
    """Offsets from t1 as days: in their order, or days as weeks where something recurs."""

    def __init__(self, is_in_weeks: bool) -> None:
        self.is_in_weeks = is_in_weeks
        self.known: set[Fraction] = {Fraction(0)}

    def parse(self, text: str) -> Fraction:
        """`t1+1d+30m` or `30d` in units of our own."""
        total = Fraction(0)
        units = IN_WEEKS if self.is_in_weeks else IN_ORDER
        for part in text.removeprefix("t1").replace("-", "+-").split("+"):
            for amount, unit in split_units(part):
                total += amount * units[unit]
        self.known.add(total)
        return total

    def number(self, offset: Fraction) -> int:
        if self.is_in_weeks:
            return int(offset)
        ordered = sorted(self.known)
        return ordered.index(offset) - ordered.index(Fraction(0))


def split_units(text: str) -> list[tuple[Fraction, str]]:
    """`1h30m` as amounts and units; a sign holds for all."""
    sign, found, digits = 1, [], ""
    for char in text:
        if char == "-":
            sign = -1
        elif char.isdigit():
            digits += char
        else:
            found.append((Fraction(sign * int(digits)), char))
            digits = ""
    return found


def credit_grants(world: CaseWorld, given: dict, wanted: dict) -> None:
    """Grants that begin, expire, recur or are voided between uses."""
    made = CreditWorld(world)
    made.charge()
    times = Times(any("recurrence" in grant for grant in given["grants"].values()))
    until = times.parse(given["until"])
    usage = [(times.parse(at), amount) for at, amount in given["usage"]]
    grants = {}
    for name, grant in given["grants"].items():
        # t1 is when the grants of a case are effective that name a date.
        at = grant["effective"]
        begin = at if at.startswith("t1") else "t1"
        effective = times.parse(begin)
        ends = times.parse(f"{begin}+{grant['expires_after']}")
        voided = grant.get("voided_at") or grant.get("deleted_at")
        grants[name] = (grant, effective, ends, times.parse(voided) if voided else None)
    for name, (grant, effective, ends, voided) in grants.items():
        columns = {"priority": grant["priority"]}
        if "recurrence" in grant:
            columns["every"] = CYCLES[grant["recurrence"].split()[0]]
            columns["recurs_until"] = made.day(times.number(until) + 7)
        else:
            # On the day of its own that the expiry has in the order.
            columns["expires_at"] = made.day(times.number(ends) + 1)
        grant_id = made.grant(name, grant["amount"], made.day(times.number(effective)), **columns)
        if voided is not None:
            at = made.day(times.number(voided))
            action = {"action_id": f"void {grant_id}", "action": "void", "reason": "peer"}
            world.add("credit_actions", **action, grant_id=grant_id, acts_at=instant(at))
    for at, amount in usage:
        made.use(times.number(at), amount)
    for name, value in wanted["balances"].items():
        made.balance(value, made.day(times.number(until)), world.name(name))
    if "overage" in wanted:
        made.due(wanted["overage"])


def credit_ledger(world: CaseWorld, given: dict, wanted: dict) -> None:
    """What a customer sees of a grant: each kind of entry, and the balance after it."""
    made = CreditWorld(world)
    made.charge()
    ends = hours(given["expires_after"])
    grant_id = made.grant("g", given["granted"], expires_at=made.day(ends))
    if Fraction(given["consumed"]):
        made.use(0, given["consumed"])
    for one in wanted["transactions"]:
        day = made.day(hours(one["after"]))
        # What expires at a midnight does so on the day that ends there.
        posted = day_before(day) if one["type"] == "expired" else day
        made.entries(one["amount"], ISSUED[one["type"]], grant_id, posted)
    newest = wanted["transactions"][0]
    made.balance(newest["balance_after"], made.day(hours(given["as_of"])), grant_id)
    if newest["type"] == "expired":
        made.balance(newest["balance_before"], made.day(ends - 2), grant_id)


def credit_void(world: CaseWorld, given: dict, wanted: dict) -> None:
    made = CreditWorld(world)
    made.charge()
    grant_id = made.grant("g", given["granted"])
    if Fraction(given["consumed"]):
        made.use(0, given["consumed"])
    at = made.day(hours(given["voided_after"]))
    action = {"action_id": f"void {grant_id}", "action": "void", "reason": "peer"}
    world.add("credit_actions", **action, grant_id=grant_id, acts_at=instant(at))
    made.balance(wanted["balance"], at, grant_id)
    made.entries(wanted["breakage"], "expiry", grant_id)
    for kind, amount in wanted["transactions"].items():
        made.entries(amount, ISSUED[kind], grant_id)


# -- invoices ------------------------------------------------------------------------------------


def credits_applied(world: CaseWorld, given: dict, wanted: dict) -> None:
    """The bands of a price are one line of ours: what credits pay of them is added up."""
    made = CreditWorld(world)
    rows = [
        {
            "up_to": tier["up_to"] or "",
            "flat_fee": tier.get("flat", ""),
            "unit_price": tier.get("unit_price", ""),
        }
        for tier in given["tiers"]
    ]
    world.usage_charge("tiered", rows)
    for number, amount in enumerate(given["credits"], start=1):
        made.grant(f"g{number}", amount)
    made.use(USED, given["quantity"])
    paid = sum(Fraction(one) for line in wanted["lines"] for one in line["credits"])
    made.entries(f"-{paid}", "draw")
    made.due(wanted["due"])


def prepaid_credits(world: CaseWorld, given: dict, wanted: dict) -> None:
    """Wallets of an invoice; what is limited to a type of fees has a product of its own here."""
    made = CreditWorld(world)
    fees = given["fees"]
    if isinstance(fees, str):
        # "10 charge fees of 60 ...; wallet limited to the metric of the 10th"
        count, cents = int(fees.split()[0]), fees.split()[4]
        fees = [
            {"type": "charge", "cents": cents, "billable_metric": f"m{n}"} for n in range(count)
        ]
    second_product(world)
    for number, fee in enumerate(fees):
        if fee["type"] == "subscription":
            world.fee(cents_text(fee["cents"]), charge_id=f"fee{number}", plan="other")
            continue
        charge_id = fee.get("billable_metric", f"charge{number}")
        made.charge(charge_id, cents_text(fee["cents"]))
        made.use(USED, "1", charge_id)
    ids = {}
    balances = given.get("wallet_balances_cents")
    if balances is None:
        amount = given.get("each_balance_cents", given["invoice_cents"].partition(".")[0])
        balances = dict.fromkeys(given.get("wallets_in_order_of_creation", ["normal"]), amount)
    for number, (name, cents) in enumerate(balances.items()):
        columns = {"priority": "49"} if name.startswith("priority") else {}
        if name.endswith("subscription"):
            columns |= {"scope": "product", "scope_id": world.name("other")}
        elif name.endswith("charge"):
            columns |= {"scope": "product", "scope_id": world.name("product")}
        elif "bm" in name:
            metric = fees[-1]["billable_metric"]
            columns |= {"scope": "meter", "scope_id": made.meter(metric)}
        begin = (START - timedelta(days=20 - number)).isoformat()
        ids[name] = made.grant(name, cents_text(cents), begin, **columns)
    if "drawn_total_cents" in wanted:
        made.entries(f"-{cents_text(wanted['drawn_total_cents'])}", "draw")
    for name, grant_id in ids.items():
        if "drawn_cents" in wanted:
            value = cents_text(wanted["drawn_cents"].get(name, "0"))
            made.entries(f"-{value}", "draw", grant_id)


def second_product(world: CaseWorld) -> None:
    """A plan of another product, with a subscription of the same customer."""
    name = world.name("other")
    world.add("products", product_id=name, name="peer", product_type="saas")
    plan = {"plan_id": name, "product_id": name, "name": "peer"}
    world.catalog["plans"].append(catalog_row("plans", **plan, cycle="month", alignment="calendar"))
    subscription = {"subscription_id": name, "customer_id": world.name("customer")}
    world.add("subscriptions", **subscription, plan_id=name, starts_at=BEGIN, ends_at="2026-02-01")


TRANSLATORS: dict[str, Callable[[CaseWorld, dict, dict], None]] = {
    "breakage": breakage,
    "credit_drawdown": credit_drawdown,
    "credit_grants": credit_grants,
    "credit_ledger": credit_ledger,
    "credit_void": credit_void,
    "credits_applied": credits_applied,
    "prepaid_credits": prepaid_credits,
}
