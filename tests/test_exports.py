"""Final documents as files: whole or not at all, named by content, once; and what is in them."""

import csv
import io
import json
import re
import shutil
import subprocess
import sys
from datetime import date
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pypdf import PdfReader

from orchestration.errors import UserError
from orchestration.exports.billing_entities import BillingEntity, read_billing_entities
from orchestration.exports.documents import Document, Selection, choose_documents, read_documents
from orchestration.exports.exporting import FORMATS, export_invoices
from orchestration.exports.folder import ExportFolder, file_stem
from orchestration.exports.invoice_json import json_bytes, json_document, read_schema
from orchestration.exports.line_tables import harmless
from orchestration.exports.number_format import NumberFormat, choose_locale
from orchestration.exports.page import make_page
from orchestration.exports.page_files import is_printable, open_press, pdf_bytes
from orchestration.marts import Marts
from tests import export_story as story
from tests.houses import PROJECT

ENGINES = pytest.mark.parametrize("engine", ["duckdb", "postgres"])


@pytest.fixture(scope="module")
def houses(twins):
    return twins(
        story.catalog(), story.raw_rows(), lambda each: each.build("--through", story.THROUGH)
    )


@pytest.fixture(scope="module")
def exported(houses, tmp_path_factory):
    """A folder of each engine's exports, in all formats."""
    folders = {}
    for engine, house in houses.items():
        folders[engine] = tmp_path_factory.mktemp(f"exports_{engine}")
        export(house, folders[engine])
    return folders


def export(house, folder, formats=FORMATS, selection=None, workers=1):
    with story.open_house(house) as warehouse:
        return export_invoices(
            warehouse,
            str(folder),
            formats,
            story.ENTITIES,
            story.EXPORTED_AT,
            selection or Selection(),
            workers,
        )


@pytest.fixture(scope="module")
def documents(houses) -> dict[str, Document]:
    """The documents by number, as read from PostgreSQL."""
    with story.open_house(houses["postgres"]) as warehouse:
        marts = Marts(None, warehouse)
        ids = [one for _, one in choose_documents(marts, Selection())]
        return {one.number: one for chunk in read_documents(marts, ids) for one in chunk}


def only(folder: Path, pattern: str) -> Path:
    (found,) = folder.glob(pattern)
    return found


def pdf_text(content: bytes) -> str:
    pages = PdfReader(io.BytesIO(content)).pages
    return "\n".join(page.extract_text() for page in pages)


class _Texts(HTMLParser):
    def __init__(self):
        super().__init__()
        self.texts, self.tags = [], set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)

    def handle_data(self, data):
        self.texts.append(data)


def html_text(content: bytes) -> tuple[str, set[str]]:
    parser = _Texts()
    parser.feed(content.decode())
    return re.sub(r"\s+", " ", " ".join(parser.texts)), parser.tags


# What is written


def test_both_engines_write_the_same_files(exported):
    one, other = (story.files_below(exported[engine]) for engine in ("duckdb", "postgres"))
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] != other[name]] == []
    assert len(one) == 13 * 3 + 9 * 3


@ENGINES
def test_files_are_named_by_number_and_content(exported, engine):
    import hashlib

    for name, content in story.files_below(exported[engine]).items():
        stem, _, digits = Path(name).stem.rpartition("-")
        assert digits == hashlib.sha256(content).hexdigest()[:16]
        assert re.fullmatch(r"(EU|US)-\d{6}|(lines|receivables)-2026-\d\d-\d\d", stem)


@ENGINES
def test_only_final_documents_are_exported(houses, exported, engine):
    final = {row[0] for row in houses[engine].query(
        "select invoice_number from marts.invoices where status = 'final'"
    )}  # fmt: skip
    names = [path.name.rpartition("-")[0] for path in exported[engine].glob("json/*")]
    assert sorted(names) == sorted(final)


@ENGINES
def test_exporting_twice_changes_nothing(houses, exported, engine):
    folder, house = exported[engine], houses[engine]
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    rows = house.export("marts.exports")
    summary = export(house, folder)
    assert summary.written == {}
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    assert house.export("marts.exports") == rows


@ENGINES
def test_the_table_lists_each_document_in_each_format(houses, exported, engine):
    rows = houses[engine].query(
        "select exports.invoice_number, exports.format, exports.file, exports.content_hash,"
        " exports.byte_count, exports.exported_at from marts.exports as exports"
        " inner join ledger.documents as documents"
        " on exports.invoice_id = documents.invoice_id"
        " and exports.document_hash = documents.content_hash"
        " and exports.cutoff_at = documents.cutoff_at"
        f" where exports.folder = '{exported[engine]}'"
    )
    assert len({row[:2] for row in rows}) == len(rows) == 13 * len(FORMATS)
    files = story.files_below(exported[engine])
    for _, kind, file, content_hash, byte_count, exported_at in rows:
        assert file.startswith(f"{kind}/") and content_hash[:16] in file
        assert len(files[file]) == byte_count
        assert exported_at == story.EXPORTED_AT
    assert {row[2] for row in rows} == files.keys()


KILLED = """
import os, signal, sys
from orchestration.exports.exporting import FORMATS, export_invoices
from tests import export_story as story

engine, folder, moment = sys.argv[1:]
left = [int(moment)]
replace, fsync = os.replace, os.fsync

def counted(act):
    def run(*arguments):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return act(*arguments)
    return run

os.replace, os.fsync = counted(replace), counted(fsync)
with story.open_warehouse(engine, os.environ) as warehouse:
    export_invoices(warehouse, folder, FORMATS, story.ENTITIES, story.EXPORTED_AT, workers=1)
"""


@ENGINES
@pytest.mark.parametrize("moment", [2, 25, 45])
def test_a_killed_export_run_again_ends_with_the_same(houses, exported, tmp_path, engine, moment):
    house, folder = houses[engine], tmp_path / "killed"
    done = subprocess.run(
        [sys.executable, "-c", KILLED, engine, str(folder), str(moment)],
        cwd=PROJECT,
        env=house.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -9, done.stderr
    listed = f"select file from marts.exports where folder = '{folder}'"
    whole = story.files_below(exported[engine])
    # What has a file's name has its content, and what is listed is there.
    left = story.files_below(folder)
    assert all(whole[name] == left[name] for name in left if not name.endswith(".part"))
    assert {row[0] for row in house.query(listed)} <= left.keys()
    export(house, folder)
    assert story.files_below(folder) == whole
    assert sorted(house.query(listed)) == sorted(
        house.query(f"select file from marts.exports where folder = '{exported[engine]}'")
    )


def test_a_torn_file_is_written_again(houses, exported, tmp_path):
    shutil.copytree(exported["duckdb"], tmp_path / "torn")
    torn = only(tmp_path / "torn", "json/US-000002-*")
    whole = torn.read_bytes()
    torn.write_bytes(whole[:100])
    summary = export(houses["duckdb"], tmp_path / "torn")
    assert summary.written == {"json": 1}
    assert torn.read_bytes() == whole


def test_a_file_that_is_gone_is_written_again_and_listed_once(houses, exported, tmp_path):
    folder = tmp_path / "gone"
    export(houses["duckdb"], folder, ["json"])
    rows = houses["duckdb"].export("marts.exports")
    only(folder, "json/US-000002-*").unlink()
    assert export(houses["duckdb"], folder, ["json"]).written == {"json": 1}
    assert houses["duckdb"].export("marts.exports") == rows


def test_chosen_documents(houses, tmp_path):
    house = houses["duckdb"]
    named = export(house, tmp_path / "a", ["json", "csv"], Selection(invoices=("US-000003",)))
    assert (named.documents, named.written) == (1, {"json": 1, "csv": 1})
    assert only(tmp_path / "a", "csv/*").name.startswith("US-000003-")
    by_id = Selection(invoices=("sub_york@2026-03-01", "EU-000001"))
    assert export(house, tmp_path / "b", ["json"], by_id).documents == 2
    of_day = export(house, tmp_path / "c", ["csv"], Selection.of_cutoff(date(2026, 2, 2)))
    assert (of_day.documents, of_day.written) == (2, {"csv": 1})
    window = Selection(from_day=date(2026, 2, 2), to_day=date(2026, 3, 1))
    assert export(house, tmp_path / "d", ["csv"], window).documents == 4


@pytest.mark.parametrize("number", ["sub_york@2026-05-01", "US-999999"])
def test_a_draft_or_unknown_invoice_is_refused(houses, tmp_path, number):
    with pytest.raises(UserError, match="no final invoice"):
        export(houses["duckdb"], tmp_path, ["json"], Selection(invoices=(number,)))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_may_be_a_url(houses, exported):
    import fsspec

    for written in ({"json": 13}, {}):
        assert export(houses["duckdb"], "memory://exports", ["json"]).written == written
    there = fsspec.filesystem("memory")
    assert {
        path.removeprefix("/exports/"): there.cat_file(path) for path in there.find("/exports")
    } == {
        name: content
        for name, content in story.files_below(exported["duckdb"]).items()
        if name.startswith("json/")
    }


@pytest.mark.parametrize("table", ["exports", "receivable_acknowledgements"])
def test_postgres_refuses_changes_of_what_was_listed(houses, exported, table):
    import psycopg2

    with pytest.raises(psycopg2.Error, match="the log of exports is append-only"):
        houses["postgres"].query(f"delete from exports.{table}")


def test_pages_made_by_several_processes_are_the_same(exported, documents):
    pages = [make_page(one, story.ENTITIES.find(one.header["billing_entity"]))
             for one in documents.values()] * 2  # fmt: skip
    with open_press(2) as press:
        made = list(press.print_pages(pages))
    assert made == [only(exported["postgres"], f"pdf/{page.number}-*").read_bytes()
                    for page in pages]  # fmt: skip


# JSON, CSV, Parquet


@ENGINES
def test_json_follows_its_schema(exported, engine):
    schema = read_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    check = jsonschema.Draft202012Validator(schema)
    for path in exported[engine].glob("json/*"):
        assert list(check.iter_errors(json.loads(path.read_text("utf-8")))) == []


def test_the_schema_refuses_numbers_for_decimals_and_what_it_does_not_know(documents):
    check = jsonschema.Draft202012Validator(read_schema())
    one = json_document(documents["US-000002"])
    for wrong in (
        one | {"invoice_total": 342.0},
        one | {"more": ""},
        {name: value for name, value in one.items() if name != "currency"},
        one | {"lines": [one["lines"][0] | {"quantity": "1e3"}]},
    ):
        assert list(check.iter_errors(wrong))


def test_each_field_of_the_schema_is_described():
    def walk(schema):
        for name, about in schema.get("properties", {}).items():
            assert about.get("description"), name
            walk(about.get("items", {}))

    walk(read_schema())


@ENGINES
def test_json_totals_are_the_ledgers(houses, exported, engine):
    ledger = dict(
        houses[engine].query("select invoice_number, invoice_total from ledger.documents")
    )
    seen = {}
    for path in exported[engine].glob("json/*"):
        one = json.loads(path.read_text("utf-8"), parse_float=pytest.fail)
        total = sum(Decimal(line["line_total"]) for line in one["lines"])
        assert total == Decimal(one["invoice_total"])
        for line in one["lines"]:
            if line["steps"] and line["line_kind"] == "usage":
                assert sum(Decimal(step["amount"]) for step in line["steps"]) == Decimal(
                    line["amount"]
                )
            off = sum(Decimal(discount["discount_total"]) for discount in line["discounts"])
            assert line["adjusts_line_id"] or off == Decimal(line["discount_total"])
        seen[one["invoice_number"]] = total
    assert seen == ledger


def test_json_of_an_invoice(documents):
    one = json.loads(json_bytes(documents["EU-000003"]))
    assert one["customer_name"] == story.RUNNABLE_NAME
    assert (one["time_zone"], one["issued_date"]) == ("Europe/Berlin", "2026-02-02")
    assert (one["invoice_total"], one["credits_total"]) == ("127.72", "0.00")
    line = one["lines"][2]
    assert (line["quantity"], line["covered_quantity"]) == ("1250", "59.5")
    assert [(step["units"], step["rate"], step["fixed_amount"]) for step in line["steps"]] == [
        ("1000", "0.035", "2"), ("190.5", "0.0125", "0"),
    ]  # fmt: skip
    assert [(off["name"], off["discount_total"]) for off in line["discounts"]] == [
        ("Early bird", "3.94"), ("Welcome", "1.77"),
    ]  # fmt: skip
    assert json_document(documents["EU-000004"])["invoice_total"] == "10165"


@ENGINES
def test_csv_lines_add_up_and_nothing_in_them_runs(exported, engine):
    for path in exported[engine].glob("csv/*"):
        totals = {}
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                number = row["invoice_number"], row["invoice_total"]
                totals[number] = totals.get(number, 0) + Decimal(row["line_total"])
                for cell in row.values():
                    number_or_text = re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", cell)
                    assert number_or_text or cell[:1] not in ("=", "+", "-", "@", "\t", "\r")
        assert all(Decimal(total) == summed for (_, total), summed in totals.items())


def test_csv_of_a_customer_with_a_formula_for_a_name(exported):
    (path,) = exported["duckdb"].glob("csv/lines-2026-03-02-*")
    rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8"))))
    berlin = [row for row in rows if row["customer_id"] == "berlin"]
    assert {row["customer_name"] for row in berlin} == {"'" + story.RUNNABLE_NAME}
    assert {row["name"] for row in berlin} == {"Base fee", "'+Calls"}
    assert berlin[3]["adjusts_invoice_id"] == "sub_berlin@2026-02-01"


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_cells_that_would_run_are_quoted(first):
    assert harmless(f"{first}cmd|' /C calc'!A0").startswith(f"'{first}")
    assert harmless(f"x{first}") == f"x{first}"


@ENGINES
def test_parquet_has_decimals_and_instants(houses, exported, engine):
    tables = [pq.read_table(path) for path in exported[engine].glob("parquet/*")]
    table = pa.concat_tables(tables)
    assert table.schema.field("line_total").type == pa.decimal128(24, 4)
    assert table.schema.field("amount").type == pa.decimal128(38, 22)
    assert table.schema.field("period_from").type == pa.timestamp("us", tz="UTC")
    assert not [field for field in table.schema if pa.types.is_floating(field.type)]
    names = ("line_id", "line_total", "quantity", "name")
    exported_rows = sorted(zip(*(table[name].to_pylist() for name in names), strict=True))
    assert exported_rows == sorted(
        houses[engine].query(f"select {', '.join(names)} from ledger.lines")
    )


# Pages


def page_of(documents, number):
    one = documents[number]
    return make_page(one, story.ENTITIES.find(one.header["billing_entity"]))


def test_pages_say_the_number_and_what_is_due(exported, documents):
    for number, one in documents.items():
        page = page_of(documents, number)
        text = pdf_text(only(exported["duckdb"], f"pdf/{number}-*").read_bytes())
        shown, _ = html_text(only(exported["duckdb"], f"html/{number}-*").read_bytes())
        for content in (text, shown):
            # Spaces that do not break are drawn like any other.
            content = content.replace("\u00a0", " ")
            said = [number, page.due, *(text for row in page.totals for text in row[:2])]
            assert [text for text in said if text.replace("\u00a0", " ") not in content] == []
        assert one.number == page.number


def test_amounts_of_a_page_add_up_to_its_subtotal(documents):
    for number, one in documents.items():
        page = page_of(documents, number)
        shown = NumberFormat(choose_locale(one.header["time_zone"]), page.currency, one.exponent)
        off = sum(
            discount["discount_total"]
            for line in one.lines
            for discount in line["discounts"]
            if discount["level"] != "line"
        )
        subtotal = shown.money(one.header["invoice_total"] + off)
        assert page.totals[0][1] == subtotal
        amounts = [line.amount for group in (*page.groups, *page.corrections)
                   for line in group.lines]  # fmt: skip
        digits = [re.sub(r"[^0-9-]", "", amount) for amount in amounts]
        assert sum(map(int, digits)) == int(re.sub(r"[^0-9-]", "", subtotal))


def test_tiers_allowance_and_discounts_are_legible(documents):
    fee, calls = page_of(documents, "EU-000003").groups
    assert (fee.lines[0].text, fee.lines[0].quantity, fee.lines[0].price) == (
        "Base fee", "1", "99,00\u00a0€",
    )  # fmt: skip
    assert fee.lines[0].note == "1 February 2026 \u2013 28 February 2026"
    other, eu = calls.lines
    assert (calls.title, other.text, eu.text, eu.quantity) == (
        "+Calls", "Other usage", "eu", "1.250",
    )  # fmt: skip
    assert [(row.text, row.quantity, row.price, row.amount) for row in eu.details] == [
        ("included in the plan", "-59,5", "", ""),
        ("first 1.000", "1.000", "0,035\u00a0€", "35,00\u00a0€"),
        ("first 1.000, flat fee", "", "", "2,00\u00a0€"),
        ("over 1.000", "190,5", "0,0125\u00a0€", "2,38125\u00a0€"),
        ("rounded", "", "", "39,38\u00a0€"),
        ("Early bird (10\u00a0%)", "", "", "-3,94\u00a0€"),
    ]
    assert page_of(documents, "EU-000003").totals[:2] == [
        ("Subtotal", "134,44\u00a0€", "light"), ("Welcome (5\u00a0%)", "-6,72\u00a0€", "light"),
    ]  # fmt: skip


def test_a_correction_names_the_invoice_it_corrects(documents):
    (group,) = page_of(documents, "EU-000005").corrections
    assert group.lines[0].note.endswith("1 January 2026 \u2013 31 January 2026, corrects EU-000003")


def test_a_credit_names_its_invoice_and_goes_to_the_balance_that_pays_the_next(documents):
    credit = page_of(documents, "US-000003")
    assert (credit.title, credit.about) == ("Credit", "Invoice US-000002: as agreed")
    assert credit.totals[1] == ("To your balance", "$30.00", "light")
    paid = page_of(documents, "US-000004")
    assert paid.totals[-2:] == [
        ("From your balance", "-$30.00", "light"), ("Amount due", "$71.65", "due"),
    ]  # fmt: skip
    assert paid.due_on == "March 16, 2026"


def test_prepaid_credits_are_shown_with_their_grant(documents):
    before = documents["US-000005"]
    header = before.header | {
        "credits_total": Decimal("200.0000"),
        "amount_due_total": Decimal("56.5000"),
    }
    credits = [
        {"credit_number": 1, "grant_id": "g1", "grant_name": "Launch credits",
         "credit_total": Decimal("150.0000"), "unit": None, "unit_total": None},
        {"credit_number": 2, "grant_id": "g2", "grant_name": None,
         "credit_total": Decimal("50.0000"), "unit": "AI credits",
         "unit_total": Decimal("1250.5000")},
    ]  # fmt: skip
    one = Document(header, before.exponent, before.lines, credits)
    page = make_page(one, BillingEntity(name="x"))
    assert page.totals[-3:] == [
        ("Credit: Launch credits", "-$150.00", "light"),
        ("Credit: g2 (1,250.5 AI credits)", "-$50.00", "light"),
        ("Amount due", "$56.50", "due"),
    ]
    shown = json_document(one)
    assert [credit["credit_total"] for credit in shown["credits"]] == ["150.00", "50.00"]
    assert list(jsonschema.Draft202012Validator(read_schema()).iter_errors(shown)) == []
    assert "Launch credits" in pdf_text(pdf_bytes(page))


def test_markup_in_data_is_text_on_pages(exported):
    shown, tags = html_text(only(exported["duckdb"], "html/US-000002-*").read_bytes())
    assert story.MARKED_NAME in shown and "Atlas <US>, Inc." in shown
    assert not tags & {"b", "us", "script"}
    text = pdf_text(only(exported["duckdb"], "pdf/US-000002-*").read_bytes())
    assert '<b>"Games"</b>' in text and "#strong[x]" in text


def test_long_tables_repeat_their_header_and_pages_are_counted(documents):
    before = documents["US-000002"]
    one = Document(before.header, before.exponent, before.lines * 60)
    reader = PdfReader(io.BytesIO(pdf_bytes(make_page(one, BillingEntity(name="x")))))
    texts = [page.extract_text() for page in reader.pages]
    assert len(texts) > 3
    for number, text in enumerate(texts, start=1):
        assert f"Page {number} of {len(texts)}" in text
        assert "Description" in text or number == len(texts)
        assert "US-000002" in text


def test_letters_that_no_typeface_has_are_told(houses, documents, tmp_path):
    assert is_printable(page_of(documents, "EU-000003"))
    assert not is_printable(page_of(documents, "EU-000004"))
    summary = export(houses["duckdb"], tmp_path, ["pdf"], Selection(invoices=("EU-000004",)))
    assert summary.unprintable == ["EU-000004"]


# Formats of countries, letterheads, folders


@pytest.mark.parametrize(
    ("zone", "currency", "exponent", "money", "day"),
    [
        ("America/New_York", "USD", 2, "-$1,234.50", "March 1, 2026"),
        ("Europe/Berlin", "EUR", 2, "-1.234,50 €", "1 March 2026"),
        ("Europe/Paris", "EUR", 2, "-1 234,50 €", "1 March 2026"),
        ("Europe/London", "GBP", 2, "-£1,234.50", "1 March 2026"),
        ("Asia/Tokyo", "JPY", 0, "-¥1,234", "1 March 2026"),
        ("Asia/Kolkata", "INR", 2, "-₹1,234.50", "1 March 2026"),
        ("Asia/Bahrain", "BHD", 3, "-BHD 1,234.500", "1 March 2026"),
        ("America/Sao_Paulo", "USD", 2, "-US$ 1.234,50", "1 March 2026"),
        ("Europe/Zurich", "CHF", 2, "CHF-1\u2019234.50", "1 March 2026"),
        ("Etc/UTC", "USD", 2, "-$1,234.50", "1 March 2026"),
    ],
)
def test_money_and_days_as_the_country_of_the_zone_writes_them(
    zone, currency, exponent, money, day
):
    shown = NumberFormat(choose_locale(zone), currency, exponent)
    amount = Decimal("-1234.5") if exponent else Decimal(-1234)
    assert shown.money(amount).replace("\u00a0", " ") == money
    assert shown.day(date(2026, 3, 1)) == day


def test_prices_keep_their_decimals_and_steps_say_when_they_are_cut():
    shown = NumberFormat("en_US", "USD", 2)
    assert shown.price(Decimal("0.000002100000")) == "$0.0000021"
    assert shown.price(Decimal("12.000000000000")) == "$12.00"
    assert shown.step(Decimal("239.5044855000000000000000")) == "$239.5044855"
    assert shown.step(Decimal("0.1234567891")) == "\u2248 $0.12345679"
    assert shown.number(Decimal("1234567.2500000000")) == "1,234,567.25"
    assert shown.percent(Decimal("0.029")) == "2.9%"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("entities: {US: {nmae: x}}", "entities: US: nmae: unknown, expected one of name"),
        ("entities: {US: {terms_days: soon}}", "terms_days: found 'soon', expected a whole number"),
        ("default: {terms_days: -1}", "default: terms_days: found -1"),
        ("default: {accent: blue}", "accent: found 'blue', expected a colour"),
        ("default: {locale: xx_YY}", "locale: found 'xx_YY', expected a locale"),
        ("default: {address: here}", "address: expected a list of texts"),
        ("others: {}", "expected the keys default and entities"),
        ("entities: [US]", "expected a billing entity a key"),
        ("default: [", "while parsing"),
    ],
)
def test_faults_of_the_letterheads_are_one_line_with_their_place(tmp_path, text, fault):
    (tmp_path / "billing_entities.yml").write_text(text)
    with pytest.raises(UserError) as refused:
        read_billing_entities(tmp_path)
    assert fault in str(refused.value) and "billing_entities.yml" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_letterheads_of_the_project_and_of_nobody(tmp_path):
    assert read_billing_entities(PROJECT).find("ATLAS-EU").terms_days == 14
    assert read_billing_entities(PROJECT).find("NEW").name == "NEW"
    assert read_billing_entities(tmp_path).find("NEW") == BillingEntity(name="NEW")


def test_file_names_have_nothing_that_a_file_system_would_read():
    assert file_stem("A/B ü-1") == "A%2FB%20%C3%BC-1"


def test_what_was_being_written_is_taken_away(tmp_path):
    (tmp_path / "json").mkdir()
    (tmp_path / "json" / "x-0.json.part").write_text("{")
    ExportFolder(str(tmp_path))
    assert list((tmp_path / "json").iterdir()) == []


# The command line


@ENGINES
def test_the_command_line(houses, exported, tmp_path, engine):
    done = houses[engine].run(
        "export", "--to-folder", str(tmp_path / "out"), "--format", "json", "html", "--workers", "1"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "13 final documents", "json        13 files written", "html        13 files written",
    ]  # fmt: skip
    again = houses[engine].run("export", "--to-folder", str(tmp_path / "out"), "--format", "json")
    assert again.stdout.splitlines()[1] == "json        0 files written, 13 there already"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--invoice", "US-9"], "tally: no final invoice US-9 (a draft is not exported;"),
        (["--cutoff", "2026-02-02", "--from", "2026-01-01"], "tally: give --invoice, or --cutoff,"),
        (["--from", "2026-02-02", "--to", "2026-01-01"], "tally: --to: found 2026-01-01, expected"),
    ],
)
def test_what_makes_no_sense_is_one_line(houses, tmp_path, words, text):
    done = houses["duckdb"].run("export", "--to-folder", str(tmp_path / "out"), *words)
    assert done.returncode == 1
    assert done.stderr.startswith(text) and done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_one_line(houses, tmp_path):
    (tmp_path / "file").write_text("")
    done = houses["duckdb"].run("export", "--to-folder", str(tmp_path / "file"))
    assert done.returncode == 1
    assert done.stderr.startswith(f"tally: cannot write to {tmp_path}/file: ")
    assert done.stderr.count("\n") == 1
