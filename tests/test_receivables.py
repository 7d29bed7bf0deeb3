"""What the receivables ledger is sent, and its answers: links and differences, no second copy."""

import csv
import json
from datetime import datetime
from decimal import Decimal

import pytest

from orchestration.errors import UserError
from orchestration.exports.acknowledgements import payment_state, read_acknowledgements
from orchestration.exports.documents import Selection
from orchestration.exports.exporting import export_invoices
from tests import export_story as story

ENGINES = pytest.mark.parametrize("engine", ["duckdb", "postgres"])
ACKNOWLEDGED_AT = datetime(2026, 4, 5, 9)


@pytest.fixture(scope="module")
def houses(twins, tmp_path_factory):
    """Receivables are sent of all cutoffs but the last."""

    def build(house):
        house.build("--through", story.THROUGH)
        with story.open_house(house) as warehouse:
            export_invoices(
                warehouse,
                str(house.folder / "sent"),
                ["receivables"],
                story.ENTITIES,
                story.EXPORTED_AT,
                Selection(to_day=datetime(2026, 4, 1).date()),
            )

    return twins(story.catalog(), story.raw_rows(), build)


def sent(house) -> dict[str, dict]:
    """The documents of all files, by number."""
    rows = [
        json.loads(line, parse_float=pytest.fail)
        for file in sorted((house.folder / "sent").glob("receivables/*.jsonl"))
        for line in file.read_text("utf-8").splitlines()
    ]
    return {row["invoice_number"]: row for row in rows}


def acknowledge(house, file, rows, at=ACKNOWLEDGED_AT):
    """Write rows to a file and have it read."""
    if file.suffix == ".csv":
        with file.open("w", newline="", encoding="utf-8") as opened:
            writer = csv.DictWriter(opened, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    else:
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    with story.open_house(house) as warehouse:
        return read_acknowledgements(warehouse, str(file), at)


def answer(document_id, external_id, net, tax="0", paid="0", **more):
    return {
        "document_id": document_id,
        "external_id": external_id,
        "net_total": net,
        "tax_total": tax,
        "paid_total": paid,
        **more,
    }


def receivable(house, number):
    """(state, external_id, net_difference, is_taxed, payment_state) of a document."""
    (row,) = house.query(
        "select state, external_id, net_difference, is_taxed, payment_state"
        f" from marts.receivables where invoice_number = '{number}'"
    )
    return row


# What is sent


def test_both_engines_send_the_same(houses):
    one, other = (
        story.files_below(houses[engine].folder / "sent") for engine in ("duckdb", "postgres")
    )
    assert one == other and len(one) == 7


@ENGINES
def test_lines_link_to_the_ledger_and_add_up(houses, engine):
    ledger = {
        row[0]: row[1:]
        for row in houses[engine].query(
            "select line_id, invoice_id, line_total, tax_code, adjusts_line_id from ledger.lines"
        )
    }
    documents = sent(houses[engine])
    assert len(documents) == 10
    for document in documents.values():
        total = 0
        for line in document["lines"]:
            invoice_id, line_total, tax_code, adjusts_line_id = ledger[line["line_id"]]
            assert invoice_id == document["document_id"]
            assert Decimal(line["net_total"]) == line_total
            assert line["tax_code"] == tax_code
            assert line["adjusts_line_id"] == adjusts_line_id
            total += line_total
        assert Decimal(document["net_total"]) == total


def test_terms_and_due_days_are_those_of_the_billing_entity(houses):
    documents = sent(houses["duckdb"])
    york, berlin = documents["US-000004"], documents["EU-000003"]
    assert (york["issued_date"], york["terms_days"], york["due_date"]) == (
        "2026-03-02", 14, "2026-03-16",
    )  # fmt: skip
    assert (berlin["issued_date"], berlin["terms_days"], berlin["due_date"]) == (
        "2026-02-02", 30, "2026-03-04",
    )  # fmt: skip
    assert (york["net_total"], york["balance_applied_total"], york["due_total"]) == (
        "101.65", "30.00", "71.65",
    )  # fmt: skip
    assert documents["EU-000004"]["net_total"] == "10165"


def test_a_credit_names_the_document_that_it_is_about(houses):
    credit = sent(houses["duckdb"])["US-000003"]
    assert credit["adjusts_document_id"] == "sub_york@2026-02-01"
    assert credit["lines"][0]["adjusts_line_id"] == "sub_york@2026-02-01#2"
    assert (credit["net_total"], credit["due_total"]) == ("-30.00", "0.00")


# What is answered


@ENGINES
def test_states(houses, tmp_path, engine):
    house = houses[engine]
    assert receivable(house, "US-000005") == ("not_sent", None, None, None, None)
    assert receivable(house, "US-000002") == ("sent", None, None, None, None)
    summary = acknowledge(
        house,
        tmp_path / "a.jsonl",
        [
            answer("sub_york@2026-02-01", "R-2", "342.00", "30.78", "0", status="open"),
            answer("sub_york@2026-03-01", "R-4", 101.65, "0", 71.65, currency="USD"),
            answer("sub_york@2026-02-01.credit.a1", "R-3", "-30"),
            answer("sub_berlin@2026-02-01", "R-1", "127.70", "24.26", "10"),
            answer("sub_tokyo@2026-02-01", "R-5", "10165", "1016", "11182"),
        ],
    )
    assert (summary.rows, summary.added, summary.differing, summary.faults) == (5, 5, 2, [])
    assert receivable(house, "US-000002") == ("acknowledged", "R-2", 0, True, "unpaid")
    assert receivable(house, "US-000004") == ("acknowledged", "R-4", 0, False, "paid")
    assert receivable(house, "US-000003") == ("acknowledged", "R-3", 0, False, "nothing_due")
    assert receivable(house, "EU-000003") == (
        "differs", "R-1", Decimal("-0.02"), True, "part_paid",
    )  # fmt: skip
    assert receivable(house, "EU-000004") == ("differs", "R-5", 0, True, "overpaid")
    # What the receivables ledger says last counts, and the rows before stay.
    later = acknowledge(
        house,
        tmp_path / "b.csv",
        [
            answer("sub_york@2026-02-01", "R-2", "342.00", "30.78", "372.78"),
            answer("sub_berlin@2026-02-01", "R-1", "127.72", "24.27", "10"),
        ],
    )
    assert (later.added, later.differing) == (2, 0)
    assert receivable(house, "US-000002") == ("acknowledged", "R-2", 0, True, "paid")
    assert receivable(house, "EU-000003") == ("acknowledged", "R-1", 0, True, "part_paid")
    before = house.export("exports.receivable_acknowledgements")
    assert len(before) == 7
    # A file that was read adds nothing, under whatever name.
    (tmp_path / "a.jsonl").rename(tmp_path / "again.ndjson")
    with story.open_house(house) as warehouse:
        again = read_acknowledgements(warehouse, str(tmp_path / "again.ndjson"), ACKNOWLEDGED_AT)
    assert (again.rows, again.added) == (5, 0)
    assert house.export("exports.receivable_acknowledgements") == before


@ENGINES
def test_none_of_its_amounts_is_kept(houses, engine):
    columns = houses[engine].columns("exports.receivable_acknowledgements")
    assert [name for name in columns if "total" in name or "tax" in name or "paid" in name] == [
        "is_taxed"
    ]


BAD_ROWS = [
    ("nonsense", "expected one JSON object"),
    ('{"document_id": "sub_york@2026-02-01"', "expected one JSON object"),
    (answer("sub_york@2026-04-01", "R-9", "1"), "document_id: found 'sub_york@2026-04-01'"),
    (answer("nobody", "R-9", "1"), "document_id: found 'nobody', expected a document that was"),
    (answer("", "R-9", "1"), "document_id: found nothing, expected a value"),
    (answer("sub_tokyo@2026-01-01", "", "1"), "external_id: found nothing"),
    (answer("sub_tokyo@2026-01-01", "R-9", "much"), "net_total: found 'much', expected an amount"),
    (answer("sub_tokyo@2026-01-01", "R-9", "1", "NaN"), "tax_total: found 'NaN'"),
    (answer("sub_tokyo@2026-01-01", "R-9", "1", "0", "0.00001"), "paid_total: found '0.00001'"),
    (answer("sub_tokyo@2026-01-01", "R-9", "1", "0", "1e30"), "paid_total: found '1e30'"),
    (answer("sub_tokyo@2026-01-01", "R-9", ["1"]), 'net_total: found ["1"], expected a text'),
    (answer("sub_tokyo@2026-01-01", "R-9", "1", currency="EUR"), "currency: found 'EUR', expected"),
    (answer("sub_tokyo@2026-03-01", "R-8", "1"), "external_id: found 'R-8', expected 'R-7', under"),
    (answer("sub_tokyo@2026-01-01", "R-7", "1"), "external_id: 'R-7' is already that of sub_tokyo"),
]


@ENGINES
def test_a_bad_row_is_one_line_with_its_place_and_costs_no_other(houses, tmp_path, engine):
    good = [
        answer("sub_tokyo@2026-03-01", "R-7", "10165"),
        answer("sub_york@2026-01-01", "R-6", 94),
    ]
    texts = [row if isinstance(row, str) else json.dumps(row) for row, _ in BAD_ROWS]
    lines = [json.dumps(good[0]), "", *texts, json.dumps(good[1])]
    file = tmp_path / "answers.jsonl"
    file.write_text("\n".join(lines) + "\n", "utf-8")
    with story.open_house(houses[engine]) as warehouse:
        summary = read_acknowledgements(warehouse, str(file), ACKNOWLEDGED_AT)
    assert summary.added == 2
    assert len(summary.faults) == len(BAD_ROWS)
    for number, (fault, (_, text)) in enumerate(
        zip(summary.faults, BAD_ROWS, strict=True), start=3
    ):
        assert fault.startswith(f"{file}:{number}: {text}") and "\n" not in fault
    assert receivable(houses[engine], "US-000001")[2] == Decimal("-0.05")


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("a.xml", b"<a/>", "expected a file that ends in"),
        ("a.csv", b"document_id,external_id\n", "found no column net_total"),
        (
            "a.csv",
            b'document_id,external_id,net_total,tax_total,paid_total\n"a',
            ":2: unexpected end",
        ),
        ("a.jsonl", b"\xff\xfe", "expected text in UTF-8"),
        ("gone.csv", None, "No such file"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(houses, tmp_path, name, content, text):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with (
        story.open_house(houses["duckdb"]) as warehouse,
        pytest.raises(UserError, match=text) as refused,
    ):
        read_acknowledgements(warehouse, str(tmp_path / name), ACKNOWLEDGED_AT)
    assert str(tmp_path / name) in str(refused.value)


@pytest.mark.parametrize(
    ("due", "tax", "paid", "state"),
    [
        ("100", "20", "0", "unpaid"),
        ("100", "20", "0.01", "part_paid"),
        ("100", "20", "120", "paid"),
        ("100", "20", "120.01", "overpaid"),
        ("0", "0", "0", "nothing_due"),
        ("0", "-5", "0", "nothing_due"),
        ("0", "0", "1", "overpaid"),
    ],
)
def test_payment_states(due, tax, paid, state):
    assert payment_state(Decimal(due), Decimal(tax), Decimal(paid)) == state


@ENGINES
def test_the_command_line(houses, tmp_path, engine):
    file = tmp_path / "answers.jsonl"
    rows = [answer("sub_berlin@2026-01-01", "R-0", "94.00"), answer("nobody", "R-9", "1")]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    done = houses[engine].run("receivables", "acknowledge", str(file))
    assert done.returncode == 1
    assert done.stdout == (
        f"{file}: 1 acknowledgement, 1 of them with a difference, 1 row refused\n"
    )
    assert done.stderr.startswith(f"{file}:2: document_id: found 'nobody'")
    assert done.stderr.count("\n") == 1
    listed = houses[engine].run("receivables", "differences")
    assert listed.returncode == 1
    assert "EU-000001 (R-0): net -0.05 EUR, unpaid" in listed.stdout.splitlines()
    assert listed.stdout.splitlines()[-1].startswith("3 not sent, ")
