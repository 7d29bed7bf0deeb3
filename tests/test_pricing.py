"""Pricing models and money macros, evaluated in SQL on both engines against exact fractions.

All cases of an engine go through one compiled query: hundreds of rows, one dbt run.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

import pytest

from tests.peer_cases import find_cases_file

ENGINES = pytest.mark.parametrize("engine", ["duckdb", "postgres"])
MODELS = (
    "dynamic",
    "flat",
    "package",
    "per_unit",
    "percentage",
    "stairstep",
    "tiered",
    "tiered_percentage",
    "volume",
)
AMOUNT_LIMIT = 10**13
QUANTITY_LIMIT = 10**15
SEED = 2
SEPARATOR = "-- next query"
EXPONENTS = {"JPY": 0, "CLP": 0, "USD": 2, "precision 0": 0, "precision 2": 2}

#: Peer cases whose rule is not ours: our amount, and why.
FREE_EVENTS = "free events are free of the fee per event, not of the percentage"
STACKED = "fees of the steps entered are stacked, and each unit is a charge of its own"
OURS = {
    "fx-pkground-2": ("1", "a part package is billed whole; nothing rounds it down"),
    "kb-stair-1": ("30", STACKED),
    "kb-stair-5": ("70", STACKED),
    "lago-pct-no-free-amount": ("12.4", FREE_EVENTS),
    "lago-pct-zero": ("2", FREE_EVENTS + "; an event past them pays its fee at any value"),
    "om-rounddown": ("1.23", "money is rounded half away from zero, always"),
}
#: Peer cases that are about something else than (model, bands, quantity) -> amount, and what.
ELSEWHERE = {
    "mt-grad-cap": "a tier's cap is our charge's maximum, on rounded lines: test_peer_cases_*",
    "lago-grouped-dyn-aws": "states a price per unit; we bill the events' own amounts",
}


@dataclass
class Band:
    """(previous up_to, up_to]; amounts are decimals as text, percent of a hundred."""

    up_to: str | None = None
    unit_price: str = "0"
    flat_fee: str = "0"
    package_size: str = "1"
    percent: str = "0"
    event_fee: str = "0"
    free_amount: str = "0"
    free_events: int = 0


@dataclass
class Case:
    """One price row and its usage in a period."""

    case_id: str
    model: str
    bands: list[Band]
    quantity: str
    events: int = 1
    usage_amount: str | None = None
    at_zero: bool = False
    expected: Fraction | None = field(default=None)


def half_away(value: Fraction, digits: int) -> Fraction:
    scaled = abs(value) * 10**digits
    whole = (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)
    return Fraction(whole if value >= 0 else -whole, 10**digits)


# -- the rule, said a second time --------------------------------------------------------------


def price(case: Case) -> Fraction:
    """The exact amount of a case, by the rules of the macros' doc comments."""
    quantity = Fraction(case.quantity)
    first = case.bands[0]
    if case.model == "dynamic":
        return Fraction(case.usage_amount or 0)
    if case.model == "flat":
        return Fraction(first.flat_fee) if case.events else Fraction(0)
    if case.model == "per_unit":
        return quantity * Fraction(first.unit_price)
    if case.model == "package":
        return -(-quantity // Fraction(first.package_size)) * Fraction(first.unit_price)
    if case.model == "percentage":
        share = max(quantity - Fraction(first.free_amount), 0) * Fraction(first.percent) / 100
        return share + max(case.events - first.free_events, 0) * Fraction(first.event_fee)
    total, below = Fraction(0), Fraction(0)
    for number, band in enumerate(case.bands):
        top = None if band.up_to is None else Fraction(band.up_to)
        units = max((quantity if top is None else min(quantity, top)) - below, Fraction(0))
        entered = quantity > below or (number == 0 and quantity == 0 and case.at_zero)
        here = (quantity > below or number == 0) and (top is None or quantity <= top)
        fee = Fraction(band.flat_fee) if entered else Fraction(0)
        if case.model == "tiered":
            total += units * Fraction(band.unit_price) + fee
        elif case.model == "tiered_percentage":
            total += units * Fraction(band.percent) / 100 + fee
        elif case.model == "stairstep":
            total += fee
        elif case.model == "volume" and here:
            total += quantity * Fraction(band.unit_price) + fee
        below = top
    return total


# -- cases -------------------------------------------------------------------------------------


def decimal(chance: random.Random, whole: int, digits: int) -> str:
    places = chance.randint(0, digits)
    return str(Decimal(chance.randint(0, 10 ** (whole + places))).scaleb(-places))


def random_bands(chance: random.Random) -> list[Band]:
    tops = sorted({1 + chance.randint(0, 5000) for _ in range(chance.randint(0, 5))})
    shift = chance.choice(["0", "0.5", "0.0000000001"])
    bounds = [str(Decimal(top) + Decimal(shift)) for top in tops]
    return [
        Band(
            up_to=bound,
            unit_price=decimal(chance, 3, 12),
            flat_fee=decimal(chance, 4, 3),
            package_size=chance.choice(["1", "10", "1000", "0.25", "7.3"]),
            percent=decimal(chance, 1, 10),
            event_fee=decimal(chance, 1, 4),
            free_amount=chance.choice(["0", "100", "0.5"]),
            free_events=chance.choice([0, 3]),
        )
        for bound in [*bounds, None]
    ]


def random_cases() -> list[Case]:
    """For each model random bands at random quantities, at every bound and just beside it."""
    chance = random.Random(SEED)
    cases = []
    tiny = Decimal("0.0000000001")
    for model in MODELS:
        for _ in range(12):
            bands = random_bands(chance)
            quantities = [Decimal(0), Decimal(decimal(chance, 9, 10)), Decimal(10**14)]
            for band in bands[:-1]:
                bound = Decimal(band.up_to)
                quantities += [bound - tiny, bound, bound + tiny]
            for quantity in quantities:
                case = Case(
                    case_id=f"{model}-{len(cases)}",
                    model=model,
                    bands=bands,
                    quantity=f"{quantity:f}",
                    events=chance.choice([0, 1, 5]),
                    usage_amount=chance.choice([None, "0", "-1.5", decimal(chance, 9, 10)]),
                    at_zero=chance.random() < 0.5,
                )
                case.expected = price(case)
                cases.append(case)
    return cases


def edge_cases() -> list[Case]:
    """Amounts and quantities around what is computed; too large has no amount."""
    largest = "999999999999999.9999999999"
    made = [
        Case("edge-most", "per_unit", [Band(unit_price="0.01")], largest),
        Case("edge-just-fits", "per_unit", [Band(unit_price="1")], "9999999999999.9999999999"),
        Case("edge-amount", "per_unit", [Band(unit_price="1")], "10000000000000"),
        Case("edge-fraction", "per_unit", [Band(unit_price="1.5")], "6666666666666.6666666667"),
        Case("edge-huge", "per_unit", [Band(unit_price="99999999")], largest),
        Case("edge-smallest", "per_unit", [Band(unit_price="0.000000000001")], "0.0000000001"),
        Case("edge-packages", "package", [Band(None, "1", package_size="0.0000000001")], largest),
        Case("edge-dynamic", "dynamic", [Band()], "1", usage_amount="10000000000000"),
        Case("edge-fees", "percentage", [Band(event_fee="99999")], "1", events=10**12),
        Case("edge-zero-price", "tiered", [Band(up_to="10"), Band()], largest),
    ]
    for case in made:
        case.expected = price(case)
    return made


def peer_bands(tiers: list[dict]) -> list[Band]:
    """Tiers given as up_to, or as from/to in whole units, both inclusive."""
    bands = [
        Band(
            up_to=tier.get("up_to", tier.get("to")),
            unit_price=tier.get("unit_price", "0"),
            percent=tier.get("rate_percent", "0"),
            flat_fee=tier.get("flat", "0"),
        )
        for tier in tiers
    ]
    bands[-1].up_to = None
    return bands


def stacked(tiers: list[tuple[str, str]]) -> list[Band]:
    """Tiers of (size, price), each size on top of the ones before it."""
    bands, top = [], Fraction(0)
    for size, unit_price in tiers:
        top += Fraction(size)
        bands.append(Band(up_to=str(top), unit_price=unit_price))
    bands[-1].up_to = None
    return bands


def translate(kind: str, given: dict) -> list[tuple[str, list[Band], dict]]:
    """A peer case as price rows with usage; its amount is the sum of theirs."""
    models = {
        "graduated": "tiered",
        "volume": "volume",
        "graduated_percentage": "tiered_percentage",
    }
    if kind in models:
        # The others bill the first tier's flat fee at zero usage, a setting of our charge.
        usage = {"quantity": given["quantity"], "at_zero": True}
        if "tiers" in given:
            return [(models[kind], peer_bands(given["tiers"]), usage)]
        tiers = given["tiers_first_unit"]
        tops = [str(int(tier["from"]) - 1) for tier in tiers[1:]] + [None]
        bands = [
            Band(up_to=top, unit_price=tier["unit_price"])
            for top, tier in zip(tops, tiers, strict=True)
        ]
        return [(models[kind], bands, usage)]
    if kind == "per_unit":
        return [("per_unit", [Band(unit_price=given["unit_price"])], given)]
    if kind == "package":
        left = max(Fraction(given["quantity"]) - Fraction(given.get("free_units", "0")), 0)
        band = Band(unit_price=given.get("package_price", "1"), package_size=given["package_size"])
        return [("package", [band], {"quantity": str(left)})]
    if kind == "percentage":
        band = Band(
            percent=given["rate_percent"],
            event_fee=given["fixed_per_event"] or "0",
            free_amount=given["free_amount"] or "0",
            free_events=int(given["free_events"] or 0),
        )
        usage = {"quantity": given["units"], "events": int(given["events_count"])}
        return [("percentage", [band], usage)]
    if kind == "dynamic":
        amounts = [Fraction(amount) for amount in given["precise_total_amount_cents"]]
        total = Decimal(sum(amounts).numerator) / Decimal(sum(amounts).denominator)
        return [("dynamic", [Band()], {"quantity": "1", "usage_amount": str(total)})]
    if kind == "stairstep":
        made = []
        for unit, quantity in given["peak_usage"].items():
            bands = [
                Band(
                    up_to=None if tier["max"] == "none" else tier["max"][unit],
                    flat_fee=tier["price"],
                )
                for tier in given["tiers"]
            ]
            made.append(("stairstep", bands, {"quantity": quantity}))
        return made
    if kind == "block_tiers" and "tiers_size_price" in given:
        model = "tiered" if given["policy"] == "ALL_TIERS" else "volume"
        return [
            (model, stacked(tiers), {"quantity": given["usage"][unit]})
            for unit, tiers in given["tiers_size_price"].items()
        ]
    if kind == "block_tiers":
        # Whole blocks of the first tier's size are the units (a meter's multiplier and rounding).
        first = Fraction(given["tiers"][0]["block_size"])
        tiers = [
            (
                str(Fraction(tier["max_blocks"]) * Fraction(tier["block_size"]) / first),
                str(Decimal(tier["price"]) * int(first) / int(tier["block_size"])),
            )
            for tier in given["tiers"]
        ]
        blocks = -(-Fraction(given["quantity"]) // first)
        return [("volume", stacked(tiers), {"quantity": str(blocks)})]
    return []


def read_peers() -> list[dict]:
    path = find_cases_file()
    return json.loads(path.read_text(encoding="utf-8")) if path else []


PRICING_KINDS = (
    "block_tiers",
    "dynamic",
    "graduated",
    "graduated_percentage",
    "package",
    "per_unit",
    "percentage",
    "stairstep",
    "volume",
)
PEERS = [
    case for case in read_peers() if case["kind"] in PRICING_KINDS and case["id"] not in ELSEWHERE
]
PEER_ROUNDINGS = [case for case in read_peers() if case["kind"] == "rounding"]
NO_FILE = "shared/cases/peer_cases.json is not beside the checkout (TALLY_SHARED names its folder)"


def peer_cases() -> list[Case]:
    return [
        Case(
            case_id=f"{peer['id']}/{number}",
            model=model,
            bands=bands,
            quantity=usage["quantity"],
            events=usage.get("events", 1 if Fraction(usage["quantity"]) else 0),
            usage_amount=usage.get("usage_amount"),
            at_zero=usage.get("at_zero", False),
        )
        for peer in PEERS
        for number, (model, bands, usage) in enumerate(translate(peer["kind"], peer["inputs"]))
    ]


@dataclass
class Ratio:
    """amount * numerator / denominator, rounded at digits; scale is the amount's decimals."""

    amount: str
    scale: int
    numerator: int
    denominator: int
    digits: int

    @property
    def expected(self) -> Fraction:
        exact = Fraction(self.amount) * self.numerator / self.denominator
        return half_away(exact, self.digits)


def ratios() -> list[Ratio]:
    """Random ratios, ties exactly on half, and the days of months and years."""
    chance = random.Random(SEED)
    made = []
    for number in range(400):
        scale = chance.choice([4, 10, 12, 22])
        whole = {4: 15, 10: 20, 12: 8, 22: 13}[scale]
        digits = chance.choice([0, 2, 3, 4, 10])
        denominator = chance.choice([3, 7, 28, 29, 30, 31, 365, 366, 2678400])
        numerator = chance.randint(-1, denominator)
        amount = Decimal(chance.randint(-(10**whole), 10**whole))
        amount += Decimal(chance.randint(0, 10**scale)).scaleb(-scale)
        if number % 4 == 0 and digits < scale:
            denominator, numerator = chance.choice([(2, 1), (4, 2), (366, 183)])
            amount = Decimal(2 * chance.randint(-(10**6), 10**6) + 1).scaleb(-digits)
        made.append(Ratio(f"{amount:f}", scale, numerator, denominator, digits))
    return made


# -- SQL ---------------------------------------------------------------------------------------

QUERIES = [
    """
    select case_id, band_number,
        cast(units as {{ type_text() }}) as units,
        cast(rate as {{ type_text() }}) as rate,
        cast(fixed_amount as {{ type_text() }}) as fixed_amount,
        cast(
            cast({{ exact_product('units', 'rate') }} + fixed_amount as {{ type_amount() }})
            as {{ type_text() }}
        ) as amount
    from (
        select case_id, band_number,
            {{ step_units(models) }} as units,
            {{ step_rate(models) }} as rate,
            {{ step_fixed_amount(models) }} as fixed_amount
        from cases
        where {{ step_applies(models) }}
    ) as steps
    """,
    """
    {% for scale in [4, 10, 12, 22] %}
    select case_id, cast(
        {{ multiply_divide_round('amount', 'numerator', 'denominator', 'digits') }}
        as {{ type_text() }}
    ) as result
    from (
        select case_id, numerator, denominator, digits,
            cast(amount_text as decimal(38, {{ scale }})) as amount
        from ratios where scale = {{ scale }}
    ) as scaled
    {% if not loop.last %} union all {% endif %}
    {% endfor %}
    """,
    """
    select
        cast({{ multiply_divide_round('sum(10.00)', '17', 'count(*) + 30', 2) }} as text),
        cast({{ multiply_divide_round('1.00', '1', '0', 2) }} as text)
    from (select 1 as one) as single_row
    """,
    """
    select case_id, cast({{ round_money('amount', 'exponent') }} as {{ type_text() }})
    from (
        select case_id, exponent, cast(amount_text as {{ type_amount() }}) as amount
        from roundings
    ) as typed
    """,
]


def cell(value: object, kind: str) -> str:
    if value is None:
        return f"cast(null as {kind})"
    return f"cast('{value}' as {kind})"


def values(rows: list[tuple], columns: dict[str, str]) -> str:
    """A select of literal rows, typed by `columns`."""
    lines = [
        "(" + ", ".join(cell(v, k) for v, k in zip(row, columns.values(), strict=True)) + ")"
        for row in rows
    ]
    return f"select * from (values {', '.join(lines)}) as rows_of ({', '.join(columns)})"


def band_rows(cases: list[Case]) -> str:
    quantity, unit, total = "decimal(28, 10)", "decimal(20, 12)", "decimal(38, 10)"
    columns = {
        "case_id": "text",
        "pricing_model": "text",
        "rated_quantity": quantity,
        "event_count": "bigint",
        "usage_amount": total,
        "flat_fee_at_zero": "boolean",
        "band_number": "bigint",
        "tier_from": quantity,
        "tier_to": quantity,
        "unit_price": unit,
        "flat_fee": quantity,
        "package_size": quantity,
        "percent_fraction": unit,
        "event_fee": unit,
        "free_amount": quantity,
        "free_events": "bigint",
    }
    rows = []
    for case in cases:
        below = "0"
        for number, band in enumerate(case.bands, start=1):
            rows.append(
                (
                    case.case_id,
                    case.model,
                    case.quantity,
                    case.events,
                    case.usage_amount,
                    str(case.at_zero).lower(),
                    number,
                    below,
                    band.up_to,
                    band.unit_price,
                    band.flat_fee,
                    band.package_size,
                    f"{Decimal(band.percent).scaleb(-2):f}",
                    band.event_fee,
                    band.free_amount,
                    band.free_events,
                )
            )
            below = band.up_to
    return values(rows, columns)


@dataclass
class Evaluated:
    """What an engine made of all cases."""

    steps: dict[str, list[tuple]]
    ratios: list[Fraction]
    constants: tuple
    roundings: list[Fraction]

    def amount(self, case_id: str) -> Fraction | None:
        """The sum of a case's steps; None where one of them is too large, or the sum is."""
        amounts = [step[4] for step in self.steps[case_id]]
        if None in amounts:
            return None
        total = sum((Fraction(amount) for amount in amounts), Fraction(0))
        return total if abs(total) < AMOUNT_LIMIT else None


def all_cases() -> list[Case]:
    return [*random_cases(), *edge_cases(), *peer_cases()]


def roundings() -> list[tuple[str, int, str]]:
    """(amount, exponent, expected) of the peers' cases, and of ties on both sides of zero."""
    found = [
        (
            case["inputs"]["amount"],
            EXPONENTS[case["inputs"]["currency"]],
            OURS.get(case["id"], (case["expected"]["rounded"],))[0],
        )
        for case in PEER_ROUNDINGS
    ]
    for exponent in range(5):
        tie = Decimal("0.5").scaleb(-exponent)
        for amount in (tie, -tie, tie - Decimal("1e-22"), 12345678901 + tie):
            text = f"{amount:f}"
            found.append((text, exponent, str(half_away(Fraction(text), exponent))))
    return found


def evaluate(house) -> Evaluated:
    """All queries, compiled once by dbt on the house's engine and run there."""
    template = f"{{% set models = {list(MODELS)} %}}" + f"\n{SEPARATOR}\n".join(QUERIES)
    done = house.dbt("--quiet", "compile", "--inline", template)
    assert done.returncode == 0, done.stdout[-4000:]
    steps_sql, ratios_sql, constants_sql, roundings_sql = done.stdout.split(SEPARATOR)
    cases = f"with cases as ({band_rows(all_cases())}) "
    steps: dict[str, list[tuple]] = {}
    for case_id, *step in house.query(cases + steps_sql):
        steps.setdefault(case_id, []).append(tuple(step))
    integer = "bigint"
    ratio_columns = {
        "case_id": integer,
        "scale": integer,
        "amount_text": "text",
        "numerator": integer,
        "denominator": integer,
        "digits": "integer",
    }
    ratio_rows = [
        (number, one.scale, one.amount, one.numerator, one.denominator, one.digits)
        for number, one in enumerate(ratios())
    ]
    given = f"with ratios as ({values(ratio_rows, ratio_columns)}) "
    ratio_results = dict(house.query(given + ratios_sql))
    rounding_columns = {"case_id": integer, "amount_text": "text", "exponent": "integer"}
    rounding_rows = [
        (number, amount, exponent) for number, (amount, exponent, _) in enumerate(roundings())
    ]
    given = f"with roundings as ({values(rounding_rows, rounding_columns)}) "
    rounding_results = dict(house.query(given + roundings_sql))
    return Evaluated(
        steps=steps,
        ratios=[Fraction(ratio_results[number]) for number in range(len(ratio_rows))],
        constants=house.query(constants_sql)[0],
        roundings=[Fraction(rounding_results[number]) for number in range(len(rounding_rows))],
    )


@pytest.fixture(scope="module")
def evaluated(house):
    """evaluated(engine) -> Evaluated, made once for each engine."""
    made: dict[str, Evaluated] = {}

    def of(engine: str) -> Evaluated:
        if engine not in made:
            made[engine] = evaluate(house(engine))
        return made[engine]

    return of


# -- tests -------------------------------------------------------------------------------------


@ENGINES
def test_every_pricing_model_is_exact(evaluated, engine):
    found = evaluated(engine)
    wrong = []
    for case in [*random_cases(), *edge_cases()]:
        expected = case.expected if abs(case.expected) < AMOUNT_LIMIT else None
        if found.amount(case.case_id) != expected:
            wrong.append((case, found.amount(case.case_id), expected))
    assert not wrong, f"{len(wrong)} wrong, the first: {wrong[0]}"


@ENGINES
def test_too_large_has_no_amount(evaluated, engine):
    found = evaluated(engine)
    none = [case.case_id for case in edge_cases() if found.amount(case.case_id) is None]
    assert none == [
        "edge-amount",
        "edge-fraction",
        "edge-huge",
        "edge-packages",
        "edge-dynamic",
        "edge-fees",
    ]


@ENGINES
@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer["id"])
def test_peer_case(evaluated, engine, peer):
    found = evaluated(engine)
    parts = len(translate(peer["kind"], peer["inputs"]))
    amount = sum(found.amount(f"{peer['id']}/{number}") for number in range(parts))
    stated = peer["expected"]
    wanted = next(iter(stated.values()))
    wanted = OURS.get(peer["id"], (wanted,))[0]
    assert amount == Fraction(wanted), peer["source"]


@pytest.mark.skipif(bool(PEERS), reason="the cases are there and run one by one")
def test_peer_cases_are_there():
    print(NO_FILE)
    pytest.skip(NO_FILE)


@pytest.mark.skipif(not PEERS, reason=NO_FILE)
def test_cases_named_here_exist():
    known = {case["id"] for case in read_peers()}
    assert set(OURS) | set(ELSEWHERE) <= known


@ENGINES
def test_ratios_are_exact(evaluated, engine):
    found = evaluated(engine).ratios
    wrong = [(one, seen) for one, seen in zip(ratios(), found, strict=True) if seen != one.expected]
    assert not wrong, f"{len(wrong)} wrong, the first: {wrong[0]}"


@ENGINES
def test_ratios_stand_over_aggregates_and_by_zero_are_null(evaluated, engine):
    assert evaluated(engine).constants == ("5.4800000000", None)


@ENGINES
def test_money_is_rounded_half_away_from_zero(evaluated, engine):
    found = evaluated(engine).roundings
    wrong = [
        (given, seen)
        for given, seen in zip(roundings(), found, strict=True)
        if seen != Fraction(given[2])
    ]
    assert not wrong, wrong


def test_engines_make_the_same_steps_byte_for_byte(evaluated):
    duckdb, postgres = evaluated("duckdb").steps, evaluated("postgres").steps
    assert duckdb.keys() == postgres.keys()
    for case_id, steps in duckdb.items():
        assert sorted(steps) == sorted(postgres[case_id]), case_id


def test_a_pricing_model_without_a_macro_is_named(house):
    done = house("duckdb").dbt("compile", "--inline", "{{ step_units(['by_the_moon']) }}")
    assert done.returncode != 0
    said = " ".join(done.stdout.split())
    assert "'by_the_moon'" in said
    assert "macros/pricing/by_the_moon.sql" in said
