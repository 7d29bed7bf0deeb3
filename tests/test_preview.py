"""`tally preview`: what it shows is what the house makes of it, and it writes nothing."""

from __future__ import annotations

import csv
import hashlib
import json
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from orchestration.catalog_files import COLUMNS, Catalog, Row, read_catalog
from orchestration.errors import UserError
from orchestration.preview import (
    CHANGES,
    PlanChange,
    changed_catalog,
    choose_subscription,
    plan_change,
)
from orchestration.preview_view import pair_lines
from tests import scenario
from tests.conftest import ENGINES as BOTH
from tests.houses import House, write_catalog

ENGINES = pytest.mark.parametrize("engine", BOTH)
# The house is built through this day; the next one's usage is landed and not built.
THROUGH = date(2026, 2, 1)
# In New York January closes at the end of the day after THROUGH, in Berlin it has closed. Lean goes
# on with the months, weekly begins weeks of its own: what it cuts off closes that day.
CHANGED = {"acme": ("lean", "2026-01-20"), "blau": ("weekly", "2026-02-02")}


def _catalog() -> dict:
    catalog = scenario.catalog()

    def charge(plan, charge_id, **more):
        row = {"plan_id": plan, "charge_id": charge_id, "name": charge_id.title(), **more}
        catalog["charges"].append(row)
        for currency in ("USD", "EUR"):
            catalog["prices"].append(
                {**row, "currency": currency, "name": None, **PRICES[plan, charge_id]}
            )

    for plan, cycle, alignment in (
        ("lean", "month", "calendar"),
        ("weekly", "week", "anniversary"),
    ):
        catalog["plans"].append(
            {"plan_id": plan, "product_id": "api", "name": plan, "cycle": cycle,
             "alignment": alignment}
        )  # fmt: skip
    usage = {"charge_type": "usage", "meter_version": "1"}
    charge("lean", "base_fee", charge_type="recurring", timing="advance", position=1)
    charge("lean", "calls", meter="calls", pricing_model="per_unit", position=5, **usage)
    charge("lean", "seats", meter="seats", pricing_model="per_unit", position=7, **usage)
    charge("weekly", "week_fee", charge_type="recurring", timing="arrears", position=1)
    charge("weekly", "tokens", meter="tokens", pricing_model="per_unit", position=4, **usage)
    charge("weekly", "storage", meter="storage", pricing_model="per_unit", position=6, **usage)
    for name in ("charges", "prices"):
        catalog[name] = [
            {column: row.get(column) for column in COLUMNS[name]} for row in catalog[name]
        ]
    return catalog


PRICES = {
    ("lean", "base_fee"): {"unit_price": "20"},
    ("lean", "calls"): {"unit_price": "0.05"},
    ("lean", "seats"): {"unit_price": "12"},
    ("weekly", "week_fee"): {"unit_price": "7.77"},
    ("weekly", "tokens"): {"unit_price": "0.0021"},
    ("weekly", "storage"): {"unit_price": "3"},
}


def _state(house: House) -> dict[str, object]:
    """All that warehouse and catalogue hold: a file byte by byte, a database by its rows."""
    state: dict[str, object] = {file.name: file.read_bytes() for file in house.catalog.iterdir()}
    if house.engine == "duckdb":
        # What was inserted goes from the log into the file, so that the file is all there is.
        house.query("checkpoint")
        file = Path(house.environment["TALLY_DUCKDB_PATH"])
        return {**state, "file": hashlib.sha256(file.read_bytes()).hexdigest()}
    tables = house.query(
        "select table_schema || '.' || table_name from information_schema.tables"
        " where table_type = 'BASE TABLE'"
        " and table_schema not in ('information_schema', 'pg_catalog') order by 1"
    )
    return {**state, **{name: house.export(name) for (name,) in tables}}


def _preview(house: House, *words: str) -> str:
    done = house.run("preview", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def story(twins) -> dict[str, dict]:
    """Previews of two changes, then the same changes written and built, on each engine."""
    rows = scenario.rows()
    midnight = datetime.combine(THROUGH, datetime.min.time()) + timedelta(days=1)
    built = [row for row in rows if row["loaded_at"] < midnight]
    landed = [row for row in rows if midnight <= row["loaded_at"] < midnight + timedelta(days=1)]
    houses = twins(_catalog(), built, lambda each: each.build("--through", str(THROUGH)))
    told: dict[str, dict] = {}
    for engine, house in houses.items():
        house.insert(landed)
        told[engine] = found = {"house": house, "before": _state(house)}
        for customer, (plan, day) in CHANGED.items():
            words = ["--customer", customer, "--plan", plan, "--at", day]
            found[customer] = _preview(house, *words, "--format", "json")
        if engine == "duckdb":
            found["plain"] = _preview(house, "--customer", "nippon", "--format", "json")
        found["after"] = _state(house)
        with (house.catalog / f"{CHANGES}.csv").open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS[CHANGES], lineterminator="\n")
            for customer, (plan, day) in CHANGED.items():
                writer.writerow(
                    {"subscription_id": f"sub_{customer}", "changes_at": day,
                     "change": "plan", "plan_id": plan, "recorded_at": f"{midnight:%Y-%m-%dT%TZ}"}
                )  # fmt: skip
        house.build_untested("--through", str(midnight.date()))
    return told


@ENGINES
def test_nothing_is_written(story, engine):
    before, after = story[engine]["before"], story[engine]["after"]
    assert before.keys() == after.keys()
    assert [name for name in before if before[name] != after[name]] == []
    assert len(before) > (16 if engine == "duckdb" else 100)


@ENGINES
@pytest.mark.parametrize("customer", CHANGED)
def test_the_house_makes_what_was_previewed(story, engine, customer):
    """Every document after the change, line by line, of those that close and those that do not."""
    house = story[engine]["house"]
    statuses = []
    for previewed in json.loads(story[engine][customer])["after"]:
        done = house.run("invoice", previewed["invoice_id"], "--format", "json")
        assert done.returncode == 0, done.stderr
        made = json.loads(done.stdout)
        statuses.append(made["status"])
        assert previewed["lines"] == made["lines"]
        for name in ("status", "invoice_number"):
            del previewed[name], made[name]
        assert previewed == made
    assert statuses.count("final") >= 1


def test_a_fee_that_was_billed_is_credited(story):
    """The change cuts January, whose fee in advance is in the ledger: 49.99 * 19 / 31 was used."""
    after = json.loads(story["duckdb"]["acme"])["after"]
    lines = {line["line_kind"]: line for document in after for line in document["lines"]}
    assert lines["credit"]["line_total"] == "-19.35"


def test_as_it_stands_is_the_invoice_without_the_change(story, scenario_twins):
    """January as it closes in a house in which nothing changes, usage not built yet included."""
    house = scenario_twins["duckdb"]
    previewed = json.loads(story["duckdb"]["acme"])["before"][0]
    closed = json.loads(house.run("invoice", previewed["invoice_id"], "--format", "json").stdout)
    assert closed["status"] == "final"
    assert previewed["lines"] == closed["lines"]
    assert previewed["invoice_total"] == closed["invoice_total"] == "197.46"
    plain = json.loads(story["duckdb"]["plain"])
    assert plain["as_of_date"] == "2026-02-02"
    assert {each["status"] for each in plain["invoices"]} == {"draft"}


@pytest.mark.parametrize("customer", CHANGED)
def test_the_difference_adds_up(story, customer):
    shown = json.loads(story["duckdb"][customer])
    ((total,),) = [shown["totals"]]
    for side in ("before", "after"):
        documents = sum(Decimal(each["invoice_total"]) for each in shown[side])
        lines = sum(Decimal(each[f"{side}_total"] or 0) for each in shown["differences"])
        charges = sum(Decimal(each[f"{side}_total"]) for each in shown["charges"])
        assert documents == lines == charges == Decimal(total[f"{side}_total"])
    moved = sum(Decimal(each["difference_total"]) for each in shown["differences"])
    assert moved == Decimal(total["difference_total"]) != 0


@pytest.mark.parametrize("customer", CHANGED)
def test_both_engines_preview_the_same(story, customer):
    assert story["duckdb"][customer] == story["postgres"][customer]


def test_for_people(story):
    """After the change was written, another day, in the table; and a day that has closed."""
    house = story["duckdb"]["house"]
    words = ["--customer", "acme", "--plan", "hybrid", "--at"]
    shown = _preview(house, *words, "2026-02-10")
    for text in (
        "sub_acme on hybrid from 2026-02-10", "as known on 2026-02-10", "As it stands",
        "After the change", "Difference USD", "sub_acme@2026-03-01", "In all",
    ):  # fmt: skip
        assert text in shown
    done = house.run("preview", *words, "2026-01-25")
    assert done.returncode == 1
    assert done.stderr == (
        "tally: sub_acme cannot change on 2026-01-25: the period 2026-01-01 to 2026-01-31 is"
        " closed; 2026-02-01 is the first day on which it can\n"
    )


# What cannot be, in one line


@pytest.fixture(scope="module")
def catalog(tmp_path_factory) -> Catalog:
    rows = _catalog()
    twice = {**rows["subscriptions"][0], "subscription_id": "sub_second"}
    rows["subscriptions"].append(twice)
    rows["customers"].append({**rows["customers"][0], "customer_id": "idle"})
    return read_catalog(write_catalog(tmp_path_factory.mktemp("catalog"), rows))


def _change(catalog, customer, subscription, plan, day):
    chosen = choose_subscription(catalog, customer, subscription)
    change = plan_change(catalog, customer, chosen, plan, date.fromisoformat(day))
    return changed_catalog(catalog, change, date(2026, 2, 2))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nobody", None, "lean", "2026-02-10"), "no customer nobody in the catalogue"),
        (("idle", None, "lean", "2026-02-10"), "customer idle has no subscription"),
        (("blau", "sub_acme", "lean", "2026-02-10"),
         "customer blau has no subscription sub_acme (they have sub_blau)"),
        (("acme", None, "lean", "2026-02-10"),
         "customer acme has several subscriptions, say which changes with --subscription:"
         " sub_acme, sub_second"),
        (("blau", None, "golden", "2026-02-10"), "no plan golden in the catalogue"),
        (("nippon", None, "lean", "2026-02-10"),
         "sub_nippon cannot change to lean on 2026-02-10: its charge base_fee lacks a price in JPY"
         " in prices.csv"),
        (("blau", None, "lean", "2025-12-10"),
         "sub_blau cannot change to lean on 2025-12-10: changes_at: found '2025-12-10', expected"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told_in_one_line(catalog, words, message):
    with pytest.raises(UserError) as refused:
        _change(catalog, *words)
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)


def test_a_change_leaves_the_catalogue_as_it_was_read(catalog):
    before = [row.values.copy() for row in catalog[CHANGES]]
    changed = _change(catalog, "blau", None, "weekly", "2026-02-10")
    assert [row.values for row in catalog[CHANGES]] == before
    assert changed[CHANGES][-1].key("change", "plan_id") == ("plan", "weekly")


def test_a_change_is_known_on_the_running_day():
    row = PlanChange("sub", "plan", date(2026, 3, 1)).row(date(2026, 2, 2))
    assert isinstance(row, Row)
    assert row["recorded_at"] == "2026-02-02T00:00:00Z"
    assert set(row.values) == set(COLUMNS[CHANGES])


@pytest.mark.parametrize(
    "words",
    [
        ["--plan", "lean"],
        ["--customer", "acme", "--plan", "lean"],
        ["--customer", "acme", "--at", "2026-02-10"],
        ["--customer", "acme", "--plan", "lean", "--at", "soon"],
    ],
)
def test_a_command_line_that_makes_no_sense(house, words):
    done = house("duckdb").run("preview", *words)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


def test_an_empty_house_is_one_line(house):
    done = house("duckdb", scenario.catalog()).run("preview", "--customer", "acme")
    assert done.returncode == 1
    assert done.stderr == "tally: nothing has been landed here yet: run tally land\n"


# Lines side by side


def _line(number, charge, total, **more):
    columns = ("line_kind", "period_from", "period_to", "dimension_values", "adjusts_line_id")
    return {**dict.fromkeys(columns), "line_number": number, "charge_id": charge,
            "line_total": Decimal(total), **more}  # fmt: skip


def test_lines_are_paired_by_what_they_are_for():
    fee, calls = _line(1, "fee", "10"), _line(2, "calls", "3")
    part, rest = _line(1, "fee", "4", period_to=1), _line(2, "fee", "6", period_from=1)
    same = _line(3, "calls", "3")
    assert pair_lines([fee, calls], [part, rest, same]) == [
        (fee, None),
        (None, part),
        (None, rest),
        (calls, same),
    ]


def test_lines_that_say_the_same_are_paired_one_to_one():
    left = [_line(1, "fee", "1"), _line(2, "fee", "2")]
    right = [_line(1, "fee", "1")]
    assert pair_lines(left, right) == [(left[1], None), (left[0], right[0])]
