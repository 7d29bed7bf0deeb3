"""From a line to its events, from an event to its lines; the tree of a line; the log of runs."""

import json
from decimal import Decimal

import pytest

from tests import trace_story

ENGINES = pytest.mark.parametrize("engine", ["duckdb", "postgres"])

JANUARY = "acme@2026-02-01"


@pytest.fixture(scope="module")
def traced(twins):
    """The story on each engine, in three builds, the last in full."""

    def build(house):
        for through, *options in trace_story.STEPS:
            house.build_untested("--through", through, *options)

    return twins(trace_story.catalog(), trace_story.rows(), build)


@pytest.fixture(scope="module")
def explained(traced):
    """Traces a line on both engines, which must say the same: explained(line_id) -> document."""

    def trace(line_id, *words):
        shown = [
            house.run("explain", line_id, *words, "--format", "json", with_catalog=False)
            for house in traced.values()
        ]
        assert [one.returncode for one in shown] == [0, 0], shown[0].stderr + shown[1].stderr
        assert shown[0].stdout == shown[1].stdout
        return json.loads(shown[0].stdout)

    return trace


def find_line(house, invoice_id, charge_id, line_kind="usage", **columns):
    """The id of the only line that is like this."""
    conditions = {"invoice_id": invoice_id, "charge_id": charge_id, "line_kind": line_kind}
    conditions |= columns
    found = house.query(
        "select line_id from marts.invoice_lines where "
        + " and ".join(f"coalesce({name}, '') = ?" for name in conditions),
        list(conditions.values()),
    )
    assert len(found) == 1, found
    return found[0][0]


def leaves(value):
    """Every value of a document that holds no others."""
    parts = value.values() if isinstance(value, dict) else value
    if isinstance(value, (dict, list)):
        return [leaf for part in parts for leaf in leaves(part)]
    return [value]


def events_of(document):
    """The events of a document's days, wherever in them they stand."""
    return [
        event
        for day in document["days"]
        for holder in [day, *day["rollups"]]
        for event in holder["events"]
    ]


# From lines to events


@ENGINES
def test_events_of_a_line_sum_to_its_quantity(traced, engine):
    """Of corrections too: what they added, less what they took back."""
    lines = traced[engine].query(
        "select line.line_id, line.charge_id, line.event_count, line.quantity,"
        " line.adjusts_rated_line_id, coalesce(events.direction, 0), coalesce(events.quantity, 0)"
        " from marts.invoice_lines as line"
        " left join ("
        "   select line_id, sum(direction) as direction, sum(direction * quantity) as quantity"
        "   from marts.line_events group by line_id"
        " ) as events on line.line_id = events.line_id"
        " where line.line_kind = 'usage'"
    )
    for line_id, charge_id, event_count, quantity, _, direction, value in lines:
        assert direction == event_count, line_id
        assert (direction if charge_id == "calls" else value) == quantity, line_id
    assert sum(line[4] is not None for line in lines) >= 7
    assert sum(line[4] is None for line in lines) >= 9


def test_the_view_is_the_same_on_both_engines(traced):
    exports = [house.export("marts.line_events") for house in traced.values()]
    assert exports[0] == exports[1]
    ((rows, places),) = traced["duckdb"].query(
        "select count(*), count(distinct (line_id, load_id, line_number)) from marts.line_events"
    )
    assert rows == places == len(exports[0])


# From events to lines


def lines_of(house, key, by_place):
    """(line, direction) of every line that acme's event of that key touched, in their order."""
    condition, values = "customer_id = ? and event_key = ?", ["acme", key]
    if by_place:
        (row,) = [
            row
            for row in trace_story.rows()
            if (row["customer_id"], row["event_key"]) == ("acme", key)
        ]
        condition, values = "load_id = ? and line_number = ?", [row["load_id"], row["line_number"]]
    return house.query(
        "select line_id, direction from marts.line_events"
        f" where {condition} order by load_day, original_line_id nulls first, line_id",
        values,
    )


@ENGINES
@pytest.mark.parametrize("by_place", [True, False])
def test_a_late_event_is_found_at_its_line_and_at_each_correction(traced, engine, by_place):
    """It came in after January had closed, February's invoice added it, March's took it back."""
    house = traced[engine]
    original = find_line(house, JANUARY, "calls")
    corrections = [
        find_line(house, f"acme@2026-{month}-01", "calls", adjusts_line_id=original)
        for month in ("03", "04")
    ]
    expected = [(original, 0), (corrections[0], 1), (corrections[1], -1)]
    assert lines_of(house, "call-late", by_place) == expected


@ENGINES
def test_a_voided_event_is_found_at_its_line_and_at_the_correction(traced, engine):
    house = traced[engine]
    original = find_line(house, JANUARY, "data", dimension_values="region=eu")
    correction = find_line(house, "acme@2026-03-01", "data", adjusts_line_id=original)
    assert lines_of(house, "data-01-5", True) == [(original, 1), (correction, -1)]


@ENGINES
def test_an_event_that_touched_no_line_has_none(traced, engine):
    assert lines_of(traced[engine], "mistake", True) == []


@ENGINES
def test_an_event_that_no_correction_moved_has_its_line_alone(traced, engine):
    original = find_line(traced[engine], JANUARY, "calls")
    assert lines_of(traced[engine], "call-3", True) == [(original, 1)]


# The tree of a line


def test_a_tiered_line(traced, explained):
    house = traced["duckdb"]
    shown = explained(find_line(house, JANUARY, "calls"))
    assert [(step["tier_from"], step["units"], step["amount"]) for step in shown["steps"]] == [
        ("0", "10", "20"),
        ("10", "2", "2.5"),
    ]
    assert shown["line"]["line_total"] == "20.25"
    assert [one["discount_total"] for one in shown["discounts"]] == ["2.25"]
    assert [one["percent_fraction"] for one in shown["sources"]["discounts"]] == ["0.1"]
    assert [price["unit_price"] for price in shown["sources"]["prices"]] == ["2", "1"]
    assert (shown["before"], shown["after"], shown["event_count"]) == (None, None, 12)
    assert len(shown["days"]) == 12
    assert [day["event_count"] for day in shown["days"]] == [1] * 12
    for number, event in enumerate(events_of(shown), start=1):
        assert event["event_key"] == f"call-{number}"
        assert event["file_name"] == f"load-2026-01-{number:02}.ndjson"
        assert event["line_number"] >= 1
    for day in shown["days"]:
        (rollup,) = day["rollups"]
        assert rollup["bucket_from"] == f"{day['usage_date']}T10:15:00Z"
        assert rollup["load_day"] == day["usage_date"]
        assert (rollup["event_count"], len(rollup["events"]), day["events"]) == (1, 1, [])
    assert [line["line_total"] for line in shown["corrections"]] == ["0.90", "-0.90"]
    assert [event["event_key"] for event in shown["late"]] == ["call-late"]


def test_events_are_limited_and_the_rest_is_counted(traced, explained):
    shown = explained(find_line(traced["duckdb"], JANUARY, "calls"), "--events", "5")
    assert len(events_of(shown)) == 5
    assert (shown["event_count"], shown["more_events"]) == (12, 7)
    assert len(shown["days"]) == 12
    assert [len(day["rollups"]) for day in shown["days"]] == [1] * 5 + [0] * 7


def test_a_line_of_some_dimension_values(traced, explained):
    shown = explained(find_line(traced["duckdb"], JANUARY, "data", dimension_values="region=eu"))
    assert [event["quantity"] for event in events_of(shown)] == ["6.25", "8.75"]
    assert [day["quantity_sum"] for day in shown["days"]] == ["6.25", "8.75"]
    assert shown["line"]["quantity"] == "15"
    assert [limit["minimum"] for limit in shown["sources"]["limits"]] == ["30"]


def test_a_correction_has_before_and_after_and_what_came_between(traced, explained):
    """Of January's calls the second: 13 were posted, 12 are left."""
    house = traced["duckdb"]
    original = find_line(house, JANUARY, "calls")
    first, second = (
        find_line(house, f"acme@2026-{month}-01", "calls", adjusts_line_id=original)
        for month in ("03", "04")
    )
    shown = explained(second)
    assert [line["line_id"] for line in shown["before"]["lines"]] == [original, first]
    for state, quantity, total, amounts in (
        ("before", "13", "21.15", ["20", "3.5"]),
        ("after", "12", "20.25", ["20", "2.5"]),
    ):
        assert (shown[state]["quantity"], shown[state]["line_total"]) == (quantity, total)
        steps = shown["steps"] if state == "after" else shown["before"]["steps"]
        assert [step["amount"] for step in steps] == amounts
    assert (shown["line"]["quantity"], shown["line"]["line_total"]) == ("-1", "-0.90")
    (day,) = shown["days"]
    assert (day["usage_date"], day["event_count"]) == ("2026-01-20", -1)
    (rollup,) = day["rollups"]
    assert (rollup["load_day"], rollup["event_count"]) == ("2026-03-10", -1)
    (event,) = rollup["events"]
    assert (event["event_key"], event["direction"]) == ("call-late", -1)
    assert event["voided_day"] == "2026-03-10"
    assert (event["file_name"], event["line_number"]) == ("load-2026-02-10.ndjson", 1)


def test_a_line_that_was_taken_back_whole(traced, explained):
    house = traced["duckdb"]
    original = find_line(house, "gone@2026-02-01", "data")
    correction = find_line(house, "gone@2026-03-01", "data", adjusts_line_id=original)
    shown = explained(correction)
    assert (shown["before"]["quantity"], shown["before"]["line_total"]) == ("17", "25.50")
    assert (shown["after"]["quantity"], shown["after"]["line_total"]) == ("0", "0.00")
    assert (shown["steps"], len(shown["before"]["steps"])) == ([], 1)
    assert [price["unit_price"] for price in shown["sources"]["prices"]] == ["1.5"]
    assert [(event["event_key"], event["direction"]) for event in events_of(shown)] == [
        ("gone-8", -1),
        ("gone-9", -1),
    ]
    assert all(rollup["load_day"] == "2026-02-12" and rollup["event_count"] == -1
               for day in shown["days"] for rollup in day["rollups"])  # fmt: skip


def test_a_correction_of_a_period_that_had_no_line(traced, explained):
    shown = explained(
        find_line(traced["duckdb"], "slow@2026-03-01", "data", adjusts_invoice_id="slow@2026-02-01")
    )
    assert (shown["before"]["lines"], shown["before"]["line_total"]) == ([], "0.00")
    assert (shown["after"]["quantity"], shown["after"]["line_total"]) == ("4", "6.00")
    assert [event["event_key"] for event in events_of(shown)] == ["slow-1"]


def test_what_is_no_usage_says_where_it_comes_from(traced, explained):
    house = traced["duckdb"]
    fee = explained(find_line(house, "team@2026-01-01", "seats", "recurring"))
    assert [(step["units"], step["rate"]) for step in fee["steps"]] == [("3", "31")]
    assert [price["unit_price"] for price in fee["sources"]["prices"]] == ["31"]
    assert [change["quantity"] for change in fee["sources"]["quantities"]] == ["3"]
    assert (fee["days"], fee["event_count"]) == ([], 0)

    credit = explained(find_line(house, "team@2026-02-01", "seats", "credit"))
    assert [step["step_kind"] for step in credit["steps"]] == ["billed", "used"]
    assert [line["line_id"] for line in credit["sources"]["lines"]] == [fee["line"]["line_id"]]

    minimum = explained(find_line(house, JANUARY, "data", "minimum"))
    below = sum(Decimal(line["line_total"]) for line in minimum["sources"]["lines"])
    assert below + Decimal(minimum["line"]["line_total"]) == Decimal("30.00")
    assert len(minimum["sources"]["lines"]) == 2

    true_up = explained(find_line(house, "steady@2026-03-01", "floor", "true_up"))
    assert [row["amount"] for row in true_up["sources"]["commitments"]] == ["100"]
    counted = sum(Decimal(line["line_total"]) for line in true_up["sources"]["lines"])
    assert counted == Decimal("60.00")
    assert counted + Decimal(true_up["line"]["line_total"]) == Decimal("100.00")


@ENGINES
def test_json_is_exact(traced, engine):
    """Decimals are text; whole numbers are counts and places."""
    house = traced[engine]
    original = find_line(house, JANUARY, "data", dimension_values="region=eu")
    correction = find_line(house, "acme@2026-03-01", "data", adjusts_line_id=original)
    for line_id in (original, correction):
        done = house.run("explain", line_id, "--format", "json", with_catalog=False)
        assert done.returncode == 0, done.stderr
        shown = json.loads(done.stdout, parse_float=pytest.fail)
        assert all(not isinstance(leaf, float) for leaf in leaves(shown))
        assert isinstance(shown["line"]["amount"], str)


@ENGINES
def test_the_tree_is_readable_in_a_pipe(traced, engine):
    house = traced[engine]
    original = find_line(house, JANUARY, "calls")
    correction = find_line(house, "acme@2026-04-01", "calls", adjusts_line_id=original)
    for line_id, texts in {
        original: (
            "over 10 and more: 2 x 1 + 0.5 = 2.5",
            "discount -2.25 USD",
            "A tenth (10 %)",
            "10:15 loaded 2026-01-03: 1 event",
            "2026-01-03 10:20:00  call-3  load-2026-01-03.ndjson:",
            "corrected since",
        ),
        correction: (
            "before: 21.15 USD",
            "over 10 and more: 3 x 1 + 0.5 = 3.5",
            "after: 20.25 USD, rated again on what was known at 2026-04-02 00:00:00 UTC",
            "difference: -0.90 USD",
            "- 2026-01-20 10:00:00  call-late  load-2026-02-10.ndjson:1  voided 2026-03-10",
        ),
    }.items():
        done = house.run("explain", line_id, with_catalog=False)
        assert done.returncode == 0, done.stderr
        assert "\x1b" not in done.stdout
        for text in texts:
            assert text in done.stdout, done.stdout


# The log of runs


def read_log(house, *columns):
    return house.query(f"select {', '.join(columns)} from marts.rating_runs order by started_at")


@ENGINES
def test_each_run_is_logged_and_a_full_one_keeps_the_log(traced, engine):
    house = traced[engine]
    rows = read_log(
        house, "cast(through_day as text)", "is_full", "has_succeeded", "closed_document_count"
    )
    ((closed,),) = house.query("select count(*) from ledger.documents")
    assert [row[:3] for row in rows[:3]] == [
        (step[0], "--full" in step, True) for step in trace_story.STEPS
    ]
    assert sum(row[3] for row in rows[:3]) == closed
    ((lines,),) = house.query("select count(*) from marts.rated_lines")
    ((raw,),) = house.query("select count(*) from raw.usage_events")
    (*_, last) = read_log(house, "rated_line_count", "raw_row_count", "run_id")[:3]
    # The full one rated all, and read all that was loaded.
    assert last[:2] == (lines, raw)
    assert len({row[0] for row in read_log(house, "run_id")}) >= 3
    for started, finished, version in read_log(house, "started_at", "finished_at", "code_version"):
        assert started < finished
        assert version.startswith("0.1.0")


def test_the_catalogue_has_one_hash_on_both_engines(traced):
    hashes = [{row[0] for row in read_log(house, "catalog_hash")[:3]} for house in traced.values()]
    assert hashes[0] == hashes[1]
    # One price was recorded in January: the three builds knew the same rows.
    assert len(hashes[0]) == 1
    assert len(hashes[0].pop()) == 64


def test_a_run_that_fails_is_logged_as_such(traced):
    """A raw row past a seal stops the build before its window: no days, no counts."""
    house = traced["duckdb"]
    before = read_log(house, "run_id")
    house.insert([trace_story.rows()[0] | {"load_id": "past", "customer_id": "nobody"}])
    assert house.run("build").returncode == 1
    rows = read_log(
        house, "run_id", "has_succeeded", "from_day", "rated_line_count", "catalog_hash"
    )
    assert len(rows) == len(before) + 1
    assert rows[-1][1:] == (False, None, None, None)
