"""`tally balance`: what it reads, how it counts, what people see of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal

import duckdb
import pytest

from orchestration.cli import main
from orchestration.credit_balance import (
    Balance,
    Day,
    balance_document,
    chart,
    daily_totals,
    forecast_text,
    print_balance,
    read_balance,
)
from orchestration.errors import UserError
from orchestration.marts import Marts
from orchestration.warehouse import Warehouse

LAST = date(2026, 3, 31)
FOREVER = date(9999, 12, 31)


def days_of(*totals: str, first: date = date(2026, 3, 1), provisional: int = 0) -> list[Day]:
    """A day for each total from `first` on, so many of the last ones not sealed."""
    sealed = len(totals) - provisional
    return [
        Day(first + timedelta(days=place), Decimal(total), place >= sealed)
        for place, total in enumerate(totals)
    ]


def test_the_chart_fills_its_height_by_eighths():
    assert chart(days_of("48", "47", "24", "1", "0.01", "0"), 2) == [
        "48.00 │█▇",
        "      │██",
        "      │██",
        "      │███",
        "      │███",
        " 0.00 │███▁▁",
        "      └──────",
        "       2026-03-01 2026-03-06",
    ]


def test_the_chart_marks_days_that_are_not_sealed():
    lines = chart(days_of(*["5"] * 25, provisional=2), 0)
    assert lines[-2] == "   2026-03-01     2026-03-25"
    assert lines[-1] == "   " + " " * 23 + "~~ (~ provisional: not sealed yet)"


def test_the_chart_of_one_day_has_one_date():
    assert chart(days_of("5"), 0)[-1] == "   2026-03-01"


def test_there_is_no_chart_of_nothing():
    assert chart([], 2) == []
    assert chart(days_of("0", "0"), 2) == []


def test_a_day_that_nothing_is_said_of_ends_with_nothing():
    given = [*days_of("5"), *days_of("7", first=date(2026, 3, 3))]
    assert daily_totals(given, date(2026, 3, 4)) == days_of("5", "0", "7", "0")
    assert daily_totals([], LAST) == []


FORECAST = {
    "pace_days": 28,
    "drawn_total": Decimal("28.0100"),
    "balance_total": Decimal("100.0000"),
    "days_left": 99,
    "runs_out_date": date(2026, 7, 8),
}


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({}, "28.01 USD drawn in the last 28 days: empty in 99 days (2026-07-08) at that pace"),
        ({"days_left": 1, "runs_out_date": date(2026, 4, 1)},
         "28.01 USD drawn in the last 28 days: empty in 1 day (2026-04-01) at that pace"),
        ({"pace_days": 1, "days_left": 280_000, "runs_out_date": None},
         "28.01 USD drawn on the last day: empty in 280,000 days at that pace"),
        ({"days_left": None, "runs_out_date": None, "drawn_total": Decimal(0), "pace_days": 3},
         "nothing drawn in the last 3 days"),
        ({"days_left": 0, "balance_total": Decimal(0)},
         "28.01 USD drawn in the last 28 days: nothing is left"),
    ],
)  # fmt: skip
def test_the_forecast_says_how_long_it_lasts(given, text):
    assert forecast_text(FORECAST | given, "USD", 2) == text


# A house of which only the tables are there that the command reads

TABLES = {
    "staging.stg_catalog__customers": (
        "customer_id text, name text, valid_from_date date, recorded_at timestamp",
        [
            ("acme", "Acme [old]", date(1970, 1, 1), datetime(1970, 1, 1)),
            ("acme", "Acme [new]", date(2026, 2, 1), datetime(1970, 1, 1)),
            ("bolt", "Bolt", date(1970, 1, 1), datetime(1970, 1, 1)),
        ],
    ),
    "builds.house_state": ("as_of_day date", [(LAST,)]),
    "reference.currencies": ("currency text, exponent integer", [("USD", 2), ("JPY", 0)]),
    "marts.credit_grant_balances": (
        "customer_id text, grant_id text, name text, wallet text, kind text, currency text,"
        " scope text, scope_id text, draw_rank bigint, expires_at timestamp,"
        " posted_from_date date, expiry_date date, void_date date, amount decimal(24, 4)",
        [
            ("acme", "bought", "Bought [2026]", "main", "paid", "USD", "all", None, 2,
             datetime(2027, 1, 1), date(2026, 3, 1), date(2026, 12, 31), None, 1000),
            ("acme", "gift#1", "Gift", "promo", "promotional", "USD", "meter", "tokens", 1,
             datetime(2026, 3, 30), date(2026, 3, 1), date(2026, 3, 29), None, 10),
            ("acme", "gift#2", "Gift", "promo", "promotional", "USD", "meter", "tokens", 3,
             datetime(2026, 4, 30), date(2026, 3, 30), date(2026, 4, 29), None, 10),
            ("acme", "wrong", "Wrong", "main", "paid", "USD", "all", None, 4,
             None, date(2026, 3, 5), FOREVER, date(2026, 3, 30), 77),
            ("acme", "spent", "Spent", "main", "paid", "USD", "all", None, 5,
             None, date(2026, 3, 5), FOREVER, None, 50),
            ("acme", "yen", "Yen", "main", "paid", "JPY", "all", None, 1,
             None, date(2026, 3, 30), FOREVER, None, 9000),
            ("acme", "april", "April", "main", "paid", "JPY", "all", None, 2,
             None, date(2026, 4, 1), FOREVER, None, 9000),
        ],
    ),
    "marts.credit_ledger_entries": (
        "grant_id text, entry_kind text, posted_date date, amount decimal(24, 4)",
        [
            ("gift#1", "transfer", date(2026, 3, 29), "-1.5"),
            ("gift#2", "transfer", date(2026, 3, 30), "1.5"),
            ("gift#2", "draw", date(2026, 3, 30), "-3.4"),
            ("bought", "transfer", date(2026, 3, 31), "-2"),
            ("spent", "transfer", date(2026, 3, 31), "2"),
        ],
    ),
    "marts.credit_balances_daily": (
        "balance_date date, customer_id text, wallet text, currency text, grant_id text,"
        " balance_total decimal(24, 4), is_provisional boolean",
        [
            (date(2026, 3, 28), "acme", "main", "USD", "bought", "900.5", False),
            (date(2026, 3, 28), "acme", "promo", "USD", "gift#1", "2.25", False),
            (date(2026, 3, 30), "acme", "main", "USD", "bought", "800", False),
            (date(2026, 3, 31), "acme", "main", "USD", "bought", "790", True),
            (date(2026, 3, 31), "acme", "promo", "USD", "gift#2", "8.1", True),
            (date(2026, 3, 31), "acme", "main", "USD", "wrong", "0", True),
            (date(2026, 3, 31), "acme", "main", "JPY", "yen", "8999", True),
        ],
    ),
    "marts.credit_forecasts": (
        "customer_id text, currency text, as_of_date date, balance_total decimal(24, 4),"
        " granted_total decimal(24, 4), share_left decimal(28, 10), pace_from_date date,"
        " pace_days bigint, drawn_total decimal(24, 4), days_left bigint, runs_out_date date,"
        " is_provisional boolean",
        [
            ("acme", "USD", LAST, "798.1", "1010", "0.7901980198", date(2026, 3, 4), 28, "56",
             399, date(2027, 5, 4), True),
        ],
    ),
}  # fmt: skip


def fill(connection: duckdb.DuckDBPyConnection) -> None:
    for name, (columns, rows) in TABLES.items():
        connection.execute(f"create schema if not exists {name.split('.')[0]}")
        connection.execute(f"create table {name} ({columns})")
        marks = ", ".join("?" for _ in rows[0])
        connection.executemany(f"insert into {name} values ({marks})", rows)


@pytest.fixture
def marts() -> Iterator[Marts]:
    connection = duckdb.connect()
    fill(connection)
    with Marts(None, Warehouse("duckdb", connection, "test")) as made:
        yield made


def left(balance: Balance) -> dict[str, dict[str, str]]:
    """What is left by currency and grant, as text, beside the grant's status."""
    return {
        each.currency: {
            grant["grant_id"]: f"{grant['balance_total']:f} {grant['grant_status']}"
            for grant in each.grants
        }
        for each in balance.currencies
    }


def test_the_last_day_has_what_each_grant_has_left(marts: Marts):
    balance = read_balance(marts, "acme", None)
    assert (balance.on_date, balance.customer_name) == (LAST, "Acme [new]")
    assert left(balance) == {
        "JPY": {"yen": "8999.0000 live"},
        "USD": {
            "gift#1": "0.0000 expired",
            "bought": "790.0000 live",
            "gift#2": "8.1000 live",
            "wrong": "0.0000 voided",
            "spent": "0.0000 used_up",
        },
    }
    yen, dollars = balance.currencies
    assert dollars.total == Decimal("798.1")
    assert dollars.wallets == {"main": Decimal("790"), "promo": Decimal("8.1")}
    assert dollars.forecast and dollars.forecast["days_left"] == 399
    assert yen.forecast is None


def test_an_earlier_day_has_what_was_left_then(marts: Marts):
    balance = read_balance(marts, "acme", date(2026, 3, 28))
    assert left(balance) == {
        "USD": {
            "gift#1": "2.2500 live",
            "bought": "900.5000 live",
            "wrong": "0.0000 used_up",
            "spent": "0.0000 used_up",
        }
    }
    (dollars,) = balance.currencies
    assert dollars.forecast is None
    assert not any(grant["transferred_total"] for grant in dollars.grants)
    assert dollars.days == [Day(date(2026, 3, 28), Decimal("902.75"), False)]


def test_before_the_first_grant_there_are_no_credits(marts: Marts, capsys):
    balance = read_balance(marts, "acme", date(2026, 2, 1))
    assert balance.currencies == []
    print_balance(balance)
    assert capsys.readouterr().out == "Acme [new] (acme) has no prepaid credits on 2026-02-01\n"


def test_whom_and_which_day_it_cannot_show(marts: Marts):
    with pytest.raises(UserError, match=r"^no customer nobody in the catalogue$"):
        read_balance(marts, "nobody", None)
    expected = r"^2026-04-01 is not built yet: the last day that is built is 2026-03-31$"
    with pytest.raises(UserError, match=expected):
        read_balance(marts, "acme", date(2026, 4, 1))


def test_people_see_grants_total_chart_and_forecast(marts: Marts, capsys):
    print_balance(read_balance(marts, "acme", None))
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == (
        "Acme [new] (acme), credits at the end of 2026-03-31 UTC (provisional: not sealed yet)"
    )
    rows = [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in lines]
    assert ["main", "Bought [2026] bought", "paid", "everything", "2027-01-01 00:00 UTC",
            "1,000.00", "-2.00", "790.00"] in rows  # fmt: skip
    assert ["promo", "Gift gift#2", "promotional", "meter tokens", "2026-04-30 00:00 UTC",
            "10.00", "1.50", "8.10"] in rows  # fmt: skip
    assert ["main", "Yen yen", "paid", "everything", "never", "9,000", "8,999"] in rows
    assert ["Total", "798.10"] in rows
    assert "grants with nothing left: 1 used up, 1 expired, 1 voided" in lines
    # The 29th has no row: nothing was left at its end.
    assert "902.75 │█ ▂▂" in lines
    assert lines[-1] == (
        "56.00 USD drawn in the last 28 days: empty in 399 days (2027-05-04) at that pace"
    )


def test_json_is_exact_text(marts: Marts):
    shown = json.loads(json.dumps(balance_document(read_balance(marts, "acme", None))))
    assert (shown["customer_id"], shown["on_date"]) == ("acme", "2026-03-31")
    yen, dollars = shown["currencies"]
    assert (yen["balance_total"], yen["forecast"]) == ("8999", None)
    assert dollars["balance_total"] == "798.10"
    assert dollars["wallets"] == [
        {"wallet": "main", "balance_total": "790.00"},
        {"wallet": "promo", "balance_total": "8.10"},
    ]
    assert dollars["grants"][2] == {
        "grant_id": "gift#2",
        "name": "Gift",
        "wallet": "promo",
        "kind": "promotional",
        "scope": "meter",
        "scope_id": "tokens",
        "expires_at": "2026-04-30T00:00:00Z",
        "grant_status": "live",
        "amount": "10.00",
        "transferred_total": "1.50",
        "balance_total": "8.10",
    }
    assert dollars["days"][1:3] == [
        {"date": "2026-03-29", "balance_total": "0.00", "is_provisional": False},
        {"date": "2026-03-30", "balance_total": "800.00", "is_provisional": False},
    ]
    assert dollars["forecast"]["days_left"] == 399
    assert dollars["forecast"]["drawn_total"] == "56.00"


def test_a_currency_has_the_days_of_sixty(marts: Marts):
    marts.warehouse.execute(
        "insert into marts.credit_balances_daily select cast(d as date), 'acme', 'main', 'USD',"
        " 'bought', 1000, false from range(date '2026-01-01', date '2026-03-01', interval 1 day)"
        " as days(d)"
    )
    dollars = read_balance(marts, "acme", None).currencies[-1]
    assert daily_totals(dollars.days, LAST)[0].day == date(2026, 1, 31)
    assert len(daily_totals(dollars.days, LAST)) == 60


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        (["balance", "nobody"], 1, "tally: no customer nobody in the catalogue\n"),
        (["balance", "acme", "--on", "2027-01-01"], 1,
         "tally: 2027-01-01 is not built yet: the last day that is built is 2026-03-31\n"),
        (["balance", "acme", "--on", "yesterday"], 2,
         "tally balance: argument --on: not a day (YYYY-MM-DD): 'yesterday' (try: tally balance"
         " --help)\n"),
        (["balance"], 2,
         "tally balance: the following arguments are required: CUSTOMER (try: tally balance"
         " --help)\n"),
    ],
)  # fmt: skip
def test_what_a_person_can_mend_is_one_line(tmp_path, monkeypatch, capsys, words, code, expected):
    path = tmp_path / "tally.duckdb"
    with duckdb.connect(str(path)) as connection:
        fill(connection)
    monkeypatch.setenv("TALLY_DUCKDB_PATH", str(path))
    try:
        done = main(words)
    except SystemExit as fault:
        done = fault.code
    assert (done, capsys.readouterr().err) == (code, expected)
