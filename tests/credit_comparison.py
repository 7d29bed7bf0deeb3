"""What a warehouse posted of credits, beside what the oracle posts.

Rows are mappings with the columns of the marts credit_ledger_entries, credit_balances_daily and
invoices. What one grant pays of a line's usage day at a moment is compared in sum, however many
entries it takes; what is about no line is compared by day, kind and grant.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction

from tests.oracle import Bill

#: Entries that say which line, usage day and document they are about.
OF_LINES = ("draw", "give_back", "to_balance")
Row = Mapping[str, object]
Amounts = dict[tuple, Fraction]


def differences(
    expected: Bill,
    as_of_day: date,
    entries: Iterable[Row],
    balances: Iterable[Row],
    invoices: Iterable[Row],
) -> list[str]:
    """What is missing, too much, or of another amount; empty where both agree."""
    made = expected.credits
    return [
        *compare("entry", oracle_entries(expected), sum_up(entries, entry_key, "amount")),
        *compare(
            "balance",
            {
                (
                    text_of(one.balance_date),
                    one.grant_id,
                    one.customer_id,
                    one.wallet,
                    one.currency,
                ): (one.total)
                for one in made.balances(as_of_day)
            },
            sum_up(balances, balance_key, "balance_total"),
        ),
        *compare(
            "credits_total",
            {(one.invoice_id,): Fraction(one.credits_total) for one in expected.invoices},
            sum_up(invoices, lambda row: (row["invoice_id"],), "credits_total"),
            is_zero_nothing=True,
        ),
        *[
            f"entry {row['entry_id']}: of catalogue grant {row['catalog_grant_id']}, wallet "
            f"{row['wallet']}, expected {wanted[0]}, {wanted[1]}"
            for row in entries
            if (wanted := source_of(expected, str(row["grant_id"])))
            not in (None, (row["catalog_grant_id"], row["wallet"]))
        ],
    ]


def source_of(expected: Bill, grant_id: str) -> tuple[str, str] | None:
    grant = expected.credits.grants.get(grant_id)
    return None if grant is None else (grant.catalog_grant_id, grant.wallet)


def oracle_entries(expected: Bill) -> Amounts:
    rows = [
        {
            "posted_date": one.posted_date,
            "moment_number": one.moment,
            "entry_kind": one.kind,
            "grant_id": one.grant_id,
            "customer_id": one.customer_id,
            "currency": one.currency,
            "amount": one.amount,
            "rated_line_id": one.line_key,
            "usage_date": one.usage_date,
            "invoice_id": one.invoice_id,
        }
        for one in expected.credits.entries
    ]
    return sum_up(rows, entry_key, "amount")


def entry_key(row: Row) -> tuple:
    key = [text_of(row["posted_date"])]
    key += [row[name] for name in ("entry_kind", "grant_id", "customer_id", "currency")]
    if row["entry_kind"] in OF_LINES:
        key += [row["moment_number"], row["rated_line_id"]]
        key += [text_of(row["usage_date"]), row["invoice_id"]]
    return tuple(key)


def balance_key(row: Row) -> tuple:
    names = ("grant_id", "customer_id", "wallet", "currency")
    return (text_of(row["balance_date"]), *(row[name] for name in names))


def text_of(value: object) -> str:
    """A day as text, be it a date, an instant or text."""
    if isinstance(value, datetime):
        value = value.date()
    return "" if value is None else str(value)[:10]


def fraction_of(value: object) -> Fraction:
    if isinstance(value, float):
        raise TypeError(f"money as a float: {value}")
    if value is None:
        return Fraction(0)
    return Fraction(Decimal(value)) if isinstance(value, str) else Fraction(value)


def sum_up(rows: Iterable[Row], key: object, column: str) -> Amounts:
    found: Amounts = {}
    for row in rows:
        place = key(row)
        found[place] = found.get(place, Fraction(0)) + fraction_of(row[column])
    return found


def compare(
    what: str, expected: Amounts, found: Amounts, is_zero_nothing: bool = False
) -> list[str]:
    """Differences in the order of their keys."""
    texts = []
    for key in sorted(expected.keys() | found.keys(), key=str):
        wanted, seen = expected.get(key), found.get(key)
        if wanted == seen or (is_zero_nothing and not wanted and not seen):
            continue
        name = f"{what} {' | '.join(str(part) for part in key)}"
        if seen is None:
            texts.append(f"{name}: missing, expected {as_decimal(wanted)}")
        elif wanted is None:
            texts.append(f"{name}: too many, found {as_decimal(seen)}")
        else:
            texts.append(f"{name}: expected {as_decimal(wanted)}, found {as_decimal(seen)}")
    return texts


def as_decimal(value: Fraction) -> Decimal:
    return Decimal(value.numerator) / Decimal(value.denominator)
