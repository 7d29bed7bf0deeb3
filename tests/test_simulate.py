"""`tally simulate`: no difference under the same catalogue, exactly what is other under another."""

from __future__ import annotations

import csv
import io
import shutil
import xml.etree.ElementTree as ET
from datetime import date
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest

from orchestration.catalog_files import Catalog, Row
from orchestration.difference_charts import BINS, count_moves, draw_movers
from orchestration.difference_page import render_page
from orchestration.difference_report import Simulation, write_csv
from orchestration.differences import (
    BilledLine,
    Difference,
    by_currency,
    by_customer,
    by_plan,
    compare_lines,
    meter_label,
    sum_by,
)
from orchestration.simulation import count_unknown
from tests.conftest import ENGINES as BOTH
from tests.houses import House

ENGINES = pytest.mark.parametrize("engine", BOTH)
WINDOW = ("--from", "2026-01-01", "--to", "2026-03-01")
TABLES = (
    "ledger.documents", "ledger.lines", "ledger.closes", "ledger.seals", "marts.invoices",
    "marts.invoice_lines", "marts.rated_lines", "builds.house_state", "builds.built_days",
    "raw.usage_events", "raw.loads", "catalog.prices", "catalog.subscriptions",
)  # fmt: skip


def _edit(file: Path, edit) -> None:
    """Let `edit` have each row of a CSV file; what it returns, if anything, stays."""
    with file.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    kept = [row for row in map(edit, rows) if row]
    with file.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(kept)


def _other_catalog(folder: Path, catalog: Path) -> Path:
    """One flat fee doubled for euros, and one customer's subscription gone."""
    other = Path(shutil.copytree(catalog, folder / "other"))

    def double(row):
        if row["charge_id"] == "users" and row["currency"] == "EUR":
            row["flat_fee"] = str(2 * Decimal(row["flat_fee"]))
        return row

    _edit(other / "prices.csv", double)
    _edit(
        other / "subscriptions.csv",
        lambda row: row if row["customer_id"] != "nippon" else None,
    )
    return other


def _names(house: House) -> list[tuple]:
    return house.query(
        "select table_schema || '.' || table_name from information_schema.tables order by 1"
    )


@pytest.fixture(scope="module")
def simulated(scenario_twins, tmp_path_factory) -> dict[str, dict]:
    """The simulations on each engine: what was printed, and the rows of the CSV.

    The one with a difference has customers without one too, and is enough for the second engine.
    """
    told: dict[str, dict] = {}
    for engine, house in scenario_twins.items():
        folder = tmp_path_factory.mktemp(f"simulated_{engine}")
        catalogs = {"other": _other_catalog(folder, house.catalog)}
        if engine == "duckdb":
            catalogs["same"] = house.catalog
        told[engine] = found = {
            "before": {name: house.export(name) for name in TABLES},
            "names": _names(house),
        }
        for name, catalog in catalogs.items():
            csv_file, page = folder / f"{name}.csv", folder / f"{name}.html"
            done = house.run(
                "simulate", "--catalog", str(catalog), *WINDOW, "--csv", str(csv_file),
                "--html", str(page), with_catalog=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            found[name] = {
                "printed": done.stdout,
                "rows": list(csv.DictReader(io.StringIO(csv_file.read_text("utf-8")))),
                "page": page.read_text("utf-8"),
            }
        found["after"] = {name: house.export(name) for name in TABLES}
        found["names_after"] = _names(house)
    return told


def test_the_same_catalogue_makes_no_difference(simulated):
    """Late usage among it: corrections count with their period, on both sides."""
    found = simulated["duckdb"]["same"]
    assert "No difference." in found["printed"]
    assert len(found["rows"]) > 20
    for row in found["rows"]:
        assert row["before_total"] == row["after_total"] != ""


def test_what_was_billed_is_all_of_it(simulated, scenario_twins):
    """The window holds every period, so that the totals are those of the lines but for March's."""
    rows = simulated["duckdb"]["same"]["rows"]
    totals: dict[str, Decimal] = {}
    for row in rows:
        totals[row["currency"]] = totals.get(row["currency"], Decimal(0)) + Decimal(
            row["before_total"]
        )
    assert totals == dict(
        scenario_twins["duckdb"].query(
            "select currency, sum(line_total) from marts.invoice_lines"
            " where period_from < timestamp '2026-02-28 12:00:00' group by 1"
        )
    )


@ENGINES
def test_what_is_other_differs_and_nothing_else(simulated, engine):
    """Two months of a flat fee at 2 x 2; the customer whose subscription is gone pays nothing."""
    found = simulated[engine]["other"]
    moved = [row for row in found["rows"] if row["before_total"] != row["after_total"]]
    doubled = [row for row in moved if row["customer_id"] != "nippon"]
    assert [(row["customer_id"], row["plan_id"], row["meter"]) for row in doubled] == [
        ("blau", "hybrid", "users")
    ]
    before, after, difference = (
        Decimal(doubled[0][f"{name}_total"]) for name in ("before", "after", "difference")
    )
    assert after == 2 * before > 0
    assert difference == before
    gone = [row for row in found["rows"] if row["customer_id"] == "nippon"]
    assert {row["after_total"] for row in gone} == {""}
    assert all(row in moved for row in gone)
    assert "1 subscription is not in this catalogue" in " ".join(found["printed"].split())


def test_both_engines_find_the_same(simulated):
    assert simulated["duckdb"]["other"]["rows"] == simulated["postgres"]["other"]["rows"]


@ENGINES
def test_the_house_stays_as_it_is(simulated, engine):
    found = simulated[engine]
    assert found["before"] == found["after"]
    assert found["names"] == found["names_after"]


def test_the_page_has_what_the_csv_has(simulated):
    page = simulated["duckdb"]["other"]["page"]
    for text in ("2026-01-01 to before 2026-03-01", "users", "Blau (blau)", "+100.0 %", "<svg"):
        assert text in page


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ((*WINDOW,), 2, "say which catalogue"),
        (("--catalog", "x", "--from", "2026-01-01"), 2, "--to"),
        (("--catalog", "no/such/folder", *WINDOW), 1, "no such catalogue folder"),
        (("--catalog", "CATALOG", "--from", "2026-03-01", "--to", "2026-03-01"), 1, "not before"),
        (("--catalog", "CATALOG", *WINDOW, "--html", "no/such/x.html"), 1, "no folder no/such"),
        (("--catalog", "CATALOG", *WINDOW, "--csv", "tests"), 1, "it is a folder"),
    ],
)
def test_what_cannot_be_is_one_line(scenario_twins, words, code, told):
    house = scenario_twins["duckdb"]
    words = [str(house.catalog) if word == "CATALOG" else word for word in words]
    done = house.run("simulate", *words, with_catalog=False)
    assert (done.returncode, len(done.stderr.splitlines())) == (code, 1), done.stderr
    assert told in done.stderr


def test_a_faulty_catalogue_and_a_house_not_built_are_one_line(house, scenario_twins, tmp_path):
    catalog = scenario_twins["duckdb"].catalog
    faulty = Path(shutil.copytree(catalog, tmp_path / "faulty"))
    _edit(faulty / "subscriptions.csv", lambda row: {**row, "plan_id": "golden"})
    for made, folder, message in (
        (scenario_twins["duckdb"], faulty, "the catalogue has 3 faults, the first: subscriptions"),
        (house("duckdb"), catalog, "nothing has been built here yet: run tally build"),
    ):
        done = made.run("simulate", "--catalog", str(folder), *WINDOW, with_catalog=False)
        assert done.returncode == 1
        assert done.stderr.startswith(f"tally: {message}")
        assert len(done.stderr.splitlines()) == 1


# Differences


def test_lines_are_summed_by_customer_plan_and_meter():
    before = [
        BilledLine("a", "pro", "calls", "EUR", Decimal("1.10")),
        BilledLine("a", "pro", "calls", "EUR", Decimal("2.20")),
        BilledLine("a", "pro", "calls", "USD", Decimal("9")),
        BilledLine("b", "pro", "calls", "EUR", Decimal("5")),
    ]
    after = [
        BilledLine("a", "pro", "calls", "EUR", Decimal("4.30")),
        BilledLine("a", "lean", "calls", "USD", Decimal("9")),
        BilledLine("b", "pro", "calls", "EUR", Decimal("5")),
    ]
    found = compare_lines(before, after)
    assert found == [
        Difference("EUR", "a", "pro", "calls", Decimal("3.30"), Decimal("4.30")),
        Difference("EUR", "b", "pro", "calls", Decimal("5"), Decimal("5")),
        Difference("USD", "a", "lean", "calls", None, Decimal("9")),
        Difference("USD", "a", "pro", "calls", Decimal("9"), None),
    ]
    # Currencies are never added up; a customer who changes plan is as before in all.
    assert [(one.currency, one.difference) for one in sum_by(found, by_currency)] == [
        ("EUR", Decimal("1.00")), ("USD", Decimal(0)),
    ]  # fmt: skip
    assert [(one.plan_id, one.difference) for one in sum_by(found, by_plan)] == [
        ("pro", Decimal("1.00")), ("lean", Decimal(9)), ("pro", Decimal(-9)),
    ]  # fmt: skip
    assert [one.before for one in sum_by(found, by_customer)] == [Decimal("3.30"), 5, 9]


@pytest.mark.parametrize(
    ("before", "after", "percent"),
    [("3", "4", "33.3"), ("3", None, "-100.0"), (None, "4", None), ("0", "4", None),
     ("-3", "4", None)],
)  # fmt: skip
def test_percent(before, after, percent):
    one = Difference("EUR", before=_decimal(before), after=_decimal(after))
    assert one.percent == _decimal(percent)


def _decimal(text):
    return None if text is None else Decimal(text)


@pytest.mark.parametrize(
    ("kind", "meter", "label"),
    [("usage", "calls", "calls"), ("minimum", "calls", "calls"), ("recurring", None, "(fees)"),
     ("credit", None, "(fees)"), ("true_up", None, "(commitments)"), ("usage", None, "(unknown)")],
)  # fmt: skip
def test_what_has_no_meter_is_labelled(kind, meter, label):
    assert meter_label(kind, meter) == label


def test_customers_fall_into_bins():
    moves = {"-60": 0, "-50": 0, "-49.9": 1, "-20": 1, "-19": 2, "-5": 2, "-1": 3, "0": 4,
             "1": 5, "5": 6, "19.9": 6, "20": 7, "50": 8, "400": 8}  # fmt: skip
    for percent, place in moves.items():
        one = Difference("EUR", before=Decimal(100), after=100 + Decimal(percent))
        expected = [0] * len(BINS)
        expected[place] = 1
        assert count_moves([one]) == expected, percent
    from_nothing = [Difference("EUR", after=Decimal(1)), Difference("EUR", before=Decimal(-1))]
    assert count_moves(from_nothing)[8] == 2


# Renderings

NASTY = '=cmd|"/c calc"!A1'
SCRIPT = "<script>alert('x')</script>&"


def _nasty() -> Simulation:
    lines = [
        BilledLine("@nasty", SCRIPT, "-meter", "EUR", Decimal("-1234.50")),
        BilledLine("plain", "+plan", "\tmeter", "JPY", Decimal(1200)),
    ]
    return Simulation(
        SCRIPT, date(2026, 1, 1), date(2026, 2, 1), date(2026, 2, 5),
        compare_lines(lines, [BilledLine("plain", "+plan", "\tmeter", "JPY", Decimal(900))]),
        {"@nasty": NASTY, "plain": SCRIPT}, {"EUR": 2, "JPY": 0}, [SCRIPT],
    )  # fmt: skip


def test_csv_cells_that_a_spreadsheet_would_run_are_texts(tmp_path):
    write_csv(_nasty(), tmp_path / "x.csv")
    header, nasty, plain = csv.reader((tmp_path / "x.csv").read_text("utf-8").splitlines())
    assert header[-1] == "difference_total"
    assert nasty == [
        "'@nasty", f"'{NASTY}", SCRIPT, "'-meter", "EUR", "-1234.50", "", "1234.50",
    ]  # fmt: skip
    assert plain == ["plain", SCRIPT, "'+plan", "'\tmeter", "JPY", "1200", "900", "-300"]


class _Page(HTMLParser):
    """Tags and texts; every tag that is opened is closed."""

    VOID = ("meta",)

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def test_the_page_stands_alone_and_is_escaped():
    page = _Page(render_page(_nasty()))
    assert not {"script", "img", "link", "iframe"} & set(page.tags)
    assert {"table", "caption", "svg", "title", "desc"} <= set(page.tags)
    for name, value in page.attributes:
        assert not name.startswith("on")
        if name in ("href", "src", "action"):
            assert value and value.startswith("#")
    assert any(SCRIPT in text for text in page.texts)
    assert any(NASTY in text for text in page.texts)


def test_the_page_says_so_where_nothing_differs():
    lines = [BilledLine("a", "pro", "calls", "EUR", Decimal(1))]
    simulation = Simulation(
        "here", date(2026, 1, 1), date(2026, 2, 1), date(2026, 2, 5),
        compare_lines(lines, lines), {}, {"EUR": 2},
    )  # fmt: skip
    page = render_page(simulation)
    assert "No difference" in page
    assert "<svg" not in page


def test_bars_are_in_proportion():
    """To the left and to the right on one scale; the picture is well-formed and told in words."""
    movers = [
        Difference("EUR", "a", before=Decimal(100), after=Decimal(160)),
        Difference("EUR", "b", before=Decimal(100), after=Decimal(70)),
    ]
    simulation = Simulation(
        "x", date(2026, 1, 1), date(2026, 2, 1), date(2026, 2, 5), movers, {"a": "A & B"},
        {"EUR": 2},
    )  # fmt: skip
    picture = ET.fromstring(draw_movers(simulation, movers, "EUR"))
    more, less = (
        next(bar for bar in picture.iter("rect") if bar.get("class") == kind)
        for kind in ("more", "less")
    )
    assert float(more.get("width")) == 2 * float(less.get("width"))
    assert float(less.get("x")) + float(less.get("width")) == float(more.get("x"))
    assert "A & B (a): 100.00 before, 160.00 after +60.0 %" in picture.find("desc").text


def test_rows_that_are_recorded_later_are_counted():
    rows = [
        Row("prices", line, {"recorded_at": text})
        for line, text in enumerate(
            ("", "2026-02-05T23:59:59Z", "2026-02-06T00:00:00Z", "2026-02-06T01:00:00+02:00")
        )
    ]
    assert count_unknown(Catalog({"prices": rows}), date(2026, 2, 5)) == 1
