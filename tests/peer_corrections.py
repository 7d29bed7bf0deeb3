"""Cases of other billing systems about usage that comes in after a period was billed."""

from fractions import Fraction

from tests.peer_pricing import tier_rows, usage_month
from tests.peer_world import CaseWorld

#: When each state of the usage is loaded, and the document that posts what it changes: the invoice
#: of January, then, as the subscription has ended, the first of the month after.
STATES = (
    ("2026-01-15T12:00:00Z", "2026-02-01"),
    ("2026-02-10T12:00:00Z", "2026-03-01.adjustments"),
    ("2026-03-10T12:00:00Z", "2026-04-01.adjustments"),
)


def late_usage_delta(world: CaseWorld, given: dict, wanted: dict) -> None:
    """Cumulative quantities, each known after the one before was billed."""
    if "already_billed" in given:
        blocks(world, given, wanted)
        return
    usage_month(world)
    model, meter = given["model"], {}
    if model == "dynamic":
        rows = [{}]
        meter = {"aggregation": "count", "property": "", "amount_property": "price"}
    elif model == "package":
        rows = [{"unit_price": given["package_price"], "package_size": given["package_size"]}]
    elif model == "unit":
        rows = [{"unit_price": given["unit_price"]}]
    else:
        rows = tier_rows(given["tiers"])
    ours = {"graduated": "tiered", "unit": "per_unit"}.get(model, model)
    world.usage_charge(ours, rows, meter=meter, allowance=given.get("free_units", ""))
    if "maximum_amount" in given:
        world.limits(maximum=given["maximum_amount"])
    before = Fraction(0)
    for quantity, amount, (loaded_at, document) in zip(
        given["cumulative_quantities"], wanted["net_amounts"], STATES, strict=False
    ):
        delta = Fraction(quantity) - before
        before = Fraction(quantity)
        known(world, delta, given.get("multiplier"), loaded_at)
        world.check(amount, field="line_total", invoice_id=invoice_id(world, document))


def blocks(world: CaseWorld, given: dict, wanted: dict) -> None:
    """Whole blocks, of which some were billed before the rest of the usage was known."""
    usage_month(world)
    row = {"unit_price": given["price"], "package_size": given["block_size"]}
    world.usage_charge("package", [row])
    billed = Fraction(given["already_billed"]) / Fraction(given["price"])
    first = billed * Fraction(given["block_size"])
    (at, document), (late, corrected) = STATES[:2]
    known(world, first, None, at)
    known(world, sum(map(Fraction, given["usage"])) - first, None, late)
    world.check(given["already_billed"], "line_total", invoice_id=invoice_id(world, document))
    world.check(wanted["net_amount"], "line_total", invoice_id=invoice_id(world, corrected))


def known(world: CaseWorld, quantity: Fraction, multiplier: str | None, loaded_at: str) -> None:
    """Usage of the middle of January, loaded at a time."""
    properties = (
        {"price": str(quantity * Fraction(multiplier))} if multiplier else {"value": str(quantity)}
    )
    world.event(properties, at=STATES[0][0])
    world.raw_rows[-1]["loaded_at"] = world.instant(loaded_at)
    # A load has one time.
    world.raw_rows[-1]["load_id"] = f"{world.case_id} {loaded_at[:10]}"


def invoice_id(world: CaseWorld, document: str) -> str:
    return f"{world.name('subscription')}@{document}"
