"""Landing: what a file's bytes become in raw.usage_events, on DuckDB and PostgreSQL alike."""

import argparse
import gzip
import json
import os
import random
import shutil
import subprocess
import sys
import textwrap
import threading
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet
import pytest
import zstandard

from orchestration import landing, records
from orchestration.landing import land
from orchestration.mapping import MappingError, load_mapping, split_path
from orchestration.warehouse import PROJECT_DIR, Warehouse, WarehouseError, connect
from tests import postgres_server

FIELDS = (
    "customer_id, event_name, occurred_at, event_key, voids_key, subscription_id,"
    " subscription_item_id, properties, unread_record"
)
LOADED_AT = datetime(2026, 2, 1, 6)
SHARED_DATA = PROJECT_DIR.parent / "shared" / "data"

# Text that some layer would run, expand or choke on if it were ever pasted instead of passed.
HOSTILE = [
    "'; drop table raw.usage_events; --",
    '"; drop schema raw cascade; --',
    "{{ 1/0 }} {% raw %} {# x #}",
    '=HYPERLINK("http://x","y")',
    "+1+1|cmd|' /C calc'!A0",
    "@SUM(1)",
    "-2+3",
    "\\.",
    "\\N",
    "NULL",
    "null",
    "a,b;c\td",
    'say "hi"',
    "line\nbreak\r\nand return\r",
    "%s %(x)s $1 ? :name",
    "back\\slash \\u0041 \\' \\\"",
    "<script>alert(1)</script>",
    "Ünïcødé 漢字 \U0001f600 \u200b\u202e",
    "  blanks around  ",
    "\x01\x1f\x7f",
    "E'\\x00'",
]


class House:
    """A warehouse of its own, with the landing call bound to it."""

    def __init__(self, warehouse: Warehouse, prefix: str, folder: Path) -> None:
        self.warehouse = warehouse
        self.prefix = prefix
        self.folder = folder

    def land(self, *files, **options):
        options.setdefault("loaded_at", LOADED_AT)
        return land(files, warehouse=self.warehouse, schema_prefix=self.prefix, **options)

    def land_text(self, content, name="events.ndjson", **options):
        """Land one file of this content; its result."""
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return self.land(path, **options)[0]

    def land_events(self, *events, **options):
        return self.land_text("".join(json.dumps(event) + "\n" for event in events), **options)

    def map(self, text, name="mapping.yml"):
        path = self.folder / name
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    def rows(self, columns=FIELDS):
        return self.warehouse.query(
            f"select {columns} from {landing.raw_table('usage_events', self.prefix)}"
            " order by load_id, line_number"
        )[1]

    def column(self, name):
        return [row[0] for row in self.rows(name)]

    def loads(self):
        return self.warehouse.query(
            "select load_id, file_name, content_hash, row_count, loaded_at, mapping_hash"
            f" from {landing.raw_table('loads', self.prefix)} order by file_name"
        )[1]

    def unread(self):
        """line number -> raw record of what could not be read; the fields must be null."""
        found = {}
        for line, *fields, record in self.rows(f"line_number, {FIELDS}"):
            if record is not None:
                assert fields == [None] * 8
                found[line] = record
        return found


@pytest.fixture(scope="session")
def profiles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("profiles")
    shutil.copy(PROJECT_DIR / "profiles.yml.example", folder / "profiles.yml")
    return folder


@pytest.fixture(scope="session")
def landing_database():
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    return postgres_server.fresh_database(f"tally_landing_{worker}")


@pytest.fixture(params=["duckdb", "postgres"])
def house(request, tmp_path, profiles, monkeypatch):
    if request.param == "postgres":
        for name, value in request.getfixturevalue("landing_database").items():
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("TALLY_DUCKDB_PATH", str(tmp_path / "tally.duckdb"))
    prefix = f"t{random.SystemRandom().randrange(10**12)}_"
    with connect(request.param, profiles) as warehouse:
        yield House(warehouse, prefix, tmp_path)
    if request.param == "postgres":
        # A connection of its own: the test may have closed or broken the other.
        with connect(request.param, profiles) as warehouse:
            warehouse.execute("set client_min_messages = warning")
            warehouse.execute(f'drop schema if exists "{prefix}raw" cascade')


@pytest.fixture
def duck(tmp_path, profiles, monkeypatch):
    """For what does not depend on the target."""
    monkeypatch.setenv("TALLY_DUCKDB_PATH", str(tmp_path / "tally.duckdb"))
    with connect("duckdb", profiles) as warehouse:
        yield House(warehouse, "", tmp_path)


def run_cli(house, profiles, capsys, *arguments):
    """(exit code, stdout, stderr) of `tally land` on the house's warehouse."""
    parser = argparse.ArgumentParser()
    landing.add_land_arguments(parser)
    house.warehouse.close()
    args = parser.parse_args(
        [*map(str, arguments), "--target", house.warehouse.kind, "--profiles-dir", str(profiles)]
    )
    code = landing.run_land(args)
    printed = capsys.readouterr()
    return code, printed.out, printed.err


# --- What lands -------------------------------------------------------------------------------


def test_ndjson_lands_in_raw_shape(house):
    result = house.land_text(
        '{"customer_id": "acme", "event_name": "call", "occurred_at": "2026-01-31T09:30:00Z",'
        ' "event_key": "k1", "subscription_id": "s", "subscription_item_id": "i",'
        ' "properties": {"tokens": 12, "region": "eu"}}\n'
        "\n"
        '{"customer_id": 42, "event_name": true, "event_key": 1.50, "occurred_at": null,'
        ' "voids_key": "", "unknown": [1]}\r\n'
        '{"customer_id": "acme", "voids_key": "k1"}'
    )
    assert (result.rows, result.unread, result.error) == (3, 0, None)
    assert house.rows() == [
        ("acme", "call", "2026-01-31T09:30:00Z", "k1", None, "s", "i",
         '{"tokens":12,"region":"eu"}', None),
        ("42", "true", None, "1.50", None, None, None, None, None),
        ("acme", None, None, None, "k1", None, None, None, None),
    ]  # fmt: skip
    assert house.column("line_number") == [1, 3, 4]
    assert set(house.rows("load_id, loaded_at")) == {(result.load_id, LOADED_AT)}
    ((load_id, file_name, content_hash, row_count, loaded_at, mapping_hash),) = house.loads()
    assert (load_id, row_count, loaded_at, mapping_hash) == (result.load_id, 3, LOADED_AT, None)
    assert content_hash[:32] == load_id and len(content_hash) == 64
    assert file_name == result.file


def test_same_content_lands_once(house):
    content = b'{"customer_id": "acme", "event_name": "call"}\n' * 5
    first = house.land_text(content)
    assert (first.rows, first.already_landed) == (5, False)
    house.folder.joinpath("other.jsonl.gz").write_bytes(gzip.compress(content))
    house.folder.joinpath("other.jsonl.zst").write_bytes(zstandard.compress(content))
    again = house.land(
        house.folder / "events.ndjson",
        house.folder / "other.jsonl.gz",
        house.folder / "other.jsonl.zst",
    )
    assert [result.already_landed for result in again] == [True] * 3
    assert {result.load_id for result in again} == {first.load_id}
    assert len(house.rows()) == 5 and len(house.loads()) == 1


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_compression_changes_nothing(duck, suffix):
    content = b'{"customer_id": "a", "event_name": "call"}\n' * 3
    pack = {"": bytes, ".gz": gzip.compress, ".zst": zstandard.compress}[suffix]
    # Two members or frames, one after the other, are one content.
    result = duck.land_text(pack(content) + pack(content), name=f"events.ndjson{suffix}")
    assert result.rows == 6
    assert duck.column("line_number") == [1, 2, 3, 4, 5, 6]


def test_csv_lands_with_other_columns_as_properties(house):
    result = house.land_text(
        "customer_id,event_name,occurred_at,event_key,tokens,region\r\n"
        "acme,call,2026-01-31T09:30:00Z,k1,12.50,eu\r\n"
        'acme,call,,k2,,"a ""quoted"", one"\r\n',
        name="events.csv",
    )
    assert (result.rows, result.unread) == (2, 0)
    assert house.rows("customer_id, occurred_at, event_key, properties, line_number") == [
        ("acme", "2026-01-31T09:30:00Z", "k1", '{"tokens":"12.50","region":"eu"}', 2),
        ("acme", None, "k2", '{"region":"a \\"quoted\\", one"}', 3),
    ]


def test_csv_properties_column_is_the_object(house):
    house.land_text(
        "customer_id,event_name,properties\n"
        'a,call,"{""price"": 1.50, ""n"": 12345678901234567890.5}"\n'
        "a,call,not json\n"
        "a,call,\n",
        name="events.csv",
    )
    assert house.column("properties") == [
        '{"price":1.50,"n":12345678901234567890.5}', "not json", None,
    ]  # fmt: skip


def test_csv_properties_column_joins_other_columns(duck):
    duck.land_text(
        'customer_id,event_name,properties,x\na,call,"{""p"": 1}",2\na,call,{},\na,call,,3\n',
        name="events.csv",
    )
    assert duck.column("properties") == ['{"p":1,"x":"2"}', "{}", '{"x":"3"}']


def test_parquet_keeps_exact_values(house):
    table = pa.table(
        {
            "customer_id": ["acme", None],
            "event_name": ["call", "call"],
            "occurred_at": pa.array(
                [datetime(2026, 1, 31, 9, 30), None], pa.timestamp("us", tz="Europe/Madrid")
            ),
            "event_key": pa.array([7, 8], pa.int64()),
            "price": pa.array([Decimal("1.50"), None], pa.decimal128(30, 2)),
            "exact": pa.array(
                [Decimal("123456789012345678.1234567891"), None], pa.decimal128(38, 10)
            ),
            "ratio": pa.array([0.1, float("nan")], pa.float64()),
            "big": pa.array([2**63 - 1, None], pa.int64()),
            "flag": [True, None],
            "text": ['quo"te', ""],
            "nested": [{"a": {"b": Decimal("0.10")}, "list": ["x"]}, None],
            "day": pa.array([datetime(2026, 1, 2).date(), None]),
        }
    )
    path = house.folder / 'we\'ird [1]* "q".parquet'
    pa.parquet.write_table(table, path)
    (result,) = house.land(path)
    assert result.error is None
    first, second = house.rows("customer_id, occurred_at, event_key, properties, line_number")
    assert first == (
        "acme", "2026-01-31T09:30:00Z", "7",
        '{"price":1.50,"exact":123456789012345678.1234567891,"ratio":0.1,'
        '"big":9223372036854775807,"flag":true,"text":"quo\\"te",'
        '"nested":{"a":{"b":0.10},"list":["x"]},"day":"2026-01-02"}',
        1,
    )  # fmt: skip
    assert second == (None, None, "8", '{"ratio":"nan","text":""}', 2)


def test_hostile_text_survives_in_every_field(house):
    names = FIELDS.split(", ")[:7]
    events = [
        {**{name: f"{text}{name}" for name in names}, "properties": {text: text, "n": 1}}
        for text in HOSTILE
    ]
    result = house.land_events(*events)
    assert (result.rows, result.unread) == (len(HOSTILE), 0)
    for text, row in zip(HOSTILE, house.rows(), strict=True):
        assert list(row[:7]) == [f"{text}{name}" for name in names]
        assert json.loads(row[7]) == {text: text, "n": 1}


def test_hostile_text_survives_from_csv(house):
    texts = [text for text in HOSTILE if "\x01" not in text]
    columns = ["customer_id", "event_name", "event_key", *texts]

    def quoted(values):
        return ",".join('"' + value.replace('"', '""') + '"' for value in values) + "\n"

    # A header is one line, so its names keep no line breaks.
    header = [column.replace("\n", " ").replace("\r", " ") for column in columns]
    lines = [quoted([text, text, text, *texts]) for text in texts]
    result = house.land_text(quoted(header) + "".join(lines), name="a'b;--{{x}}.csv")
    assert (result.error, result.rows, result.unread) == (None, len(texts), 0)
    for text, (customer, event, key, properties) in zip(
        texts, house.rows("customer_id, event_name, event_key, properties"), strict=True
    ):
        assert (customer, event, key) == (text, text, text)
        assert list(json.loads(properties).items()) == list(zip(header[3:], texts, strict=True))
    assert house.loads()[0][1].endswith("a'b;--{{x}}.csv")


def test_big_values_land(house):
    text = "x" * (10 << 20)
    key = "k" * 10_000
    many = records.CHUNK_BYTES // 60
    lines = ['{"customer_id": "a", "event_name": "call"}'] * many
    lines[many // 2] = json.dumps(
        {"customer_id": "a", "event_name": "e", "event_key": key, "properties": {"t": text, "n": 1}}
    )
    result = house.land_text("\n".join(lines))
    assert (result.rows, result.unread) == (many, 0)
    ((line, found_key, properties),) = house.warehouse.query(
        "select line_number, event_key, properties from"
        f" {landing.raw_table('usage_events', house.prefix)} where event_name = 'e'"
    )[1]
    assert (line, found_key) == (many // 2 + 1, key)
    assert properties == '{"t":"' + text + '","n":1}'


def test_big_risky_and_broken_lines_land(duck):
    text = "x" * (12 << 20)
    duck.land_text(
        '{"customer_id": "a", "event_name": "e", "properties": {"n": 1.50, "t": "' + text + '"}}\n'
        '{"customer_id": "a", "properties": {"t": "' + text + "\n"
        '{"customer_id": "a", "event_name": "e", "properties": ' + "[" * 50_000 + "]" * 50_000 + "}"
    )
    assert duck.column("properties")[0] == '{"n":1.50,"t":"' + text + '"}'
    assert list(duck.unread()) == [2]


# --- Numbers ----------------------------------------------------------------------------------

NUMBERS = [
    "0", "-0", "-0.0", "0.0", "1", "1.0", "1.5", "1.50", "1e3", "1E3", "1e+3", "1e-7", "0.1",
    "0.12345678901234567890", "123456789012.1234567891", "1e400", "-1e400", "0.00001", "0.0001",
    "9007199254740993", "18446744073709551615", "18446744073709551616", "-9223372036854775809",
    "123456789012345678901234567890", "0.30000000000000004", "5e-324", "100000000000000000000",
    "999999999999999", "9999999999999999", "0.1e1", "1.10e10", "12345678.12345678",
]  # fmt: skip


@pytest.mark.parametrize("shape", ["compact", "spaced"])
def test_numbers_survive_as_written(house, shape):
    draw = random.Random(7)
    numbers = list(NUMBERS)
    while len(numbers) < 3_000:
        whole = str(draw.randrange(10 ** draw.randrange(1, 20)))
        fraction = "".join(draw.choices("0123456789", k=draw.randrange(0, 18)))
        exponent = draw.choice(["", "", "", "e5", "E-3"])
        sign = draw.choice(["", "-"])
        numbers.append(sign + whole + ("." + fraction if fraction else "") + exponent)
    colon, comma = (":", ",") if shape == "compact" else (" : ", " ,\t")
    lines = [
        f'{{"customer_id"{colon}"a"{comma}"event_key"{colon}{number}{comma}"properties"{colon}'
        f'{{"x:1.50,"{colon}{number}{comma}"l"{colon}[{number}{comma}{{}}{comma}"" ]}}}}'
        for number in numbers
    ]
    result = house.land_text("\n".join(lines))
    assert result.unread == 0
    for number, (key, properties) in zip(numbers, house.rows("event_key, properties"), strict=True):
        assert key == number
        assert properties == f'{{"x:1.50,":{number},"l":[{number},{{}},""]}}'


def test_text_that_looks_risky_is_left_alone(house):
    properties = {
        "a": "n:NaN, x,}",
        "b": ": 1.50,",
        "c": "",
        "d": 'quote " 1e3, \\',
        "e": "tally\\u0000",
        "f": [1.25, "", None, True, {"": 1}],
        "1.50": {"g": 0.5},
    }
    text = json.dumps(properties)[:-1] + ', "h": 1.50}'
    house.land_text('{"customer_id": "", "event_name": ": 1.50,", "properties": ' + text + "}")
    ((customer, event, found),) = house.rows("customer_id, event_name, properties")
    assert (customer, event) == (None, ": 1.50,")
    assert found.endswith(',"h":1.50}')
    assert json.loads(found) == {**properties, "h": 1.5}


# --- Bad input --------------------------------------------------------------------------------

BAD_LINES = [
    '{"customer_id": "a", "event_name": "call", "properties": {"tok',
    "not json",
    "[1, 2]",
    "null",
    '"text"',
    "{}",
    '{"customer_id": "a", "properties": {"n": NaN}}',
    '{"customer_id": "a", "properties": {"n": Infinity}}',
    '{"customer_id": "a", "properties": {"n": -Infinity}}',
    '{"customer_id": "a", "properties": [nan]}',
    '{"customer_id": "a", "properties": {"n": inf}}',
    '{"customer_id": "a", "properties": {"n": 1,}}',
    '{"customer_id": "a",}',
    '{"customer_id": "a", "properties": [1,]}',
    '{"customer_id": "a", "properties": {"n": 1,5}}',
    '{"customer_id": "a", "properties": {"n": 01}}',
    '{"customer_id": "a", "properties": {"n": +1}}',
    '{"customer_id": "a", "properties": {"n": .5}}',
    '{"customer_id": "a", "properties": {"n": 1.}}',
    '{"customer_id": "a", "properties": {"n": 0x1F}}',
    "{'customer_id': 'a'}",
    '{customer_id: "a"}',
    '{"customer_id": "a", "customer_id": "a"}',
    '{"customer_id": "a", "x": 1.50, "x": 2}',
    '{"customer_id": "a", "properties": {}, "properties": {"n": 1}}',
    '{"customer_id": "a", "event_name": null, "event_name": null}',
    '{"customer_id": null, "customer_id": "a", "event_name": "e"}',
    '{"customer_id": "a", "customer\\u005fid": "b"}',
    '{"customer_id": "a\\u0000b"}',
    '{"customer_id": "a", "event_key": "\\u0000", "properties": {"n": 1e3}}',
    '{"customer_id": "\\ud800"}',
    '{"customer_id": "a", "properties": {"s": "\\udc00"}}',
    '{"customer_id": "a\tb"}',
    '{"customer_id": "a"} {"customer_id": "b"}',
    '{"customer_id": "a"} // comment',
    '{"customer_id": "a", "event_name": "call"}}',
]


def test_unreadable_lines_stay_as_they_are(house):
    good = '{"customer_id": "a", "event_name": "call"}'
    lines = [line for bad in BAD_LINES for line in (good, bad)] + [good]
    result = house.land_text("\n".join(lines))
    assert (result.rows, result.unread) == (len(lines), len(BAD_LINES))
    assert house.unread() == {2 * n + 2: bad for n, bad in enumerate(BAD_LINES)}


def test_staging_gets_what_it_judges(house):
    """Not unreadable: properties of another kind, an escaped NUL in them, odd times."""
    house.land_text(
        '{"customer_id": "a", "event_name": "e", "properties": [1]}\n'
        '{"customer_id": "a", "event_name": "e", "properties": "x"}\n'
        '{"customer_id": "a", "event_name": "e", "properties": {"s": "\\u0000"}}\n'
        '{"customer_id": "a", "event_name": "e", "properties": {"s": 1, "s": 2}}\n'
        '{"customer_id": "a", "event_name": "e", "occurred_at": "9999-12-31T23:59:59Z"}\n'
        '{"customer_id": "a", "event_name": "e", "occurred_at": "1969-12-31"}\n'
        '{"customer_id": "a", "event_name": "e", "occurred_at": "yesterday"}\n'
        '{"customer_id": "a", "event_name": "e", "occurred_at": 1767225600}\n'
    )
    assert house.rows("occurred_at, properties") == [
        (None, "[1]"),
        (None, '"x"'),
        (None, '{"s":"\\u0000"}'),
        (None, '{"s":1,"s":2}'),
        ("9999-12-31T23:59:59Z", None),
        ("1969-12-31", None),
        ("yesterday", None),
        ("1767225600", None),
    ]


def test_nul_bytes_and_broken_utf8(house):
    good = b'{"customer_id": "\xc3\xa9", "event_name": "call"}\n'
    result = house.land_text(
        good
        + b'{"customer_id": "a\0b"}\n'
        + good
        + b'{"customer_id": "\xff\xfe"}\n'
        + b"\0\0\0\n"
        + b'{"customer_id": "a\rb"}\n'
        + good
    )
    assert (result.rows, result.unread) == (7, 4)
    assert house.unread() == {
        2: '{"customer_id": "a\u2400b"}',
        4: '{"customer_id": "\ufffd\ufffd"}',
        5: "\u2400\u2400\u2400",
        6: '{"customer_id": "a\rb"}',
    }
    assert house.column("customer_id") == ["é", None, "é", None, None, None, "é"]


def test_byte_order_marks(duck):
    assert duck.land_text('\ufeff{"customer_id": "a", "event_name": "e"}').unread == 0
    assert duck.land_text("\ufeffcustomer_id,event_name\na,e\n", name="a.csv").error is None
    result = duck.land_text('{"customer_id": "a"}'.encode("utf-16"), name="b.ndjson")
    assert result.error == "the text is UTF-16; expected UTF-8"


def test_csv_rows_of_another_width(house):
    result = house.land_text(
        "customer_id,event_name,tokens\n"
        "a,call,1\n"
        "a,call\n"
        "a,call,1,2\n"
        'a,"call"x,1\n'
        'a,call,"1,2"\n'
        "\n"
        'a,call,"unclosed\n'
        "a,call,3\n"
        'a,5" pipe,4\n'
        'a,call,"two\nlines, ""really"""\n'
        "a,\0,6\n"
        "a,call,7",
        name="events.csv",
    )
    assert result.rows == 11
    assert house.unread() == {
        3: "a,call",
        4: "a,call,1,2",
        5: 'a,"call"x,1',
        8: 'a,call,"unclosed',
        13: "a,\u2400,6",
    }
    assert house.rows("line_number, event_name, properties")[-4:] == [
        (10, '5" pipe', '{"tokens":"4"}'),
        (11, "call", '{"tokens":"two\\nlines, \\"really\\""}'),
        (13, None, None),
        (14, "call", '{"tokens":"7"}'),
    ]


def test_csv_values_over_block_ends(duck, monkeypatch):
    """Quoted values over several lines, whatever the size of the blocks they are read in."""
    draw = random.Random(3)
    values = [
        "".join(draw.choices(['"', "\n", ",", "x", "é"], k=draw.randrange(0, 9)))
        for _ in range(400)
    ]
    content = "customer_id,event_name,v\n" + "".join(
        'a,call,"' + value.replace('"', '""') + '"\n' for value in values
    )
    for size in (7, 64, 1000):
        monkeypatch.setattr(records, "CHUNK_BYTES", size)
        # A header longer than a block is read too.
        result = duck.land_text(content + f"a,call,{size}\n", name=f"{size}.csv")
        assert (result.error, result.rows, result.unread) == (None, 401, 0)
    for (load_id,) in duck.warehouse.query("select load_id from raw.loads")[1]:
        found = duck.warehouse.query(
            "select properties from raw.usage_events where load_id = ? order by line_number",
            [load_id],
        )[1]
        assert [json.loads(text).get("v", "") for (text,) in found][:-1] == values


def test_broken_files_leave_the_others_alone(house, profiles, capsys):
    folder = house.folder / "in"
    folder.mkdir()
    good = b'{"customer_id": "a", "event_name": "call"}\n'
    noise = random.Random(1).randbytes(100_000).hex().encode()
    packed = gzip.compress(good * 100 + noise)
    (folder / "a.ndjson.gz").write_bytes(packed[: len(packed) // 2])
    (folder / "b.ndjson.gz").write_bytes(b"no gzip at all")
    (folder / "c.ndjson.gz").write_bytes(packed[:-8] + b"\1" * 8)
    packed = zstandard.compress(good * 100 + noise)
    (folder / "d.ndjson.zst").write_bytes(packed[: len(packed) // 2])
    (folder / "e.ndjson.zst").write_bytes(b"no zstd at all")
    (folder / "f.parquet").write_bytes(b"PAR1 no parquet PAR1")
    (folder / "g.ndjson").write_bytes(b"")
    (folder / "h.csv").write_bytes(b"a,b\n1,2\n")
    (folder / "i.csv").write_bytes(b"customer_id,event_name,customer_id\n1,2,3\n")
    (folder / "j.csv").write_bytes(b"\n")
    (folder / "k.csv").write_bytes(b"customer_id,event_name\n")
    (folder / "l.ndjson").write_bytes(good)
    (folder / "m.csv").write_bytes(b'customer_id,"event_name\n')
    files = [*sorted(folder.iterdir()), folder / "none.ndjson", PROJECT_DIR / "README.md"]
    results = {Path(result.file).name: result for result in house.land(*files, folder / "*.zip")}
    errors = {name: result.error for name, result in results.items() if result.error}
    assert errors.pop("a.ndjson.gz") == "the gzip file is truncated"
    assert errors.pop("b.ndjson.gz").startswith("not a sound gzip file")
    assert errors.pop("c.ndjson.gz").startswith("not a sound gzip file")
    assert errors.pop("d.ndjson.zst") == "the zstd file is truncated"
    assert errors.pop("e.ndjson.zst").startswith("not a sound zstd file")
    assert "parquet" in errors.pop("f.parquet").lower()
    assert errors.pop("h.csv").startswith("no column customer_id; the columns are a, b")
    assert errors.pop("i.csv") == "line 1: column customer_id is there twice"
    assert errors.pop("j.csv") == "line 1: expected a header with the column names"
    assert errors.pop("m.csv").startswith("line 1: the header cannot be read")
    assert errors.pop("none.ndjson") == "no such file"
    assert errors.pop("*.zip") == "no file matches"
    assert errors.pop("README.md").startswith("unknown format; expected .ndjson")
    assert errors == {}
    assert all("\n" not in result.summary() for result in results.values())
    assert results["g.ndjson"].summary().endswith("g.ndjson: empty file, nothing landed")
    assert results["k.csv"].rows == 0
    # The empty file is no load; the CSV without rows is one.
    assert len(house.rows()) == 1 and len(house.loads()) == 2


def test_exit_code_and_lines_of_the_command(house, profiles, capsys, monkeypatch):
    good = house.folder / "good.ndjson"
    good.write_text(
        '{"customer_id": "a", "event_name": "e", "occurred_at": "2026-01-01 10:00"}\n'
        '{"customer_id": "a", "event_name": "e", "occurred_at": "2026-01-01"}\n'
        '{"customer_id": "a", "event_name": "e", "occurred_at": "2026-01-01T10:00:00+02:00"}\n'
        "half a li\n"
    )
    monkeypatch.setattr(landing, "raw_table", lambda name, prefix="": f'"{house.prefix}raw".{name}')
    monkeypatch.setattr(
        landing, "land", lambda *files, **options: land(
            *files, **{**options, "schema_prefix": house.prefix}
        )
    )  # fmt: skip
    code, out, err = run_cli(house, profiles, capsys, good, "--loaded-at", "2026-02-01")
    assert code == 0
    assert err == "--loaded-at 2026-02-01 has no zone, taken as UTC\n"
    assert out.startswith(f"{good}: 4 rows, 1 unread (see rejected_events), 2 times without a zone")
    assert out.count("\n") == 1
    code, out, err = run_cli(house, profiles, capsys, good, house.folder / "none.csv")
    assert code == 1
    assert "already landed" in out
    assert err == f"{house.folder}/none.csv: not landed: no such file\n"
    code, out, err = run_cli(house, profiles, capsys, good, "--loaded-at", "soon")
    assert (code, err.count("\n")) == (1, 1)


def test_folders_and_globs(duck):
    folder = duck.folder / "in"
    (folder / "b" / "deep").mkdir(parents=True)
    names = ["b/deep/x.jsonl", "a.ndjson", "b/y.json", "z.CSV", "notes.txt", ".hidden.ndjson"]
    for name in names:
        text = f'{{"customer_id": "{name}", "event_name": "e"}}\n'
        if name == "z.CSV":
            text = "customer_id,event_name\nz,e\n"
        (folder / name).write_text(text)
    results = duck.land(folder)
    landed = [str(Path(result.file).relative_to(folder)) for result in results]
    assert landed == ["a.ndjson", "b/deep/x.jsonl", "b/y.json", "z.CSV"]
    assert all(result.rows == 1 for result in results)
    found = duck.land(str(folder / "**" / "*.json*"))
    assert [result.already_landed for result in found] == [True, True]
    # A file named twice is one file.
    assert len(duck.land(folder / "a.ndjson", folder / "a.ndjson", folder)) == 4


# --- Mappings ---------------------------------------------------------------------------------


def test_mapping_of_nested_json(house):
    mapping = house.map(
        """
        customer_id: data.customer.id
        event_name: '"event.type"'
        occurred_at: {column: meta.ms, unit: milliseconds}
        event_key: {columns: [data.customer.id, meta.ms], separator: "-"}
        subscription_id: {value: sub '1'}
        properties: {tokens: data.usage.tokens, "it's": data.usage, none: data.none}
        """
    )
    result = house.land_text(
        '{"data": {"customer": {"id": 7}, "usage": {"tokens": 1.50}}, "event.type": "call",'
        ' "meta": {"ms": 1767225600123}}\n'
        '{"event.type": "call", "meta": {"ms": "soon"}}\n',
        mapping=mapping,
    )
    assert (result.error, result.unread) == (None, 0)
    assert house.rows() == [
        ("7", "call", "2026-01-01T00:00:00.123000Z", "7-1767225600123", None, "sub '1'", None,
         '{"tokens":1.50,"it\'s":{"tokens":1.50}}', None),
        (None, "call", "soon", "-soon", None, "sub '1'", None, "{}", None),
    ]  # fmt: skip
    assert house.loads()[0][5] == load_mapping(mapping).content_hash


def test_mapping_all_properties_of_json(house):
    mapping = house.map("customer_id: c\nevent_name: e\nproperties: all\n")
    house.land_text(
        '{"c": "a", "e": "x", "n": 5, "a/b~c": {"d": [1]}, "q\\"": "v"}\n'
        '{"c": "a", "e": "x", "n": 1.50, "": "", "a/b~c": 1e3}\n'
        '{"c": "a", "e": "x"}\n',
        mapping=mapping,
    )
    assert house.column("properties") == [
        '{"n":5,"a/b~c":{"d":[1]},"q\\"":"v"}',
        '{"n":1.50,"":"","a/b~c":1e3}',
        "{}",
    ]


def test_mapping_one_path_is_the_object(duck):
    mapping = duck.map("customer_id: c\nevent_name: e\nproperties: data.usage\n")
    duck.land_text('{"c": "a", "e": "x", "data": {"usage": {"n": 1.50}}}', mapping=mapping)
    assert duck.column("properties") == ['{"n":1.50}']


def test_mapping_of_csv(house):
    mapping = house.map(
        r"""
        customer_id: "cust'omer \"x\""
        event_name: {value: "it's"}
        occurred_at: {column: t, unit: seconds, since: 2025-10-25T00:00:00Z}
        event_key: {columns: ["cust'omer \"x\"", t]}
        properties: all
        null_text: ["NULL", "n/a"]
        csv: {delimiter: ";"}
        """
    )
    result = house.land_text(
        '"cust\'omer ""x""";t;a.b;n\n'
        "acme;2400;1,5;NULL\n"
        "acme;0.5;n/a;NULLS\n"
        "NULL;x;;\n"
        "acme;1e300;;\n",
        name="events.csv",
        mapping=mapping,
    )
    assert result.error is None
    assert house.rows("customer_id, event_name, occurred_at, event_key, properties") == [
        ("acme", "it's", "2025-10-25T00:40:00.000000Z", "acme/2400", '{"a.b":"1,5"}'),
        ("acme", "it's", "2025-10-25T00:00:00.500000Z", "acme/0.5", '{"n":"NULLS"}'),
        (None, "it's", "x", "/x", "{}"),
        ("acme", "it's", "1e300", "acme/1e300", "{}"),
    ]


def test_mapping_of_parquet(house):
    path = house.folder / "events.parquet"
    table = pa.table(
        {
            "who": [{"id": "acme", "tags": [("k", "v")]}],
            "at": pa.array([1767225600], pa.int64()),
            'n"m': [Decimal("2.50")],
            "extra": [1],
        },
        schema=pa.schema(
            [
                (
                    "who",
                    pa.struct([("id", pa.string()), ("tags", pa.map_(pa.string(), pa.string()))]),
                ),
                ("at", pa.int64()),
                ('n"m', pa.decimal128(9, 2)),
                ("extra", pa.int32()),
            ]
        ),
    )
    pa.parquet.write_table(table, path)
    mapping = house.map(
        """
        customer_id: who.id
        event_name: who.tags.k
        occurred_at: {column: at, unit: seconds}
        properties: ['n"m', who]
        """
    )
    (result,) = house.land(path, mapping=mapping)
    assert result.error is None
    assert house.rows("customer_id, event_name, occurred_at, properties") == [
        ("acme", "v", "2026-01-01T00:00:00.000000Z",
         '{"n\\"m":2.50,"who":{"id":"acme","tags":{"k":"v"}}}'),
    ]  # fmt: skip
    mapping = house.map("customer_id: who.nobody\nevent_name: {value: e}\n", "bad.yml")
    (result,) = house.land(path, mapping=mapping)
    assert result.already_landed


@pytest.mark.parametrize("name", ["events.csv", "events.parquet"])
def test_unknown_column_in_a_mapping(duck, name):
    if name.endswith("csv"):
        (duck.folder / name).write_text("a,b\n1,2\n")
    else:
        pa.parquet.write_table(pa.table({"a": [1], "b": [2]}), duck.folder / name)
    for text, field, column in [
        ("customer_id: nope\nevent_name: b\n", "customer_id", "nope"),
        ("customer_id: a\nevent_name: {columns: [b, 'x''y']}\n", "event_name", "x'y"),
        ("customer_id: a\nevent_name: b\nproperties: [b, c.d]\n", "properties", "c.d"),
        ("customer_id: a\nevent_name: b\nproperties: whole\n", "properties", "whole"),
    ]:
        mapping = duck.map(text)
        (result,) = duck.land(duck.folder / name, mapping=mapping)
        assert result.error == f"{mapping}: {field}: no column {column}; the columns are a, b"
    assert duck.loads() == []


def test_unknown_path_in_a_mapping(house):
    mapping = house.map("customer_id: data.custommer\nevent_name: e\n")
    result = house.land_text('{"data": {"customer": "a"}, "e": "x"}\n', mapping=mapping)
    assert result.error == (
        f"{mapping}: customer_id: no record has data.custommer;"
        " the names in the first one are data, e"
    )
    assert house.rows() == [] and house.loads() == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("event_name: e", "customer_id is missing"),
        ("customer_id: c", "event_name is missing"),
        ("customer_id: c\nevent_name: e\ncustomer: x", "unknown field customer;"),
        ("customer_id: {colum: c}\nevent_name: e", "customer_id: unknown option colum"),
        ("customer_id: {column: c, value: v}\nevent_name: e", "exactly one of"),
        ("customer_id: [c]\nevent_name: e", "customer_id: expected a column"),
        ("customer_id: c\nevent_name: e\noccurred_at: {column: t, unit: hours}", "unit hours"),
        ("customer_id: c\nevent_name: e\noccurred_at: {column: t, since: soon}", "since: soon"),
        ("customer_id: c\nevent_name: {column: t, unit: seconds}", "are for occurred_at"),
        ("customer_id: c\nevent_name: e\ncsv: {delimiter: '||'}", "one character"),
        ("customer_id: c\nevent_name: e\ncsv: {quote: x}", "expected {delimiter"),
        ("- a", "expected `field: column` lines"),
        ("a: [", "not YAML"),
        ("", "expected `field: column` lines"),
    ],
)
def test_bad_mappings(tmp_path, text, message):
    path = tmp_path / "m.yml"
    path.write_text(text)
    with pytest.raises(MappingError) as raised:
        load_mapping(path)
    assert message in str(raised.value) and str(raised.value).startswith(f"{path}: ")
    assert "\n" not in str(raised.value)


def test_missing_mapping_is_one_line(duck, profiles, capsys):
    code, out, err = run_cli(duck, profiles, capsys, "x.csv", "--mapping", duck.folder / "no.yml")
    assert (code, out) == (1, "")
    assert err == f"{duck.folder}/no.yml: No such file or directory\n"


def test_paths():
    assert split_path('a."b.c".d') == ["a", "b.c", "d"]
    assert split_path('"say ""x"""') == ['say "x"']
    for path in ("a.", ".a", 'a"b"', '"a"b', ""):
        with pytest.raises(ValueError):
            split_path(path)


@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="no ../shared/data here")
@pytest.mark.parametrize(
    ("file", "mapping", "rows", "customers", "first", "last"),
    [
        ("servegen/windows_10min.csv.gz", "servegen_windows", 251_524, 421,
         "2025-10-25T00:00:00.000000Z", "2025-11-07T23:50:00.000000Z"),
        ("servegen/blocks_6h.csv.gz", "servegen_blocks", 15_569, 367,
         "2025-10-25T00:00:00.000000Z", "2025-11-07T18:00:00.000000Z"),
        ("helios/gpus_by_minute_2020-05.csv.gz", "helios_gpus", 714_240, 16,
         "2020-05-01 00:00:00", "2020-05-31 23:59:00"),
        ("focus/focus_sample.csv", "focus", 1_000, 73,
         "2024-09-01 00:00:00", "2024-09-30 23:00:00"),
    ],
)  # fmt: skip
def test_real_files_land_as_they_are(house, file, mapping, rows, customers, first, last):
    mapping = PROJECT_DIR / "benchmarks" / "real" / "mappings" / f"{mapping}.yml"
    (result,) = house.land(SHARED_DATA / file, mapping=mapping)
    assert (result.error, result.rows, result.unread) == (None, rows, 0)
    found = house.warehouse.query(
        "select count(distinct customer_id), min(occurred_at), max(occurred_at),"
        " count(*) - count(event_key)"
        f" from {landing.raw_table('usage_events', house.prefix)}"
    )[1]
    assert found == [(customers, first, last, 0)]
    assert '"NULL"' not in " ".join(house.column("properties")[:1000])


# --- Strict -----------------------------------------------------------------------------------

STRICT = [
    ("half a li", "record", "a record that can be read"),
    ('{"event_name": "e"}', "customer_id", "a customer"),
    ('{"customer_id": "a"}', "event_name", "an event name"),
    ('{"customer_id": "a", "event_name": "e", "properties": [1]}', "properties", "a JSON object"),
    ('{"customer_id": "a", "event_name": "e", "properties": {"a": "\\u0000"}}', "properties", ""),
    ('{"customer_id": "a", "event_name": "e", "occurred_at": "x"}', "occurred_at", "a time like"),
    ('{"customer_id": "a", "event_name": "e", "occurred_at": "2026-02-30"}', "occurred_at", ""),
    ('{"customer_id": "a", "event_name": "e", "occurred_at": "2026-01-01T24:00"}', "occurred_at",
     "a time like"),
    ('{"customer_id": "a", "event_name": "e", "occurred_at": "1969-12-31T23:59:59Z"}',
     "occurred_at", "a time since 1970"),
    ('{"customer_id": "a", "event_name": "e", "occurred_at": "9999-12-31"}', "occurred_at",
     "a time at most 60 minutes"),
    ('{"customer_id": "a", "event_name": "e", "occurred_at": "2026-02-01T07:00:01Z"}',
     "occurred_at", "a time at most 60 minutes"),
    ('{"customer_id": "a", "event_name": "e", "occurred_at": "2026-02-01T06:00:01-01:00"}',
     "occurred_at", "a time at most 60 minutes"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "field", "expected"), STRICT)
def test_strict_refuses_the_file(duck, line, field, expected):
    good = '{"customer_id": "a", "event_name": "e"}'
    result = duck.land_text(f"{good}\n\n{line}\n{good}\nhalf\n", strict=True)
    assert result.error.startswith(f"line 3: {field}: expected {expected}")
    assert duck.rows() == [] and duck.loads() == []


def test_strict_takes_a_good_file(house):
    times = [
        "2026-01-01", "2026-01-01T23:59", "2026-01-01 23:59:59.123456789+05:30", "1970-01-01",
        "2026-02-01T07:00:00Z", "2026-02-01T09:00:00+0200", "2026-02-01T09:00:00+02",
        "1970-01-01T01:00:00+01:00",
    ]  # fmt: skip
    result = house.land_events(
        *({"customer_id": "a", "event_name": "e", "occurred_at": time} for time in times),
        {"customer_id": "a", "voids_key": "k", "properties": {"n": 1.5}},
        strict=True,
    )
    assert (result.error, result.rows, result.zoneless) == (None, 9, 4 - 1)


# --- Whole or not at all ----------------------------------------------------------------------


def test_a_file_that_changes_is_not_landed(house, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(landing, "hash_content", lambda path, compression: ("0" * 64, 1))
        result = house.land_events({"customer_id": "a", "event_name": "e"})
    assert result.error == "the file changed while it was being landed; nothing was landed"
    assert house.rows() == [] and house.loads() == []


def test_a_fault_after_the_events_leaves_nothing(house, monkeypatch):
    def fail(self, load_id):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(landing._Lander, "_count", fail)
        house.land_events({"customer_id": "a", "event_name": "e"})
    assert house.rows() == [] and house.loads() == []
    assert house.land_events({"customer_id": "a", "event_name": "e"}).rows == 1


def test_two_landings_at_once(landing_database, tmp_path, profiles, monkeypatch):
    for name, value in landing_database.items():
        monkeypatch.setenv(name, value)
    path = tmp_path / "events.ndjson"
    path.write_text('{"customer_id": "a", "event_name": "e"}\n' * 20_000)
    warehouses = [connect("postgres", profiles) for _ in range(3)]
    results = []

    def work(warehouse):
        results.extend(land([path], warehouse=warehouse, schema_prefix="at_once_"))

    threads = [threading.Thread(target=work, args=[warehouse]) for warehouse in warehouses]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(result.already_landed for result in results) == [False, True, True]
    assert warehouses[0].query("select count(*) from at_once_raw.usage_events")[1] == [(20_000,)]
    warehouses[0].execute("drop schema at_once_raw cascade")
    for warehouse in warehouses:
        warehouse.close()


def test_a_locked_duckdb_is_one_line(tmp_path, profiles, monkeypatch):
    path = tmp_path / "tally.duckdb"
    monkeypatch.setenv("TALLY_DUCKDB_PATH", str(path))
    code = (
        "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print('open', flush=True); input()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(WarehouseError) as raised:
            connect("duckdb", profiles)
    finally:
        holder.communicate("\n")
    assert str(raised.value).startswith(f"cannot open {path}: another process is using it")
    assert "\n" not in str(raised.value)


def test_unreachable_postgres_is_one_line(tmp_path, profiles, monkeypatch):
    monkeypatch.setenv("TALLY_PG_HOST", str(tmp_path))
    with pytest.raises(WarehouseError) as raised:
        connect("postgres", profiles)
    assert str(raised.value).startswith("cannot connect to ")
    assert "\n" not in str(raised.value)
    with pytest.raises(WarehouseError) as raised:
        connect("nowhere", profiles)
    assert "\n" not in str(raised.value)


def test_parameters_are_the_drivers_own(house):
    columns, rows = house.warehouse.query(
        """select ? as a, '?%' as "b?%", ? as c -- ?""", ["'; drop", 5]
    )
    assert (columns, rows) == (["a", "b?%", "c"], [("'; drop", "?%", 5)])


def test_raw_filled_by_another_tool_is_kept(house):
    """Columns in another order, and rows that no lander wrote."""
    landing.create_raw_tables(house.warehouse, house.prefix)
    table = landing.raw_table("usage_events", house.prefix)
    house.warehouse.execute(f"drop table {table}")
    house.warehouse.execute(
        f"create table {table} (properties text, unread_record text, customer_id text,"
        " event_name text, occurred_at text, event_key text, voids_key text,"
        " subscription_id text, subscription_item_id text, loaded_at timestamp,"
        " line_number bigint, load_id text)"
    )
    house.warehouse.execute(
        f"insert into {table} (load_id, line_number, loaded_at, customer_id)"
        " values ('!', 1, timestamp '2026-01-01', 'theirs')"
    )
    assert house.land_events({"customer_id": "ours", "event_name": "e"}).rows == 1
    assert house.column("customer_id") == ["theirs", "ours"]


def test_duckdb_is_the_pinned_reader():
    """The marks for risky numbers rest on what DuckDB's JSON reader lets pass."""
    assert duckdb.__version__.startswith("2.0.")
