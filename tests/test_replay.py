"""Replay: what was closed comes out again to the last byte, and what was altered is found.

The house is that of late usage: six closes and more, corrections of each kind, built in steps.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import date, datetime

import duckdb
import pytest

from orchestration.catalog import Source
from orchestration.errors import UserError
from orchestration.ledger_comparison import LedgerComparison
from orchestration.likely_causes import UNKNOWN, Causes
from orchestration.replay import Replay, Scope
from orchestration.side_house import SideHouse
from orchestration.verification import Verification
from orchestration.warehouse import Warehouse
from tests.houses import PROJECT

LEDGER = (
    "documents", "lines", "closes", "seals", "sealed_days", "catalog_rows",
    "credit_entries", "credit_days", "credit_balances", "credit_steps", "credit_vectors",
)  # fmt: skip
NAMES = "select table_schema || '.' || table_name from information_schema.tables order by 1"

#: One byte each: of a line, of an event loaded on 20 May, of an archived row of one customer.
LINE = "select min(line_id) from ledger.lines where subscription_id = 'package'"
EVENT = (
    "select min(event_key) from raw.usage_events where customer_id = 'c tiered'"
    " and loaded_at >= '2026-05-20' and voids_key is null and event_key not in"
    " (select voids_key from raw.usage_events where voids_key is not null)"
)
ALTERATIONS = (
    f"update ledger.lines set line_total = line_total + 0.01 where line_id = ({LINE})",
    "update raw.usage_events set properties = replace(properties, ': ', ': 1')"
    f" where event_key = ({EVENT})",
    "update ledger.catalog_rows set row_text = replace(row_text, 'name=people', 'name=People')"
    " where row_text like 'customer_id=c people%'",
)
UNDONE = (
    f"update ledger.lines set line_total = line_total - 0.01 where line_id = ({LINE})",
    "update raw.usage_events set properties = replace(properties, ': 1', ': ')"
    f" where event_key = ({EVENT})",
    "update ledger.catalog_rows set row_text = replace(row_text, 'name=People', 'name=people')"
    " where row_text like 'customer_id=c people%'",
)


def everything(house):
    """All that a replay must leave alone."""
    tables = [f"ledger.{name}" for name in LEDGER] + ["raw.usage_events", "marts.rated_lines"]
    return {"names": house.query(NAMES), **{name: house.export(name) for name in tables}}


def alter(house, statements):
    """Alter by hand what the ledger refuses to have altered."""
    guarded = ("lines", "catalog_rows") if house.engine == "postgres" else ()
    for verb in ("disable", None, "enable"):
        for table in guarded if verb else ():
            house.query(f"alter table ledger.{table} {verb} trigger refuse_change")
        for statement in () if verb else statements:
            house.query(statement)


@pytest.fixture(scope="module", params=["duckdb", "postgres"])
def replayed(request, corrected_twins):
    """What replays of one house said: as it is, and with three bytes altered by hand."""
    house = corrected_twins[request.param]
    found = {"house": house, "before": everything(house)}
    found["whole"] = house.run("replay", "--format", "json")
    found["after"] = everything(house)
    ((found["number"],),) = house.query(
        "select invoice_number from ledger.documents where subscription_id = 'tiered'"
        " order by cutoff_at desc limit 1"
    )
    alter(house, ALTERATIONS)
    try:
        found["altered"] = house.run("replay", "--all", "--format", "json")
        found["invoice"] = house.run("replay", "--invoice", found["number"])
    finally:
        alter(house, UNDONE)
    found["restored"] = everything(house)
    return found


def test_what_was_closed_in_steps_comes_out_of_one_range(replayed):
    done = replayed["whole"]
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(done.stdout)
    assert said["differences"] == []
    counts = {name.removeprefix("ledger."): len(rows) for name, rows in replayed["before"].items()}
    assert said["counts"] == {
        "documents": counts["documents"],
        "lines": counts["lines"],
        "closes": counts["closes"],
        "sealed days": counts["sealed_days"],
        **{
            name.replace("_", " "): count
            for name, count in counts.items()
            if name.startswith("credit_")
        },
    }
    assert counts["documents"] > 60
    seals = len(replayed["before"]["ledger.seals"])
    assert seals > 4 if replayed["house"].engine == "duckdb" else seals == 1


def test_nothing_but_the_side_schemas_was_touched(replayed):
    assert replayed["after"] == replayed["before"]
    # Only what was altered by hand and put back has been there since.
    assert replayed["restored"] == replayed["before"]


def test_each_alteration_is_found_with_its_cause(replayed):
    done = replayed["altered"]
    assert done.returncode == 1, done.stderr
    house = replayed["house"]
    found = [one for one in json.loads(done.stdout)["differences"] if not one["follows"]]
    owners = dict(house.query("select invoice_id, subscription_id from ledger.documents"))
    by_owner = {}
    for one in found:
        by_owner.setdefault(owners.get(one["invoice_id"], one["kind"]), []).append(one)
    assert by_owner.keys() == {"tiered", "package", "people", "load day", "archived row"}

    (line,) = by_owner["package"]
    assert (line["kind"], line["column"], line["cause"]) == ("line", "line_total", "ledger altered")
    assert float(line["ledger"]) - float(line["replay"]) == pytest.approx(0.01)

    (day,) = by_owner["load day"]
    assert (day["subject"], day["cause"]) == ("load day 2026-05-20", "event altered")
    corrected = {one["cause"] for one in by_owner["tiered"]}
    assert corrected == {"event altered: load day 2026-05-20"}
    assert {"quantity", "line_total", "invoice_total"} & {
        one["column"] for one in by_owner["tiered"]
    }

    (archived,) = by_owner["archived row"]
    assert archived["cause"] == "catalogue edited"
    assert "c people" in archived["subject"]
    assert {one["column"] for one in by_owner["people"]} == {"customer_name"}
    assert {(one["ledger"], one["replay"]) for one in by_owner["people"]} == {("people", "People")}
    early = [one for one in by_owner["people"] if "@2026-06" not in one["invoice_id"]]
    assert early
    assert all(
        one["cause"].startswith("catalogue edited: archived row") for one in by_owner["people"]
    )
    assert all("event altered" not in one["cause"] for one in early)


def test_one_invoice_is_found_from_its_customer_alone(replayed):
    done = replayed["invoice"]
    assert done.returncode == 1, done.stderr
    *lines, summary = done.stdout.splitlines()
    assert lines
    assert all("event altered: load day 2026-05-20" in line for line in lines), lines
    assert any(f"document {replayed['number']}: invoice_total: " in line for line in lines), lines
    assert "1 document, " in summary


def test_a_sample_and_a_period_stand(corrected_twins):
    """Of some customers alone, without the numbers that only all documents give."""
    house = corrected_twins["duckdb"]
    for words in (("--sample", "3", "--seed", "7"), ("--period", "2026-02-01")):
        done = house.run("replay", *words)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.rstrip().endswith("no difference")


# The comparison alone: two ledgers, one altered by hand


@pytest.fixture
def two_ledgers(corrected_twins, tmp_path):
    """A copy of the house with its ledger once more, as a replay would have made it."""
    house = corrected_twins["duckdb"]
    shutil.copyfile(house.environment["TALLY_DUCKDB_PATH"], tmp_path / "tally.duckdb")
    with duckdb.connect(str(tmp_path / "tally.duckdb")) as connection:
        connection.execute("create schema replay_ledger")
        for name in LEDGER:
            connection.execute(f"create table replay_ledger.{name} as from ledger.{name}")
        warehouse = Warehouse("duckdb", connection, "test")
        yield house, SideHouse(PROJECT, "duckdb", "replay_", warehouse)


def compared(house, side, *statements):
    """The differences after these statements, with causes, and those that do not follow."""
    for statement in statements:
        side.warehouse.execute(statement)
    comparison = LedgerComparison(side)
    causes = Causes(Verification(side.warehouse), Source(house.catalog), 1, days=())
    found = [replace(one, cause=causes.name(one)) for one in comparison.find()]
    return found, [one for one in found if not one.follows]


#: Of the invoice of one line whose number is the third of its billing entity.
THIRD = "invoice_id = (select invoice_id from ledger.documents where sequence_number = 3)"


def test_two_ledgers_that_are_alike(two_ledgers):
    assert compared(*two_ledgers) == ([], [])


def test_a_document_that_is_gone_takes_its_number_along(two_ledgers):
    """All behind it have other numbers and digests; one line says why."""
    found, own = compared(
        *two_ledgers,
        f"delete from replay_ledger.lines where {THIRD}",
        f"delete from replay_ledger.documents where {THIRD}",
        "update replay_ledger.documents set sequence_number = sequence_number - 1,"
        " content_hash = 'x' where sequence_number > 3",
        "update replay_ledger.closes set close_hash = 'x' where last_sequence_number >= 3",
    )
    (gone,) = own
    assert (gone.kind, gone.column, gone.replayed, gone.cause) == (
        "document", "document", None, UNKNOWN,
    )  # fmt: skip
    assert gone.subject == "document house-000003"
    assert {one.column for one in found if one.follows} >= {"sequence_number", "content_hash"}
    assert len(found) > 50


def test_a_line_that_is_gone_moves_the_others(two_ledgers):
    house, side = two_ledgers
    ((document,),) = side.warehouse.query(
        "select invoice_id from ledger.lines group by 1 having count(*) > 2 order by 1 limit 1"
    )[1]
    moved = f"replay_ledger.lines where invoice_id = '{document}' and line_number"
    found, own = compared(
        house,
        side,
        f"delete from {moved} = 1",
        "update replay_ledger.lines set line_id = invoice_id || '#' || (line_number - 1),"
        f" line_number = line_number - 1 where invoice_id = '{document}'",
    )
    (gone,) = own
    assert (gone.kind, gone.column, gone.replayed) == ("line", "line", None)
    assert gone.subject == f"line {document}#1"
    assert {one.column for one in found if one.follows} == {"line_id", "line_number"}


@pytest.mark.parametrize(
    ("statement", "subject"),
    [
        ("update ledger.documents set content_hash = 'x' where sequence_number = 5",
         "document house-000005: content_hash"),
        ("update ledger.documents set customer_name = 'x', content_hash = 'y'"
         " where sequence_number = 5", "document house-000005: customer_name"),
        ("delete from ledger.documents where sequence_number = 5",
         "document house-000005: document"),
        ("update ledger.lines set rated_line_id = 'x' where line_id = (" + LINE + ")",
         "rated_line_id: the ledger says x, the replay package/1/usage/usage"),
        ("update ledger.closes set close_hash = 'x' where close_number = 2",
         "close 2 of house: close_hash"),
        ("delete from ledger.closes where close_number = 2", "close 2 of house: close"),
    ],
)  # fmt: skip
def test_what_was_altered_in_the_ledger(two_ledgers, statement, subject):
    _, own = compared(*two_ledgers, statement)
    assert any(subject in str(one) for one in own), own
    assert {one.cause for one in own} == {"ledger altered"}


def test_a_document_altered_together_with_its_hash(two_ledgers):
    """The document stands by itself; the close does not."""
    house, side = two_ledgers
    verification = Verification(side.warehouse)
    side.warehouse.execute(
        "update ledger.documents set customer_name = 'x' where sequence_number = 5"
    )
    (altered,) = verification.find_altered_documents()
    side.warehouse.execute(
        "update ledger.documents set content_hash = ? where sequence_number = 5", [altered.digest]
    )
    assert list(verification.find_altered_documents()) == []
    found, own = compared(house, side)
    assert {one.column for one in own} == {"customer_name"}
    assert {one.cause for one in found} == {"ledger altered"}


def test_rules_that_changed_are_named(two_ledgers):
    """A line that other rules made, closed as it should be: no digest is wrong."""
    house, side = two_ledgers
    side.warehouse.execute("update replay_ledger.lines set line_total = line_total + 1")
    causes = Causes(Verification(side.warehouse), Source(house.catalog), 2, days=())
    found = [one for one in LedgerComparison(side).find() if one.kind == "line"]
    assert found
    assert {causes.name(one) for one in found} == {"rules changed: version 1, now 2"}


def test_a_catalogue_that_was_edited_since_is_a_likely_cause(two_ledgers, tmp_path):
    """Row and hash of the archive altered alike: the catalogue as it stands tells."""
    house, side = two_ledgers
    folder = tmp_path / "catalog"
    shutil.copytree(house.catalog, folder)
    prices = (folder / "prices.csv").read_text(encoding="utf-8")
    (folder / "prices.csv").write_text(prices.replace(",0.7,", ",0.8,"), encoding="utf-8")
    assert ",0.7," in prices
    side.warehouse.execute("update replay_ledger.lines set line_total = line_total + 1")
    causes = Causes(Verification(side.warehouse), Source(folder), 1, days=())
    found = {causes.name(one) for one in LedgerComparison(side).find() if one.kind == "line"}
    assert len(found) == 1
    assert found.pop().startswith("catalogue edited: prices.csv:")


# Which documents

DOCUMENTS = [
    {"invoice_id": f"s{n}@x", "invoice_number": f"E-{n}", "period_from_date": date(2026, n, 1)}
    for n in range(1, 10)
]


def test_documents_are_chosen_by_number_id_or_period():
    assert Scope(invoice="E-3").choose(DOCUMENTS) == [DOCUMENTS[2]]
    assert Scope(invoice="s3@x").choose(DOCUMENTS) == [DOCUMENTS[2]]
    assert Scope(period="2026-04").choose(DOCUMENTS) == [DOCUMENTS[3]]
    assert Scope(period="2026").choose(DOCUMENTS) == DOCUMENTS
    assert Scope().choose(DOCUMENTS) == DOCUMENTS
    for scope, missing in (
        (Scope(invoice="E-10"), "no closed invoice E-10"),
        (Scope(period="2027"), "no closed invoice whose period began in 2027"),
    ):
        with pytest.raises(UserError, match=missing):
            scope.choose(DOCUMENTS)


def test_a_sample_is_the_same_for_a_seed_and_any_order():
    drawn = Scope(sample=3, seed=1).choose(DOCUMENTS)
    assert len(drawn) == 3
    assert Scope(sample=3, seed=1).choose(DOCUMENTS[::-1]) == drawn
    assert any(Scope(sample=3, seed=seed).choose(DOCUMENTS) != drawn for seed in range(2, 5))


def test_what_cannot_be_built_is_no_success():
    done = Replay([], {"documents": 3}, datetime(2026, 2, 6), 1.0, "model x failed")
    assert not done.stands
    assert "through 2026-02-05" in done.summary()
    assert done.summary().endswith("the rest could not be built: model x failed")
