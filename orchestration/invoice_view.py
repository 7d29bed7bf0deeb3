"""`tally invoice`: one invoice, as a table for people or as exact JSON."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from orchestration.errors import UserError
from orchestration.invoice_reductions import (
    credit_texts,
    discount_texts,
    read_credits,
    read_discounts,
    unit_texts,
    units_text,
)
from orchestration.marts import Marts, Row, document, grouped, grouped_money, part_of_cycle
from orchestration.terminal import make_console

if TYPE_CHECKING:
    from rich.table import Table

TOTALS = (
    "invoice_total",
    "rounded_total",
    "over_maximum_total",
    "discount_total",
    "line_total",
    "credits_total",
    "credit_total",
    "balance_applied_total",
    "amount_due_total",
    "disputed_total",
)
#: What a line of each kind is, behind the name of its charge or commitment.
KINDS = {
    "minimum": "up to the minimum",
    "credit": "credit for what is not used",
    "true_up": "up to the commitment",
    "overage": "over the commitment",
    "credited": "credited",
    "disputed": "in dispute",
    "resolved": "no longer in dispute",
    "refunded": "customer balance paid out",
}
#: What a document is that is no invoice; those of an action name the invoice that they are about.
DOCUMENTS = {
    "adjustment": "corrections of earlier invoices",
    "credit_note": "credit note",
    "void": "void of {}",
    "reissue": "reissue of {}",
    "credit": "credit on {}",
    "dispute": "dispute of a line of {}",
    "resolve": "end of the dispute of a line of {}",
    "refund": "refund, beside {}",
}

INVOICE_SQL = """
select invoices.*, periods.time_zone
from marts.invoices as invoices
left join subscriptions.int_subscriptions__periods as periods
    on
        invoices.subscription_id = periods.subscription_id
        -- The opening invoice, number 0, is dated in the zone of the first period.
        and greatest(invoices.period_number, 1) = periods.period_number
"""


def read_invoice(marts: Marts, number: str) -> Row:
    """The invoice that `number` (an invoice number or an invoice_id) names.

    Raises UserError when there is none.
    """
    found = marts.rows(
        INVOICE_SQL + "where invoices.invoice_number = ? or invoices.invoice_id = ?", number, number
    )
    if not found:
        raise UserError(
            f"no invoice {number} (tally invoice --customer ID lists those of a customer)"
        )
    return found[0]


def list_invoices(marts: Marts, customer: str) -> list[Row]:
    """The invoices of `customer`, oldest first. Raises UserError when there are none."""
    found = marts.rows(
        INVOICE_SQL
        + "where invoices.customer_id = ? order by invoices.cutoff_at, invoices.invoice_id",
        customer,
    )
    if not found:
        raise UserError(f"no invoice of a customer {customer}")
    return found


def read_lines(marts: Marts, invoice_id: str) -> list[Row]:
    """The lines of one invoice in their order, each with units and rate of its only step, if so."""
    return marts.rows(
        """
        select lines.*, steps.units, steps.rate
        from marts.invoice_lines as lines
        left join (
            select rated_line_id, min(units) as units, min(rate) as rate
            from marts.rating_steps
            where step_kind not in ('share', 'unit')
            group by rated_line_id
            having count(*) = 1
        ) as steps
            on lines.rated_line_id = steps.rated_line_id
        where lines.invoice_id = ?
        order by lines.line_number
        """,
        invoice_id,
    )


def invoice_document(
    invoice: Row, lines: list[Row], discounts: list[Row], credits: list[Row], exponent: int
) -> Row:
    """What `--format json` prints: money at the exponent, other decimals as exact text."""
    hidden = ("units", "rate")
    taken: dict[str, list[Row]] = {}
    for discount in discounts:
        shown = document(discount, TOTALS, exponent)
        taken.setdefault(shown.pop("line_id"), []).append(shown)
        del shown["line_number"]
    return {
        **document(invoice, TOTALS, exponent),
        "lines": [
            {k: v for k, v in document(line, TOTALS, exponent).items() if k not in hidden}
            | {"discounts": taken.get(line["line_id"], [])}
            for line in lines
        ],
        "credits": [document(credit, TOTALS, exponent) for credit in credits],
    }


def _price(line: Row) -> str:
    """A hint of the price, where one says it all; the steps (tally explain) have the rest."""
    if line["line_kind"] in ("recurring", "one_time") and line["rate"] is not None:
        seats = "" if line["units"] == 1 else f"{grouped(line['units'])} x "
        return seats + grouped(line["rate"])
    model = line["pricing_model"]
    if model is None or line["line_kind"] == "minimum":
        return ""
    if model == "per_unit" and line["rate"] is not None:
        return grouped(line["rate"])
    return model.replace("_", " ")


def _part(line: Row) -> str:
    """The part of a cycle that a line is for, if it is for one."""
    if line["line_kind"] == "credit":
        used = part_of_cycle(line["billed_days"], line["full_days"])
        return f"{used} used" if used else ""
    return part_of_cycle(line["billed_days"], line["full_days"]) or part_of_cycle(
        line["share_numerator"], line["share_denominator"]
    )


def describe_period(from_date: object, to_date: object) -> str:
    """A half-open period as people say it, with its last day."""
    if from_date is None or to_date is None or from_date >= to_date:
        return str(from_date or "")
    return f"{from_date} to {to_date - timedelta(days=1)}"


def _local_date(instant: datetime, zone: ZoneInfo) -> date:
    return instant.replace(tzinfo=UTC).astimezone(zone).date()


def _span(line: Row, invoice: Row) -> str:
    """The local days of a line that are not simply those of the invoice's period."""
    if (line["period_from"], line["period_to"]) == (invoice["period_from"], invoice["period_to"]):
        return ""
    zone = ZoneInfo(invoice["time_zone"] or "UTC")
    first = _local_date(line["period_from"], zone)
    # The day that holds the last moment: a part may end within a day.
    last = _local_date(line["period_to"] - timedelta(microseconds=1), zone)
    return describe_period(first, last + timedelta(days=1))


def describe_line(line: Row, invoice: Row) -> str:
    """What a line is for, in rich's markup: name, kind, and what is special about it."""
    from rich.markup import escape

    text = escape(str(line["name"] or line["charge_id"]))
    if line["line_kind"] in KINDS:
        text += f": {KINDS[line['line_kind']]}"
    notes = [
        _span(line, invoice),
        (line["dimension_values"] or "").replace("|", ", "),
        # The header of an action's document says it once for all lines.
        f"corrects {line['adjusts_invoice_id']}"
        if line["adjusts_invoice_id"] and not invoice.get("action_id")
        else "",
    ]
    shown = ", ".join(note for note in notes if note)
    return f"{text} [dim]{escape(shown)}[/dim]" if shown else text


def lines_table(invoice: Row, lines: list[Row], exponent: int) -> Table:
    """The lines and the total, right-aligned where they are numbers.

    Columns that no line of the invoice has anything for are left out.
    """
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_footer=True, pad_edge=False)
    table.add_column("#", justify="right")
    table.add_column("Charge", "Total")
    columns = {
        "Quantity": [grouped(line["quantity"]) for line in lines],
        "Included": [grouped(line["covered_quantity"] or None) for line in lines],
        "Rated": [grouped(line["rated_quantity"]) for line in lines],
        "Price": [_price(line) for line in lines],
        "Part": [_part(line) for line in lines],
        "Units": [_units(line) for line in lines],
        "Over maximum": [_taken(line["over_maximum_total"], exponent) for line in lines],
        "Discount": [_taken(line["discount_total"], exponent) for line in lines],
    }
    shown = {name: texts for name, texts in columns.items() if any(texts)}
    for name in shown:
        table.add_column(name, justify="right", overflow="fold")
    table.add_column(
        str(invoice["currency"]),
        grouped_money(invoice["invoice_total"], exponent),
        justify="right",
        overflow="fold",
        footer_style="bold",
    )
    for line, *texts in zip(lines, *shown.values(), strict=True):
        table.add_row(
            str(line["line_number"]),
            describe_line(line, invoice),
            *texts,
            grouped_money(line["line_total"], exponent),
        )
    return table


def _units(line: Row) -> str:
    """Units of credit, and what one is worth."""
    if line["unit_total"] is None:
        return ""
    return f"{units_text(line['unit_total'], line['unit'])} x {grouped(line['unit_rate'])}"


def _taken(total: Decimal, exponent: int) -> str:
    return grouped_money(-total, exponent) if total else ""


def document_text(invoice: Row) -> str:
    """What the document is, where it is no invoice: by whom, when and why, if somebody decided."""
    text = DOCUMENTS.get(invoice["document_kind"], "").format(invoice["adjusts_invoice_id"])
    if invoice["action_id"]:
        at = f"{invoice['acted_at']:%Y-%m-%d %H:%M} UTC"
        decided = f"{invoice['action_id']}, {invoice['acted_by']}, {at}"
        text += f" ({decided}: {invoice['action_reason']})"
    return text


def due_texts(invoice: Row, exponent: int) -> list[str]:
    """What customer balance pays, what is left to pay, what is in dispute; none of a plain one."""
    applied, disputed = invoice["balance_applied_total"], invoice["disputed_total"]
    credited = invoice["credits_total"]
    net = invoice["invoice_total"] - credited
    shown = {
        "from the customer balance": -applied if applied else None,
        "to the customer balance": -net if net < 0 else None,
        "due": invoice["amount_due_total"] if applied or credited else None,
        "in dispute": disputed if disputed else None,
    }
    return [
        f"{name}: {grouped_money(total, exponent)} {invoice['currency']}"
        for name, total in shown.items()
        if total is not None
    ]


def print_invoice(
    invoice: Row,
    lines: list[Row],
    discounts: list[Row],
    credits: list[Row],
    exponent: int,
    is_made: bool = True,
) -> None:
    """One invoice for people. One that is not made but previewed has no lines to explain."""
    from rich.markup import escape
    from rich.table import Table

    console = make_console()
    header = Table.grid(padding=(0, 2))
    title = invoice["invoice_number"] or f"{invoice['invoice_id']} (not numbered yet)"
    customer = f"{invoice['customer_name']} ({invoice['customer_id']})"
    facts = {
        "Invoice": f"[bold]{escape(title)}[/bold]",
        "Document": escape(document_text(invoice)),
        "Status": "[yellow]draft[/yellow]"
        if invoice["status"] == "draft"
        else f"[green]{invoice['status']}[/green]",
        "Customer": escape(customer),
        "Subscription": escape(f"{invoice['subscription_id']}, plan {invoice['plan_id']}"),
        "Period": describe_period(invoice["period_from_date"], invoice["period_to_date"]),
        "Dated": f"{invoice['invoice_date']}, {invoice['time_zone'] or 'UTC'}",
        "Currency": str(invoice["currency"]),
        "Billed by": escape(str(invoice["billing_entity"])),
    }
    for name, text in facts.items():
        if not text:
            continue
        header.add_row(f"[dim]{name}[/dim]", text)
    console.print(header)
    console.print(lines_table(invoice, lines, exponent))
    for text in discount_texts(discounts, invoice["currency"], exponent):
        console.print(f"[dim]discount[/dim] {escape(text)}")
    for text in unit_texts(lines, credits):
        console.print(f"[dim]units[/dim] {escape(text)}")
    for text in credit_texts(credits, exponent):
        console.print(f"[dim]credit[/dim] {escape(text)}")
    for text in due_texts(invoice, exponent):
        console.print(escape(text))
    if not is_made:
        return
    console.print(
        f"[dim]tally explain '{escape(lines[-1]['line_id'])}' shows how a line came about[/dim]"
        if lines
        else "[dim]no lines[/dim]"
    )


def _print_list(invoices: list[Row], marts: Marts) -> None:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("Invoice", "Document", "Status", "Subscription", "Period"):
        table.add_column(name)
    for name in ("Total", "Due"):
        table.add_column(name, justify="right")
    for invoice in invoices:
        exponent = marts.exponent(invoice["currency"])
        total = grouped_money(invoice["invoice_total"], exponent)
        table.add_row(
            escape(invoice["invoice_number"] or invoice["invoice_id"]),
            invoice["document_kind"].replace("_", " "),
            invoice["status"],
            escape(invoice["subscription_id"]),
            describe_period(invoice["period_from_date"], invoice["period_to_date"]),
            f"{total} {invoice['currency']}",
            grouped_money(invoice["amount_due_total"], exponent),
        )
    make_console().print(table)


def run_invoice(arguments: argparse.Namespace) -> int:
    """Print the invoice asked for, or a customer's list and the newest of it."""
    with Marts(arguments.target) as marts:
        invoices = (
            list_invoices(marts, arguments.customer)
            if arguments.customer
            else [read_invoice(marts, arguments.number)]
        )
        newest = invoices[-1]
        exponent = marts.exponent(newest["currency"])
        lines = read_lines(marts, newest["invoice_id"])
        discounts = read_discounts(marts, "invoice_id", newest["invoice_id"])
        credits = read_credits(marts, newest["invoice_id"])
        if arguments.format == "json":
            shown = invoice_document(newest, lines, discounts, credits, exponent)
            if arguments.customer:
                listed = [
                    document(each, TOTALS, marts.exponent(each["currency"])) for each in invoices
                ]
                shown = {"invoices": listed, "newest": shown}
            print(json.dumps(shown, indent=2, ensure_ascii=False))
            return 0
        if arguments.customer:
            _print_list(invoices, marts)
        print_invoice(newest, lines, discounts, credits, exponent)
    return 0
