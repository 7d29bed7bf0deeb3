"""`tally balance`: what is left of a customer's prepaid credits, day by day."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from orchestration.errors import UserError
from orchestration.marts import Marts, Row, document, grouped_money
from orchestration.terminal import make_console

if TYPE_CHECKING:
    from rich.table import Table

DAYS = 60
HEIGHT = 6
EIGHTHS = " ▁▂▃▄▅▆▇█"
PROVISIONAL = "~"
TOTALS = ("amount", "transferred_total", "balance_total", "granted_total", "drawn_total")
#: What a grant that has nothing left is called, by its status.
ENDED = {"used_up": "used up", "expired": "expired", "voided": "voided"}

GRANTS_SQL = """
select
    grants.grant_id,
    grants.name,
    grants.wallet,
    grants.kind,
    grants.currency,
    grants.scope,
    grants.scope_id,
    grants.expires_at,
    case
        when grants.void_date <= least(grants.expiry_date, cast(? as date)) then 'voided'
        when grants.expiry_date <= cast(? as date) then 'expired'
        when coalesce(balances.balance_total, 0) = 0 then 'used_up'
        else 'live'
    end as grant_status,
    grants.amount,
    cast(coalesce(transfers.transferred_total, 0) as decimal(24, 4)) as transferred_total,
    cast(coalesce(balances.balance_total, 0) as decimal(24, 4)) as balance_total
from marts.credit_grant_balances as grants
left join marts.credit_balances_daily as balances
    on
        grants.grant_id = balances.grant_id
        and balances.balance_date = cast(? as date)
left join (
    select
        grant_id,
        sum(amount) as transferred_total
    from marts.credit_ledger_entries
    where entry_kind = 'transfer' and posted_date <= cast(? as date)
    group by grant_id
) as transfers
    on grants.grant_id = transfers.grant_id
where
    grants.customer_id = ?
    and grants.posted_from_date <= cast(? as date)
order by grants.currency, grants.draw_rank
"""
DAYS_SQL = """
select
    currency,
    balance_date,
    cast(sum(balance_total) as decimal(24, 4)) as balance_total,
    max(case when is_provisional then 1 else 0 end) = 1 as is_provisional
from marts.credit_balances_daily
where customer_id = ? and balance_date between cast(? as date) and cast(? as date)
group by currency, balance_date
order by currency, balance_date
"""


@dataclass(frozen=True)
class Day:
    """What was left at the end of a day; `is_provisional`: the day is not sealed yet."""

    day: date
    total: Decimal
    is_provisional: bool


@dataclass
class CurrencyBalance:
    """A customer's credits in one currency: grants in the order in which they are drawn."""

    currency: str
    exponent: int
    grants: list[Row] = field(default_factory=list)
    days: list[Day] = field(default_factory=list)
    forecast: Row | None = None

    @property
    def total(self) -> Decimal:
        return sum((grant["balance_total"] for grant in self.grants), Decimal(0))

    @property
    def wallets(self) -> dict[str, Decimal]:
        """What is left in each wallet that has a grant, by name."""
        totals: dict[str, Decimal] = {}
        for grant in sorted(self.grants, key=lambda one: one["wallet"]):
            wallet = grant["wallet"]
            totals[wallet] = totals.get(wallet, Decimal(0)) + grant["balance_total"]
        return totals


@dataclass(frozen=True)
class Balance:
    """The credits of one customer at the end of a day."""

    customer_id: str
    customer_name: str
    on_date: date
    currencies: list[CurrencyBalance]


def read_balance(marts: Marts, customer: str, on_date: date | None) -> Balance:
    """The credits of `customer` at the end of `on_date`, or of the last day that is built.

    Raises UserError for a customer that there is not, and for a day that is not built yet.
    """
    names = marts.rows(
        "select name from staging.stg_catalog__customers where customer_id = ?"
        " order by valid_from_date desc, recorded_at desc limit 1",
        customer,
    )
    if not names:
        raise UserError(f"no customer {customer} in the catalogue")
    states = marts.rows("select as_of_day from builds.house_state")
    if not states:
        raise UserError("nothing has been built here yet: run tally build")
    last_day = states[0]["as_of_day"]
    day = on_date or last_day
    if day > last_day:
        raise UserError(f"{day} is not built yet: the last day that is built is {last_day}")
    found: dict[str, CurrencyBalance] = {}
    for grant in marts.rows(GRANTS_SQL, day, day, day, day, customer, day):
        currency = grant.pop("currency")
        if currency not in found:
            found[currency] = CurrencyBalance(currency, marts.exponent(currency))
        found[currency].grants.append(grant)
    for row in marts.rows(DAYS_SQL, customer, day - timedelta(days=DAYS - 1), day):
        made = Day(row["balance_date"], row["balance_total"], row["is_provisional"])
        found[row["currency"]].days.append(made)
    if day == last_day:
        # Of an earlier day nobody asks what is to come.
        for row in marts.rows(
            "select * from marts.credit_forecasts where customer_id = ?", customer
        ):
            found[row["currency"]].forecast = row
    return Balance(customer, names[0]["name"], day, list(found.values()))


def daily_totals(days: Sequence[Day], last_day: date) -> list[Day]:
    """A row for each day from the first one on: a day that nothing is said of ends with nothing."""
    if not days:
        return []
    known = {one.day: one for one in days}
    count = (last_day - days[0].day).days + 1
    dates = (days[0].day + timedelta(days=number) for number in range(count))
    return [known.get(one, Day(one, Decimal(0), False)) for one in dates]


def chart(days: Sequence[Day], exponent: int) -> list[str]:
    """The balance of each day as a column of blocks, the highest one filling the height.

    The last line marks days that are not sealed yet, where there are any.
    """
    peak = max((one.total for one in days), default=Decimal(0))
    if not peak:
        return []
    # What is left shows, however little it is.
    eighths = [max(int(one.total * HEIGHT * 8 // peak), int(one.total > 0)) for one in days]
    labels = {HEIGHT - 1: grouped_money(peak, exponent), 0: grouped_money(Decimal(0), exponent)}
    width = max(map(len, labels.values()))
    lines = []
    for row in reversed(range(HEIGHT)):
        blocks = "".join(EIGHTHS[min(max(filled - row * 8, 0), 8)] for filled in eighths)
        lines.append(f"{labels.get(row, ''):>{width}} │{blocks}".rstrip())
    first, last = days[0].day.isoformat(), days[-1].day.isoformat()
    between = " " * max(len(days) - len(first) - len(last), 1)
    lines.append(f"{'':>{width}} └{'─' * len(days)}")
    lines.append(f"{'':>{width}}  {first}{f'{between}{last}' if last != first else ''}")
    if any(one.is_provisional for one in days):
        marks = "".join(PROVISIONAL if one.is_provisional else " " for one in days)
        lines.append(f"{'':>{width}}  {marks} ({PROVISIONAL} provisional: not sealed yet)")
    return lines


def forecast_text(forecast: Row, currency: str, exponent: int) -> str:
    """How long what is left will last at the pace so far."""
    days = forecast["pace_days"]
    over = "on the last day" if days == 1 else f"in the last {days} days"
    left = forecast["days_left"]
    if left is None:
        return f"nothing drawn {over}"
    drawn = f"{grouped_money(forecast['drawn_total'], exponent)} {currency} drawn {over}"
    if not forecast["balance_total"]:
        return f"{drawn}: nothing is left"
    until = f" ({forecast['runs_out_date']})" if forecast["runs_out_date"] else ""
    return f"{drawn}: empty in {left:,} day{'' if left == 1 else 's'}{until} at that pace"


def _pays(grant: Row) -> str:
    if grant["scope"] == "all":
        return "everything"
    return f"{grant['scope']} {grant['scope_id']}"


def _grants_table(balance: CurrencyBalance) -> Table:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_footer=True, pad_edge=False)
    table.add_column("Wallet", "Total")
    for name in ("Grant", "Kind", "Pays", "Expires"):
        table.add_column(name)
    table.add_column("Granted", justify="right")
    has_moved = any(grant["transferred_total"] for grant in balance.grants)
    if has_moved:
        table.add_column("Moved", justify="right")
    total = grouped_money(balance.total, balance.exponent)
    table.add_column(f"Left, {balance.currency}", total, justify="right", footer_style="bold")
    wallets = balance.wallets
    for wallet, left in wallets.items():
        shown = [
            grant
            for grant in balance.grants
            if grant["wallet"] == wallet and grant["grant_status"] == "live"
        ]
        for grant in shown:
            expires = grant["expires_at"]
            moved = grant["transferred_total"]
            table.add_row(
                escape(wallet),
                f"{escape(grant['name'])} [dim]{escape(grant['grant_id'])}[/dim]",
                grant["kind"],
                escape(_pays(grant)),
                f"{expires:%Y-%m-%d %H:%M} UTC" if expires else "never",
                grouped_money(grant["amount"], balance.exponent),
                *([grouped_money(moved, balance.exponent) if moved else ""] if has_moved else []),
                grouped_money(grant["balance_total"], balance.exponent),
            )
        if len(wallets) > 1 and len(shown) > 1:
            subtotal = grouped_money(left, balance.exponent)
            blanks = [""] * (5 if has_moved else 4)
            table.add_row(escape(wallet), "[dim]together[/dim]", *blanks, subtotal)
    return table


def _ended_text(grants: Sequence[Row]) -> str:
    counts = {
        text: sum(grant["grant_status"] == status for grant in grants)
        for status, text in ENDED.items()
    }
    return ", ".join(f"{count} {text}" for text, count in counts.items() if count)


def print_balance(balance: Balance) -> None:
    """The balance for people: grants, total, a chart of the days, how long it will last."""
    from rich.markup import escape

    console = make_console()
    who = f"{balance.customer_name} ({balance.customer_id})"
    if not balance.currencies:
        console.print(escape(f"{who} has no prepaid credits on {balance.on_date}"))
        return
    is_provisional = any(
        one.is_provisional and one.day == balance.on_date
        for each in balance.currencies
        for one in each.days
    )
    note = " (provisional: not sealed yet)" if is_provisional else ""
    console.print(f"[bold]{escape(who)}[/bold], credits at the end of {balance.on_date} UTC{note}")
    for each in balance.currencies:
        console.print(_grants_table(each))
        if ended := _ended_text(each.grants):
            console.print(f"[dim]grants with nothing left: {ended}[/dim]")
        for line in chart(daily_totals(each.days, balance.on_date), each.exponent):
            console.print(line, markup=False)
        if each.forecast:
            console.print(forecast_text(each.forecast, each.currency, each.exponent))


def balance_document(balance: Balance) -> Row:
    """What `--format json` prints: money at the exponent, as text."""

    def shown(each: CurrencyBalance) -> Row:
        forecast = None
        if each.forecast:
            hidden = ("customer_id", "currency", "as_of_date")
            forecast = {
                name: value
                for name, value in document(each.forecast, TOTALS, each.exponent).items()
                if name not in hidden
            }
        days = [
            {"date": one.day, "balance_total": one.total, "is_provisional": one.is_provisional}
            for one in daily_totals(each.days, balance.on_date)
        ]
        wallets = [
            {"wallet": wallet, "balance_total": total} for wallet, total in each.wallets.items()
        ]
        return {
            **document(
                {"currency": each.currency, "balance_total": each.total}, TOTALS, each.exponent
            ),
            "wallets": [document(row, TOTALS, each.exponent) for row in wallets],
            "grants": [document(row, TOTALS, each.exponent) for row in each.grants],
            "days": [document(row, TOTALS, each.exponent) for row in days],
            "forecast": forecast,
        }

    return {
        "customer_id": balance.customer_id,
        "customer_name": balance.customer_name,
        "on_date": balance.on_date.isoformat(),
        "currencies": [shown(each) for each in balance.currencies],
    }


def run_balance(arguments: argparse.Namespace) -> int:
    """Print the balance of one customer."""
    with Marts(arguments.target) as marts:
        balance = read_balance(marts, arguments.customer, arguments.on)
    if arguments.format == "json":
        print(json.dumps(balance_document(balance), indent=2, ensure_ascii=False))
    else:
        print_balance(balance)
    return 0
